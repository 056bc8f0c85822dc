//! What the group says, and what the task answers.

use std::time::Duration;

use rdkafka::topic_partition_list::TopicPartitionList;

use super::{Task, wall_clock_ms};
use crate::kafka::consumer::{GroupEvent, TopicId};
use crate::ops::status::TaskState;
use crate::runtime::errors::FatalError;
use crate::runtime::io::{GroupMember, TaskIo};
use crate::telemetry::occurrence::{self, RebalanceKind};

/// How long the question for a partition's ends may take.
const WATERMARKS: Duration = Duration::from_secs(5);

/// Pause before start positions are asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

impl<Io: TaskIo> Task<'_, Io> {
    /// Answers everything that happened to the group. No transaction is open here.
    pub(super) fn serve_group(&mut self) -> Result<(), FatalError> {
        for topic_id in self.member.take_topic_ids() {
            self.on_topic_id(&topic_id)?;
        }
        while let Some(event) = self.member.next_event() {
            match event {
                GroupEvent::Assigned(partitions) => self.on_assigned(&partitions),
                GroupEvent::Revoked { partitions, lost } => self.on_revoked(&partitions, lost),
            }
        }
        if let Some(partitions) = self.unsettled.take() {
            self.settle(&partitions)?;
        }
        self.publish_lag();
        Ok(())
    }

    /// What is in hand of a Kafka topic that is gone says nothing of the new one with its name. Joined again, the new one
    /// is read from its start; a commit that was under way when the old one went carries the id of that.
    ///
    /// The backlog goes at once, not with the partitions: what the client still hands out is of the new Kafka topic, or
    /// is held back by the client until the group is joined again.
    fn on_topic_id(&mut self, topic_id: &TopicId) -> Result<(), FatalError> {
        let ours = self.lag.partitions_of(&topic_id.kafka_topic);
        let old = self.notes.learn(topic_id, &ours);
        if old.count() == 0 {
            return Ok(());
        }
        occurrence::kafka_topic_made_anew(self.setup.number, &topic_id.kafka_topic);
        self.backlog.drop_partitions(&old);
        self.ledger.drop_partitions(&old, &self.plan);
        self.rejoin()
    }

    fn on_assigned(&mut self, partitions: &TopicPartitionList) {
        occurrence::rebalanced(self.setup.number, RebalanceKind::Assigned, partitions.count());
        // An assignment that was not settled yet is not forgotten: with the cooperative protocol this one adds to it.
        let waiting = self.unsettled.get_or_insert_with(TopicPartitionList::new);
        for element in partitions.elements() {
            waiting.add_partition(element.topic(), element.partition());
        }
    }

    fn on_revoked(&mut self, partitions: &TopicPartitionList, lost: bool) {
        let kind = if lost { RebalanceKind::Lost } else { RebalanceKind::Revoked };
        occurrence::rebalanced(self.setup.number, kind, partitions.count());
        if !lost {
            // What was processed without an output is still ours to commit; the next owner need not see it again.
            self.try_to_commit_ledger();
        }
        self.backlog.drop_partitions(partitions);
        self.ledger.drop_partitions(partitions, &self.plan);
        self.notes.revoked(partitions);
        for element in partitions.elements() {
            self.lag.revoked(element.topic(), element.partition());
        }
        if let Some(waiting) = self.unsettled.take() {
            let mut left = TopicPartitionList::new();
            for element in waiting.elements() {
                if partitions.find_partition(element.topic(), element.partition()).is_none() {
                    left.add_partition(element.topic(), element.partition());
                }
            }
            self.unsettled = (left.count() > 0).then_some(left);
        }
        if let Err(error) = self.member.release(partitions) {
            tracing::warn!(task = self.setup.number, %error, "partitions could not be released");
        }
        // Whatever was tried with the first records is no longer about the first records.
        self.forget_trouble();
        self.show_assignment();
    }

    /// Finds where the new partitions are read from, and starts reading. Tried again while brokers do not answer.
    fn settle(&mut self, partitions: &TopicPartitionList) -> Result<(), FatalError> {
        let positions = match self.member.start_positions(partitions, &self.plan) {
            Ok(positions) => positions,
            Err(error) => {
                tracing::warn!(task = self.setup.number, %error, "start positions not known yet, asking again");
                self.unsettled = Some(partitions.clone());
                self.io.sleep(ASK_AGAIN);
                return Ok(());
            }
        };
        for lost in &positions.lost {
            let (committed, first) = (lost.committed, lost.first);
            occurrence::position_gone(self.setup.number, &lost.kafka_topic, lost.partition, committed, first);
            self.lag.stopped(&lost.kafka_topic, lost.partition, committed, lost.end);
        }
        if let Err(error) = self.member.assign(&positions.readable) {
            tracing::warn!(task = self.setup.number, %error, "assignment refused by the client, rejoining the group");
            return self.rejoin();
        }
        self.notes.assigned(&positions.readable);
        for element in positions.readable.elements() {
            let position = element.offset().to_raw().unwrap_or(0);
            self.lag.assigned(element.topic(), element.partition(), position);
        }
        if self.paused {
            self.member.pause();
        } else if !self.trouble.is_waiting() {
            self.enter(TaskState::Running);
        }
        self.show_assignment();
        Ok(())
    }

    /// Gives up the assignment and joins anew: the way out of a state that the client does not leave by itself.
    ///
    /// The backlog stays until the client says that the partitions go: records that it still hands out until then
    /// must not be committed over those before them.
    pub(super) fn rejoin(&mut self) -> Result<(), FatalError> {
        self.member.unsubscribe();
        let kafka_topics: Vec<&str> = self.plan.ingest.iter().map(|ingest| ingest.kafka_topic.as_str()).collect();
        self.member.subscribe(&kafka_topics).map_err(|cause| self.consumer_failed(cause))
    }

    /// The client has stopped fetching a partition, because what it would fetch next is not there. A partition whose
    /// committed position is gone stands still, the others go on. If none is gone, the client was ahead of a partition
    /// that was cut back: it is read anew from what is committed.
    pub(super) fn mend_lost_positions(&mut self) -> Result<(), FatalError> {
        let task = self.setup.number;
        let read: Vec<_> =
            self.lag.read().map(|(kafka_topic, partition, at)| (kafka_topic.to_owned(), partition, at)).collect();
        let mut found = false;
        for (kafka_topic, partition, committed) in read {
            match self.member.watermarks(&kafka_topic, partition, WATERMARKS) {
                Ok((first, end)) if !(first..=end).contains(&committed) => {
                    found = true;
                    occurrence::position_gone(task, &kafka_topic, partition, committed, first);
                    self.lag.stopped(&kafka_topic, partition, committed, end);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(task, kafka_topic, partition, %error, "the end of a partition is not known");
                }
            }
        }
        if found {
            return Ok(());
        }
        tracing::warn!(task, "a fetch position no longer exists, rejoining the group");
        self.rejoin()
    }

    fn show_assignment(&self) {
        self.status().assigned(self.member.assignment().count());
        tracing::debug!(task = self.setup.number, at_ms = wall_clock_ms(), "assignment settled");
    }
}
