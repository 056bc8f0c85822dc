//! What a task needs of the outside world: a member of a consumer group, transactional producers, and a clock.
//!
//! Two implementations: [`kafka`] is the real one; the scripted one that the model test of the task's loop runs
//! against answers each call as its script says, with errors, rebalances and lost answers at any place, and in a time
//! of its own. The order in which the task may call a producer is in the types, for both.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::backlog::Positioned;
use crate::domain::output::OutputRecord;
use crate::domain::plan::Plan;
use crate::domain::source::SourceRecord;
use crate::kafka::consumer::{FetchPosition, GroupEvent, TopicId};
use crate::kafka::errors::Cause;
use crate::kafka::producer::{CommitFailure, DeliveryFailure};
use crate::kafka::start_positions::Positions;

#[cfg(feature = "fail-points")]
pub mod fail_points;
pub mod kafka;
#[cfg(test)]
pub(crate) mod scripted;

/// All that a task touches.
pub trait TaskIo {
    /// Who reads.
    type Member: GroupMember<Generation = Self::Generation>;
    /// Member and generation, as the transaction's offsets carry them.
    type Generation;
    /// A producer that does not own its transactional id yet.
    type New: NewProducer<Idle = Self::Idle>;
    /// A producer without an open transaction.
    type Idle: IdleProducer<Open = Self::Open>;
    /// A producer with an open transaction.
    type Open: OpenTransaction<Idle = Self::Idle, Generation = Self::Generation>;

    /// The task's member of the group.
    fn member(&self) -> &Self::Member;

    /// A producer for the task's transactional id, which makes batches of records of at most so many bytes; connects in
    /// the background.
    ///
    /// # Errors
    /// When an option is not acceptable: a fault of the configuration.
    fn new_producer(&self, largest_batch: usize) -> Result<Self::New, KafkaError>;

    /// The time, as far as deadlines and pauses go.
    fn now(&self) -> Instant;

    /// Lets time pass without serving anybody: for moments only.
    fn sleep(&self, time: Duration);
}

/// A record that the consumer has lent.
pub trait InputRecord: Positioned {
    /// Milliseconds since 1970-01-01 UTC.
    fn timestamp_ms(&self) -> Option<i64>;

    /// Shows it as the domain's record.
    fn with_source<R>(&self, read: impl FnOnce(&SourceRecord<'_>) -> R) -> R;
}

/// A member of the consumer group.
pub trait GroupMember {
    /// What it reads.
    type Record<'m>: InputRecord
    where
        Self: 'm;
    /// Member and generation.
    type Generation;

    /// Joins the group for these Kafka topics.
    ///
    /// # Errors
    /// When the client refuses the names.
    fn subscribe(&self, kafka_topics: &[&str]) -> KafkaResult<()>;

    /// Gives up the assignment; [`GroupMember::subscribe`] joins again.
    fn unsubscribe(&self);

    /// Waits for records, at the most so long, and takes those that are there, at the most so many; serves the group too.
    /// Comes back early when the group has something to say.
    ///
    /// # Errors
    /// What the client reports in place of a record.
    fn poll<'m>(&'m self, timeout: Duration, most: usize, records: &mut Vec<Self::Record<'m>>) -> KafkaResult<()>;

    /// The oldest group event that was not taken yet.
    fn next_event(&self) -> Option<GroupEvent>;

    /// How far the partitions are read, once for each of the client's reports.
    fn take_positions(&self) -> Option<Vec<FetchPosition>>;

    /// The ids of Kafka topics that the client has learnt since the last question; none from brokers that know no ids.
    fn take_topic_ids(&self) -> Vec<TopicId>;

    /// Where newly assigned partitions are read from, with the metadata that goes with their positions; what a new group lacks is committed first.
    ///
    /// # Errors
    /// When the brokers do not answer in time: ask again.
    fn start_positions(&self, assigned: &TopicPartitionList, plan: &Plan) -> KafkaResult<Positions>;

    /// Starts reading these partitions at their offsets.
    ///
    /// # Errors
    /// When the client refuses; the group has to be joined again.
    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Stops reading these partitions and lets the group have them; those that are not read are left out.
    ///
    /// # Errors
    /// When the client refuses; the group has to be joined again.
    fn release(&self, partitions: &TopicPartitionList) -> KafkaResult<()>;

    /// Whether the group has given this member's partitions to others.
    fn assignment_lost(&self) -> bool;

    /// Member and generation now.
    fn generation(&self) -> Option<Self::Generation>;

    /// The partitions being read.
    fn assignment(&self) -> TopicPartitionList;

    /// Stops fetching, while membership goes on.
    fn pause(&self);

    /// Fetches again.
    ///
    /// # Errors
    /// When the client refuses; the group has to be joined again.
    fn resume(&self) -> KafkaResult<()>;

    /// The stable committed positions of these partitions.
    ///
    /// # Errors
    /// When the brokers do not answer in time, or do not tell every partition's.
    fn committed(&self, partitions: TopicPartitionList, timeout: Duration) -> KafkaResult<TopicPartitionList>;

    /// First offset and last stable offset of a partition.
    ///
    /// # Errors
    /// When the brokers do not answer in time.
    fn watermarks(&self, kafka_topic: &str, partition: i32, timeout: Duration) -> KafkaResult<(i64, i64)>;
}

/// A producer that has not yet taken over its transactional id.
pub trait NewProducer: Sized {
    /// What it becomes.
    type Idle;

    /// Takes over the transactional id: fences its former owner and completes or aborts what that one left open.
    ///
    /// # Errors
    /// With the producer itself where it makes sense to call again.
    fn initialise(self, timeout: Duration) -> Result<Self::Idle, (Option<Self>, Cause)>;
}

/// A producer that owns its transactional id, with no transaction open.
pub trait IdleProducer: Sized {
    /// What it becomes.
    type Open;

    /// Opens a transaction. Local: no broker is asked.
    ///
    /// # Errors
    /// When the producer has meanwhile become unusable.
    fn begin(self) -> Result<Self::Open, Cause>;

    /// Serves what the client has to say, so that nothing piles up while there is nothing to do.
    fn serve(&self) {}
}

/// A producer with an open transaction.
pub trait OpenTransaction: Sized {
    /// What it becomes when the transaction has ended.
    type Idle;
    /// Member and generation.
    type Generation;

    /// When it was begun.
    fn begun(&self) -> Instant;

    /// Queues an output. Waits while the client's queue is full, until the deadline.
    ///
    /// # Errors
    /// When the producer cannot send any more in this transaction.
    fn send(&mut self, output: &OutputRecord<'_>, deadline: Instant) -> Result<(), Cause>;

    /// Serves delivery reports without waiting.
    fn serve(&self);

    /// Waits until every output sent so far is acknowledged by its broker.
    ///
    /// # Errors
    /// The failures so far, as soon as there is one; or none, and the deadline has passed.
    fn deliver(&self, deadline: Instant) -> Result<(), Vec<DeliveryFailure>>;

    /// The outputs that were refused so far.
    fn failures(&self) -> Vec<DeliveryFailure>;

    /// Hands the offsets over, to go into the transaction while the outputs are on their way; comes back at once. What
    /// comes of it shows in [`OpenTransaction::commit`].
    fn send_offsets(&mut self, offsets: TopicPartitionList, generation: &Self::Generation, deadline: Instant);

    /// Commits. All outputs must have been delivered, and the offsets handed over.
    ///
    /// # Errors
    /// See [`CommitFailure`].
    fn commit(self, deadline: Instant) -> Result<Self::Idle, CommitFailure<Self>>;

    /// Aborts, in short slices with looks at the delivery reports between them.
    ///
    /// # Errors
    /// When the producer is of no use any more, or the deadline has passed: it is gone then, and initialising its
    /// successor aborts what it left open.
    fn abort(self, deadline: Instant) -> Result<Self::Idle, Cause>;
}
