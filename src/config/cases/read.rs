//! The tree of a file of cases to a [`Suite`].

use std::path::Path;

use jiff::Timestamp;

use super::json_text::json_text;
use super::{Case, Expected, ExpectedDeadLetter, ExpectedNotification, Given, Named, Suite};
use crate::config::document::{Cursor, Fields, Kind, Located, unreadable};
use crate::config::record_values;
use crate::domain::output::DeadLetterClass;

/// The members of a change envelope; anything else in an inline event is a slip of the pen.
const ENVELOPE: &[&str] =
    &["interaction", "resource", "previous", "reference", "timestamp", "organization", "fhirRelease"];

const GIVEN: &[&str] = &["event", "value", "file", "ingest", "key", "headers", "time"];

const NOTIFICATION: &[&str] = &["destination", "key", "headers", "bundle", "exactly", "count"];

const DEAD_LETTER: &[&str] = &["deadLetter", "topic", "destination", "count"];

const CLASSES: [(&str, DeadLetterClass); 4] = [
    ("undecodable", DeadLetterClass::Undecodable),
    ("evaluation-error", DeadLetterClass::EvaluationError),
    ("missing-state", DeadLetterClass::MissingState),
    ("too-large", DeadLetterClass::TooLarge),
];

/// The most notifications of one kind that can be expected.
const MAX_COUNT: usize = 100_000;

pub(super) fn read(path: &Path, root: &Cursor<'_>) -> Option<Suite> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let fields = root.fields(&["topics", "cases"])?;
    let topics = fields.get("topics").and_then(|value| value.filled_text());
    let cases = fields.require("cases", "as in `cases: [{ name: ..., given: ..., expect: ... }]`")?;
    let items = cases.items()?;
    if items.is_empty() {
        cases.push(cases.place().error("the list is empty").hint("write at least one case"));
    }
    Some(Suite {
        file: path.to_owned(),
        topics: topics.map(|topics| folder.join(topics.value)),
        cases: items.iter().filter_map(|item| case(folder, item)).collect(),
    })
}

fn case(folder: &Path, item: &Cursor<'_>) -> Option<Case> {
    let fields = item.fields(&["name", "given", "expect", "none", "only"])?;
    let name = fields.require("name", "say in a few words what is tested").and_then(|value| value.filled_text());
    let given = fields.require("given", "as in `given: { event: { interaction: create, resource: ... } }`");
    let given = given.map(|given| one_or_many(&given)).unwrap_or_default();
    let given = given.iter().filter_map(|item| self::given(folder, item)).collect();
    let only = fields.get("only").and_then(|value| value.items());
    let only = only.map(|items| items.iter().filter_map(|item| item.filled_text()).map(Named::from).collect());
    let expected = expected(&fields);
    Some(Case { name: name?.into(), given, expected, only })
}

/// The items of a list, or a value that stands alone.
fn one_or_many<'a>(value: &Cursor<'a>) -> Vec<Cursor<'a>> {
    if !value.is_list() {
        return vec![value.clone()];
    }
    let items = value.items().unwrap_or_default();
    if items.is_empty() {
        value.push(value.place().error("the list is empty").hint("give at least one event"));
    }
    items
}

fn given(folder: &Path, item: &Cursor<'_>) -> Option<Given> {
    let fields = item.fields(GIVEN)?;
    let sources: Vec<(&str, Cursor<'_>)> =
        ["event", "value", "file"].into_iter().filter_map(|name| Some((name, fields.get(name)?))).collect();
    let ingest = text(&fields, "ingest").map(Named::from);
    let (key, headers) = (text(&fields, "key").map(|key| key.value), texts(&fields, "headers"));
    let timestamp_ms = fields.get("time").and_then(|value| time(&value));
    let values = match sources.as_slice() {
        [("event", source)] => vec![Some(event(source)?.into_bytes())],
        [("value", source)] => vec![value(source)?],
        [(_, source)] => records(folder, source)?,
        _ => {
            let problem = item.place().error(format!("{} of event, value and file are given", count_of(sources.len())));
            item.push(problem.hint("give one: an event, the record's value as text, or a file with such values"));
            return None;
        }
    };
    Some(Given { ingest, place: item.place(), key, headers, timestamp_ms, values })
}

fn count_of(count: usize) -> &'static str {
    if count == 0 { "none" } else { "several" }
}

/// The members of an event, as JSON. Of the change envelope no others are taken; a resource has what it has.
fn event(source: &Cursor<'_>) -> Option<String> {
    let is_resource = source.map()?.get("resourceType").is_some();
    if !is_resource {
        source.fields(ENVELOPE)?;
    }
    json_text(source)
}

/// A record's value as it stands; null is Kafka's null.
fn value(source: &Cursor<'_>) -> Option<Option<Vec<u8>>> {
    match source.scalar() {
        Some(scalar) if scalar.kind == Kind::Null => Some(None),
        _ => Some(Some(source.text()?.value.into_bytes())),
    }
}

fn records(folder: &Path, source: &Cursor<'_>) -> Option<Vec<Option<Vec<u8>>>> {
    let name = source.filled_text()?;
    match std::fs::read(folder.join(&name.value)) {
        Ok(bytes) => Some(record_values(&bytes).into_iter().map(|value| Some(value.to_vec())).collect()),
        Err(error) => {
            let problem = source.place().error(format!("{}: {}", name.shown, unreadable(&error)));
            source.push(problem.hint("the path is relative to the file of cases"));
            None
        }
    }
}

fn time(value: &Cursor<'_>) -> Option<i64> {
    let text = value.filled_text()?;
    match text.value.parse::<Timestamp>() {
        Ok(time) => Some(time.as_millisecond()),
        Err(_) => {
            let problem = text.place.error(format!("`{}` is no time", text.shown));
            value.push(problem.hint("write a time with its zone (RFC 3339), as in 2026-01-31T06:00:00Z"));
            None
        }
    }
}

fn expected(fields: &Fields<'_>) -> Expected {
    let none = fields.get("none").and_then(|value| value.choice(&[("true", true)]));
    let mut expected = Expected::default();
    match (fields.get("expect"), none) {
        (Some(_), Some(none)) => {
            fields.push(none.place.error("both `expect` and `none` are given").hint("leave one of them out"));
        }
        (None, None) if fields.get("none").is_none() => {
            fields.require("expect", "list what has to come out; or write `none: true`");
        }
        (None, _) => {}
        (Some(list), None) => {
            let items = list.items().unwrap_or_default();
            if list.is_list() && items.is_empty() {
                list.push(list.place().error("the list is empty").hint("write `none: true` where nothing comes out"));
            }
            for item in items {
                expected.add(&item);
            }
        }
    }
    expected
}

impl Expected {
    fn add(&mut self, item: &Cursor<'_>) {
        let is_dead_letter = item.map().is_some_and(|fields| fields.get("deadLetter").is_some());
        if is_dead_letter {
            self.dead_letters.extend(dead_letter(item));
        } else {
            self.notifications.extend(notification(item));
        }
    }
}

fn notification(item: &Cursor<'_>) -> Option<ExpectedNotification> {
    let fields = item.fields(NOTIFICATION)?;
    let destination = fields.require("destination", "name the destination by its id; or expect a `deadLetter`");
    let bundle = fields.get("bundle").map(|value| bundle(&value));
    let exactly = fields.get("exactly").and_then(|value| value.choice(&[("true", true), ("false", false)]));
    let exactly = exactly.filter(|exactly| exactly.value);
    if let Some(exactly) = &exactly
        && bundle.is_none()
    {
        fields.push(exactly.place.error("`exactly` has no bundle").hint("give the whole bundle, or leave it out"));
    }
    let (key, headers) = (fields.get("key").and_then(|value| key(&value)), texts(&fields, "headers"));
    let (bundle, exactly, count) = (bundle.flatten(), exactly.is_some(), count(&fields));
    let destination = destination?.filled_text()?.into();
    Some(ExpectedNotification { destination, key, headers, bundle, exactly, count })
}

/// The key that is expected; null is no key.
fn key(value: &Cursor<'_>) -> Option<Option<String>> {
    match value.scalar() {
        Some(scalar) if scalar.kind == Kind::Null => Some(None),
        _ => Some(Some(value.text()?.value)),
    }
}

fn bundle(value: &Cursor<'_>) -> Option<serde_json::Value> {
    value.map()?;
    serde_json::from_str(&json_text(value)?).ok()
}

fn dead_letter(item: &Cursor<'_>) -> Option<ExpectedDeadLetter> {
    let fields = item.fields(DEAD_LETTER)?;
    let topic = text(&fields, "topic").map(Named::from);
    let destination = text(&fields, "destination").map(Named::from);
    let count = count(&fields);
    let class = fields.get("deadLetter")?.choice(&CLASSES)?.value;
    Some(ExpectedDeadLetter { place: item.place(), class, topic, destination, count })
}

fn count(fields: &Fields<'_>) -> usize {
    let Some(value) = fields.get("count") else { return 1 };
    let number = value.scalar().filter(|scalar| scalar.kind == Kind::Number);
    match number.and_then(|scalar| scalar.text.parse().ok()).filter(|count| (1..=MAX_COUNT).contains(count)) {
        Some(count) => count,
        None => {
            let problem = value.place().error("expected a number, 1 or more");
            value.push(problem.hint("to expect none, leave the notification out: every other one fails the case"));
            1
        }
    }
}

fn text(fields: &Fields<'_>, name: &str) -> Option<Located<String>> {
    fields.get(name)?.filled_text()
}

/// The texts of a map.
fn texts(fields: &Fields<'_>, name: &str) -> Vec<(String, String)> {
    let Some(found) = fields.get(name).and_then(|value| value.map()) else { return Vec::new() };
    found.iter().filter_map(|(name, value)| Some((name.value, value.text()?.value))).collect()
}

impl From<Located<String>> for Named {
    fn from(located: Located<String>) -> Self {
        Self { text: located.value, place: located.place }
    }
}
