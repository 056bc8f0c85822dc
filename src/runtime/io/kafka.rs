//! The real thing: librdkafka's clients, as `crate::kafka` makes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::{GroupMember, InputRecord, TaskIo};
use crate::domain::output::OutputRecord;
use crate::domain::plan::Plan;
use crate::domain::source::SourceRecord;
use crate::kafka::consumer::{FetchPosition, GroupEvent, Record, TaskConsumer, TopicId};
use crate::kafka::errors::Cause;
use crate::kafka::producer::{CommitFailure, DeliveryFailure, IdleProducer, NewProducer, OpenTransaction};
use crate::kafka::start_positions::{self, Positions};

/// A task's clients.
pub struct KafkaIo<'c> {
    consumer: &'c TaskConsumer,
    producer: ClientConfig,
}

impl<'c> KafkaIo<'c> {
    /// With this member of the group, and producers with these options.
    #[must_use]
    pub fn new(consumer: &'c TaskConsumer, producer: ClientConfig) -> Self {
        Self { consumer, producer }
    }
}

impl TaskIo for KafkaIo<'_> {
    type Member = TaskConsumer;
    type Generation = Arc<ConsumerGroupMetadata>;
    type New = NewProducer;
    type Idle = IdleProducer;
    type Open = OpenTransaction;

    fn member(&self) -> &TaskConsumer {
        self.consumer
    }

    fn new_producer(&self, largest_batch: usize) -> Result<NewProducer, KafkaError> {
        let mut config = self.producer.clone();
        config.set("batch.size", largest_batch.to_string());
        NewProducer::new(&config)
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

impl InputRecord for Record<'_> {
    fn timestamp_ms(&self) -> Option<i64> {
        self.timestamp_ms()
    }

    fn with_source<R>(&self, read: impl FnOnce(&SourceRecord<'_>) -> R) -> R {
        Record::with_source(self, read)
    }
}

impl GroupMember for TaskConsumer {
    type Record<'m> = Record<'m>;
    type Generation = Arc<ConsumerGroupMetadata>;

    fn subscribe(&self, kafka_topics: &[&str]) -> KafkaResult<()> {
        self.subscribe(kafka_topics)
    }

    fn unsubscribe(&self) {
        self.unsubscribe();
    }

    fn poll<'m>(&'m self, timeout: Duration, most: usize, records: &mut Vec<Record<'m>>) -> KafkaResult<()> {
        self.poll(timeout, most, records)
    }

    fn next_event(&self) -> Option<GroupEvent> {
        self.next_event()
    }

    fn take_positions(&self) -> Option<Vec<FetchPosition>> {
        self.take_positions()
    }

    fn take_topic_ids(&self) -> Vec<TopicId> {
        self.take_topic_ids()
    }

    fn start_positions(&self, assigned: &TopicPartitionList, plan: &Plan) -> KafkaResult<Positions> {
        start_positions::of_assigned(self, assigned, plan)
    }

    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.assign(partitions)
    }

    fn release(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.release(partitions)
    }

    fn assignment_lost(&self) -> bool {
        self.assignment_lost()
    }

    fn generation(&self) -> Option<Arc<ConsumerGroupMetadata>> {
        self.group_metadata().map(Arc::new)
    }

    fn assignment(&self) -> TopicPartitionList {
        self.assignment()
    }

    fn pause(&self) {
        self.pause();
    }

    fn resume(&self) -> KafkaResult<()> {
        self.resume()
    }

    fn committed(&self, partitions: TopicPartitionList, timeout: Duration) -> KafkaResult<TopicPartitionList> {
        self.committed(partitions, timeout)
    }

    fn watermarks(&self, kafka_topic: &str, partition: i32, timeout: Duration) -> KafkaResult<(i64, i64)> {
        self.watermarks(kafka_topic, partition, timeout)
    }
}

impl super::NewProducer for NewProducer {
    type Idle = IdleProducer;

    fn initialise(self, timeout: Duration) -> Result<IdleProducer, (Option<Self>, Cause)> {
        self.initialise(timeout)
    }
}

impl super::IdleProducer for IdleProducer {
    type Open = OpenTransaction;

    fn begin(self) -> Result<OpenTransaction, Cause> {
        self.begin()
    }

    fn serve(&self) {
        self.serve();
    }
}

impl super::OpenTransaction for OpenTransaction {
    type Idle = IdleProducer;
    type Generation = Arc<ConsumerGroupMetadata>;

    fn begun(&self) -> Instant {
        self.begun()
    }

    fn send(&mut self, output: &OutputRecord<'_>, deadline: Instant) -> Result<(), Cause> {
        self.send(output, deadline)
    }

    fn serve(&self) {
        self.serve();
    }

    fn deliver(&self, deadline: Instant) -> Result<(), Vec<DeliveryFailure>> {
        self.deliver(deadline)
    }

    fn failures(&self) -> Vec<DeliveryFailure> {
        self.failures()
    }

    fn send_offsets(
        &mut self,
        offsets: TopicPartitionList,
        generation: &Arc<ConsumerGroupMetadata>,
        deadline: Instant,
    ) {
        self.send_offsets(offsets, generation, deadline);
    }

    fn commit(self, deadline: Instant) -> Result<IdleProducer, CommitFailure<Self>> {
        self.commit(deadline)
    }

    fn abort(self, deadline: Instant) -> Result<IdleProducer, Cause> {
        self.abort(deadline)
    }
}
