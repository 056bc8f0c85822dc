//! The ingest record as the domain sees it: borrowed bytes and where they stood.

use std::fmt::Write as _;

/// One header of an ingest record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceHeader<'a> {
    /// The header's name.
    pub name: &'a str,
    /// Its bytes; `None` is Kafka's null.
    pub value: Option<&'a [u8]>,
}

/// One record of an ingest Kafka topic.
#[derive(Debug, Clone)]
pub struct SourceRecord<'a> {
    /// The ingest Kafka topic.
    pub kafka_topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// The record's offset.
    pub offset: i64,
    /// The record's time in milliseconds since 1970-01-01 UTC, where it has one.
    pub timestamp_ms: Option<i64>,
    /// The key; `None` is Kafka's null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is Kafka's null.
    pub value: Option<&'a [u8]>,
    /// The headers in their order; names may repeat.
    pub headers: Vec<SourceHeader<'a>>,
}

impl SourceRecord<'_> {
    /// Where the record stands: `kafkaTopic:partition:offset`.
    #[must_use]
    pub fn position(&self) -> String {
        let mut position = String::new();
        self.write_position(&mut position);
        position
    }

    /// Appends [`SourceRecord::position`].
    pub fn write_position(&self, out: &mut String) {
        out.push_str(self.kafka_topic);
        write!(out, ":{}:{}", self.partition, self.offset).expect("a string takes everything");
    }
}
