//! What the pipeline hands to the transaction: records for destinations and dead letters.

use std::borrow::Cow;

use super::plan::DestinationIndex;

/// Why something became a dead letter; bounded, so that it can be a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeadLetterClass {
    /// The record is no event of its Kafka topic's format.
    Undecodable,
    /// A criterion failed or gave something that is no boolean.
    EvaluationError,
    /// A criterion needs the previous version or the content, and the event came without.
    MissingState,
    /// The notification is larger than the producer or its Kafka topic takes.
    TooLarge,
    /// The destination's broker refuses this record for good.
    Rejected,
}

impl DeadLetterClass {
    /// All classes, in the order of [`DeadLetterClass::index`].
    pub const ALL: [Self; 5] =
        [Self::Undecodable, Self::EvaluationError, Self::MissingState, Self::TooLarge, Self::Rejected];

    /// The class as the header `fhir-dead-letter-class` and the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::EvaluationError => "evaluation-error",
            Self::MissingState => "missing-state",
            Self::TooLarge => "too-large",
            Self::Rejected => "rejected",
        }
    }

    /// A small number for tables.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// What an output record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// A notification for a destination.
    Notification(DestinationIndex),
    /// A dead letter.
    DeadLetter(DeadLetterClass),
}

/// One header of an output record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputHeader<'a> {
    /// The header's name.
    pub name: Cow<'a, str>,
    /// Its bytes; `None` is Kafka's null.
    pub value: Option<Cow<'a, [u8]>>,
}

/// One record to be produced inside the transaction of its source record.
#[derive(Debug, Clone)]
pub struct OutputRecord<'a> {
    /// Notification or dead letter.
    pub kind: OutputKind,
    /// Index of the event inside its source record, from 0.
    pub event_index: u32,
    /// The Kafka topic to produce to.
    pub kafka_topic: &'a str,
    /// The record key; `None` is Kafka's null.
    pub key: Option<Cow<'a, [u8]>>,
    /// The value; `None` is Kafka's null. It stands in a buffer that is used again for the next output, or, of a dead
    /// letter, in the source record.
    pub value: Option<&'a [u8]>,
    /// The headers in their order.
    pub headers: Vec<OutputHeader<'a>>,
    /// The record's time in milliseconds since 1970-01-01 UTC: the source record's.
    pub timestamp_ms: Option<i64>,
}
