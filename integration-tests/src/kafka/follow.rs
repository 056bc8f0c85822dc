//! A reader that goes on reading, while brokers come and go.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use rdkafka::TopicPartitionList;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, error::KafkaError};

use super::read::{is_passing, owned};
use super::{Isolation, KafkaCluster, Position, ReadRecord};
use crate::wait;

/// Reads Kafka topics from their start and does not end.
pub struct Follower {
    config: ClientConfig,
    consumer: BaseConsumer,
    /// What is read, with the number of partitions.
    kafka_topics: BTreeMap<String, usize>,
    /// The next offset by Kafka topic and partition: what lies below was given out.
    next: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl Follower {
    /// A reader of these Kafka topics, with the number of their partitions.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(
        cluster: &KafkaCluster,
        kafka_topics: &BTreeMap<String, usize>,
        isolation: Isolation,
    ) -> anyhow::Result<Self> {
        let mut config = cluster.client();
        config.set("group.id", "testkit-follower").set("isolation.level", isolation.name());
        config.set("enable.auto.commit", "false").set("auto.offset.reset", "error");
        // What is visible is seen at once: recovery times are measured here.
        config.set("fetch.wait.max.ms", "20").set("fetch.queue.backoff.ms", "5");
        config.set("fetch.error.backoff.ms", "50").set("topic.metadata.refresh.interval.ms", "1000");
        config.set("fetch.max.bytes", "8388608").set("queued.max.messages.kbytes", "16384");
        config.set("check.crcs", "true");
        let consumer = config.create()?;
        let follower = Self { config, consumer, kafka_topics: kafka_topics.clone(), next: BTreeMap::new() };
        follower.assign()?;
        Ok(follower)
    }

    /// Everything from where it was read up to.
    fn assign(&self) -> anyhow::Result<()> {
        let mut assignment = TopicPartitionList::new();
        for (kafka_topic, partitions) in &self.kafka_topics {
            for partition in 0..i32::try_from(*partitions)? {
                let next = self.next.get(kafka_topic).and_then(|next| next.get(&partition));
                let next = next.map_or(Offset::Beginning, |offset| Offset::Offset(*offset));
                assignment.add_partition_offset(kafka_topic, partition, next)?;
            }
        }
        Ok(self.consumer.assign(&assignment)?)
    }

    /// Reads a Kafka topic no more, and forgets how far it was read.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn leave(&mut self, kafka_topic: &str) -> anyhow::Result<()> {
        self.kafka_topics.remove(kafka_topic);
        self.next.remove(kafka_topic);
        self.begin_anew()
    }

    /// Reads one more Kafka topic, from its start.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn follow(&mut self, kafka_topic: &str, partitions: usize) -> anyhow::Result<()> {
        self.kafka_topics.insert(kafka_topic.to_owned(), partitions);
        self.begin_anew()
    }

    /// A client that has known a Kafka topic does not take another one of the same name for a new one.
    fn begin_anew(&mut self) -> anyhow::Result<()> {
        self.consumer = self.config.create()?;
        self.assign()
    }

    /// The next record, if one comes in time. Within a partition offsets rise.
    ///
    /// # Errors
    /// When Kafka refuses to go on, as for an offset that is gone.
    pub fn poll(&mut self, within: Duration) -> anyhow::Result<Option<ReadRecord>> {
        let message = match self.consumer.poll(within) {
            None => return Ok(None),
            Some(Ok(message)) => message,
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            Some(Err(error)) if is_passing(&error) => return Ok(None),
            Some(Err(error)) => return Err(error).context("a reader cannot go on"),
        };
        if !self.next.contains_key(message.topic()) {
            self.next.insert(message.topic().to_owned(), BTreeMap::new());
        }
        let partitions = self.next.get_mut(message.topic()).context("it was inserted above")?;
        let next = partitions.entry(message.partition()).or_default();
        if message.offset() < *next {
            // The client went back after a change of leaders and reads the same records again.
            return Ok(None);
        }
        *next = message.offset() + 1;
        Ok(Some(owned(&message)))
    }

    /// The next offset by Kafka topic and partition: what lies below was given out.
    #[must_use]
    pub fn next(&self) -> &BTreeMap<String, BTreeMap<i32, i64>> {
        &self.next
    }
}

/// The record at a position.
///
/// # Errors
/// When it is not there for this reader, or Kafka does not answer in time.
pub fn one(cluster: &KafkaCluster, position: &Position, isolation: Isolation) -> anyhow::Result<ReadRecord> {
    let mut config = cluster.client();
    config.set("group.id", "testkit-one").set("isolation.level", isolation.name()).set("fetch.wait.max.ms", "20");
    config.set("enable.auto.commit", "false").set("auto.offset.reset", "error").set("queued.min.messages", "1");
    let consumer: BaseConsumer = config.create()?;
    let mut assignment = TopicPartitionList::new();
    let offset = Offset::Offset(position.offset);
    assignment.add_partition_offset(&position.kafka_topic, position.partition, offset)?;
    consumer.assign(&assignment)?;
    let record = wait::until_some(&format!("the record at {position}"), Duration::from_secs(3), || {
        Some(owned(&consumer.poll(Duration::from_millis(100))?.ok()?))
    })?;
    anyhow::ensure!(record.position == *position, "there is nothing at {position}");
    Ok(record)
}
