//! The measuring client: an even stream of events on one side, a `read_committed` consumer of the destinations on the
//! other, one clock for both.
//!
//! ```text
//! thread 1: at each event's time: note the clock -> produce with its number in a header      (acks=all, no linger)
//! thread 2: record at a destination -> note the clock -> the number in its header -> elapsed (woken by the broker)
//! ```
//!
//! The number travels in `correlation-id`, which the service passes on by default. An event's time does not wait for
//! the event before, and a late one is sent at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{DeliveryResult, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::bench::contents::{Contents, Outputs};
use crate::bench::stage::Names;
use crate::bench::workload::Record;

/// The header that carries the event's number.
pub(super) const NUMBER: &str = "correlation-id";

/// An even stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    /// Events per second.
    pub(super) rate: u32,
    /// How many events there are.
    pub(super) events: usize,
}

impl Stream {
    fn due(&self, number: usize) -> Duration {
        Duration::from_secs_f64(number as f64 / f64::from(self.rate))
    }
}

/// Nanoseconds since the clock's start, by event number; 0: not yet.
type Times = Arc<[AtomicU64]>;

fn times(events: usize) -> Times {
    (0..events).map(|_| AtomicU64::new(0)).collect()
}

/// When each event was handed to the producer and acknowledged, and by how much the worst was late.
pub(super) struct Sent {
    /// The call.
    pub(super) called: Vec<u64>,
    /// The acknowledgement.
    pub(super) acknowledged: Vec<u64>,
    /// The longest time that an event was behind its own.
    pub(super) latest: Duration,
}

struct Acknowledgements {
    clock: Instant,
    times: Times,
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        // What was not taken stays without a time, and is an error in the end.
        if result.is_ok() {
            self.times[number].store(nanos(self.clock), Ordering::Relaxed);
        }
    }
}

fn nanos(clock: Instant) -> u64 {
    u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Sends the stream; comes back when all of it is acknowledged.
pub(super) fn send(
    bootstrap: &str,
    kafka_topic: &str,
    events: &[Record],
    stream: Stream,
    clock: Instant,
) -> anyhow::Result<Sent> {
    let acknowledged = times(stream.events);
    let context = Acknowledgements { clock, times: acknowledged.clone() };
    let producer: ThreadedProducer<Acknowledgements> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "0")
        .set("socket.nagle.disable", "true")
        .set("partitioner", "murmur2_random")
        .create_with_context(context)?;
    // The first event must not wait for metadata.
    producer.client().fetch_metadata(Some(kafka_topic), Duration::from_secs(10))?;
    let mut called = Vec::with_capacity(stream.events);
    let mut latest = Duration::ZERO;
    let start = Instant::now();
    for (number, event) in (0..stream.events).zip(events.iter().cycle()) {
        let due = stream.due(number);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        latest = latest.max(start.elapsed().saturating_sub(due));
        let headers = OwnedHeaders::new().insert(Header { key: NUMBER, value: Some(&format!("{number:016}")) });
        let record = BaseRecord::with_opaque_to(kafka_topic, number);
        let record = record.key(&event.key).payload(&event.value).headers(headers);
        called.push(nanos(clock));
        producer.send(record).map_err(|(error, _)| error).context("the ingest takes an event")?;
    }
    producer.flush(Duration::from_secs(30))?;
    let acknowledged: Vec<u64> = acknowledged.iter().map(|time| time.load(Ordering::Relaxed)).collect();
    anyhow::ensure!(!acknowledged.contains(&0), "an event was not acknowledged");
    Ok(Sent { called, acknowledged, latest })
}

/// One output as it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Which of the destinations.
    pub(super) destination: usize,
    /// The event's number.
    pub(super) number: usize,
    /// When, in nanoseconds of the clock.
    pub(super) at: u64,
}

/// What the destinations gave.
#[derive(Default)]
pub(super) struct Received {
    /// Each output.
    pub(super) receipts: Vec<Receipt>,
    /// What they hold together.
    pub(super) outputs: Outputs,
}

/// Receives from all destinations of a run until it is told that no more will come, and nothing has for a while.
pub(super) struct Receiver {
    consumer: BaseConsumer,
    kafka_topics: BTreeMap<String, usize>,
    destinations: Vec<String>,
}

impl Receiver {
    /// Of these destinations.
    pub(super) fn new(bootstrap: &str, names: &Names, partitions: i32) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", "bench-e2e-receiver")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("socket.nagle.disable", "true")
            // A fetch is answered with the first byte; the time-out is that of a fetch with nothing to answer.
            .set("fetch.min.bytes", "1")
            .set("fetch.wait.max.ms", "500")
            .create()?;
        let kafka_topics: BTreeMap<String, usize> = names.outputs().zip(0..).collect();
        let mut list = TopicPartitionList::new();
        for kafka_topic in kafka_topics.keys() {
            for partition in 0..partitions {
                list.add_partition_offset(kafka_topic, partition, Offset::Beginning)?;
            }
        }
        consumer.assign(&list)?;
        Ok(Self { consumer, kafka_topics, destinations: names.destinations.clone() })
    }

    /// Receives until `done` and then half a second of silence.
    pub(super) fn receive(&self, clock: Instant, done: &AtomicBool) -> anyhow::Result<Received> {
        let mut receipts = Vec::new();
        let mut contents = vec![Contents::default(); self.destinations.len()];
        let mut heard = Instant::now();
        while !done.load(Ordering::Relaxed) || heard.elapsed() < Duration::from_millis(500) {
            let Some(message) = self.consumer.poll(Duration::from_millis(100)) else { continue };
            let at = nanos(clock);
            let message = message.context("cannot read the destinations")?;
            heard = Instant::now();
            let destination =
                *self.kafka_topics.get(message.topic()).context("a Kafka topic that was not asked for")?;
            let number = number(&message).context("an output without the header of its event")?;
            receipts.push(Receipt { destination, number, at });
            contents[destination].add(&message);
        }
        let outputs = self.destinations.iter().cloned().zip(contents).collect();
        Ok(Received { receipts, outputs })
    }
}

fn number(message: &impl Message) -> Option<usize> {
    let header = message.headers()?.iter().find(|header| header.key == NUMBER)?;
    std::str::from_utf8(header.value?).ok()?.parse().ok()
}
