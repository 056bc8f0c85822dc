//! Reading a Kafka topic from its start (or given offsets) to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use super::{KafkaCluster, Position};

/// Which records a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Only those of committed transactions, up to the last stable offset.
    ReadCommitted,
    /// All, also those of open and aborted transactions, up to the high watermark.
    ReadUncommitted,
}

impl Isolation {
    /// The value of `isolation.level`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        }
    }
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRecord {
    /// Where it lies.
    pub position: Position,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970-01-01 UTC.
    pub timestamp_ms: Option<i64>,
}

impl ReadRecord {
    /// The first header of this name, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(found, _)| found == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }

    /// The value as JSON.
    ///
    /// # Errors
    /// When there is none or it is no JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        let value = self.value.as_deref().with_context(|| format!("{} has no value", self.position))?;
        serde_json::from_slice(value).with_context(|| format!("{} is no JSON", self.position))
    }

    /// The key as text.
    #[must_use]
    pub fn key_text(&self) -> Option<&str> {
        std::str::from_utf8(self.key.as_deref()?).ok()
    }
}

/// Reads a whole Kafka topic: every partition up to its last stable offset or high watermark, as of now or later.
///
/// # Errors
/// When there is no such Kafka topic, or its end is not reached in time.
pub fn to_end(
    cluster: &KafkaCluster,
    kafka_topic: &str,
    isolation: Isolation,
    within: Duration,
) -> anyhow::Result<Vec<ReadRecord>> {
    to_end_from(cluster, kafka_topic, isolation, &BTreeMap::new(), within)
}

/// The same from given offsets; partitions that are not named are read from their start.
///
/// # Errors
/// When there is no such Kafka topic, or its end is not reached in time.
pub fn to_end_from(
    cluster: &KafkaCluster,
    kafka_topic: &str,
    isolation: Isolation,
    from: &BTreeMap<i32, i64>,
    within: Duration,
) -> anyhow::Result<Vec<ReadRecord>> {
    let deadline = Instant::now() + within;
    let mut config = cluster.client();
    config.set("group.id", "testkit-reader").set("isolation.level", isolation.name());
    config.set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    // An offset that is out of range is an error of the test, never a silent jump.
    config.set("auto.offset.reset", "error").set("fetch.wait.max.ms", "20");
    let consumer: BaseConsumer = config.create()?;
    let mut open = assign(&consumer, kafka_topic, from, within)?;
    let mut records = Vec::new();
    while !open.is_empty() {
        anyhow::ensure!(Instant::now() < deadline, "the end of {kafka_topic} was not reached in partitions {open:?}");
        match consumer.poll(Duration::from_millis(50)) {
            None => {}
            Some(Ok(message)) => records.push(owned(&message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(error).with_context(|| format!("cannot read {kafka_topic}")),
        }
    }
    records.sort_by(|left, right| left.position.cmp(&right.position));
    Ok(records)
}

/// Assigns every partition; gives those whose end is to be reached.
fn assign(
    consumer: &BaseConsumer,
    kafka_topic: &str,
    from: &BTreeMap<i32, i64>,
    within: Duration,
) -> anyhow::Result<BTreeSet<i32>> {
    let metadata = consumer.fetch_metadata(Some(kafka_topic), within)?;
    let found = metadata.topics().first().context("metadata of one Kafka topic was asked for")?;
    if let Some(code) = found.error() {
        anyhow::bail!(
            "the Kafka topic {kafka_topic} cannot be read: {:?}",
            rdkafka::error::RDKafkaErrorCode::from(code)
        );
    }
    let mut assignment = TopicPartitionList::new();
    let mut open = BTreeSet::new();
    for partition in found.partitions() {
        let start = from.get(&partition.id()).map_or(Offset::Beginning, |offset| Offset::Offset(*offset));
        assignment.add_partition_offset(kafka_topic, partition.id(), start)?;
        open.insert(partition.id());
    }
    consumer.assign(&assignment)?;
    Ok(open)
}

/// Brokers come and go in tests; librdkafka tries again by itself.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode as Code;
    let KafkaError::MessageConsumption(code) = error else { return false };
    matches!(
        code,
        Code::BrokerTransportFailure | Code::AllBrokersDown | Code::OperationTimedOut | Code::LeaderNotAvailable
    ) || matches!(code, Code::NotLeaderForPartition)
}

pub(super) fn owned(message: &BorrowedMessage<'_>) -> ReadRecord {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
    });
    ReadRecord {
        position: Position {
            kafka_topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
        },
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers,
        timestamp_ms: message.timestamp().to_millis(),
    }
}
