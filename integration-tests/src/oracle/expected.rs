//! What has to come out, as the test that produced the events states it.

use std::fmt;

use crate::kafka::Position;

/// One event: the record that carried it, and its place among the record's events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventId {
    /// The ingest record, as acknowledged by the broker.
    pub source: Position,
    /// The event's index in the record, from 0.
    pub index: u32,
}

impl EventId {
    /// The only event of a record.
    #[must_use]
    pub fn only(source: Position) -> Self {
        Self { source, index: 0 }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.source, self.index)
    }
}

/// Where an output is meant to go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The destination with this id.
    Destination(String),
    /// The dead letters.
    DeadLetter {
        /// The value of `fhir-dead-letter-class`.
        class: String,
        /// The topic's URL or the destination's id, where one is concerned.
        about: Option<String>,
    },
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Destination(id) => write!(formatter, "destination {id}"),
            Self::DeadLetter { class, about: Some(about) } => write!(formatter, "dead letter {class} of {about}"),
            Self::DeadLetter { class, about: None } => write!(formatter, "dead letter {class}"),
        }
    }
}

/// One output that has to be there exactly once.
#[derive(Debug, Clone)]
pub struct ExpectedOutput {
    /// The event that it comes from.
    pub event: EventId,
    /// Whether the event's record carries several events: then `fhir-source` ends in `#index`.
    pub one_of_several: bool,
    /// The Kafka topic that it lies in.
    pub kafka_topic: String,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its time, where the test set one.
    pub timestamp_ms: Option<i64>,
    /// Headers that it must have with exactly these values, besides those that follow from the rest.
    pub headers: Vec<(String, String)>,
    /// What it is.
    pub what: What,
}

/// Notification or dead letter.
#[derive(Debug, Clone)]
pub enum What {
    /// A notification.
    Notification(Notification),
    /// A dead letter.
    DeadLetter(DeadLetter),
}

/// What a notification has to say.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The destination's id.
    pub destination: String,
    /// The topic's URL.
    pub topic: String,
    /// `Type/id`.
    pub focus: String,
    /// `create`, `update` or `delete`.
    pub interaction: String,
    /// How much it carries.
    pub content: Content,
    /// The resource's bytes as they were produced; only looked at for full-resource, and absent for a delete.
    pub resource: Option<String>,
}

/// How much of the resource a notification carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// `full-resource`
    FullResource,
    /// `id-only`
    IdOnly,
    /// `empty`
    Empty,
}

/// What a dead letter has to say.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The value of `fhir-dead-letter-class`.
    pub class: String,
    /// The value of `fhir-dead-letter-topic`, where a topic is concerned.
    pub topic: Option<String>,
    /// The value of `fhir-dead-letter-destination`, where a destination is concerned.
    pub destination: Option<String>,
    /// The source record's value, byte by byte.
    pub value: Option<Vec<u8>>,
}

impl ExpectedOutput {
    /// Where the output is meant to go.
    #[must_use]
    pub fn target(&self) -> Target {
        match &self.what {
            What::Notification(notification) => Target::Destination(notification.destination.clone()),
            What::DeadLetter(dead_letter) => Target::DeadLetter {
                class: dead_letter.class.clone(),
                about: dead_letter.destination.clone().or_else(|| dead_letter.topic.clone()),
            },
        }
    }
}
