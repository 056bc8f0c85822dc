//! The records that a task has taken from its consumer and not yet committed, in the order they came.

use std::collections::VecDeque;

use rdkafka::topic_partition_list::TopicPartitionList;

use super::ledger::PartitionPosition;
use crate::kafka::consumer::Record;

/// What the backlog needs to know of a record; the client's message is the one that counts, tests have their own.
pub trait Positioned {
    /// The ingest Kafka topic.
    fn kafka_topic(&self) -> &str;
    /// The partition.
    fn partition(&self) -> i32;
    /// The offset.
    fn offset(&self) -> i64;
    /// Bytes of key and value.
    fn size(&self) -> usize;
}

impl Positioned for Record<'_> {
    fn kafka_topic(&self) -> &str {
        self.kafka_topic()
    }

    fn partition(&self) -> i32 {
        self.partition()
    }

    fn offset(&self) -> i64 {
        self.offset()
    }

    fn size(&self) -> usize {
        self.key().map_or(0, <[u8]>::len) + self.value().map_or(0, <[u8]>::len)
    }
}

/// Records in hand.
#[derive(Debug)]
pub struct Backlog<M> {
    records: VecDeque<M>,
    bytes: usize,
}

impl<M> Default for Backlog<M> {
    fn default() -> Self {
        Self { records: VecDeque::new(), bytes: 0 }
    }
}

impl<M: Positioned> Backlog<M> {
    /// Adds the newest record.
    pub fn push(&mut self, record: M) {
        self.bytes += record.size();
        self.records.push_back(record);
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &M> {
        self.records.iter()
    }

    /// Lets go of the oldest `count` records: they are done.
    pub fn drop_front(&mut self, count: usize) {
        for record in self.records.drain(..count.min(self.records.len())) {
            self.bytes -= record.size();
        }
    }

    /// Lets go of the records of partitions that are no longer ours.
    pub fn drop_partitions(&mut self, partitions: &TopicPartitionList) {
        self.keep(|record| partitions.find_partition(record.kafka_topic(), record.partition()).is_none());
    }

    /// Lets go of the records before a position that turned out to be committed.
    pub fn drop_before(&mut self, position: &PartitionPosition) {
        self.keep(|record| {
            !(record.partition() == position.partition
                && record.offset() < position.next
                && record.kafka_topic() == position.kafka_topic)
        });
    }

    fn keep(&mut self, mut wanted: impl FnMut(&M) -> bool) {
        self.records.retain(|record| wanted(record));
        self.bytes = self.records.iter().map(Positioned::size).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq)]
    struct Record(&'static str, i32, i64);

    impl Positioned for Record {
        fn kafka_topic(&self) -> &str {
            self.0
        }
        fn partition(&self) -> i32 {
            self.1
        }
        fn offset(&self) -> i64 {
            self.2
        }
        fn size(&self) -> usize {
            10
        }
    }

    fn backlog() -> Backlog<Record> {
        let mut backlog = Backlog::default();
        for record in [Record("a", 0, 5), Record("a", 1, 5), Record("b", 0, 5), Record("a", 0, 6)] {
            backlog.push(record);
        }
        backlog
    }

    #[test]
    fn a_revoked_partition_takes_only_its_own_records() {
        let mut backlog = backlog();
        let mut revoked = TopicPartitionList::new();
        revoked.add_partition("a", 0);

        backlog.drop_partitions(&revoked);

        let left: Vec<_> = backlog.iter().cloned().collect();
        assert_eq!(left, [Record("a", 1, 5), Record("b", 0, 5)]);
        assert_eq!(backlog.bytes(), 20);
    }

    #[test]
    fn a_committed_position_takes_what_stands_before_it() {
        let mut backlog = backlog();

        backlog.drop_before(&PartitionPosition { kafka_topic: "a".to_owned(), partition: 0, next: 6 });

        let left: Vec<_> = backlog.iter().cloned().collect();
        assert_eq!(left, [Record("a", 1, 5), Record("b", 0, 5), Record("a", 0, 6)]);
    }

    #[test]
    fn what_is_done_leaves_from_the_front() {
        let mut backlog = backlog();

        backlog.drop_front(3);

        assert_eq!(backlog.len(), 1);
        assert_eq!(backlog.bytes(), 10);
        assert_eq!(backlog.iter().next(), Some(&Record("a", 0, 6)));
    }
}
