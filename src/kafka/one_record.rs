//! Fetches exactly one record, for who wants to look at it.
//!
//! The consumer is assigned the partition, so that it joins no group, and commits nothing: a running service notices
//! nothing of it. It reads as the service does (`read_committed`); what is no committed record is told for what it is.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::client_options::{self, InquirerContext};
use super::native::Record;
use crate::config::settings::Settings;

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPosition {
    /// The Kafka topic.
    pub kafka_topic: String,
    /// Its partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
}

/// A record that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedRecord {
    /// The record's time in milliseconds since 1970-01-01 UTC, where it has one.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The client cannot be made, or the brokers do not answer or refuse.
    #[error("the brokers did not give it")]
    Kafka(#[from] KafkaError),
    /// The Kafka topic does not exist.
    #[error("there is no such Kafka topic, or it may not be read")]
    NoSuchKafkaTopic,
    /// It has fewer partitions.
    #[error("there is no such partition: they are 0 to {last}")]
    NoSuchPartition {
        /// The last one.
        last: usize,
    },
    /// The offset is before the first that is kept.
    #[error("the record is gone: the partition begins at {first} now (retention, or deleted)")]
    Gone {
        /// The first offset.
        first: i64,
    },
    /// The offset is not there yet, for who reads committed records.
    #[error("it is not there yet: readers of committed records come to {end}; it may be in an open transaction")]
    NotThereYet {
        /// Where they come to.
        end: i64,
    },
    /// There is something else at this offset.
    #[error(
        "there is no committed record at this offset: a mark of the end of a transaction, a record of one that was \
         aborted, or one that compaction has removed"
    )]
    NoRecord,
    /// It did not come in time.
    #[error("it did not come within {0:?}")]
    TimedOut(Duration),
}

/// Fetches the record at this position.
///
/// # Errors
/// See [`FetchError`].
pub fn fetch(settings: &Settings, at: &RecordPosition, within: Duration) -> Result<FetchedRecord, FetchError> {
    let deadline = Instant::now() + within;
    let left = || deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let consumer = consumer(settings)?;
    let metadata = consumer.fetch_metadata(Some(&at.kafka_topic), left())?;
    let found = metadata.topics().iter().find(|topic| topic.name() == at.kafka_topic);
    let found = found.filter(|topic| topic.error().is_none() && !topic.partitions().is_empty());
    let partitions = found.ok_or(FetchError::NoSuchKafkaTopic)?.partitions();
    if !partitions.iter().any(|partition| partition.id() == at.partition) {
        return Err(FetchError::NoSuchPartition { last: partitions.len() - 1 });
    }
    let (first, end) = consumer.fetch_watermarks(&at.kafka_topic, at.partition, left())?;
    if at.offset < first {
        return Err(FetchError::Gone { first });
    }
    if at.offset >= end {
        return Err(FetchError::NotThereYet { end });
    }
    let mut position = TopicPartitionList::new();
    position.add_partition_offset(&at.kafka_topic, at.partition, Offset::Offset(at.offset))?;
    consumer.assign(&position)?;
    loop {
        match consumer.poll(left()) {
            Some(Ok(message)) if message.offset() == at.offset => {
                return Ok(FetchedRecord::of(&Record::lent(message)));
            }
            // The next record is behind it, or there is none.
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Err(FetchError::NoRecord),
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
        if Instant::now() >= deadline {
            return Err(FetchError::TimedOut(within));
        }
    }
}

fn consumer(settings: &Settings) -> Result<BaseConsumer<InquirerContext>, KafkaError> {
    let mut config = client_options::inquirer(settings);
    // A position that is gone is told, and no other taken.
    config.set("auto.offset.reset", "error");
    // What is behind the position may be nothing that is given to readers.
    config.set("enable.partition.eof", "true");
    // A damaged record is an error here too.
    config.set("check.crcs", "true");
    // A single record is taken whatever its size; beyond it little is asked for.
    config.set("receive.message.max.bytes", i32::MAX.to_string());
    config.set("queued.max.messages.kbytes", "1024");
    config.create_with_context(InquirerContext)
}

/// Whether the client goes on by itself.
fn is_passing(error: &KafkaError) -> bool {
    error
        .rdkafka_error_code()
        .is_some_and(|code| client_options::is_about_connections(code) || code == RDKafkaErrorCode::AllBrokersDown)
}

impl FetchedRecord {
    fn of(record: &Record<'_>) -> Self {
        let owned = |(name, value): (&str, Option<&[u8]>)| (name.to_owned(), value.map(<[u8]>::to_vec));
        Self {
            timestamp_ms: record.timestamp_ms(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: record.headers().map(owned).collect(),
        }
    }
}
