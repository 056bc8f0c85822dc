//! Records that do not come from a consumer: read from a file, written in a case, or fetched one by one.

use std::io::{self, Read as _};
use std::path::Path;

use crate::domain::source::{SourceHeader, SourceRecord};

/// A record on its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OwnedRecord {
    /// Where it stands, or would stand.
    pub(super) kafka_topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) timestamp_ms: Option<i64>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl OwnedRecord {
    /// The record as the domain takes it.
    pub(super) fn source(&self) -> SourceRecord<'_> {
        let headers = self.headers.iter().map(|(name, value)| SourceHeader { name, value: value.as_deref() });
        SourceRecord {
            kafka_topic: &self.kafka_topic,
            partition: self.partition,
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers.collect(),
        }
    }
}

/// Reads a file, or standard input where it is called `-`.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path)
}
