//! What the benchmark says to Kafka: load the ingest, watch a group's progress, count a destination.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::events::{DayOptions, padded_labs};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Writes the events, evenly over the partitions, and gives the bytes of keys and values.
pub(super) fn load(
    bootstrap: &str,
    kafka_topic: &str,
    partitions: i32,
    events: usize,
    size: usize,
) -> anyhow::Result<u64> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .create()?;
    let mut bytes = 0;
    let labs = padded_labs(DayOptions::default(), size).take(events);
    for (event, partition) in labs.zip((0..partitions).cycle()) {
        let value = event.value.unwrap_or_default();
        bytes += (value.len() + event.key.len()) as u64;
        let mut record = BaseRecord::to(kafka_topic).partition(partition).key(&event.key).payload(&value);
        while let Err((error, refused)) = producer.send(record) {
            anyhow::ensure!(error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), error);
            record = refused;
            producer.poll(Duration::from_millis(10));
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(120))?;
    Ok(bytes)
}

/// How far a consumer group is, seen from outside.
pub(super) struct Progress {
    consumer: BaseConsumer,
    partitions: TopicPartitionList,
}

impl Progress {
    pub(super) fn of(bootstrap: &str, group: &str, kafka_topic: &str, partitions: i32) -> anyhow::Result<Self> {
        let consumer = ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", group).create()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_range(kafka_topic, 0, partitions - 1);
        Ok(Self { consumer, partitions: list })
    }

    /// Events whose offsets are committed.
    pub(super) fn committed(&self) -> anyhow::Result<u64> {
        let offsets = self.consumer.committed_offsets(self.partitions.clone(), TIMEOUT)?;
        let elements = offsets.elements();
        let sum = elements.iter().map(|element| match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        });
        Ok(sum.sum::<i64>().try_into()?)
    }
}

/// What a destination holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Records that a `read_committed` consumer gets.
    pub(super) records: u64,
    /// Bytes of their values.
    pub(super) value_bytes: u64,
    /// Bytes of their keys.
    pub(super) key_bytes: u64,
    /// Bytes of their headers, names and values.
    pub(super) header_bytes: u64,
}

/// Reads a Kafka topic to its end with `read_committed`.
pub(super) fn contents(bootstrap: &str, kafka_topic: &str, partitions: i32) -> anyhow::Result<Contents> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench-e2e-reader")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(kafka_topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let mut contents = Contents::default();
    let mut open = partitions;
    let deadline = Instant::now() + Duration::from_secs(300);
    while open > 0 {
        anyhow::ensure!(Instant::now() < deadline, "the destination has no end");
        match consumer.poll(Duration::from_secs(5)) {
            Some(Ok(message)) => {
                contents.records += 1;
                contents.value_bytes += message.payload_len() as u64;
                contents.key_bytes += message.key().map_or(0, <[u8]>::len) as u64;
                let headers = message.headers().into_iter().flat_map(Headers::iter);
                contents.header_bytes +=
                    headers.map(|header| (header.key.len() + header.value.map_or(0, <[u8]>::len)) as u64).sum::<u64>();
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error).context("cannot read the destination"),
            None => {}
        }
    }
    Ok(contents)
}
