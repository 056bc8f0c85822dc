//! How large an output may be, counted before it is sent: a record that is refused later fails its whole transaction.
//!
//! librdkafka refuses a message whose key, value, headers and at most 36 bytes of record framing exceed
//! `message.max.bytes`. The broker compares `max.message.bytes` of the Kafka topic with the record batch as it arrives:
//! compressed, if the producer compresses, and with 61 bytes of its own. A record alone in its batch is the worst case,
//! so that everything is counted here, uncompressed: what passes, passes in both places. What a compressing producer may
//! send is not known beforehand: there only the producer's own limit counts.

use std::collections::HashMap;

use super::output::OutputHeader;

/// The frame of a record in a batch, at its largest (librdkafka's `RD_KAFKAP_MESSAGE_V2_MAX_OVERHEAD`), and the header of
/// the batch.
const RECORD_OVERHEAD: usize = 36 + 61;

/// The lengths of a header's name and value, as variable-length integers at their largest.
const HEADER_OVERHEAD: usize = 5 + 5;

/// The largest outputs that are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The producer's `message.max.bytes`.
    pub max_message_bytes: usize,
    /// `max.message.bytes` of the Kafka topics, where it is known.
    pub by_kafka_topic: HashMap<String, usize>,
    /// Whether the producer compresses.
    pub compressed: bool,
}

impl Limits {
    /// The limit of a Kafka topic's records.
    #[must_use]
    pub fn of(&self, kafka_topic: &str) -> usize {
        if self.compressed { self.max_message_bytes } else { self.of_batches(kafka_topic) }
    }

    /// The limit of batches of records for a Kafka topic: compressed, they are smaller.
    #[must_use]
    pub fn of_batches(&self, kafka_topic: &str) -> usize {
        let of_topic = self.by_kafka_topic.get(kafka_topic).copied().unwrap_or(usize::MAX);
        self.max_message_bytes.min(of_topic)
    }
}

/// The bytes that a record counts against its limit.
#[must_use]
pub fn record_size(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[OutputHeader<'_>]) -> usize {
    let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let header = |header: &OutputHeader<'_>| HEADER_OVERHEAD + header.name.len() + length(header.value.as_deref());
    RECORD_OVERHEAD + length(key) + length(value) + headers.iter().map(header).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_limit_binds() {
        let by_kafka_topic = HashMap::from([("small".to_owned(), 10), ("large".to_owned(), 1000)]);
        let mut limits = Limits { max_message_bytes: 100, by_kafka_topic, compressed: false };
        assert_eq!([limits.of("small"), limits.of("large"), limits.of("other")], [10, 100, 100]);
        limits.compressed = true;
        assert_eq!(["small", "large"].map(|name| limits.of(name)), [100, 100]);
        assert_eq!(["small", "large"].map(|name| limits.of_batches(name)), [10, 100]);
    }

    #[test]
    fn everything_counts() {
        let headers = [
            OutputHeader { name: "four".into(), value: Some(b"abc".as_slice().into()) },
            OutputHeader { name: "null".into(), value: None },
        ];
        assert_eq!(record_size(None, None, &[]), 97);
        assert_eq!(record_size(Some(b"key"), Some(b"value"), &headers), 97 + 3 + 5 + (10 + 4 + 3) + (10 + 4));
    }
}
