//! A task's consumer: records out, group events as values.
//!
//! The client calls back from inside `poll` when partitions come or go. Here the callback only notes the event; the
//! task takes it from [`TaskConsumer::next_event`] and answers with [`TaskConsumer::assign`] or
//! [`TaskConsumer::release`], so that one `match` sees everything that happens to the group, in order.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, ConsumerGroupMetadata, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::native::BatchConsumer;
pub use super::native::Record;

/// How long leaving the group may take. The client itself gives the broker 5 s to confirm it.
const LEAVE_TIME: Duration = Duration::from_secs(7);

/// Something that happened to this member of the group.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions came; they are read only after [`TaskConsumer::assign`].
    Assigned(TopicPartitionList),
    /// These partitions go; they are free for others after [`TaskConsumer::release`].
    Revoked {
        /// The partitions.
        partitions: TopicPartitionList,
        /// Whether the group has given them to others already (this member was silent for too long).
        lost: bool,
    },
}

/// How far the client has read a partition; from its own statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchPosition {
    /// The ingest Kafka topic.
    pub kafka_topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset that the client will ask the broker for; behind control records and aborted records.
    pub next_fetch: i64,
    /// Records fetched and not yet polled.
    pub fetched: i64,
    /// The last stable offset: where a `read_committed` reader's partition ends now.
    pub stable_end: i64,
}

/// The id of a Kafka topic, by which it differs from others that had its name before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicId {
    /// The Kafka topic.
    pub kafka_topic: String,
    /// Its id.
    pub id: String,
}

/// Notes what the client calls back.
pub struct GroupContext {
    client: String,
    closing: AtomicBool,
    events: Mutex<VecDeque<GroupEvent>>,
    positions: Mutex<Option<Vec<FetchPosition>>>,
    incarnations: Mutex<Incarnations>,
    /// Things that the client had to say.
    served: AtomicUsize,
}

/// Which of the Kafka topics were deleted and made anew while this member lives.
///
/// The client goes on at its old offset in the new Kafka topic (a known gap of librdkafka, which says so in its source):
/// where that has more records than the old one had, its first ones would be skipped, and nothing would look wrong. The
/// client's log is the only place that tells (its option `debug` is set for this).
#[derive(Default)]
struct Incarnations {
    known: BTreeMap<String, Incarnation>,
    /// What the task has not heard yet: Kafka topics with their new ids, or their first.
    news: Vec<TopicId>,
}

/// What the client knows of one Kafka topic.
struct Incarnation {
    /// More than two ids can come in turn: brokers learn of a new one at different times.
    newest: String,
    /// Whether it had another id before.
    was_made_anew: bool,
    /// Since when that is the newest.
    since: Instant,
}

impl Incarnations {
    /// Takes note of a line of the client's log.
    fn note(&mut self, facility: &str, message: &str) {
        let Some((kafka_topic, id)) = changed_id(facility, message) else { return };
        if id == NO_ID {
            // A broker that knows no ids.
            return;
        }
        let known = self.known.get(kafka_topic);
        if known.is_some_and(|known| known.newest == id) {
            return;
        }
        let now = Incarnation { newest: id.to_owned(), was_made_anew: known.is_some(), since: Instant::now() };
        self.known.insert(kafka_topic.to_owned(), now);
        self.news.push(TopicId { kafka_topic: kafka_topic.to_owned(), id: id.to_owned() });
    }
}

/// How the client writes that there is no id.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// `Topic <name> changed id from <id> to <id>`: the name and the new id. The client says it at the first metadata as well.
fn changed_id<'m>(facility: &str, message: &'m str) -> Option<(&'m str, &'m str)> {
    let (before, after) = message.split_once(" changed id from ").filter(|_| facility == "METADATA")?;
    let (_, kafka_topic) = before.rsplit_once("Topic ")?;
    let (_, id) = after.split_once(" to ")?;
    Some((kafka_topic, id))
}

impl ClientContext for GroupContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        lock(&self.incarnations).note(facility, message);
        super::client_options::log_line(&self.client, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        super::client_options::log_error(&self.client, &error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let positions = statistics.topics.into_iter().flat_map(|(kafka_topic, topic)| {
            // Partition -1 is the client's own place for what has no partition yet.
            topic.partitions.into_values().filter(|partition| partition.partition >= 0).map(move |partition| {
                FetchPosition {
                    kafka_topic: kafka_topic.clone(),
                    partition: partition.partition,
                    next_fetch: partition.next_offset,
                    fetched: partition.fetchq_cnt,
                    stable_end: partition.ls_offset,
                }
            })
        });
        *lock(&self.positions) = Some(positions.collect());
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, response: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        self.served.fetch_add(1, Ordering::Relaxed);
        let event = if response == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            GroupEvent::Assigned(partitions.clone())
        } else {
            GroupEvent::Revoked { partitions: partitions.clone(), lost: consumer.assignment_lost() }
        };
        if self.closing.load(Ordering::Acquire) {
            // Nobody takes events any more, and the client waits for the answer before it leaves the group.
            answer_while_closing(consumer, &event);
        } else {
            lock(&self.events).push_back(event);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only moves of whole values happen under these locks: they are sound after a panic too.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A member of the consumer group.
pub struct TaskConsumer {
    /// Present until the consumer is dropped.
    client: Option<BatchConsumer<GroupContext>>,
    /// Whether a group event was taken and not answered: the client does not leave the group before it is.
    owes_answer: Cell<bool>,
    /// Whether the membership outlives the process: then it is not given up.
    is_static: bool,
}

impl TaskConsumer {
    /// Makes the client; it joins the group with [`TaskConsumer::subscribe`].
    ///
    /// # Errors
    /// When an option is not acceptable: a fault of the configuration.
    pub fn new(config: &ClientConfig) -> Result<Self, KafkaError> {
        let context = GroupContext {
            client: config.get("client.id").unwrap_or("fhir-fanout").to_owned(),
            closing: AtomicBool::new(false),
            events: Mutex::default(),
            positions: Mutex::default(),
            incarnations: Mutex::default(),
            served: AtomicUsize::new(0),
        };
        let is_static = config.get("group.instance.id").is_some();
        let client = BatchConsumer::new(config.create_with_context(context)?)?;
        Ok(Self { client: Some(client), owes_answer: Cell::new(false), is_static })
    }

    /// Joins the group for these Kafka topics.
    ///
    /// # Errors
    /// When the client refuses the names.
    pub fn subscribe(&self, kafka_topics: &[&str]) -> KafkaResult<()> {
        self.client().subscribe(kafka_topics)
    }

    /// Gives up the assignment; [`TaskConsumer::subscribe`] joins again.
    pub fn unsubscribe(&self) {
        self.client().unsubscribe();
    }

    /// Waits for records, at the most so long, and takes those that are there, at the most so many; serves the group too.
    /// Comes back early when the group has something to say.
    ///
    /// # Errors
    /// What the client reports in place of a record.
    pub fn poll<'c>(&'c self, timeout: Duration, most: usize, records: &mut Vec<Record<'c>>) -> KafkaResult<()> {
        let before = records.len();
        self.serve(records)?;
        self.take(most, records)?;
        if timeout.is_zero() {
            return Ok(());
        }
        let until = Instant::now() + timeout;
        while records.len() == before && lock(&self.client().context().events).is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.batch_consumer().wait(left);
            self.serve(records)?;
            self.take(most, records)?;
        }
        Ok(())
    }

    /// Serves all that the client has to say: a poll without waiting takes one thing at a time, and what the group says
    /// must not wait behind a log.
    fn serve<'c>(&'c self, records: &mut Vec<Record<'c>>) -> KafkaResult<()> {
        let served = || self.client().context().served.load(Ordering::Relaxed);
        loop {
            let before = served();
            match self.batch_consumer().serve_one() {
                Some(Ok(record)) => records.push(record),
                Some(Err(error)) => return Err(error),
                None if served() == before => return Ok(()),
                None => {}
            }
        }
    }

    fn take<'c>(&'c self, most: usize, records: &mut Vec<Record<'c>>) -> KafkaResult<()> {
        // Partitions' errors stay where they are too.
        if most == 0 { Ok(()) } else { self.batch_consumer().take(most, records) }
    }

    /// The oldest group event that was not taken yet.
    pub fn next_event(&self) -> Option<GroupEvent> {
        let event = lock(&self.client().context().events).pop_front();
        if event.is_some() {
            self.owes_answer.set(true);
        }
        event
    }

    /// The newest statistics, once each.
    pub fn take_positions(&self) -> Option<Vec<FetchPosition>> {
        lock(&self.client().context().positions).take()
    }

    /// The ids of Kafka topics that the client has learnt since the last question.
    pub fn take_topic_ids(&self) -> Vec<TopicId> {
        std::mem::take(&mut lock(&self.client().context().incarnations).news)
    }

    /// Whether a Kafka topic was deleted and made anew while this member lives.
    pub(super) fn was_made_anew(&self, kafka_topic: &str) -> bool {
        let incarnations = lock(&self.client().context().incarnations);
        incarnations.known.get(kafka_topic).is_some_and(|known| known.was_made_anew)
    }

    /// The id of a Kafka topic, and for how long the client has not heard of another one; where the brokers know ids.
    pub(super) fn topic_id(&self, kafka_topic: &str) -> Option<(String, Duration)> {
        let incarnations = lock(&self.client().context().incarnations);
        incarnations.known.get(kafka_topic).map(|known| (known.newest.clone(), known.since.elapsed()))
    }

    /// Starts reading these partitions at their offsets.
    ///
    /// A partition that went away while it was paused is paused still when it comes back, for the client keeps that mark
    /// without an assignment: it would never be fetched again, and nothing would say so.
    ///
    /// # Errors
    /// When the client refuses; the group has to be joined again.
    pub fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.client().resume(partitions)?;
        self.take_over(partitions)?;
        assign(self.client(), partitions)?;
        self.owes_answer.set(false);
        Ok(())
    }

    fn take_over(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let consumer = self.batch_consumer();
        partitions.elements().iter().try_for_each(|element| consumer.take_over(element.topic(), element.partition()))
    }

    /// Stops reading these partitions and lets the group have them; those that are not read are left out.
    ///
    /// # Errors
    /// When the client refuses; the group has to be joined again.
    pub fn release(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        release(self.client(), partitions)?;
        self.owes_answer.set(false);
        Ok(())
    }

    /// Whether the group has given this member's partitions to others.
    pub fn assignment_lost(&self) -> bool {
        self.client().assignment_lost()
    }

    /// Member and generation, for the transaction's offsets.
    pub fn group_metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.client().group_metadata()
    }

    /// The partitions being read.
    pub fn assignment(&self) -> TopicPartitionList {
        self.client().assignment().unwrap_or_default()
    }

    /// Stops fetching, while membership goes on.
    pub fn pause(&self) {
        if let Err(error) = self.client().pause(&self.assignment()) {
            tracing::warn!(%error, "partitions could not be paused");
        }
    }

    /// Fetches again.
    ///
    /// # Errors
    /// When the client refuses; the group has to be joined again.
    pub fn resume(&self) -> KafkaResult<()> {
        self.client().resume(&self.assignment())
    }

    /// The client underneath, for the calls about offsets.
    pub(super) fn client(&self) -> &BaseConsumer<GroupContext> {
        self.batch_consumer().client()
    }

    fn batch_consumer(&self) -> &BatchConsumer<GroupContext> {
        self.client.as_ref().expect("only the drop takes it")
    }

    /// The committed positions of these partitions, stable ones only: waits while a transaction that writes them is
    /// pending.
    ///
    /// # Errors
    /// When the brokers do not answer in time, or do not tell every partition's.
    pub fn committed(&self, partitions: TopicPartitionList, timeout: Duration) -> KafkaResult<TopicPartitionList> {
        super::start_positions::committed(self.client(), partitions, timeout)
    }

    /// First offset and last stable offset of a partition.
    ///
    /// # Errors
    /// When the brokers do not answer in time.
    pub fn watermarks(&self, kafka_topic: &str, partition: i32, timeout: Duration) -> KafkaResult<(i64, i64)> {
        self.client().fetch_watermarks(kafka_topic, partition, timeout)
    }
}

impl Drop for TaskConsumer {
    /// Leaves the group, in bounded time: the client waits for ever for an answer that was not given, and destroying
    /// it waits for all of its threads. Beyond the bound it is left behind, and the membership ends with the session.
    fn drop(&mut self) {
        let Some(consumer) = self.client.take() else { return };
        let client = consumer.client();
        client.context().closing.store(true, Ordering::Release);
        if self.owes_answer.get() {
            give_up_events(client);
        }
        loop {
            let Some(event) = lock(&client.context().events).pop_front() else { break };
            answer_while_closing(client, &event);
        }
        // With the cooperative protocol the client's close does not leave the group when nothing is assigned: the others
        // would wait for a member that is gone until its session ends.
        if !self.is_static && client.assignment().is_ok_and(|assignment| assignment.count() == 0) {
            client.unsubscribe();
        }
        let (left, leaving) = mpsc::channel();
        let leave = move || {
            drop(consumer);
            // Nobody waits any more when it took too long.
            let _ = left.send(());
        };
        let thread = thread::Builder::new().name("leave-group".to_owned()).spawn(leave);
        if thread.is_err() || leaving.recv_timeout(LEAVE_TIME).is_err() {
            super::producer::note_thread_left_behind();
            tracing::warn!("the group was not left in time: its partitions go to others when the session ends");
        }
    }
}

/// Answers whatever is not answered, without reading anything.
fn give_up_events(client: &BaseConsumer<GroupContext>) {
    let none = TopicPartitionList::new();
    answer_while_closing(client, &GroupEvent::Assigned(none.clone()));
    answer_while_closing(client, &GroupEvent::Revoked { partitions: none, lost: false });
}

/// Nobody reads any more: what comes is not read, and what goes is released.
fn answer_while_closing(client: &BaseConsumer<GroupContext>, event: &GroupEvent) {
    let answered = match event {
        GroupEvent::Assigned(_) => assign(client, &TopicPartitionList::new()),
        GroupEvent::Revoked { partitions, .. } => release(client, partitions),
    };
    if let Err(error) = answered {
        tracing::debug!(%error, "a rebalance was not answered while closing");
    }
}

fn assign(client: &BaseConsumer<GroupContext>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match client.rebalance_protocol() {
        RebalanceProtocol::Cooperative => client.incremental_assign(partitions),
        RebalanceProtocol::None | RebalanceProtocol::Eager => client.assign(partitions),
    }
}

/// The client refuses the whole list for one partition that it does not read: one that was never settled, or has lost
/// its place.
fn release(client: &BaseConsumer<GroupContext>, partitions: &TopicPartitionList) -> KafkaResult<()> {
    match client.rebalance_protocol() {
        RebalanceProtocol::Cooperative => {
            let assignment = client.assignment()?;
            let mut read = TopicPartitionList::new();
            for element in partitions.elements() {
                if assignment.find_partition(element.topic(), element.partition()).is_some() {
                    read.add_partition(element.topic(), element.partition());
                }
            }
            client.incremental_unassign(&read)
        }
        RebalanceProtocol::None | RebalanceProtocol::Eager => client.unassign(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kafka_topic_with_another_id_was_made_anew() {
        let mut incarnations = Incarnations::default();
        let mut say = |message: &str| incarnations.note("METADATA", message);
        say("[thrd:main]: Topic changes changed id from AAAAAAAAAAAAAAAAAAAAAA to one");
        say("[thrd:main]: Topic other changed id from AAAAAAAAAAAAAAAAAAAAAA to three");
        say("[thrd:main]: Topic changes [0] Leader 1 Epoch 0");
        // Its id is forgotten while it is gone.
        say("[thrd:main]: Topic changes changed id from AAAAAAAAAAAAAAAAAAAAAA to two");
        // A broker that has not heard of the new one, and one that knows no ids.
        say("[thrd:main]: Topic changes changed id from two to one");
        say("[thrd:main]: Topic changes changed id from one to two");
        say("[thrd:main]: Topic changes changed id from two to AAAAAAAAAAAAAAAAAAAAAA");
        incarnations.note("TOPIC", "Topic other changed id from three to four");

        let news: Vec<_> = incarnations.news.iter().map(|news| (&*news.kafka_topic, &*news.id)).collect();
        let expected =
            [("changes", "one"), ("other", "three"), ("changes", "two"), ("changes", "one"), ("changes", "two")];
        assert_eq!(news, expected);
        assert_eq!(incarnations.known["changes"].newest, "two");
        assert!(incarnations.known["changes"].was_made_anew);
        assert!(!incarnations.known["other"].was_made_anew);
    }
}
