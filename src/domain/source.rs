//! The ingest record as the domain sees it: borrowed bytes and where they stood.

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
        format!("{}:{}:{}", self.kafka_topic, self.partition, self.offset)
    }
}
