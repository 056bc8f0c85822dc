//! What has been processed since the last commit: positions, and the counts that become metrics once they are true.

use std::time::{Duration, Instant};

use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::backlog::Positioned;
use super::position_notes::PositionNotes;
use crate::domain::plan::Plan;
use crate::domain::tally::Tally;
use crate::kafka::offset_metadata;

/// How long the positions of records without outputs may stay uncommitted.
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// The position of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionPosition {
    /// The ingest Kafka topic.
    pub kafka_topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset after the last processed record: what is committed.
    pub next: i64,
}

/// Positions of several partitions; few, so that a list is the fastest map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets {
    positions: Vec<PartitionPosition>,
}

impl Offsets {
    /// Notes that a record is processed.
    pub fn note(&mut self, record: &impl Positioned) {
        self.advance(record.kafka_topic(), record.partition(), record.offset() + 1);
    }

    /// Moves a partition forward, never back.
    pub fn advance(&mut self, kafka_topic: &str, partition: i32, next: i64) {
        let known = self
            .positions
            .iter_mut()
            .find(|position| position.partition == partition && position.kafka_topic == kafka_topic);
        match known {
            Some(position) => position.next = position.next.max(next),
            None => self.positions.push(PartitionPosition { kafka_topic: kafka_topic.to_owned(), partition, next }),
        }
    }

    /// The positions.
    pub fn iter(&self) -> impl Iterator<Item = &PartitionPosition> {
        self.positions.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// Forgets partitions that are no longer ours.
    pub fn drop_partitions(&mut self, partitions: &TopicPartitionList) {
        self.positions
            .retain(|position| partitions.find_partition(&position.kafka_topic, position.partition).is_none());
    }

    /// Forgets a position that is committed, or behind what is.
    pub fn drop_committed(&mut self, committed: &PartitionPosition) {
        self.positions.retain(|position| {
            position.partition != committed.partition
                || position.kafka_topic != committed.kafka_topic
                || position.next > committed.next
        });
    }

    /// The list as the client wants it, with the metadata that goes with the positions.
    ///
    /// # Errors
    /// When an offset is none that Kafka knows: cannot be, since they come from records.
    pub fn to_list(&self, notes: &PositionNotes) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(self.positions.len());
        for position in &self.positions {
            let (kafka_topic, partition) = (position.kafka_topic.as_str(), position.partition);
            let metadata = notes.of(kafka_topic, partition);
            offset_metadata::add(&mut list, kafka_topic, partition, Offset::Offset(position.next), metadata)?;
        }
        Ok(list)
    }
}

/// Processed and not yet committed.
#[derive(Debug)]
pub struct Ledger {
    /// Where the partitions stand.
    pub offsets: Offsets,
    /// What was counted on the way.
    pub tally: Tally,
    /// Number of records.
    pub records: usize,
    since: Option<Instant>,
}

impl Ledger {
    /// An empty ledger for this plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self { offsets: Offsets::default(), tally: Tally::new(plan), records: 0, since: None }
    }

    /// Adds what a batch without outputs did.
    pub fn add(&mut self, offsets: &Offsets, tally: &Tally, records: usize, now: Instant) {
        for position in offsets.iter() {
            self.offsets.advance(&position.kafka_topic, position.partition, position.next);
        }
        self.tally.add(tally);
        self.records += records;
        self.since.get_or_insert(now);
    }

    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// When it has to be committed at the latest.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + LONGEST_DELAY)
    }

    /// Forgets partitions that are no longer ours. What was counted goes with the last of them: the next owner counts.
    pub fn drop_partitions(&mut self, partitions: &TopicPartitionList, plan: &Plan) {
        self.offsets.drop_partitions(partitions);
        if self.is_empty() {
            self.clear(plan);
        }
    }

    /// Everything is committed.
    pub fn clear(&mut self, plan: &Plan) {
        *self = Self::new(plan);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_moves_forward_and_never_back() {
        let mut offsets = Offsets::default();
        offsets.advance("a", 0, 5);
        offsets.advance("a", 1, 3);
        offsets.advance("a", 0, 9);
        offsets.advance("a", 0, 7);

        let next: Vec<_> = offsets.iter().map(|position| (position.partition, position.next)).collect();

        assert_eq!(next, [(0, 9), (1, 3)]);
    }

    #[test]
    fn a_position_behind_the_committed_one_is_never_committed_again() {
        let mut offsets = Offsets::default();
        offsets.advance("a", 0, 5);
        offsets.advance("a", 1, 9);
        for partition in [0, 1] {
            offsets.drop_committed(&PartitionPosition { kafka_topic: "a".to_owned(), partition, next: 7 });
        }

        assert_eq!(offsets.iter().map(|position| (position.partition, position.next)).collect::<Vec<_>>(), [(1, 9)]);
    }

    #[test]
    fn a_revoked_partition_is_forgotten() {
        let mut offsets = Offsets::default();
        offsets.advance("a", 0, 5);
        offsets.advance("b", 0, 5);
        let mut revoked = TopicPartitionList::new();
        revoked.add_partition("a", 0);

        offsets.drop_partitions(&revoked);

        assert_eq!(offsets.iter().map(|position| position.kafka_topic.as_str()).collect::<Vec<_>>(), ["b"]);
    }
}
