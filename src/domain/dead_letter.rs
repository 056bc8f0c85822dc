//! Dead letters: the record as it was, with headers that tell where it stood and what went wrong, never what it says.
//!
//! A dead letter that is too large itself goes without its value: position and class remain, and the record can be read
//! at its source. Should key and forwarded headers alone still be too large, they are left out too, so that there is
//! always something that can be sent.

use std::borrow::Cow;

use super::limits::record_size;
use super::output::{DeadLetterClass, OutputHeader, OutputKind, OutputRecord};
use super::plan::Plan;
use super::source::SourceRecord;

/// What could not be processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern<'p> {
    /// The whole record.
    Record,
    /// An event for the topic with this URL.
    Topic(&'p str),
    /// An event for the destination with this id.
    Destination(&'p str),
}

/// What went wrong where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeadLetter<'p> {
    pub(crate) event_index: u32,
    pub(crate) class: DeadLetterClass,
    pub(crate) concern: Concern<'p>,
    /// Whether it goes without the value: the broker has refused it already, or the record's other dead letters carry
    /// copies enough.
    pub(crate) without_value: bool,
}

impl<'p> DeadLetter<'p> {
    /// Makes the output for this record; `limit` is that of the dead letters' Kafka topic.
    pub(crate) fn to_output<'a>(self, plan: &'a Plan, record: &'a SourceRecord<'_>, limit: usize) -> OutputRecord<'a>
    where
        'p: 'a,
    {
        let mut headers = self.own_headers(record);
        let own_headers = headers.len();
        headers.extend(forwarded(plan, record, |name| name.starts_with(PREFIX)));
        let mut key = record.key;
        let mut value = record.value.filter(|_| !self.without_value);
        if record_size(key, value, &headers) > limit {
            value = None;
        }
        if record_size(key, value, &headers) > limit {
            headers.truncate(own_headers);
        }
        if record_size(key, value, &headers) > limit {
            key = None;
        }
        OutputRecord {
            kind: OutputKind::DeadLetter(self.class),
            event_index: self.event_index,
            kafka_topic: &plan.dead_letter_kafka_topic,
            key: key.map(Cow::Borrowed),
            value,
            headers,
            timestamp_ms: record.timestamp_ms,
        }
    }

    fn own_headers(self, record: &SourceRecord<'_>) -> Vec<OutputHeader<'p>> {
        let mut headers = vec![
            header("fhir-dead-letter-class", self.class.name()),
            header("fhir-dead-letter-source", record.position()),
            header("fhir-dead-letter-event", self.event_index.to_string()),
        ];
        match self.concern {
            Concern::Record => {}
            Concern::Topic(url) => headers.push(header("fhir-dead-letter-topic", url)),
            Concern::Destination(id) => headers.push(header("fhir-dead-letter-destination", id)),
        }
        headers
    }
}

/// What the names of a dead letter's own headers begin with.
const PREFIX: &str = "fhir-dead-letter-";

/// A header with a text for its value.
pub(crate) fn header<'a>(name: &'static str, value: impl Into<Cow<'a, str>>) -> OutputHeader<'a> {
    let value = match value.into() {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    OutputHeader { name: Cow::Borrowed(name), value: Some(value) }
}

/// The record's headers that the plan passes on, in their order, except those that the output sets itself: readers would
/// take a later one for it.
pub(crate) fn forwarded<'a>(
    plan: &'a Plan,
    record: &'a SourceRecord<'_>,
    is_own: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = OutputHeader<'a>> {
    let passed_on = move |name: &str| plan.forward_headers.iter().any(|allowed| allowed == name) && !is_own(name);
    let headers = record.headers.iter().filter(move |header| passed_on(header.name));
    headers.map(|header| OutputHeader { name: Cow::Borrowed(header.name), value: header.value.map(Cow::Borrowed) })
}
