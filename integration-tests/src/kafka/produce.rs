//! Producing records, and knowing where each of them came to lie.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::KafkaCluster;

/// How long a set of records may take to be acknowledged, also while nodes restart.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(60);

/// Where a record lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The Kafka topic.
    pub kafka_topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.kafka_topic, self.partition, self.offset)
    }
}

/// A record to produce.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// The partition; `None` leaves it to murmur2 over the key.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Milliseconds since 1970-01-01 UTC; `None` is now.
    pub timestamp_ms: Option<i64>,
}

impl Record {
    /// A record with this value.
    #[must_use]
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// A record without a value.
    #[must_use]
    pub fn null() -> Self {
        Self::default()
    }

    /// With a key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// With one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }

    /// On this partition.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With this time, in milliseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn timestamp(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }
}

/// An idempotent producer with `acks=all`, plain or transactional. [`Producer::send`] waits for the acknowledgements.
pub struct Producer {
    inner: BaseProducer<Acknowledgements>,
}

impl Producer {
    /// A producer without transactions.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn plain(cluster: &KafkaCluster) -> anyhow::Result<Self> {
        Self::make(cluster, None)
    }

    /// A transactional producer; it fences an earlier one with the same id.
    ///
    /// # Errors
    /// When the client cannot be made or the transaction coordinator does not answer.
    pub fn transactional(cluster: &KafkaCluster, transactional_id: &str) -> anyhow::Result<Self> {
        let producer = Self::make(cluster, Some(transactional_id))?;
        producer.inner.init_transactions(ACKNOWLEDGED_WITHIN)?;
        Ok(producer)
    }

    fn make(cluster: &KafkaCluster, transactional_id: Option<&str>) -> anyhow::Result<Self> {
        let mut config = cluster.client();
        config.set("enable.idempotence", "true").set("acks", "all").set("partitioner", "murmur2_random");
        config.set("message.max.bytes", "104000000").set("linger.ms", "1");
        if let Some(id) = transactional_id {
            config.set("transactional.id", id);
        }
        Ok(Self { inner: config.create_with_context(Acknowledgements::default())? })
    }

    /// Produces records and waits until all are acknowledged: their positions, in the order of the records.
    ///
    /// # Errors
    /// When a record is refused, or not acknowledged in time.
    pub fn send(&self, kafka_topic: &str, records: &[Record]) -> anyhow::Result<Vec<Position>> {
        let deadline = Instant::now() + ACKNOWLEDGED_WITHIN;
        self.inner.context().expect(records.len());
        for (index, record) in records.iter().enumerate() {
            self.queue(kafka_topic, index, record, deadline)?;
        }
        while self.inner.in_flight_count() > 0 {
            anyhow::ensure!(Instant::now() < deadline, "records were not acknowledged within {ACKNOWLEDGED_WITHIN:?}");
            self.inner.poll(Duration::from_millis(20));
        }
        self.inner.context().take().into_iter().map(|result| result.context("a record was not reported")?).collect()
    }

    fn queue(&self, kafka_topic: &str, index: usize, record: &Record, deadline: Instant) -> anyhow::Result<()> {
        let mut attempt = base_record(kafka_topic, index, record);
        loop {
            match self.inner.send(attempt) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    anyhow::ensure!(Instant::now() < deadline, "the producer's queue stayed full");
                    self.inner.poll(Duration::from_millis(20));
                    attempt = returned;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// When the producer is not transactional or one is open.
    pub fn begin(&self) -> anyhow::Result<()> {
        Ok(self.inner.begin_transaction()?)
    }

    /// Commits the open transaction.
    ///
    /// # Errors
    /// When the cluster does not commit it.
    pub fn commit(&self) -> anyhow::Result<()> {
        Ok(self.inner.commit_transaction(ACKNOWLEDGED_WITHIN)?)
    }

    /// Aborts the open transaction.
    ///
    /// # Errors
    /// When the cluster does not abort it.
    pub fn abort(&self) -> anyhow::Result<()> {
        Ok(self.inner.abort_transaction(ACKNOWLEDGED_WITHIN)?)
    }
}

fn base_record<'a>(kafka_topic: &'a str, index: usize, record: &'a Record) -> BaseRecord<'a, [u8], [u8], usize> {
    let mut base = BaseRecord::with_opaque_to(kafka_topic, index);
    if let Some(partition) = record.partition {
        base = base.partition(partition);
    }
    if let Some(key) = &record.key {
        base = base.key(key.as_slice());
    }
    if let Some(value) = &record.value {
        base = base.payload(value.as_slice());
    }
    if let Some(timestamp) = record.timestamp_ms {
        base = base.timestamp(timestamp);
    }
    if !record.headers.is_empty() {
        let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (name, value)| {
            headers.insert(Header { key: name, value: value.as_deref() })
        });
        base = base.headers(headers);
    }
    base
}

/// What became of the records of one call of [`Producer::send`].
#[derive(Default)]
struct Acknowledgements {
    results: Mutex<Vec<Option<anyhow::Result<Position>>>>,
}

impl Acknowledgements {
    fn expect(&self, records: usize) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.clear();
        results.resize_with(records, || None);
    }

    fn take(&self) -> Vec<Option<anyhow::Result<Position>>> {
        std::mem::take(&mut *self.results.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let position = match result {
            Ok(message) => Ok(Position {
                kafka_topic: message.topic().to_owned(),
                partition: message.partition(),
                offset: message.offset(),
            }),
            Err((error, _)) => Err(anyhow::Error::new(error.clone())),
        };
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = results.get_mut(index) {
            *slot = Some(position);
        }
    }
}
