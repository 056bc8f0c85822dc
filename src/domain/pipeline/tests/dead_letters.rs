//! Dead letters: who gets which, what they carry, and what is left out when they do not fit.

use std::collections::HashMap;

use crate::domain::event::Interaction;
use crate::domain::limits::{Limits, record_size};
use crate::domain::output::{DeadLetterClass, OutputHeader, OutputKind};
use crate::domain::pipeline::ProcessError;
use crate::domain::plan::{Content, DestinationIndex, KeySource};
use crate::domain::refusals::Refusals;
use crate::domain::source::SourceRecord;
use crate::domain::tally::EventOutcome;
use crate::domain::testing::{Output, Run, TestPlan, header, no_limits, record};

const CHANGE: &str = r#"{"interaction":"update","resource":{"resourceType":"Patient","id":"p1","text":"0123456789"}}"#;

/// A topic with a full-resource and an id-only destination.
fn two_destinations() -> TestPlan {
    let plan = TestPlan::new().topic("http://example.org/t", None).trigger("Patient", &Interaction::ALL, None);
    let plan = plan.destination("full", Content::FullResource, KeySource::Source, None);
    plan.destination("ids", Content::IdOnly, KeySource::Source, None)
}

fn run(limits: Limits, refusals: &Refusals, record: &SourceRecord<'_>) -> Run {
    Run::of(&two_destinations().build(), limits, refusals, record).unwrap()
}

fn size(output: &Output) -> usize {
    let header = |(name, value): &(String, Option<Vec<u8>>)| OutputHeader {
        name: name.clone().into(),
        value: value.clone().map(Into::into),
    };
    let headers: Vec<_> = output.headers.iter().map(header).collect();
    record_size(output.key.as_deref(), output.value.as_deref(), &headers)
}

fn limit_of(kafka_topic: &str, bytes: usize) -> Limits {
    Limits {
        max_message_bytes: usize::MAX,
        by_kafka_topic: HashMap::from([(kafka_topic.to_owned(), bytes)]),
        compressed: false,
    }
}

#[test]
fn an_undecodable_record_is_one_dead_letter_with_its_bytes_as_they_were() {
    let mut record = record("changes", "");
    record.key = Some(b"\xff\x00");
    record.value = Some(b"\x00 not json \xff");
    record.headers = vec![
        header("correlation-id", "c"),
        header("interaction", "create"),
        header("fhir-dead-letter-class", "forged"),
    ];
    let forward = ["correlation-id", "fhir-dead-letter-class"].map(str::to_owned).to_vec();
    let run = two_destinations().with(|plan| plan.forward_headers = forward).run(&record);
    let output = run.only();
    assert_eq!(output.kind, OutputKind::DeadLetter(DeadLetterClass::Undecodable));
    assert_eq!(output.kafka_topic, "dead-letters");
    assert_eq!((output.key.as_deref(), output.value.as_deref()), (record.key, record.value));
    assert_eq!(output.timestamp_ms, record.timestamp_ms);
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let expected = [
        ("fhir-dead-letter-class", text("undecodable")),
        ("fhir-dead-letter-source", text("changes:1:42")),
        ("fhir-dead-letter-event", text("0")),
        ("correlation-id", text("c")),
    ];
    assert_eq!(output.headers, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(run.tally.dead_letters[DeadLetterClass::Undecodable.index()], 1);
    assert_eq!(run.tally.events[0][EventOutcome::DeadLettered.index()], 1);
}

#[test]
fn null_keys_and_values_stay_null() {
    let record = SourceRecord { key: None, value: None, ..record("changes", "") };
    let run = two_destinations().run(&record);
    assert_eq!((&run.only().key, &run.only().value), (&None, &None));
    assert_eq!(run.dead_letters(), [("undecodable", None, None)]);
}

#[test]
fn one_bad_entry_of_a_bundle_lets_no_event_out() {
    let value = r#"{"resourceType":"Bundle","type":"batch","entry":[
        {"resource":{"resourceType":"Patient","id":"good"},"request":{"method":"PUT","url":"Patient/good"}},
        {"resource":{"resourceType":"Patient"},"request":{"method":"PUT","url":"Patient/bad"}}]}"#;
    let run = two_destinations().run(&record("bundles", value));
    assert_eq!(run.dead_letters(), [("undecodable", None, None)]);
    assert_eq!(run.only().value(), value);
    assert_eq!(run.tally.events[2], [0, 0, 1]);
}

#[test]
fn an_output_over_its_limit_is_a_dead_letter_of_its_destination_alone() {
    let record = record("changes", CHANGE);
    let free = run(no_limits(), &Refusals::NONE, &record);
    let full = size(&free.outputs[0]);

    let fits = run(limit_of("to-full", full), &Refusals::NONE, &record);
    assert_eq!(fits.notified(), ["full", "ids"]);

    let over = run(limit_of("to-full", full - 1), &Refusals::NONE, &record);
    assert_eq!(over.notified(), ["ids"]);
    assert_eq!(over.dead_letters(), [("too-large", None, Some("full"))]);
    assert_eq!(over.outputs[0].value(), CHANGE);
    assert_eq!(over.tally.notifications, [0, 1]);
    assert_eq!(over.tally.dead_letters[DeadLetterClass::TooLarge.index()], 1);
    assert_eq!(over.tally.events[0][EventOutcome::Notified.index()], 1);

    let producer = Limits { max_message_bytes: full - 1, by_kafka_topic: HashMap::new(), compressed: false };
    assert_eq!(run(producer, &Refusals::NONE, &record).dead_letters(), [("too-large", None, Some("full"))]);
}

#[test]
fn an_event_with_nothing_but_dead_letters_is_counted_so() {
    let none_fits = Limits { max_message_bytes: 0, by_kafka_topic: HashMap::new(), compressed: false };
    let run = run(none_fits, &Refusals::NONE, &record("changes", CHANGE));
    assert_eq!(run.tally.events[0], [0, 0, 1]);
    assert_eq!(run.tally.notifications, [0, 0]);
}

#[test]
fn a_dead_letter_that_does_not_fit_leaves_out_value_then_headers_then_key() {
    let mut record = record("changes", "not an event: 0123456789");
    record.headers = vec![header("correlation-id", "0123456789")];
    let at = |limit| run(limit_of("dead-letters", limit), &Refusals::NONE, &record);
    let whole = at(usize::MAX);
    let whole_size = size(whole.only());
    assert_eq!(at(whole_size).only(), whole.only());

    let without_value = at(whole_size - 1);
    assert_eq!(without_value.only().value, None);
    assert_eq!(without_value.only().key(), Some("key"));
    assert_eq!(without_value.only().headers, whole.only().headers);

    let without_headers = at(size(without_value.only()) - 1);
    assert_eq!(without_headers.only().key(), Some("key"));
    assert_eq!(without_headers.only().headers, whole.only().headers[..3]);

    let bare = at(size(without_headers.only()) - 1);
    assert_eq!((&bare.only().key, &bare.only().value), (&None, &None));
    assert_eq!(bare.only().header("fhir-dead-letter-source"), Some("changes:1:42"));
}

#[test]
fn refused_notifications_become_dead_letters_and_refused_dead_letters_lose_their_value() {
    let record = record("changes", CHANGE);
    let mut refusals = Refusals::default();
    let full = OutputKind::Notification(DestinationIndex(0));
    assert!(refusals.is_empty());
    assert!(refusals.add(full, 0, DeadLetterClass::Rejected));
    let run_once = run(no_limits(), &refusals, &record);
    assert_eq!(run_once.notified(), ["ids"]);
    assert_eq!(run_once.dead_letters(), [("rejected", None, Some("full"))]);
    assert_eq!(run_once.outputs[0].value(), CHANGE);

    assert!(refusals.add(run_once.outputs[0].kind, 0, DeadLetterClass::TooLarge));
    assert!(!refusals.add(run_once.outputs[0].kind, 0, DeadLetterClass::TooLarge), "nothing more to leave out");
    assert!(!refusals.add(full, 0, DeadLetterClass::Rejected));
    let run_twice = run(no_limits(), &refusals, &record);
    assert_eq!(run_twice.dead_letters(), [("rejected", None, Some("full"))]);
    assert_eq!(run_twice.outputs[0].value, None);

    let mut of_another_event = Refusals::default();
    of_another_event.add(full, 1, DeadLetterClass::Rejected);
    assert_eq!(run(no_limits(), &of_another_event, &record).notified(), ["full", "ids"]);
}

#[test]
fn a_record_of_a_stranger_is_an_error() {
    let plan = two_destinations().build();
    let stranger = Run::of(&plan, no_limits(), &Refusals::NONE, &record("elsewhere", CHANGE));
    assert_eq!(stranger.map(drop), Err(ProcessError::NotAnIngest));
}

#[test]
fn the_receivers_error_comes_back() {
    let plan = two_destinations().build();
    let mut pipeline = crate::domain::pipeline::Pipeline::new(std::sync::Arc::clone(&plan), no_limits());
    let mut tally = crate::domain::tally::Tally::new(&plan);
    let mut taken = 0;
    let processed = pipeline.process(&record("changes", CHANGE), &Refusals::NONE, &mut tally, &mut |_| {
        taken += 1;
        Err("full queue")
    });
    assert_eq!((processed, taken), (Err(ProcessError::Output("full queue")), 1));
}
