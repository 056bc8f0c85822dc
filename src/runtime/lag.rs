//! How far this task is behind on its partitions, from the client's own statistics: no extra question to the brokers.
//!
//! The end is the last stable offset. A caught-up reader stands one or more offsets before it, because control records
//! and aborted records take offsets too: so "caught up" is when the client has fetched up to the end and the task has
//! processed all that was fetched, and then the lag is 0.

use std::time::{Duration, Instant};

use super::ledger::Offsets;
use crate::kafka::consumer::FetchPosition;
use crate::telemetry::occurrence;

/// One partition that is being read.
#[derive(Debug)]
struct ReadPartition {
    kafka_topic: String,
    partition: i32,
    /// The committed position.
    committed: i64,
    /// Since when it is behind.
    behind_since: Option<Instant>,
    /// It is ours and not read, because its committed position is gone: where it ended when that was found.
    stopped_before: Option<i64>,
}

/// The lag of the assigned partitions.
#[derive(Debug, Default)]
pub struct LagBoard {
    partitions: Vec<ReadPartition>,
}

/// What is in hand of one partition: processed neither nor committed.
#[derive(Debug, Clone, Copy, Default)]
pub struct InHand {
    /// Records.
    pub records: u64,
    /// Time of the oldest, in milliseconds since 1970-01-01 UTC.
    pub oldest_ms: Option<i64>,
}

impl LagBoard {
    /// A partition is read from here on.
    pub fn assigned(&mut self, kafka_topic: &str, partition: i32, position: i64) {
        self.add(kafka_topic, partition, position, None);
    }

    /// A partition is ours and cannot be read on from its committed position. Its lag in seconds grows until somebody
    /// sees it; in records it is at least what stood there when it was found, at least one.
    pub fn stopped(&mut self, kafka_topic: &str, partition: i32, position: i64, end: i64) {
        self.add(kafka_topic, partition, position, Some(end.max(position + 1)));
    }

    fn add(&mut self, kafka_topic: &str, partition: i32, committed: i64, stopped_before: Option<i64>) {
        self.revoked(kafka_topic, partition);
        let kafka_topic = kafka_topic.to_owned();
        self.partitions.push(ReadPartition { kafka_topic, partition, committed, behind_since: None, stopped_before });
    }

    /// A partition is somebody else's: its lag is theirs to show.
    pub fn revoked(&mut self, kafka_topic: &str, partition: i32) {
        self.partitions.retain(|known| !(known.partition == partition && known.kafka_topic == kafka_topic));
        occurrence::lag_forget(kafka_topic, partition);
    }

    /// These positions are committed.
    pub fn committed(&mut self, offsets: &Offsets) {
        for position in offsets.iter() {
            if let Some(known) = self.find(&position.kafka_topic, position.partition) {
                known.committed = known.committed.max(position.next);
            }
        }
    }

    /// The partitions that are read, with their committed positions.
    pub fn read(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        let read = self.partitions.iter().filter(|known| known.stopped_before.is_none());
        read.map(|known| (known.kafka_topic.as_str(), known.partition, known.committed))
    }

    /// The partitions of a Kafka topic that are ours, read or stopped.
    pub fn partitions_of(&self, kafka_topic: &str) -> Vec<i32> {
        let ours = self.partitions.iter().filter(|known| known.kafka_topic == kafka_topic);
        ours.map(|known| known.partition).collect()
    }

    /// Publishes the lag of the partitions that are not read. Nobody is asked: an answer would wait behind a fetch.
    pub fn publish_stopped(&mut self, now: Instant, now_ms: i64) {
        for known in &mut self.partitions {
            if let Some(end) = known.stopped_before {
                known.show(u64::try_from(end - known.committed).unwrap_or(1), InHand::default(), now, now_ms);
            }
        }
    }

    /// Publishes the lag that the statistics tell. `in_hand` answers for a partition; `now_ms` is the wall clock.
    pub fn publish(
        &mut self,
        positions: &[FetchPosition],
        in_hand: impl Fn(&str, i32) -> InHand,
        now: Instant,
        now_ms: i64,
    ) {
        for position in positions {
            let hand = in_hand(&position.kafka_topic, position.partition);
            let known =
                self.find(&position.kafka_topic, position.partition).filter(|known| known.stopped_before.is_none());
            if let Some(known) = known {
                let records = records_behind(position, known.committed, hand);
                known.show(records, hand, now, now_ms);
            }
        }
    }

    /// Publishes the lag of one partition whose end was asked for, because nothing is fetched at the moment.
    pub fn publish_end(
        &mut self,
        kafka_topic: &str,
        partition: i32,
        end: i64,
        hand: InHand,
        now: Instant,
        now_ms: i64,
    ) {
        if let Some(known) = self.find(kafka_topic, partition) {
            // Without a fetch nobody knows what stands before the end: the offsets between are the upper bound.
            let records = u64::try_from(end - known.committed).unwrap_or(0);
            known.show(records, hand, now, now_ms);
        }
    }

    fn find(&mut self, kafka_topic: &str, partition: i32) -> Option<&mut ReadPartition> {
        self.partitions.iter_mut().find(|known| known.partition == partition && known.kafka_topic == kafka_topic)
    }
}

impl ReadPartition {
    fn show(&mut self, records: u64, hand: InHand, now: Instant, now_ms: i64) {
        let seconds = if records == 0 {
            self.behind_since = None;
            0.0
        } else {
            let since = *self.behind_since.get_or_insert(now);
            let by_record = hand.oldest_ms.map_or(0.0, |oldest| (now_ms - oldest).max(0) as f64 / 1000.0);
            by_record.max(now.saturating_duration_since(since).max(Duration::ZERO).as_secs_f64())
        };
        occurrence::lag(&self.kafka_topic, self.partition, records, seconds);
    }
}

/// Records between the committed position and the last stable offset; 0 when all that can be read is processed.
fn records_behind(position: &FetchPosition, committed: i64, hand: InHand) -> u64 {
    if position.stable_end < 0 {
        // The first answer of a broker is still to come.
        return hand.records;
    }
    let fetched_all = position.next_fetch >= position.stable_end && position.fetched == 0;
    if fetched_all {
        return hand.records;
    }
    u64::try_from(position.stable_end - committed).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(next_fetch: i64, fetched: i64, stable_end: i64) -> FetchPosition {
        FetchPosition { kafka_topic: "a".to_owned(), partition: 0, next_fetch, fetched, stable_end }
    }

    #[test]
    fn a_reader_that_stands_behind_a_control_record_has_caught_up() {
        // Records 0 to 9, the commit marker at 10, the end at 11; committed is 10, the offset after the last record.
        assert_eq!(records_behind(&position(11, 0, 11), 10, InHand::default()), 0);
    }

    #[test]
    fn a_stopped_partition_is_not_among_those_that_are_read() {
        let mut board = LagBoard::default();
        board.assigned("a", 0, 5);
        board.assigned("a", 1, 5);
        board.stopped("a", 0, 5, 9);

        assert_eq!(board.read().collect::<Vec<_>>(), [("a", 1, 5)]);
        board.revoked("a", 1);
        assert!(board.read().next().is_none());
    }

    #[test]
    fn what_is_fetched_and_not_processed_counts() {
        assert_eq!(records_behind(&position(11, 4, 11), 6, InHand::default()), 5);
    }

    #[test]
    fn what_is_in_hand_counts_although_all_is_fetched() {
        let hand = InHand { records: 3, oldest_ms: None };
        assert_eq!(records_behind(&position(11, 0, 11), 7, hand), 3);
    }

    #[test]
    fn a_backlog_at_the_broker_counts_from_the_committed_position() {
        assert_eq!(records_behind(&position(100, 50, 1_000), 40, InHand::default()), 960);
    }
}
