//! One output against what was expected of it: place, key, headers, content.

use serde_json::Value;

use super::super::expected::{Content, DeadLetter, ExpectedOutput, Notification, What};
use super::{FindingKind, Findings, is_dead_letter};
use crate::kafka::ReadRecord;

pub(super) fn compare(expected: &ExpectedOutput, record: &ReadRecord, findings: &mut Findings) {
    let at = &record.position;
    if record.position.kafka_topic != expected.kafka_topic {
        findings.add(FindingKind::WrongPlace, format!("{at} belongs into {}", expected.kafka_topic));
    }
    if expected.timestamp_ms.is_some() && record.timestamp_ms != expected.timestamp_ms {
        let detail = format!("{at} has the time {:?}, not {:?}", record.timestamp_ms, expected.timestamp_ms);
        findings.add(FindingKind::WrongPlace, detail);
    }
    if record.key != expected.key {
        let detail = format!("{at} has the key {:?}, not {:?}", text(&record.key), text(&expected.key));
        findings.add(FindingKind::WrongKey, detail);
    }
    compare_headers(expected, record, findings);
    let fault = match &expected.what {
        What::Notification(notification) => content_fault(notification, record),
        What::DeadLetter(DeadLetter { value, .. }) => {
            (*value != record.value).then(|| "the value is not the source's".to_owned())
        }
    };
    if let Some(fault) = fault {
        findings.add(FindingKind::WrongContent, format!("{at}: {fault}"));
    }
}

fn text(key: &Option<Vec<u8>>) -> Option<String> {
    key.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// Every header that the contract names is there once with its value, and no other of ours.
fn compare_headers(expected: &ExpectedOutput, record: &ReadRecord, findings: &mut Findings) {
    let mut wanted = expected.headers.clone();
    let own = match &expected.what {
        What::Notification(notification) => notification_headers(expected, notification),
        What::DeadLetter(dead_letter) => dead_letter_headers(expected, dead_letter),
    };
    wanted.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
    if !is_dead_letter(expected) {
        let plan = record.header("fhir-plan").unwrap_or_default();
        if plan.len() != 16 || !plan.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            findings.add(FindingKind::WrongHeader, format!("{} has no fhir-plan of 16 digits", record.position));
        }
        wanted.push(("fhir-plan".to_owned(), plan.to_owned()));
    }
    wanted.sort_unstable();
    let mut found: Vec<(String, String)> = record
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned()))
        .collect();
    found.sort_unstable();
    if wanted != found {
        let missing: Vec<_> = wanted.iter().filter(|header| !found.contains(header)).collect();
        let more: Vec<_> = found.iter().filter(|header| !wanted.contains(header)).collect();
        let detail = format!("{} lacks {missing:?} and has {more:?}", record.position);
        findings.add(FindingKind::WrongHeader, detail);
    }
}

fn notification_headers(expected: &ExpectedOutput, wanted: &Notification) -> Vec<(&'static str, String)> {
    let index = if expected.one_of_several { format!("#{}", expected.event.index) } else { String::new() };
    let mut headers = vec![
        ("content-type", "application/fhir+json".to_owned()),
        ("fhir-topic", wanted.topic.clone()),
        ("fhir-destination", wanted.destination.clone()),
        ("fhir-interaction", wanted.interaction.clone()),
        ("fhir-source", format!("{}{index}", expected.event.source)),
    ];
    if wanted.content != Content::Empty {
        headers.push(("fhir-focus", wanted.focus.clone()));
    }
    headers
}

fn dead_letter_headers(expected: &ExpectedOutput, wanted: &DeadLetter) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("fhir-dead-letter-class", wanted.class.clone()),
        ("fhir-dead-letter-source", expected.event.source.to_string()),
        ("fhir-dead-letter-event", expected.event.index.to_string()),
    ];
    headers.extend(wanted.topic.clone().map(|topic| ("fhir-dead-letter-topic", topic)));
    headers.extend(wanted.destination.clone().map(|id| ("fhir-dead-letter-destination", id)));
    headers
}

/// What is wrong with a notification's Bundle, if anything is.
fn content_fault(wanted: &Notification, record: &ReadRecord) -> Option<String> {
    let Ok(bundle) = record.json() else { return Some("the value is no JSON".to_owned()) };
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    let status = entries.first().map_or(&Value::Null, |entry| &entry["resource"]);
    let event = &status["notificationEvent"][0];
    let focus = &event["focus"]["reference"];
    if bundle["resourceType"] != "Bundle" || bundle["type"] != "history" {
        return Some("no history Bundle".to_owned());
    }
    if status["topic"] != wanted.topic.as_str() {
        return Some("the status names another topic".to_owned());
    }
    if status["topic-destination"]["reference"] != format!("AidboxTopicDestination/{}", wanted.destination) {
        return Some("the status names another destination".to_owned());
    }
    if wanted.content == Content::Empty {
        let is_empty = entries.len() == 1 && focus.is_null();
        return (!is_empty).then(|| "an empty notification says more than that something happened".to_owned());
    }
    if *focus != wanted.focus.as_str() {
        return Some("the focus is another".to_owned());
    }
    let [_, entry] = entries else { return Some(format!("{} entries instead of 2", entries.len())) };
    let carried = entry.get("resource");
    match wanted.resource.as_deref().filter(|_| wanted.content == Content::FullResource) {
        None => carried.is_some().then(|| "a resource is carried that must not be".to_owned()),
        Some(resource) => {
            let bytes = record.value.as_deref().unwrap_or_default();
            let is_there = carried.is_some() && contains(bytes, resource.as_bytes());
            (!is_there).then(|| "the resource's bytes are not there unchanged".to_owned())
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window == part)
}
