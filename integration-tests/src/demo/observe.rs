//! Reads what arrives at the destinations and among the dead letters, as a subscriber would: `read_committed`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// What one Kafka topic held.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals {
    /// How often each source position arrived, by destination id (by class, for dead letters).
    pub(super) sources: BTreeMap<(String, String), u32>,
    /// Records that did not say where they come from.
    pub(super) without_source: u32,
}

/// A record to show.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// Its Kafka topic.
    pub(super) kafka_topic: String,
    /// Its key.
    pub(super) key: String,
    /// Its headers.
    pub(super) headers: Vec<(String, String)>,
    /// Its value.
    pub(super) value: Vec<u8>,
}

/// All that was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Notifications.
    pub(super) notifications: Arrivals,
    /// Dead letters.
    pub(super) dead_letters: Arrivals,
    /// The first notification of the first destination.
    pub(super) sample: Option<Sample>,
    /// When the first notification arrived.
    pub(super) first_at: Option<Instant>,
}

impl Seen {
    /// Notifications of a destination so far, doubles included.
    pub(super) fn count(&self, destination: &str) -> u64 {
        total(self.notifications.sources.iter().filter(|((id, _), _)| id == destination))
    }

    /// Dead letters so far.
    pub(super) fn dead_letters(&self) -> u64 {
        total(self.dead_letters.sources.iter())
    }
}

fn total<'a>(sources: impl Iterator<Item = (&'a (String, String), &'a u32)>) -> u64 {
    sources.map(|(_, count)| u64::from(*count)).sum()
}

/// A thread that reads until it is dropped.
pub(super) struct Observer {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Observer {
    /// Starts reading these Kafka topics from their beginning; the first notification of the `preferred` one is kept.
    pub(super) fn start(
        bootstrap: &str,
        kafka_topics: &[String],
        dead_letters: &str,
        preferred: &str,
    ) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "demo-observer")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()?;
        let mut all = TopicPartitionList::new();
        for kafka_topic in kafka_topics.iter().map(String::as_str).chain([dead_letters]) {
            let metadata = consumer.fetch_metadata(Some(kafka_topic), Duration::from_secs(10))?;
            let partitions =
                metadata.topics().first().context("Kafka describes the topic it was asked for")?.partitions();
            anyhow::ensure!(!partitions.is_empty(), "the Kafka topic {kafka_topic} does not exist");
            for partition in partitions {
                all.add_partition_offset(kafka_topic, partition.id(), Offset::Beginning)?;
            }
        }
        consumer.assign(&all)?;
        let (seen, stop) = (Arc::new(Mutex::new(Seen::default())), Arc::new(AtomicBool::new(false)));
        let preferred = preferred.to_owned();
        let reader = Reader {
            consumer,
            preferred,
            dead_letters: dead_letters.to_owned(),
            seen: seen.clone(),
            stop: stop.clone(),
        };
        let thread = Some(std::thread::spawn(move || reader.run()));
        Ok(Self { seen, stop, thread })
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Reader {
    consumer: BaseConsumer,
    dead_letters: String,
    preferred: String,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

impl Reader {
    fn run(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            // Errors of a consumer are reports; it goes on by itself.
            if let Some(Ok(message)) = self.consumer.poll(Duration::from_millis(100)) {
                self.take(&message);
            }
        }
    }

    fn take(&self, message: &BorrowedMessage<'_>) {
        let headers = headers(message);
        let header = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let dead = message.topic() == self.dead_letters;
        let (who, source) = if dead {
            (header("fhir-dead-letter-class"), header("fhir-dead-letter-source"))
        } else {
            (header("fhir-destination"), header("fhir-source"))
        };
        let arrivals = if dead { &mut seen.dead_letters } else { &mut seen.notifications };
        match (who, source) {
            (Some(who), Some(source)) => *arrivals.sources.entry((who, source)).or_default() += 1,
            _ => arrivals.without_source += 1,
        }
        if dead {
            return;
        }
        seen.first_at.get_or_insert_with(Instant::now);
        let value = message.payload().unwrap_or_default();
        if seen.sample.is_none() && message.topic() == self.preferred {
            seen.sample = Some(Sample {
                kafka_topic: message.topic().to_owned(),
                key: message.key().map_or("null".to_owned(), |key| String::from_utf8_lossy(key).into_owned()),
                headers: headers.clone(),
                value: value.to_vec(),
            });
        }
    }
}

fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, String)> {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    headers.map(|header| (header.key.to_owned(), text(header.value))).collect()
}
