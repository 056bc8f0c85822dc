//! A bare FHIR resource; what was done to it stands in the header `interaction`, or is inferred.
//!
//! Null (a compacted Kafka topic's tombstone) or an empty value under the key `Type/id` is a delete without content.

use crate::domain::event::{Interaction, ResourceEvent};
use crate::domain::plan::Ingest;
use crate::domain::reference::Identity;
use crate::domain::resource::{BadResource, Resource};
use crate::domain::source::SourceRecord;

use super::{Undecodable, not_an_object, text};

/// The header that tells the interaction; of several the last counts, as Kafka's own `lastHeader` has it.
const INTERACTION_HEADER: &str = "interaction";

/// Reads the event.
pub(super) fn decode<'a>(ingest: &Ingest, record: &SourceRecord<'a>) -> Result<ResourceEvent<'a>, Undecodable> {
    if record.value.is_none_or(<[u8]>::is_empty) {
        return tombstone(record.key);
    }
    let text = text(record.value)?;
    let resource = Resource::read(text).map_err(|error| match error {
        // The whole value is the resource: tell where it is broken.
        BadResource::NotAnObject => not_an_object(text),
        error => error.into(),
    })?;
    let told = told_interaction(record)?;
    let inferred = told.is_none() && resource.meta().version_id.as_deref() != Some("1");
    let interaction = match told {
        Some(interaction) => interaction,
        None if inferred => ingest.default_interaction,
        None => Interaction::Create,
    };
    Ok(ResourceEvent { interaction_inferred: inferred, ..ResourceEvent::with_focus(interaction, resource) })
}

fn tombstone(key: Option<&[u8]>) -> Result<ResourceEvent<'_>, Undecodable> {
    let key = key.and_then(|key| std::str::from_utf8(key).ok()).and_then(Identity::parse);
    let identity = key.ok_or(Undecodable::NothingDeleted)?;
    Ok(ResourceEvent::new(Interaction::Delete, identity))
}

/// The interaction that the header tells, as FHIR's code or as the HTTP method that does it.
fn told_interaction(record: &SourceRecord<'_>) -> Result<Option<Interaction>, Undecodable> {
    let header = record.headers.iter().rev().find(|header| header.name == INTERACTION_HEADER);
    let Some(code) = header.and_then(|header| header.value) else { return Ok(None) };
    match code {
        b"create" | b"POST" => Ok(Some(Interaction::Create)),
        b"update" | b"PUT" | b"PATCH" => Ok(Some(Interaction::Update)),
        b"delete" | b"DELETE" => Ok(Some(Interaction::Delete)),
        _ => Err(Undecodable::Interaction),
    }
}
