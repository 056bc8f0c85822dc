//! What rides with a committed position, in the metadata that Kafka keeps beside the offset: parts `name=value`, separated
//! by `;`. Parts that are not known are passed over, so that later versions can add theirs.
//!
//! `topic-id`: the id of the Kafka topic that the position is about. A Kafka topic that is deleted and made anew has its
//! name, but another id: a position that was said of the old one, and was committed late, says nothing of the new one.
//! Positions without it (set by an operator's tool, or while the brokers know no ids) are believed.

use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

const TOPIC_ID: &str = "topic-id=";

/// The metadata of positions in the Kafka topic with this id.
#[must_use]
pub fn of_topic_id(id: &str) -> String {
    format!("{TOPIC_ID}{id}")
}

/// The id of the Kafka topic that a position is about, where its metadata tells.
#[must_use]
pub fn topic_id(metadata: &str) -> Option<&str> {
    metadata.split(';').find_map(|part| part.strip_prefix(TOPIC_ID)).filter(|id| !id.is_empty())
}

/// Adds a partition with its position and what goes with it (empty: nothing).
///
/// # Errors
/// When the offset is none that Kafka knows.
pub fn add(
    list: &mut TopicPartitionList,
    kafka_topic: &str,
    partition: i32,
    offset: Offset,
    metadata: &str,
) -> KafkaResult<()> {
    let mut element = list.add_partition(kafka_topic, partition);
    element.set_offset(offset)?;
    if !metadata.is_empty() {
        element.set_metadata(metadata);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_among_parts_that_are_not_known() {
        assert_eq!(topic_id(&of_topic_id("Jz0-_")), Some("Jz0-_"));
        assert_eq!(topic_id("sequence=7;topic-id=one;x"), Some("one"));
        for without in ["", "topic-id=", "by hand", "my-topic-id=one"] {
            assert_eq!(topic_id(without), None, "{without}");
        }
    }
}
