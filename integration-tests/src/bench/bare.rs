//! The bare loop: consume, send as many bytes, commit; nothing else.
//!
//! Each thread owns every n-th partition. It is what a good program around the client library does and no less:
//! `read_committed`, idempotent and transactional, offsets in the transaction, and delivery reports served by short
//! polls before the commit, since `flush` and so `commit_transaction` wait in slices of 100 ms while anything is in
//! flight.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::options::Bare;

const TIMEOUT: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(1);

/// Runs until the process is killed.
pub(super) fn run(bare: &Bare) -> anyhow::Result<()> {
    let threads: Vec<_> = (0..bare.batch.tasks)
        .map(|thread| {
            let bare = bare.clone();
            std::thread::spawn(move || Worker::new(&bare, thread)?.run())
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| anyhow::anyhow!("a thread of the bare loop panicked"))??;
    }
    Ok(())
}

struct Worker {
    bare: Bare,
    consumer: BaseConsumer,
    producer: BaseProducer,
    value: Vec<u8>,
    headers: OwnedHeaders,
}

impl Worker {
    fn new(bare: &Bare, thread: usize) -> anyhow::Result<Self> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &bare.bootstrap)
            .set("group.id", &bare.group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()?;
        let mut own = TopicPartitionList::new();
        for partition in (0..bare.ingest_partitions).skip(thread).step_by(bare.batch.tasks) {
            own.add_partition_offset(&bare.ingest, partition, Offset::Beginning)?;
        }
        consumer.assign(&own)?;
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &bare.bootstrap)
            .set("transactional.id", format!("{}-{thread}", bare.group))
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            // A transaction that follows at once may be told to wait for the one before; the default waits 100 ms.
            .set("retry.backoff.ms", "5")
            .create()?;
        producer.init_transactions(TIMEOUT)?;
        let padding = "h".repeat(bare.header_bytes.saturating_sub(1));
        let headers = OwnedHeaders::new().insert(Header { key: "h", value: Some(&padding) });
        Ok(Self { value: vec![b'v'; bare.value_bytes], headers, bare: bare.clone(), consumer, producer })
    }

    fn run(&self) -> anyhow::Result<()> {
        loop {
            let batch = self.gather()?;
            if !batch.is_empty() {
                self.transaction(&batch).context("a transaction of the bare loop failed")?;
            }
        }
    }

    /// The records of one transaction.
    fn gather(&self) -> anyhow::Result<Vec<BorrowedMessage<'_>>> {
        let limits = &self.bare.batch;
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut deadline = None;
        while batch.len() < limits.max_records && bytes < limits.max_bytes {
            let wait = match deadline {
                None => Duration::from_millis(100),
                Some(deadline) => Instant::now().max(deadline) - Instant::now(),
            };
            match self.consumer.poll(wait) {
                Some(message) => {
                    let message = message?;
                    bytes += message.payload_len() + message.key().map_or(0, <[u8]>::len);
                    batch.push(message);
                    deadline.get_or_insert_with(|| Instant::now() + Duration::from_millis(limits.linger_ms));
                }
                None => break,
            }
        }
        Ok(batch)
    }

    fn transaction(&self, batch: &[BorrowedMessage<'_>]) -> anyhow::Result<()> {
        self.producer.begin_transaction()?;
        let mut next = TopicPartitionList::new();
        let mut offsets = vec![None; usize::try_from(self.bare.ingest_partitions)?];
        for message in batch {
            self.send(message.key().unwrap_or_default())?;
            offsets[usize::try_from(message.partition())?] = Some(message.offset() + 1);
        }
        for (partition, offset) in (0..).zip(offsets) {
            if let Some(offset) = offset {
                next.add_partition_offset(&self.bare.ingest, partition, Offset::Offset(offset))?;
            }
        }
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(SHORT);
        }
        let group = self.consumer.group_metadata().context("the consumer has a group")?;
        self.producer.send_offsets_to_transaction(&next, &group, TIMEOUT)?;
        self.producer.commit_transaction(TIMEOUT)?;
        Ok(())
    }

    fn send(&self, key: &[u8]) -> anyhow::Result<()> {
        let mut record = BaseRecord::to(&self.bare.output).key(key).payload(&self.value).headers(self.headers.clone());
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
