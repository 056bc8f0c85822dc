//! What operators do to a cluster, on purpose or not: rights that are taken away and given back, a disk that fills up,
//! a destination's Kafka topic that is deleted and made anew, or takes only small records for a while.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::log::Entry;
use super::nemesis::{Nemesis, STANDSTILL};
use super::plan::Right;
use super::watch::Order;
use crate::kafka::acl::{TRANSACTS, transactional_ids};
use crate::kafka::{Acls, Admin, Isolation, Operation, Resource, coordinators};
use crate::oracle::intervention::{Offsets, Span};
use crate::wait;

/// The exit code of a service that only an operator can help.
const GIVEN_UP: i32 = 2;

/// Within which every broker knows that a Kafka topic is gone.
const GONE_EVERYWHERE: Duration = Duration::from_secs(1);

/// Within which every broker goes by a changed option of a Kafka topic. The service has no say in it: it compresses here,
/// and so learns of a record that is too large by its refusal only.
const KNOWN_EVERYWHERE: Duration = Duration::from_secs(2);

impl Nemesis<'_> {
    fn committed(&self) -> anyhow::Result<Offsets> {
        Admin::new(&self.stage.cluster)?.committed_offsets(self.fleet.group(), &self.stage.ingest)
    }

    /// A right is taken away for a while. Measured from when it is back.
    pub(super) fn take_right(
        &mut self,
        right: Right,
        destination: usize,
        time: Duration,
        entry: &mut Entry,
    ) -> anyhow::Result<()> {
        let stage = self.stage;
        let (id, kafka_topic) = stage.destination(destination);
        let (group, ids) = (self.fleet.group().to_owned(), transactional_ids(self.fleet.group()));
        let (resource, operations): (_, &[Operation]) = match right {
            Right::Write => (Resource::KafkaTopic(kafka_topic), &[Operation::Write]),
            Right::WriteAndDescribe => (Resource::KafkaTopic(kafka_topic), &[Operation::Write, Operation::Describe]),
            Right::ReadIngest => (Resource::KafkaTopic(&stage.ingest), &[Operation::Read]),
            Right::Group => (Resource::Group(&group), &[Operation::Read]),
            Right::TransactionalIds => (Resource::TransactionalIds(&ids), &TRANSACTS),
        };
        entry.detail = match right {
            Right::Write | Right::WriteAndDescribe => format!("{id}, {} ms", time.as_millis()),
            _ => format!("{} ms", time.as_millis()),
        };
        let acls = Acls::new(&stage.cluster);
        let since = Instant::now();
        acls.withdraw_all(resource, operations)?;
        if right.ends_the_process() {
            self.wait_given_up(if right == Right::Group { &group } else { &ids }, entry)?;
        }
        sleep(time.saturating_sub(since.elapsed()));
        acls.allow_all(resource, operations)?;
        let since = Instant::now();
        self.arm();
        if right.ends_the_process() {
            (0..self.residents).try_for_each(|slot| self.fleet.start(slot))?;
        }
        self.recover(since, entry)?;
        (0..self.residents).try_for_each(|slot| self.fleet.wait_ready(slot))
    }

    /// Without these rights nothing can be done: all instances end, and say why by their exit code and in their log.
    fn wait_given_up(&mut self, lacking: &str, entry: &Entry) -> anyhow::Result<()> {
        let mut ended = Vec::new();
        wait::until("the end of all instances that lack a right", STANDSTILL, || {
            ended = self.fleet.ended();
            ended.len() >= self.residents
        })?;
        for (slot, status, how) in ended {
            let log = self.fleet.service(slot)?.log();
            let says = log.lines().any(|line| line.contains("\"ERROR\"") && line.contains(lacking));
            if status.code() != Some(GIVEN_UP) || !says {
                let named = if says { "and says why" } else { "and does not say why" };
                self.problems.push(format!("after {}: {how}, {named}; wanted: {GIVEN_UP}", entry.line()));
            }
            self.fleet.retire(slot);
        }
        Ok(())
    }

    /// The disk of a broker is full, until the broker has ended and for its restart there is room again.
    pub(super) fn fill_disk(&mut self, node: usize, entry: &mut Entry) -> anyhow::Result<()> {
        let cluster = &self.stage.cluster;
        let node = node % cluster.node_count();
        entry.detail = format!("node {}", node + 1);
        if !self.stage.has_disks {
            entry.detail += ": LEFT OUT, no file system can be mounted for it";
            return Ok(());
        }
        let is_only = cluster.node_count() == 1;
        // Where everybody is held, somebody has to find out.
        let producer: BaseProducer = cluster.client().set("message.timeout.ms", "1000").create()?;
        let noise = [b'x'; 100_000];
        self.hold()?;
        let since = Instant::now();
        cluster.node(node).disk()?.fill()?;
        self.arm();
        let ended = wait::until("the end of a node that cannot write", STANDSTILL, || {
            if is_only {
                let _ = producer.send(BaseRecord::<(), _>::to(&self.stage.scratch).payload(&noise));
                let _ = producer.flush(Duration::from_millis(500));
            }
            !cluster.node(node).is_running()
        });
        self.release()?;
        ended?;
        if !is_only {
            self.recover(since, entry)?;
        }
        cluster.node(node).disk()?.free()?;
        cluster.node(node).start()?;
        if is_only {
            self.recover(since, entry)?;
        }
        coordinators::wait_in_sync(cluster, STANDSTILL)
    }

    /// The Kafka topic of a destination is deleted under load, and made anew after a while. Measured from then.
    pub(super) fn delete_destination(
        &mut self,
        destination: usize,
        gone: Duration,
        entry: &mut Entry,
    ) -> anyhow::Result<()> {
        let stage = self.stage;
        let (id, kafka_topic) = stage.destination(destination);
        entry.detail = format!("{id}, for {} ms", (GONE_EVERYWHERE + gone).as_millis());
        entry.deleted = true;
        let admin = Admin::new(&stage.cluster)?;
        // Later events' outputs lie behind those of everything that is committed now: when they are seen, so are these.
        let from = self.committed()?;
        self.flows()?;
        self.watch.tell(Order::Leave(kafka_topic.to_owned()))?;
        admin.delete_kafka_topic(kafka_topic)?;
        sleep(GONE_EVERYWHERE);
        // What is published from here on cannot lie in what was deleted, whatever the service commits.
        let mut until = admin.end_offsets(&stage.ingest, Isolation::ReadUncommitted)?;
        sleep(gone);
        // Nor can what is still to be done: no transaction of before is alive.
        let committed = self.committed()?;
        for (partition, end) in &mut until {
            *end = committed.get(partition).copied().unwrap_or_default().min(*end);
        }
        let unread = Span { from, until: Some(until) };
        self.watch.tell(Order::Deleted { destination: id, unread })?;
        stage.create(&admin, kafka_topic)?;
        let since = Instant::now();
        self.arm();
        self.watch.tell(Order::Follow(kafka_topic.to_owned(), stage.destinations[kafka_topic]))?;
        self.recover(since, entry)
    }

    /// The Kafka topic of a destination takes only small records for a while. Measured from when it takes all again.
    pub(super) fn lower_limit(
        &mut self,
        destination: usize,
        bytes: usize,
        time: Duration,
        entry: &mut Entry,
    ) -> anyhow::Result<()> {
        let stage = self.stage;
        let (id, kafka_topic) = stage.destination(destination);
        entry.detail = format!("{id}, {bytes} bytes for {} ms", time.as_millis());
        let admin = Admin::new(&stage.cluster)?;
        self.watch.tell(Order::LimitLowered { destination: id, bytes, from: self.committed()? })?;
        admin.alter_kafka_topic(kafka_topic, &[("max.message.bytes", &bytes.to_string())])?;
        sleep(time);
        admin.alter_kafka_topic(kafka_topic, &[])?;
        let since = Instant::now();
        self.arm();
        self.recover(since, entry)?;
        // The last broker knows it by then.
        sleep(KNOWN_EVERYWHERE);
        let until = admin.end_offsets(&stage.ingest, Isolation::ReadUncommitted)?;
        self.watch.tell(Order::LimitRaised { destination: id, until })
    }
}
