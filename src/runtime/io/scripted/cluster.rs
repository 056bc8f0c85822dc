//! A pretended cluster: one ingest Kafka topic, one consumer group with one other member, and the transactions of one
//! process. It keeps the rules of Kafka's transaction and group coordinators, and notes whatever the task must never do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use rdkafka::topic_partition_list::TopicPartitionList;

use super::ingest::{INGEST, Ingest, PARTITIONS, Sent, Unusual};
use super::script::Script;
use crate::kafka::consumer::GroupEvent;
use crate::runtime::stop::StopSignal;

/// How long the coordinator lets a transaction be open.
pub(crate) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);

/// By when everything has to be through, in the cluster's time.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Who processes a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The task under test.
    Task,
    /// Somebody else, who needs so many more polls of the task before it gives the partition back.
    Other(u8),
    /// Nobody: the group is being joined.
    Nobody,
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub committed: Option<i64>,
    pub owner: Owner,
}

/// A transaction as the brokers hold it.
#[derive(Debug, Default)]
pub(crate) struct HeldTransaction {
    pub begun: Duration,
    pub sent: Vec<Sent>,
    pub offsets: Vec<(i32, i64)>,
    /// Its end was asked for. `Some(true)`: the request is on its way and will arrive; `Some(false)`: it never will.
    pub end_on_its_way: Option<bool>,
}

/// What the coordinator knows of a transactional id.
#[derive(Debug, Default)]
pub(crate) struct TransactionalId {
    pub epoch: u64,
    pub open: Option<HeldTransaction>,
}

/// The task's side of the group.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    pub subscribed: bool,
    pub generation: u64,
    pub lost: bool,
    /// Partitions that the group has given to the task, as far as the client knows.
    pub given: BTreeSet<i32>,
    /// Partitions that are read, with the next offset.
    pub reading: BTreeMap<i32, i64>,
    pub paused: BTreeSet<i32>,
    pub events: VecDeque<GroupEvent>,
    /// Told in this many polls: the group has moved on without the client's knowledge.
    pub told_lost_in: Option<u8>,
    /// All partitions are given anew once those in hand are released.
    pub rejoining: bool,
}

impl Membership {
    /// Whether the group can give it something: only once it knows all that was taken from it.
    fn takes_more(&self) -> bool {
        let knows = !self.lost && self.told_lost_in.is_none();
        self.subscribed && knows && !self.rejoining && self.events.is_empty()
    }
}

/// Everything outside of the task.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub script: Script,
    pub ingest: Ingest,
    pub unusual: Unusual,
    start: Instant,
    pub elapsed: Duration,
    pub partitions: Vec<Partition>,
    pub generation: u64,
    pub visible: Vec<Sent>,
    pub ids: BTreeMap<String, TransactionalId>,
    pub member: Membership,
    pub stop: StopSignal,
    /// What must never be.
    pub violations: Vec<String>,
    /// What the script did that may end a process.
    pub may_end: bool,
    pub unknown_commits: u32,
}

impl Cluster {
    pub(crate) fn new(script: Script, unusual: Unusual) -> Self {
        Self {
            script,
            ingest: Ingest::new(&unusual),
            unusual,
            start: Instant::now(),
            elapsed: Duration::ZERO,
            partitions: (0..PARTITIONS).map(|_| Partition { committed: None, owner: Owner::Nobody }).collect(),
            generation: 0,
            visible: Vec::new(),
            ids: BTreeMap::new(),
            member: Membership::default(),
            stop: StopSignal::new(),
            violations: Vec::new(),
            may_end: false,
            unknown_commits: 0,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.start + self.elapsed
    }

    /// A new process: whatever the last one knew is gone, what the brokers hold is not.
    pub(crate) fn start_process(&mut self) {
        self.member = Membership::default();
        self.stop = StopSignal::new();
        for partition in &mut self.partitions {
            if partition.owner == Owner::Task {
                partition.owner = Owner::Nobody;
            }
        }
    }

    pub(crate) fn partition(&mut self, partition: i32) -> &mut Partition {
        &mut self.partitions[usize::try_from(partition).expect("a partition")]
    }

    pub(crate) fn violation(&mut self, text: impl Into<String>) {
        let text = text.into();
        self.violations.push(format!("after {:?}: {text}", self.elapsed));
        // Nothing after it means anything.
        self.stop.stop();
    }

    pub(crate) fn is_through(&self) -> bool {
        (0..).zip(&self.partitions).all(|(number, partition)| partition.committed == Some(self.ingest.end(number)))
    }

    // ---- time

    pub(crate) fn pass(&mut self, time: Duration) {
        self.elapsed += time;
        if self.elapsed > PATIENCE {
            let positions: Vec<_> = self.partitions.iter().map(|partition| partition.committed).collect();
            self.violation(format!("no progress: committed are {positions:?}, membership {:?}", self.member));
        }
        self.time_out_transactions();
    }

    pub(crate) fn pass_until(&mut self, deadline: Instant) {
        self.pass(deadline.saturating_duration_since(self.now()));
    }

    /// The coordinator ends what was open for too long, and fences its producer.
    fn time_out_transactions(&mut self) {
        let old: Vec<String> = self
            .ids
            .iter()
            .filter(|(_, id)| id.open.as_ref().is_some_and(|open| self.elapsed - open.begun > TRANSACTION_TIMEOUT))
            .map(|(name, _)| name.clone())
            .collect();
        for name in old {
            self.end_what_is_open(&name);
            self.may_end = true;
            if let Some(id) = self.ids.get_mut(&name) {
                id.epoch += 1;
            }
        }
    }

    // ---- transactions

    /// Completes what was on its way, or aborts.
    pub(crate) fn end_what_is_open(&mut self, id: &str) {
        let Some(open) = self.ids.get_mut(id).and_then(|id| id.open.take()) else { return };
        if open.end_on_its_way == Some(true) {
            self.apply(open);
        }
    }

    /// Makes a transaction visible: here it shows whether its outputs and its offsets belong together.
    pub(crate) fn apply(&mut self, transaction: HeldTransaction) {
        for (partition, next) in &transaction.offsets {
            self.check_and_commit(*partition, *next, &transaction.sent);
        }
        let without_offset: Vec<_> = transaction
            .sent
            .iter()
            .filter(|sent| !transaction.offsets.iter().any(|(partition, _)| *partition == sent.partition))
            .map(|sent| (sent.partition, sent.offset))
            .collect();
        if !without_offset.is_empty() {
            self.violation(format!("I1: outputs of {without_offset:?} become visible without their offset"));
        }
        self.visible.extend(transaction.sent);
    }

    fn check_and_commit(&mut self, partition: i32, next: i64, sent: &[Sent]) {
        let committed = self.partition(partition).committed.unwrap_or(0);
        if next < committed {
            return self.violation(format!("I4: partition {partition} is turned back from {committed} to {next}"));
        }
        let records = self.ingest.partition(partition);
        if next > committed && !records.iter().any(|record| record.offset + 1 == next) {
            return self.violation(format!("I4: {next} is behind no record of partition {partition}"));
        }
        let mut left = sent.iter().filter(|sent| sent.partition == partition).peekable();
        let mut missing = None;
        for record in records.iter().filter(|record| (committed..next).contains(&record.offset)) {
            let mut came = Vec::new();
            while let Some(sent) = left.next_if(|sent| sent.offset == record.offset) {
                came.push(sent.clone());
            }
            if !record.outcomes.contains(&came) {
                missing = Some((record.offset, came.len()));
                break;
            }
        }
        if let Some((offset, came)) = missing {
            return self.violation(format!("I7: {partition}:{offset} is committed with {came} outputs, not its own"));
        }
        if let Some(extra) = left.next().map(|extra| extra.offset) {
            return self
                .violation(format!("I1: an output of {partition}:{extra} is committed out of {committed}..{next}"));
        }
        self.partition(partition).committed = Some(next);
    }

    /// Whether a transaction holds this partition's position back.
    pub(crate) fn is_pending(&self, partition: i32) -> bool {
        let open = self.ids.values().filter_map(|id| id.open.as_ref());
        open.flat_map(|open| &open.offsets).any(|(held, _)| *held == partition)
    }

    /// Whether a Kafka topic takes nothing at the moment.
    pub(crate) fn is_gone(&self, kafka_topic: &str) -> bool {
        let gone = self.unusual.gone;
        gone.is_some_and(|(name, seconds)| name == kafka_topic && self.elapsed < Duration::from_secs(seconds))
    }

    // ---- the group

    /// The others' turn: one record of each partition that is theirs; and the partitions that they give back.
    pub(crate) fn others(&mut self) {
        for number in 0..PARTITIONS {
            let Owner::Other(polls) = self.partition(number).owner else { continue };
            if !self.is_pending(number) {
                self.other_commits_one(number);
            }
            if polls > 0 {
                self.partition(number).owner = Owner::Other(polls - 1);
            } else if self.member.takes_more() {
                self.give(&[number]);
            }
        }
    }

    fn other_commits_one(&mut self, number: i32) {
        let committed = self.partition(number).committed.unwrap_or(0);
        let next = self.ingest.partition(number).iter().find(|record| record.offset >= committed);
        let Some(record) = next else { return };
        let (offset, sent) = (record.offset, record.outcomes[0].clone());
        self.partition(number).committed = Some(offset + 1);
        self.visible.extend(sent);
    }

    /// These partitions are the task's from now on.
    pub(crate) fn give(&mut self, partitions: &[i32]) {
        self.generation += 1;
        self.member.generation = self.generation;
        for partition in partitions {
            self.partition(*partition).owner = Owner::Task;
            self.member.given.insert(*partition);
        }
        self.member.events.push_back(GroupEvent::Assigned(list_of(partitions)));
    }

    /// The group asks for partitions back; they are others' when they are released.
    pub(crate) fn ask_back(&mut self, partitions: &[i32]) {
        if !partitions.is_empty() {
            self.member.events.push_back(GroupEvent::Revoked { partitions: list_of(partitions), lost: false });
        }
    }

    /// The group gives the task's partitions to others at once; the client may know it or not.
    pub(crate) fn take_away(&mut self, polls: u8) {
        self.generation += 1;
        for partition in self.member.given.clone() {
            self.partition(partition).owner = Owner::Other(polls);
        }
    }

    /// The client tells that its partitions are gone.
    pub(crate) fn tell_lost(&mut self) {
        self.member.told_lost_in = None;
        self.member.lost = true;
        let given: Vec<i32> = self.member.given.iter().copied().collect();
        self.member.events.push_back(GroupEvent::Revoked { partitions: list_of(&given), lost: true });
    }
}

pub(crate) fn list_of(partitions: &[i32]) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(INGEST, *partition);
    }
    list
}
