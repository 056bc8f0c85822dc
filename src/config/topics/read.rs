//! The tree of `topics.yaml` to [`RawConfig`]: the names of the contract, and nothing else.

use super::raw::{RawConfig, RawDestination, RawIngest, RawPartOf, RawTopic, RawTrigger};
use crate::config::document::{Cursor, Fields, Kind, Located};
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::plan::{Content, IngestFormat, KeySource, OnDestinationError, OnError, OnMissingState, StartFrom};

/// Where Aidbox puts a resource's organization.
pub(super) const DEFAULT_EXTENSION_URL: &str = "https://aidbox.app/tenant-organization-id";

const ROOT: &[&str] = &[
    "fhirBaseUrl",
    "fhirRelease",
    "ingest",
    "deadLetter",
    "onError",
    "onMissingState",
    "onDestinationError",
    "organizations",
    "resources",
    "topics",
    "destinations",
];

const INTERACTIONS: &[(&str, Interaction)] =
    &[("create", Interaction::Create), ("update", Interaction::Update), ("delete", Interaction::Delete)];

pub(super) const CONTENTS: &[(&str, Content)] =
    &[("full-resource", Content::FullResource), ("id-only", Content::IdOnly), ("empty", Content::Empty)];

const KEYS: &[(&str, KeySource)] = &[
    ("source", KeySource::Source),
    ("resource", KeySource::Resource),
    ("patient", KeySource::Patient),
    ("none", KeySource::None),
];

/// Reads the whole file; `None` where it is no map.
pub(super) fn read(root: &Cursor<'_>) -> Option<RawConfig> {
    let fields = root.fields(ROOT)?;
    let (extension_url, hierarchy) = organizations(&fields);
    let ingests = fields.require("ingest", "as in `ingest: [{ kafkaTopic: fhir.changes, format: change }]`");
    if let Some(ingests) = &ingests {
        refuse_empty(ingests, "name at least one Kafka topic with change events");
    }
    Some(RawConfig {
        place: fields.place(),
        fhir_base_url: fields
            .require(
                "fhirBaseUrl",
                "as in `fhirBaseUrl: http://fhir.example.org/fhir`; notifications need it for fullUrl",
            )
            .and_then(|value| value.filled_text()),
        fhir_release: choice(
            &fields,
            "fhirRelease",
            &[("R4", FhirRelease::R4), ("R4B", FhirRelease::R4B), ("R5", FhirRelease::R5)],
        ),
        ingest: list(ingests, ingest),
        dead_letter: fields
            .require("deadLetter", "as in `deadLetter: { kafkaTopic: fhir.dead-letters }`")
            .and_then(|value| dead_letter(&value)),
        on_error: choice(
            &fields,
            "onError",
            &[("dead-letter", OnError::DeadLetter), ("skip", OnError::Skip), ("stop", OnError::Stop)],
        ),
        on_missing_state: choice(
            &fields,
            "onMissingState",
            &[("dead-letter", OnMissingState::DeadLetter), ("skip", OnMissingState::Skip)],
        ),
        on_destination_error: choice(
            &fields,
            "onDestinationError",
            &[("block", OnDestinationError::Block), ("dead-letter", OnDestinationError::DeadLetter)],
        ),
        extension_url,
        hierarchy,
        resources: list(fields.get("resources"), |item| item.filled_text()),
        topics: list(fields.get("topics"), topic),
        destinations: list(fields.get("destinations"), destination),
    })
}

/// The items that can be read.
fn list<'a, T>(field: Option<Cursor<'a>>, read: impl Fn(&Cursor<'a>) -> Option<T>) -> Vec<T> {
    let items = field.and_then(|field| field.items()).unwrap_or_default();
    items.iter().filter_map(read).collect()
}

fn choice<T: Copy>(fields: &Fields<'_>, name: &str, choices: &[(&str, T)]) -> Option<T> {
    fields.get(name)?.choice(choices).map(|found| found.value)
}

fn text(fields: &Fields<'_>, name: &str) -> Option<Located<String>> {
    fields.get(name)?.filled_text()
}

fn required_text(fields: &Fields<'_>, name: &str, hint: &str) -> Option<Located<String>> {
    fields.require(name, hint)?.filled_text()
}

fn ingest(item: &Cursor<'_>) -> Option<RawIngest> {
    let fields = item.fields(&["kafkaTopic", "format", "startFrom", "defaultInteraction"])?;
    Some(RawIngest {
        kafka_topic: required_text(&fields, "kafkaTopic", "name the Kafka topic that carries the change events"),
        format: fields
            .require("format", "one of change, fhir, bundle")
            .and_then(|format| {
                format.choice(&[
                    ("change", IngestFormat::Change),
                    ("fhir", IngestFormat::Fhir),
                    ("bundle", IngestFormat::Bundle),
                ])
            })
            .map(|format| format.value),
        start_from: fields.get("startFrom").and_then(|value| start_from(&value)),
        default_interaction: choice(&fields, "defaultInteraction", INTERACTIONS),
    })
}

fn start_from(value: &Cursor<'_>) -> Option<StartFrom> {
    let text = value.filled_text()?;
    match text.value.as_str() {
        "earliest" => Some(StartFrom::Earliest),
        "latest" => Some(StartFrom::Latest),
        time => match time.parse() {
            Ok(time) => Some(StartFrom::Time(time)),
            Err(_) => {
                let problem = text.place.error(format!("`{}` is neither earliest, latest nor a time", text.shown));
                value.push(problem.hint("write a time with its zone (RFC 3339), as in 2026-01-31T06:00:00Z"));
                None
            }
        },
    }
}

fn dead_letter(value: &Cursor<'_>) -> Option<Located<String>> {
    let fields = value.fields(&["kafkaTopic"])?;
    required_text(&fields, "kafkaTopic", "name the Kafka topic that takes the dead letters")
}

fn organizations(fields: &Fields<'_>) -> (String, Vec<RawPartOf>) {
    let found = fields.get("organizations").and_then(|value| value.fields(&["extensionUrl", "hierarchy"]));
    let Some(found) = found else { return (DEFAULT_EXTENSION_URL.to_owned(), Vec::new()) };
    let url = text(&found, "extensionUrl").map_or_else(|| DEFAULT_EXTENSION_URL.to_owned(), |url| url.value);
    let hierarchy = found.get("hierarchy").and_then(|value| value.map());
    let entry = |(child, parent): (Located<String>, Cursor<'_>)| {
        // an explicit `~` says that the organization is at the top; a parent that was forgotten is a mistake
        let is_top = parent.scalar().is_some_and(|scalar| scalar.kind == Kind::Null && !scalar.text.is_empty());
        let parent = if is_top { None } else { Some(parent.filled_text()?) };
        Some(RawPartOf { child, parent })
    };
    let hierarchy = hierarchy.map(|entries| entries.iter().filter_map(entry).collect());
    (url, hierarchy.unwrap_or_default())
}

fn topic(item: &Cursor<'_>) -> Option<RawTopic> {
    let fields = item.fields(&["url", "status", "organization", "trigger"])?;
    let triggers = fields.require("trigger", "a topic without a trigger never fires");
    if let Some(triggers) = &triggers {
        refuse_empty(triggers, "a topic without a trigger never fires");
    }
    Some(RawTopic {
        url: required_text(&fields, "url", "destinations name their topic by its url"),
        status: text(&fields, "status"),
        organization: text(&fields, "organization"),
        triggers: list(triggers, trigger),
    })
}

fn trigger(item: &Cursor<'_>) -> Option<RawTrigger> {
    let fields = item.fields(&["resource", "supportedInteraction", "fhirPathCriteria", "description"])?;
    Some(RawTrigger {
        resource: required_text(&fields, "resource", "name a resource type, or `Resource` for any"),
        interactions: fields.get("supportedInteraction").map(|value| interactions(&value)),
        criteria: text(&fields, "fhirPathCriteria"),
    })
}

/// The interactions of a list, each once.
pub(super) fn interactions(value: &Cursor<'_>) -> Vec<Interaction> {
    refuse_empty(value, "a trigger without an interaction never fires; leave the field out for all three");
    let items = value.items().unwrap_or_default();
    let given: Vec<Interaction> =
        items.iter().filter_map(|item| item.choice(INTERACTIONS)).map(|found| found.value).collect();
    Interaction::ALL.into_iter().filter(|interaction| given.contains(interaction)).collect()
}

/// One interaction where it stands alone, as Aidbox's documentation has it.
pub(super) fn interaction(value: &Cursor<'_>) -> Option<Interaction> {
    value.choice(INTERACTIONS).map(|found| found.value)
}

/// Reports a list without items.
pub(super) fn refuse_empty(value: &Cursor<'_>, hint: &str) {
    if value.is_list() && value.items().is_some_and(|items| items.is_empty()) {
        value.push(value.place().error("the list is empty").hint(hint));
    }
}

fn destination(item: &Cursor<'_>) -> Option<RawDestination> {
    let fields = item.fields(&["id", "topic", "kafkaTopic", "content", "key", "organization"])?;
    Some(RawDestination {
        id: required_text(&fields, "id", "notifications name the destination by its id"),
        topic: required_text(&fields, "topic", "give the url of a topic"),
        kafka_topic: required_text(&fields, "kafkaTopic", "name the Kafka topic that takes the notifications"),
        content: choice(&fields, "content", CONTENTS),
        key: choice(&fields, "key", KEYS),
        organization: text(&fields, "organization"),
        bootstrap_servers: None,
        is_active: true,
    })
}
