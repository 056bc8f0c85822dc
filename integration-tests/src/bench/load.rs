//! Writes events into the ingest Kafka topic.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::workload::Record;

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// How many events.
    pub(super) events: u64,
    /// Bytes of their keys and values.
    pub(super) bytes: u64,
}

/// Writes events and lands them on partitions by their key.
pub(super) struct Loader<'a> {
    producer: BaseProducer,
    kafka_topic: &'a str,
    loaded: Loaded,
}

impl<'a> Loader<'a> {
    /// Into this Kafka topic.
    pub(super) fn new(bootstrap: &str, kafka_topic: &'a str) -> anyhow::Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "20")
            .create()?;
        Ok(Self { producer, kafka_topic, loaded: Loaded::default() })
    }

    /// Hands over one event.
    pub(super) fn send(&mut self, event: &Record) -> anyhow::Result<()> {
        self.loaded.events += 1;
        self.loaded.bytes += (event.key.len() + event.value.len()) as u64;
        let mut record = BaseRecord::to(self.kafka_topic).key(&event.key).payload(&event.value);
        while let Err((error, refused)) = self.producer.send(record) {
            anyhow::ensure!(error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), error);
            record = refused;
            self.producer.poll(Duration::from_millis(10));
        }
        self.producer.poll(Duration::ZERO);
        Ok(())
    }

    /// What was handed over so far.
    pub(super) fn loaded(&self) -> Loaded {
        self.loaded
    }

    /// Waits until all of it lies in Kafka.
    pub(super) fn finish(self) -> anyhow::Result<Loaded> {
        self.producer.flush(Duration::from_secs(120))?;
        Ok(self.loaded)
    }
}
