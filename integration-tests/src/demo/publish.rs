//! Publishes the sample events at a visible pace and remembers where each of them landed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use crate::events::{Facts, SampleEvent};

/// A record that Kafka has confirmed.
#[derive(Debug, Clone)]
pub(super) struct Published {
    /// `kafkaTopic:partition:offset`, as outputs name their source.
    pub(super) source: String,
    /// What is in it.
    pub(super) facts: Facts,
}

/// Everything published so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    records: Arc<Mutex<Vec<Published>>>,
    failed: Arc<AtomicBool>,
}

impl Log {
    pub(super) fn records(&self) -> Vec<Published> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn count(&self) -> usize {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl ClientContext for Log {}

impl ProducerContext for Log {
    type DeliveryOpaque = Box<Facts>;

    fn delivery(&self, result: &DeliveryResult<'_>, facts: Box<Facts>) {
        match result {
            Ok(message) => {
                let source = format!("{}:{}:{}", message.topic(), message.partition(), message.offset());
                let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
                records.push(Published { source, facts: *facts });
            }
            Err(_) => self.failed.store(true, Ordering::Relaxed),
        }
    }
}

/// Sends to one Kafka topic.
pub(super) struct Publisher {
    producer: BaseProducer<Log>,
    kafka_topic: String,
    log: Log,
}

impl Publisher {
    pub(super) fn new(bootstrap: &str, kafka_topic: &str) -> anyhow::Result<Self> {
        let log = Log::default();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            // A retry must neither double nor reorder an event.
            .set("enable.idempotence", "true")
            // Where Java producers put a key, so that a patient has one partition whoever publishes.
            .set("partitioner", "murmur2_random")
            .create_with_context(log.clone())?;
        Ok(Self { producer, kafka_topic: kafka_topic.to_owned(), log })
    }

    pub(super) fn log(&self) -> Log {
        self.log.clone()
    }

    /// Publishes `rate` events a second until they end or `stop` is set, then waits until all are confirmed.
    pub(super) fn publish(
        &self,
        events: impl Iterator<Item = SampleEvent>,
        rate: u32,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        let interval = Duration::from_secs(1) / rate.max(1);
        let mut due = Instant::now();
        for event in events {
            while Instant::now() < due && !stop.load(Ordering::Relaxed) {
                self.producer.poll((due - Instant::now().min(due)).min(Duration::from_millis(50)));
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
            self.send(event)?;
            due += interval;
        }
        self.producer.flush(Duration::from_secs(30)).context("Kafka did not take the events")?;
        anyhow::ensure!(!self.log.failed.load(Ordering::Relaxed), "Kafka refused an event");
        Ok(())
    }

    fn send(&self, event: SampleEvent) -> anyhow::Result<()> {
        let SampleEvent { key, value, facts, .. } = event;
        let mut record = BaseRecord::with_opaque_to(&self.kafka_topic, Box::new(facts)).key(&key);
        if let Some(value) = &value {
            record = record.payload(value);
        }
        self.producer.send(record).map_err(|(error, _)| error).context("cannot publish an event")
    }
}
