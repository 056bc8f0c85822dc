//! An ingest record out of the fuzzer's bytes: `FORMAT KEY | VALUE | HEADER NAME | HEADER VALUE | ...`, where `|` is 0x1E.
//!
//! The first byte chooses the format: `c`hange, `f`hir, `b`undle; anything else is one of them too. A part that is
//! the byte 0xFF alone is null.

use fhir_fanout::domain::source::{SourceHeader, SourceRecord};

/// The Kafka topics of the three formats.
pub(crate) const KAFKA_TOPICS: [&str; 3] = ["changes", "resources", "bundles"];

/// Reads the record.
pub(crate) fn record(data: &[u8]) -> Option<SourceRecord<'_>> {
    let (format, rest) = data.split_first()?;
    let kafka_topic = match format {
        b'c' => KAFKA_TOPICS[0],
        b'f' => KAFKA_TOPICS[1],
        b'b' => KAFKA_TOPICS[2],
        other => KAFKA_TOPICS[usize::from(*other) % KAFKA_TOPICS.len()],
    };
    let nullable = |part: &'_ [u8]| part != [0xff];
    let mut parts = rest.split(|byte| *byte == 0x1e);
    let key = parts.next().filter(|part| nullable(part));
    let value = parts.next().filter(|part| nullable(part));
    let mut headers = Vec::new();
    while let Some(name) = parts.next() {
        let value = parts.next().filter(|part| nullable(part));
        // A client passes over headers whose name is no text.
        if let Ok(name) = std::str::from_utf8(name) {
            headers.push(SourceHeader { name, value });
        }
    }
    let timestamp_ms = (rest.len() % 2 == 0).then_some(1_767_225_600_000);
    Some(SourceRecord { kafka_topic, partition: 1, offset: 42, timestamp_ms, key, value, headers })
}
