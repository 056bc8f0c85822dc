//! The bare loop: consume, send as many records and bytes, commit; nothing else.
//!
//! Each thread owns every n-th partition. It is what a good program around the client library does and no less:
//! `read_committed`, idempotent and transactional, offsets in the transaction, and delivery reports served by short
//! polls before the commit, since `flush` and so `commit_transaction` wait in slices of 100 ms while anything is in
//! flight. What it writes is spread over the Kafka topics, in number and size, as the service's notifications were.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::text::say;
use super::weight::{Due, Weight};

const TIMEOUT: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(1);

/// What the bare loop has to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Where Kafka is.
    pub(super) bootstrap: String,
    /// Consumer group and first part of the transactional ids.
    pub(super) group: String,
    /// The Kafka topic to read.
    pub(super) ingest: String,
    /// Its partitions.
    pub(super) partitions: i32,
    /// Threads.
    pub(super) tasks: usize,
    /// Records of a transaction.
    pub(super) max_records: usize,
    /// Bytes of the ingest records of a transaction.
    pub(super) max_bytes: usize,
    /// Milliseconds that a transaction waits for more records; 0: nothing waits for anything.
    pub(super) linger_ms: u64,
    /// The ingest header that is passed on.
    pub(super) forward: Option<String>,
    /// The Kafka topics to send to.
    pub(super) outputs: Vec<(String, Weight)>,
}

/// Runs until the process is killed; says READY when every thread can begin.
pub(super) fn run(plan: &Path) -> anyhow::Result<()> {
    let text = std::fs::read(plan).with_context(|| format!("cannot read {}", plan.display()))?;
    let plan: &'static Plan = Box::leak(Box::new(serde_json::from_slice(&text)?));
    let workers = (0..plan.tasks).map(|thread| Worker::new(plan, thread)).collect::<anyhow::Result<Vec<_>>>()?;
    say("READY");
    let threads: Vec<_> = workers.into_iter().map(|worker| std::thread::spawn(move || worker.run())).collect();
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the bare loop panicked"))??;
    }
    Ok(())
}

struct Worker {
    plan: &'static Plan,
    consumer: BaseConsumer,
    producer: BaseProducer,
}

/// A Kafka topic to send to, with what is sent.
struct Output {
    kafka_topic: &'static str,
    due: Due,
    key: bool,
    value: Vec<u8>,
    headers: OwnedHeaders,
}

impl Output {
    fn new(kafka_topic: &'static str, weight: &Weight) -> Self {
        let padding = "h".repeat(weight.header_bytes.saturating_sub(1));
        Self {
            kafka_topic,
            due: Due::new(weight.per_event),
            key: weight.key,
            value: vec![b'v'; weight.value_bytes],
            headers: OwnedHeaders::new().insert(Header { key: "h", value: Some(&padding) }),
        }
    }
}

impl Worker {
    fn new(plan: &'static Plan, thread: usize) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &plan.bootstrap)
            .set("group.id", &plan.group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()?;
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &plan.bootstrap)
            .set("transactional.id", format!("{}-{thread}", plan.group))
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            // A transaction that follows at once may be told to wait for the one before; the default waits 100 ms.
            .set("retry.backoff.ms", "5");
        if plan.linger_ms == 0 {
            config.set("linger.ms", "0");
        }
        let producer: BaseProducer = config.create()?;
        producer.init_transactions(TIMEOUT)?;
        let mut own = TopicPartitionList::new();
        for partition in (0..plan.partitions).skip(thread).step_by(plan.tasks) {
            own.add_partition_offset(&plan.ingest, partition, Offset::Beginning)?;
        }
        consumer.assign(&own)?;
        Ok(Self { plan, consumer, producer })
    }

    fn run(&self) -> anyhow::Result<()> {
        let outputs = self.plan.outputs.iter();
        let mut outputs: Vec<Output> = outputs.map(|(name, weight)| Output::new(name, weight)).collect();
        loop {
            let batch = self.gather()?;
            if !batch.is_empty() {
                self.transaction(&batch, &mut outputs).context("a transaction of the bare loop failed")?;
            }
        }
    }

    /// The records of one transaction.
    fn gather(&self) -> anyhow::Result<Vec<BorrowedMessage<'_>>> {
        let plan = self.plan;
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut deadline = None;
        while batch.len() < plan.max_records && bytes < plan.max_bytes {
            let wait = match deadline {
                None => Duration::from_millis(100),
                Some(deadline) => Instant::now().max(deadline) - Instant::now(),
            };
            match self.consumer.poll(wait) {
                Some(message) => {
                    let message = message?;
                    bytes += message.payload_len() + message.key().map_or(0, <[u8]>::len);
                    batch.push(message);
                    deadline.get_or_insert_with(|| Instant::now() + Duration::from_millis(plan.linger_ms));
                }
                None => break,
            }
        }
        Ok(batch)
    }

    fn transaction(&self, batch: &[BorrowedMessage<'_>], outputs: &mut [Output]) -> anyhow::Result<()> {
        self.producer.begin_transaction()?;
        let mut next = TopicPartitionList::new();
        let mut offsets = vec![None; usize::try_from(self.plan.partitions)?];
        for message in batch {
            for output in &mut *outputs {
                for _ in 0..output.due.next() {
                    self.send(message, output)?;
                }
            }
            offsets[usize::try_from(message.partition())?] = Some(message.offset() + 1);
        }
        for (partition, offset) in (0..).zip(offsets) {
            if let Some(offset) = offset {
                next.add_partition_offset(&self.plan.ingest, partition, Offset::Offset(offset))?;
            }
        }
        while self.producer.in_flight_count() > 0 {
            self.serve();
        }
        let group = self.consumer.group_metadata().context("the consumer has a group")?;
        self.producer.send_offsets_to_transaction(&next, &group, TIMEOUT)?;
        self.producer.commit_transaction(TIMEOUT)?;
        Ok(())
    }

    /// Takes delivery reports for a moment.
    fn serve(&self) {
        if self.plan.linger_ms > 0 {
            self.producer.poll(SHORT);
        } else {
            // A poll with a time-out always takes all of it.
            self.producer.poll(Duration::ZERO);
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    fn send(&self, message: &BorrowedMessage<'_>, output: &Output) -> anyhow::Result<()> {
        let mut headers = output.headers.clone();
        if let Some(name) = &self.plan.forward {
            let passed = message.headers().into_iter().flat_map(Headers::iter).filter(|header| header.key == name);
            for header in passed {
                headers = headers.insert(header);
            }
        }
        let mut record = BaseRecord::<[u8], [u8]>::to(output.kafka_topic).payload(&output.value).headers(headers);
        if output.key {
            record = record.key(message.key().unwrap_or_default());
        }
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    self.producer.poll(SHORT);
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
}
