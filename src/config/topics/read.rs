//! The tree of `topics.yaml` to [`RawConfig`]: the fields of [`shape::fields`], and nothing else.

use super::raw::{RawConfig, RawDestination, RawIngest, RawPartOf, RawTopic, RawTrigger};
use super::shape::{fields as field, word};
use crate::config::document::{Cursor, Fields, Kind, Located, unknown};
use crate::domain::event::Interaction;
use crate::domain::plan::StartFrom;

/// Reads the whole file; `None` where it is no map.
pub(super) fn read(root: &Cursor<'_>) -> Option<RawConfig> {
    let fields = field::ROOT.read(root)?;
    let (extension_url, hierarchy) = organizations(&fields);
    Some(RawConfig {
        place: fields.place(),
        fhir_base_url: field::FHIR_BASE_URL.text(&fields),
        fhir_release: field::FHIR_RELEASE.word(&fields),
        ingest: field::INGESTS.list(&fields, ingest),
        dead_letter: dead_letter(&fields),
        on_error: field::ON_ERROR.word(&fields),
        on_missing_state: field::ON_MISSING_STATE.word(&fields),
        on_destination_error: field::ON_DESTINATION_ERROR.word(&fields),
        extension_url,
        hierarchy,
        resources: field::RESOURCES.list(&fields, |item| item.filled_text()),
        topics: field::TOPICS.list(&fields, topic),
        destinations: field::DESTINATIONS.list(&fields, destination),
    })
}

fn ingest(item: &Cursor<'_>) -> Option<RawIngest> {
    let fields = field::INGEST.read(item)?;
    Some(RawIngest {
        kafka_topic: field::INGEST_KAFKA_TOPIC.text(&fields),
        format: field::FORMAT.word(&fields),
        start_from: field::START_FROM.value(&fields).and_then(|value| start_from(&value)),
        default_interaction: field::DEFAULT_INTERACTION.word(&fields),
    })
}

fn start_from(value: &Cursor<'_>) -> Option<StartFrom> {
    const HINT: &str = "write a time with its zone (RFC 3339), as in 2026-01-31T06:00:00Z";
    if value.scalar().is_some_and(|scalar| scalar.kind == Kind::Number) {
        value.push(value.place().error(format!("expected a time, found {}", value.describe())).hint(HINT));
        return None;
    }
    let text = value.filled_text()?;
    match text.value.as_str() {
        "earliest" => Some(StartFrom::Earliest),
        "latest" => Some(StartFrom::Latest),
        time => match time.parse() {
            Ok(time) => Some(StartFrom::Time(time)),
            Err(_) => {
                let problem = text.place.error(format!("`{}` is neither earliest, latest nor a time", text.shown));
                let guess = unknown(&text.place, "start", &text.shown, vec!["earliest", "latest"]).hint;
                value.push(
                    problem.hint(guess.filter(|hint| hint.starts_with("did you mean")).unwrap_or(HINT.to_owned())),
                );
                None
            }
        },
    }
}

fn dead_letter(fields: &Fields<'_>) -> Option<Located<String>> {
    let fields = field::DEAD_LETTERS.read(&field::DEAD_LETTER.value(fields)?)?;
    field::DEAD_LETTER_KAFKA_TOPIC.text(&fields)
}

const CHILD_TO_PARENT: &str = "each entry is child: parent, as in `Organization/b: Organization/a`; `~` is no parent";

fn organizations(fields: &Fields<'_>) -> (String, Vec<RawPartOf>) {
    let default = || field::EXTENSION_URL.form.default.to_owned();
    let found = field::ORGANIZATIONS.value(fields).and_then(|value| field::ORGANIZATION_FIELDS.read(&value));
    let Some(found) = found else { return (default(), Vec::new()) };
    let url = field::EXTENSION_URL.text(&found).map_or_else(default, |url| url.value);
    let hierarchy = field::HIERARCHY.value(&found).and_then(|value| {
        if value.is_map() {
            return value.map();
        }
        value.push(value.place().error(format!("expected a map, found {}", value.describe())).hint(CHILD_TO_PARENT));
        None
    });
    let entry = |(child, parent): (Located<String>, Cursor<'_>)| {
        // an explicit `~` says that the organization is at the top; a parent that was forgotten is a mistake
        let is_top = parent.scalar().is_some_and(|scalar| scalar.kind == Kind::Null && !scalar.text.is_empty());
        if parent.scalar().is_none() {
            let problem = parent.place().error(format!("expected the parent, found {}", parent.describe()));
            parent.push(problem.hint(CHILD_TO_PARENT));
            return None;
        }
        let parent = if is_top { None } else { Some(parent.filled_text()?) };
        Some(RawPartOf { child, parent })
    };
    let hierarchy = hierarchy.map(|entries| entries.iter().filter_map(entry).collect());
    (url, hierarchy.unwrap_or_default())
}

fn topic(item: &Cursor<'_>) -> Option<RawTopic> {
    let fields = field::TOPIC.read(item)?;
    Some(RawTopic {
        url: field::URL.text(&fields),
        status: field::STATUS.text(&fields),
        organization: field::TOPIC_ORGANIZATION.text(&fields),
        triggers: field::TRIGGERS.list(&fields, trigger),
    })
}

fn trigger(item: &Cursor<'_>) -> Option<RawTrigger> {
    let fields = field::TRIGGER.read(item)?;
    Some(RawTrigger {
        resource: field::RESOURCE.text(&fields),
        interactions: field::SUPPORTED_INTERACTION.value(&fields).map(|value| interactions(&value)),
        criteria: field::FHIR_PATH_CRITERIA.text(&fields),
    })
}

/// The interactions of a list, each once.
pub(super) fn interactions(value: &Cursor<'_>) -> Vec<Interaction> {
    let given: Vec<Interaction> = field::SUPPORTED_INTERACTION.items(value, word);
    Interaction::ALL.into_iter().filter(|interaction| given.contains(interaction)).collect()
}

fn destination(item: &Cursor<'_>) -> Option<RawDestination> {
    let fields = field::DESTINATION.read(item)?;
    Some(RawDestination {
        id: field::ID.text(&fields),
        topic: field::DESTINATION_TOPIC.text(&fields),
        kafka_topic: field::DESTINATION_KAFKA_TOPIC.text(&fields),
        content: field::CONTENT.word(&fields),
        key: field::KEY.word(&fields),
        organization: field::DESTINATION_ORGANIZATION.text(&fields),
        bootstrap_servers: None,
        is_active: true,
    })
}
