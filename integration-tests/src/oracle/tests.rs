//! Planted damage: each kind must be found, and an undamaged history must be clean.

use serde_json::json;

use super::expected::What;
use super::workload::{Facts, Rule, Workload, expected};
use super::*;
use crate::kafka::{Position, ReadRecord};

const TOPIC: &str = "http://example.org/topic";

fn rules() -> Vec<Rule> {
    let rule = |destination, content, key, gets| Rule {
        destination,
        kafka_topic: format!("to-{destination}"),
        topic: TOPIC,
        content,
        key,
        gets,
    };
    vec![
        rule("full", Content::FullResource, |facts: &Facts| Some(facts.patient.clone()), |_| true),
        rule("ids", Content::IdOnly, |facts: &Facts| Some(facts.focus()), |facts| facts.status == "final"),
        rule("empty", Content::Empty, |_| None, |facts| facts.interaction == "create"),
    ]
}

/// A run of 60 events over two ingest partitions, and one record that is a dead letter.
fn clean() -> (Vec<ExpectedOutput>, History) {
    let workload = Workload { seed: 7, events: 60, patients: 3, organizations: &["Organization/a"], padding: 10 };
    let facts = workload.facts();
    let positions: Vec<Position> = (0..60).map(|number| position("in", number % 2, i64::from(number / 2))).collect();
    let mut outputs = expected(&facts, &positions, &rules());
    outputs.push(ExpectedOutput {
        event: EventId::only(position("in", 0, 30)),
        one_of_several: false,
        kafka_topic: "dead".to_owned(),
        key: Some(b"k".to_vec()),
        timestamp_ms: Some(5),
        headers: vec![("traceparent".to_owned(), "t".to_owned())],
        what: What::DeadLetter(DeadLetter {
            class: "undecodable".to_owned(),
            topic: None,
            destination: None,
            value: Some(b"{".to_vec()),
        }),
    });
    let history = history_of(&outputs);
    (outputs, history)
}

fn position(kafka_topic: &str, partition: i32, offset: i64) -> Position {
    Position { kafka_topic: kafka_topic.to_owned(), partition, offset }
}

/// The history that a faultless service would have left.
fn history_of(outputs: &[ExpectedOutput]) -> History {
    let mut history = History::default();
    for (offset, output) in (0..).zip(outputs) {
        let record = record_of(output, offset);
        let is_dead_letter = matches!(output.what, What::DeadLetter(_));
        let records = if is_dead_letter { &mut history.dead_letters } else { &mut history.notifications };
        records.push(record);
        history.partitions.insert(output.kafka_topic.clone(), 1);
    }
    history.committed.insert(("in".to_owned(), 0), 31);
    history.committed.insert(("in".to_owned(), 1), 30);
    history
}

pub(super) fn record_of(output: &ExpectedOutput, offset: i64) -> ReadRecord {
    let source = output.event.source.to_string();
    let mut headers = output.headers.clone();
    let mut add = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
    let value = match &output.what {
        What::DeadLetter(dead_letter) => {
            add("fhir-dead-letter-class", &dead_letter.class);
            add("fhir-dead-letter-source", &source);
            add("fhir-dead-letter-event", "0");
            dead_letter.topic.iter().for_each(|topic| add("fhir-dead-letter-topic", topic));
            dead_letter.destination.iter().for_each(|id| add("fhir-dead-letter-destination", id));
            dead_letter.value.clone()
        }
        What::Notification(notification) => {
            add("content-type", "application/fhir+json");
            add("fhir-topic", &notification.topic);
            add("fhir-destination", &notification.destination);
            add("fhir-interaction", &notification.interaction);
            add("fhir-source", &source);
            add("fhir-plan", "0123456789abcdef");
            if notification.content != Content::Empty {
                add("fhir-focus", &notification.focus);
            }
            Some(bundle_of(notification).into_bytes())
        }
    };
    let headers = headers.into_iter().map(|(name, value)| (name, Some(value.into_bytes()))).collect();
    ReadRecord {
        position: position(&output.kafka_topic, 0, offset),
        key: output.key.clone(),
        value,
        headers,
        timestamp_ms: output.timestamp_ms,
    }
}

fn bundle_of(notification: &Notification) -> String {
    let destination = json!({"reference": format!("AidboxTopicDestination/{}", notification.destination)});
    let is_empty = notification.content == Content::Empty;
    let event = if is_empty { json!({}) } else { json!({"focus": {"reference": notification.focus}}) };
    let status = json!({"topic": notification.topic, "topic-destination": destination, "notificationEvent": [event]});
    let resource = match (&notification.resource, notification.content) {
        (Some(resource), Content::FullResource) => format!(r#","resource":{resource}"#),
        _ => String::new(),
    };
    let entry = if is_empty { String::new() } else { format!(r#",{{"fullUrl":"u"{resource}}}"#) };
    format!(r#"{{"resourceType":"Bundle","type":"history","entry":[{{"resource":{status}}}{entry}]}}"#)
}

/// What the checker finds in a history that was damaged.
fn damaged(damage: impl FnOnce(&mut History)) -> Vec<FindingKind> {
    let (outputs, mut history) = clean();
    damage(&mut history);
    check(&outputs, &history).kinds().into_iter().collect()
}

/// The first record of a destination.
fn first<'a>(history: &'a mut History, destination: &str) -> &'a mut ReadRecord {
    let mut records = history.notifications.iter_mut();
    records.find(|record| record.header("fhir-destination") == Some(destination)).expect("the workload reaches it")
}

fn set_header(record: &mut ReadRecord, name: &str, value: &str) {
    let header = record.headers.iter_mut().find(|(found, _)| found == name).expect("it has this header");
    header.1 = Some(value.as_bytes().to_vec());
}

#[test]
fn an_undamaged_history_is_clean() {
    let (outputs, history) = clean();
    let verdict = check(&outputs, &history);
    verdict.assert_clean();
    assert!(verdict.expected > 80, "the workload reaches all destinations: {}", verdict.expected);
}

#[test]
#[should_panic(expected = "proves nothing")]
fn an_empty_run_proves_nothing() {
    check(&[], &History::default()).assert_clean();
}

#[test]
fn a_lost_output_of_several_is_lost_and_torn() {
    let lost = damaged(|history| {
        let index = history.notifications.iter().position(|record| record.header("fhir-destination") == Some("empty"));
        history.notifications.remove(index.expect("the workload reaches it"));
    });
    assert_eq!(lost, [FindingKind::Lost, FindingKind::Torn]);
}

#[test]
fn a_record_lost_as_a_whole_is_lost_and_not_torn() {
    assert_eq!(damaged(|history| history.dead_letters.clear()), [FindingKind::Lost]);
}

#[test]
fn a_duplicate_is_found() {
    let duplicated = damaged(|history| {
        let mut again = first(history, "empty").clone();
        again.position.offset = 9_999;
        history.notifications.push(again);
    });
    assert_eq!(duplicated, [FindingKind::Duplicated]);
}

#[test]
fn an_output_for_an_event_that_nobody_produced_is_unexpected_and_uncommitted() {
    let unexpected = damaged(|history| {
        let mut stray = first(history, "empty").clone();
        stray.position.offset = 9_999;
        set_header(&mut stray, "fhir-source", "in:0:77");
        history.notifications.push(stray);
    });
    assert_eq!(unexpected, [FindingKind::Unexpected, FindingKind::UncommittedSource]);
}

#[test]
fn an_output_for_a_destination_that_must_not_get_it_is_unexpected() {
    let (outputs, mut history) = clean();
    let is_create = |record: &ReadRecord| record.header("fhir-interaction") == Some("create");
    let mut wrong = history.notifications.iter().find(|record| !is_create(record)).expect("there is an update").clone();
    wrong.position = position("to-empty", 0, 9_999);
    wrong.key = None;
    set_header(&mut wrong, "fhir-destination", "empty");
    history.notifications.push(wrong);
    assert_eq!(check(&outputs, &history).kinds().into_iter().collect::<Vec<_>>(), [FindingKind::Unexpected]);
}

#[test]
fn two_outputs_of_one_key_in_the_wrong_order_are_found() {
    let reordered = damaged(|history| {
        let (key, source) = {
            let record = first(history, "full");
            (record.key.clone(), history::parse_source(record.header("fhir-source").expect("has one")))
        };
        let ingest = source.expect("is well-formed").source.partition;
        let mut lane = history.notifications.iter_mut().filter(|record| {
            record.header("fhir-destination") == Some("full")
                && record.key == key
                && record.header("fhir-source").is_some_and(|text| text.starts_with(&format!("in:{ingest}:")))
        });
        let (one, two) = (lane.next().expect("one"), lane.next().expect("and another"));
        std::mem::swap(&mut one.position, &mut two.position);
    });
    assert_eq!(reordered, [FindingKind::Reordered]);
}

#[test]
fn an_output_before_its_source_is_committed_is_found() {
    let kinds = damaged(|history| {
        history.committed.insert(("in".to_owned(), 1), 29);
    });
    assert_eq!(kinds, [FindingKind::UncommittedSource]);
    assert_eq!(damaged(|history| history.committed.clear()), [FindingKind::UncommittedSource]);
}

#[test]
fn a_run_that_is_not_over_is_found() {
    assert_eq!(damaged(|history| history.unconsumed.push(position("in", 0, 31))), [FindingKind::Unconsumed]);
    assert_eq!(damaged(|history| history.unsettled.push("to-full".to_owned())), [FindingKind::Unsettled]);
}

#[test]
fn a_wrong_key_is_found_also_on_a_wrong_partition_only() {
    assert_eq!(damaged(|history| first(history, "ids").key = Some(b"x".to_vec())), [FindingKind::WrongKey]);
    assert_eq!(damaged(|history| first(history, "empty").key = Some(b"x".to_vec())), [FindingKind::WrongKey]);
    let (outputs, mut history) = clean();
    history.partitions.insert("to-ids".to_owned(), 1_000);
    assert_eq!(check(&outputs, &history).kinds().into_iter().collect::<Vec<_>>(), [FindingKind::WrongKey]);
}

#[test]
fn headers_that_are_wrong_missing_or_too_many_are_found() {
    for name in ["content-type", "fhir-topic", "fhir-interaction", "fhir-plan", "fhir-focus"] {
        assert_eq!(
            damaged(|history| set_header(first(history, "full"), name, "x")),
            [FindingKind::WrongHeader],
            "{name}"
        );
        let missing = damaged(|history| first(history, "full").headers.retain(|(found, _)| found != name));
        assert_eq!(missing, [FindingKind::WrongHeader], "{name}");
    }
    let more = damaged(|history| first(history, "empty").headers.push(("fhir-focus".to_owned(), None)));
    assert_eq!(more, [FindingKind::WrongHeader]);
    let dead_letter = damaged(|history| history.dead_letters[0].headers.retain(|(name, _)| name != "traceparent"));
    assert_eq!(dead_letter, [FindingKind::WrongHeader]);
}

#[test]
fn outputs_that_do_not_say_where_they_come_from_are_found() {
    let kinds = damaged(|history| set_header(&mut history.dead_letters[0], "fhir-dead-letter-source", "nowhere"));
    assert_eq!(kinds, [FindingKind::Lost, FindingKind::Unreadable]);
}

#[test]
fn wrong_content_is_found() {
    let replace = |record: &mut ReadRecord, from: &str, to: &str| {
        let text = String::from_utf8(record.value.clone().expect("has one")).expect("is text");
        assert!(text.contains(from), "{text}");
        record.value = Some(text.replace(from, to).into_bytes());
    };
    let full = |history: &mut History, from: &str, to: &str| {
        let carries = |record: &&mut ReadRecord| record.value.as_ref().is_some_and(|value| value.ends_with(b"}}]}"));
        let record = history.notifications.iter_mut().find(carries).expect("one carries its resource");
        replace(record, from, to);
    };
    let content = [FindingKind::WrongContent];
    assert_eq!(damaged(|history| full(history, "1.500", "1.5")), content, "digits were dropped");
    assert_eq!(damaged(|history| full(history, r#"", "id"#, r#"","id"#)), content, "it was written anew");
    assert_eq!(damaged(|history| full(history, "Observation/r", "Encounter/r")), content);
    assert_eq!(damaged(|history| replace(first(history, "ids"), r#""fullUrl":"u""#, r#""resource":{}"#)), content);
    assert_eq!(damaged(|history| replace(first(history, "empty"), "]}", r#",{"fullUrl":"u"}]}"#)), content);
    assert_eq!(damaged(|history| history.dead_letters[0].value = None), content);
}

#[test]
fn wrong_kafka_topics_and_times_are_found() {
    let kinds = damaged(|history| first(history, "empty").position.kafka_topic = "to-ids".to_owned());
    assert_eq!(kinds, [FindingKind::WrongPlace]);
    assert_eq!(damaged(|history| history.dead_letters[0].timestamp_ms = Some(6)), [FindingKind::WrongPlace]);
}
