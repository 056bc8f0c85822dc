//! What did come out, read from Kafka once nothing more can come.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::expected::EventId;
use crate::kafka::{Admin, Isolation, KafkaCluster, Position, ReadRecord, read};

/// Which Kafka topics belong to a run.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The consumer group.
    pub group: String,
    /// The ingest Kafka topics.
    pub ingest: Vec<String>,
    /// The Kafka topics of the destinations.
    pub destinations: Vec<String>,
    /// The Kafka topic of the dead letters.
    pub dead_letters: String,
}

/// Everything that was observed. Public fields, so that the checker's tests can plant damage.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// What lies in the destinations.
    pub notifications: Vec<ReadRecord>,
    /// What lies in the dead-letter Kafka topic.
    pub dead_letters: Vec<ReadRecord>,
    /// The group's committed offset by ingest Kafka topic and partition.
    pub committed: BTreeMap<(String, i32), i64>,
    /// Committed ingest records that the group has not passed.
    pub unconsumed: Vec<Position>,
    /// Kafka topics in which a transaction was still open.
    pub unsettled: Vec<String>,
    /// The number of partitions of every output Kafka topic.
    pub partitions: BTreeMap<String, usize>,
}

impl History {
    /// Waits until the group is at the end of the ingest and no transaction is open, then reads everything.
    ///
    /// What is not reached in time is not an error here: it is in the history, and the checker reports it.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub fn take(cluster: &KafkaCluster, scope: &Scope, within: Duration) -> anyhow::Result<Self> {
        let deadline = Instant::now() + within;
        let left = || deadline.saturating_duration_since(Instant::now());
        let admin = Admin::new(cluster)?;
        let mut history = Self::default();
        for ingest in &scope.ingest {
            if admin.wait_consumed(cluster, &scope.group, ingest, left()).is_err() {
                history.unconsumed.extend(admin.unconsumed(cluster, &scope.group, ingest)?);
            }
            let committed = admin.committed_offsets(&scope.group, ingest)?;
            history.committed.extend(committed.into_iter().map(|(partition, at)| ((ingest.clone(), partition), at)));
        }
        let mut outputs = scope.destinations.clone();
        outputs.sort_unstable();
        outputs.dedup();
        for kafka_topic in outputs.iter().chain([&scope.dead_letters]) {
            if admin.wait_settled(kafka_topic, left().max(Duration::from_millis(500))).is_err() {
                history.unsettled.push(kafka_topic.clone());
            }
            let partitions = admin.partitions(kafka_topic)?.map_or(0, |partitions| partitions.len());
            history.partitions.insert(kafka_topic.clone(), partitions);
            let records =
                read::to_end(cluster, kafka_topic, Isolation::ReadCommitted, left().max(Duration::from_secs(20)))?;
            if *kafka_topic == scope.dead_letters {
                history.dead_letters = records;
            } else {
                history.notifications.extend(records);
            }
        }
        Ok(history)
    }
}

/// Reads `kafkaTopic:partition:offset` with an optional `#index`.
#[must_use]
pub fn parse_source(text: &str) -> Option<EventId> {
    let (position, index) = match text.split_once('#') {
        Some((position, index)) => (position, index.parse().ok()?),
        None => (text, 0),
    };
    let mut parts = position.rsplitn(3, ':');
    let offset = parts.next()?.parse().ok()?;
    let partition = parts.next()?.parse().ok()?;
    let kafka_topic = parts.next()?.to_owned();
    Some(EventId { source: Position { kafka_topic, partition, offset }, index })
}
