//! How far a consumer group is, seen from outside.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The committed offsets of a group in the ingest.
pub(super) struct Progress {
    consumer: BaseConsumer,
    partitions: TopicPartitionList,
}

impl Progress {
    /// Of this group.
    pub(super) fn of(bootstrap: &str, group: &str, kafka_topic: &str, partitions: i32) -> anyhow::Result<Self> {
        let consumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("group.id", group)
            // Else the client asks for offsets that no open transaction may still change, and waits for them.
            .set("isolation.level", "read_uncommitted")
            .create()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_range(kafka_topic, 0, partitions - 1);
        Ok(Self { consumer, partitions: list })
    }

    /// The committed offset of each partition, 0 where there is none yet. The ingest is written without transactions:
    /// their sum is the number of events.
    pub(super) fn offsets(&self) -> anyhow::Result<Vec<i64>> {
        let offsets = self.consumer.committed_offsets(self.partitions.clone(), TIMEOUT)?;
        let elements = offsets.elements();
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        Ok(elements.iter().map(|element| offset(element.offset())).collect())
    }

    /// Events whose offsets are committed.
    pub(super) fn committed(&self) -> anyhow::Result<u64> {
        Ok(self.offsets()?.into_iter().sum::<i64>().try_into()?)
    }
}
