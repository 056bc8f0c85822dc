//! From a record to the events in it, by the format of its ingest Kafka topic.
//!
//! ```text
//! value -> UTF-8, not blank -> change | fhir | bundle -> ResourceEvent, ResourceEvent, ...
//! ```
//!
//! Decoding is all or nothing: one bad part makes the whole record [`Undecodable`] and gives no events. Nothing is
//! copied: events borrow from the record, and a resource's text is the record's own. A byte order mark at the beginning
//! is passed over, as RFC 8259 allows readers to do. Whatever the bytes are, nothing panics.

mod bundle;
mod change;
mod fhir;

use super::event::ResourceEvent;
use super::json;
use super::plan::{Ingest, IngestFormat};
use super::resource::BadResource;
use super::source::SourceRecord;

/// Why a record is no event of its ingest's format. Tells what is wrong, never what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// Null, where the format gives it no meaning.
    #[error("the record has no value")]
    NoValue,
    /// Nothing but white space.
    #[error("the value is blank")]
    Blank,
    /// Bytes that are no text.
    #[error("the value is not UTF-8")]
    NotUtf8,
    /// No JSON object, or more than one.
    #[error("the value is not one JSON object: line {line}, column {column}")]
    NotAnObject {
        /// Line of the first fault, from 1.
        line: usize,
        /// Column of the first fault.
        column: usize,
    },
    /// `resource` (or an entry's) cannot be used.
    #[error(transparent)]
    Resource(#[from] BadResource),
    /// A create or update without the resource.
    #[error("a create or update has no resource")]
    NoResource,
    /// `previous` cannot be used.
    #[error("the previous version cannot be used")]
    BadPrevious(#[source] BadResource),
    /// `previous` is another resource.
    #[error("the previous version is that of another resource")]
    OtherPrevious,
    /// The interaction is missing or unknown.
    #[error("the interaction is missing or unknown")]
    Interaction,
    /// A delete that does not tell which resource is gone.
    #[error("a delete names no resource")]
    NothingDeleted,
    /// A delete whose reference and state are of different resources.
    #[error("a delete names two different resources")]
    TwoDeleted,
    /// `fhirRelease` is none that is supported.
    #[error("the FHIR release is not supported")]
    FhirRelease,
    /// The Bundle is of a type that tells of no changes.
    #[error("the resource is not a Bundle of changes (history, notification, transaction, batch or their responses)")]
    BundleType,
    /// `entry` is no array of objects.
    #[error("the Bundle's entries are malformed")]
    BundleEntry,
    /// `response.status` does not begin with three digits.
    #[error("a Bundle entry's response status is malformed")]
    ResponseStatus,
}

/// Reads the events of a record, in the order in which they happened.
///
/// # Errors
/// See [`Undecodable`].
pub fn decode<'a>(ingest: &Ingest, record: &SourceRecord<'a>) -> Result<Vec<ResourceEvent<'a>>, Undecodable> {
    match ingest.format {
        IngestFormat::Change => change::decode(text(record.value)?).map(|event| vec![event]),
        IngestFormat::Fhir => fhir::decode(ingest, record).map(|event| vec![event]),
        IngestFormat::Bundle => bundle::decode(text(record.value)?),
    }
}

/// The value's text, which is not blank.
fn text(value: Option<&[u8]>) -> Result<&str, Undecodable> {
    let bytes = value.ok_or(Undecodable::NoValue)?;
    let text = std::str::from_utf8(bytes).map_err(|_| Undecodable::NotUtf8)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() { Err(Undecodable::Blank) } else { Ok(text) }
}

/// Where the JSON is broken.
fn not_an_object(text: &str) -> Undecodable {
    let (line, column) = json::fault(text);
    Undecodable::NotAnObject { line, column }
}

#[cfg(test)]
mod tests;
