//! The metadata that goes with the committed positions of the assigned partitions: the id of the Kafka topic that they are
//! read from; see [`offset_metadata`].
//!
//! It is that of the moment at which the partition was assigned, or the first that the client learns afterwards, not that
//! of the commit: what is committed was read from the Kafka topic as it was then.

use rdkafka::topic_partition_list::TopicPartitionList;

use crate::kafka::consumer::TopicId;
use crate::kafka::offset_metadata;

/// One note for each assigned partition that has any; few, so that a list is the fastest map.
#[derive(Debug, Default)]
pub struct PositionNotes(Vec<Note>);

#[derive(Debug)]
struct Note {
    kafka_topic: String,
    partition: i32,
    metadata: String,
}

impl PositionNotes {
    /// These partitions are read from now on, with this metadata.
    pub fn assigned(&mut self, partitions: &TopicPartitionList) {
        self.revoked(partitions);
        for element in partitions.elements() {
            if offset_metadata::topic_id(element.metadata()).is_some() {
                self.add(element.topic(), element.partition(), element.metadata().to_owned());
            }
        }
    }

    /// The client knows the Kafka topic by this id. Notes it for those of our partitions that have none, and gives those
    /// that are read from another one, which is gone.
    pub fn learn(&mut self, topic_id: &TopicId, ours: &[i32]) -> TopicPartitionList {
        let mut old = TopicPartitionList::new();
        for partition in ours {
            match offset_metadata::topic_id(self.of(&topic_id.kafka_topic, *partition)) {
                None => self.add(&topic_id.kafka_topic, *partition, offset_metadata::of_topic_id(&topic_id.id)),
                Some(known) if known == topic_id.id => {}
                Some(_) => {
                    old.add_partition(&topic_id.kafka_topic, *partition);
                }
            }
        }
        old
    }

    fn add(&mut self, kafka_topic: &str, partition: i32, metadata: String) {
        self.0.push(Note { kafka_topic: kafka_topic.to_owned(), partition, metadata });
    }

    /// These partitions are somebody else's.
    pub fn revoked(&mut self, partitions: &TopicPartitionList) {
        self.0.retain(|note| partitions.find_partition(&note.kafka_topic, note.partition).is_none());
    }

    /// What goes with a position in this partition; empty: nothing.
    #[must_use]
    pub fn of(&self, kafka_topic: &str, partition: i32) -> &str {
        let found = self.0.iter().find(|note| note.partition == partition && note.kafka_topic == kafka_topic);
        found.map_or("", |note| &note.metadata)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(partitions: &[(i32, &str)]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for (partition, metadata) in partitions {
            let mut element = list.add_partition("changes", *partition);
            if !metadata.is_empty() {
                element.set_metadata(metadata);
            }
        }
        list
    }

    #[test]
    fn a_note_lasts_from_assignment_to_revocation() {
        let mut notes = PositionNotes::default();
        notes.assigned(&list(&[(0, "topic-id=one"), (1, "")]));
        let of = |notes: &PositionNotes| [0, 1].map(|partition| notes.of("changes", partition).to_owned());
        assert_eq!(of(&notes), ["topic-id=one", ""]);
        assert_eq!(notes.of("other", 0), "");
        notes.assigned(&list(&[(0, "topic-id=two"), (1, "topic-id=two")]));
        assert_eq!(of(&notes), ["topic-id=two", "topic-id=two"]);
        notes.assigned(&list(&[(1, "by hand")]));
        notes.revoked(&list(&[(0, "")]));
        assert_eq!(of(&notes), ["", ""]);
    }

    #[test]
    fn the_first_id_is_noted_and_partitions_of_another_one_are_old() {
        let learnt = |id: &str| TopicId { kafka_topic: "changes".to_owned(), id: id.to_owned() };
        let mut notes = PositionNotes::default();
        notes.assigned(&list(&[(0, "topic-id=one"), (1, "")]));
        assert_eq!(notes.learn(&learnt("one"), &[0, 1]).count(), 0);
        assert_eq!(notes.of("changes", 1), "topic-id=one");
        assert_eq!(notes.learn(&learnt("two"), &[1]), list(&[(1, "")]));
        assert_eq!(notes.of("changes", 1), "topic-id=one", "what is in hand is of the old one");
    }
}
