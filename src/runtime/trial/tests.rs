//! What trials count, and how two plans are compared.

use super::*;
use crate::domain::event::Interaction;
use crate::domain::plan::{Content, KeySource, OnError};
use crate::domain::tally::{EventOutcome, FilterReason};
use crate::domain::testing::{TestPlan, no_limits, record};

const FORM: &str = r#"{"interaction":"create","resource":{"resourceType":"Patient","id":"p1","active":true}}"#;
const OTHER: &str = r#"{"interaction":"create","resource":{"resourceType":"Patient","id":"p2","active":false}}"#;

fn plan(criterion: &str, ids: &[&str]) -> TestPlan {
    let plan =
        TestPlan::new().topic("http://example.org/t", None).trigger("Patient", &Interaction::ALL, Some(criterion));
    let add = |plan: TestPlan, id: &&str| plan.destination(id, Content::FullResource, KeySource::Source, None);
    ids.iter().fold(plan, add)
}

fn trial(plan: TestPlan) -> Trial {
    Trial::new(plan.build(), no_limits())
}

#[test]
fn deliveries_are_counted_by_destination_and_hour() {
    let mut trial = trial(plan("active = true", &["one", "two"]));
    for value in [FORM, OTHER, FORM] {
        trial.process(&record("changes", value));
    }
    let mut later = record("changes", FORM);
    later.timestamp_ms = later.timestamp_ms.map(|time| time + HOUR_MS);
    trial.process(&later);
    trial.process(&record("elsewhere", FORM));
    for delivery in &trial.deliveries {
        assert_eq!(delivery.notifications, 3);
        assert_eq!(delivery.by_hour.values().copied().collect::<Vec<_>>(), [2, 1]);
        assert_eq!(delivery.busiest_hour(), 2);
        assert!(delivery.bytes > 3 * FORM.len() as u64, "{}", delivery.bytes);
    }
    assert_eq!(trial.tally.events[0][EventOutcome::Notified.index()], 3);
    assert_eq!(trial.tally.filtered_by_topic[0][FilterReason::Criteria.index()], 1);
}

#[test]
fn dead_letters_are_counted_where_they_belong() {
    let mut trial = trial(plan("active.toString().toInteger() > 1 or name.given.single() = 'x'", &["one"]));
    let two = r#"{"interaction":"create","resource":{"resourceType":"Patient","id":"p","name":[{"given":["a","b"]}]}}"#;
    trial.process(&record("changes", two));
    trial.process(&record("changes", "{"));
    assert_eq!(trial.undecided[0][DeadLetterClass::EvaluationError.index()], 1);
    assert_eq!(trial.undecodable, 1);
    let mut limits = no_limits();
    limits.max_message_bytes = 400;
    let mut small = Trial::new(plan("active = true", &["one"]).build(), limits);
    small.process(&record("changes", FORM));
    assert_eq!(small.deliveries[0].dead_letters[DeadLetterClass::TooLarge.index()], 1);
    assert_eq!(small.deliveries[0].notifications, 0);
}

#[test]
fn a_stop_is_told_with_its_first_position_and_the_rest_goes_on() {
    let stopping = plan("name.given.single() = 'x'", &["one"]).with(|plan| plan.on_error = OnError::Stop);
    let mut trial = trial(stopping);
    let two = r#"{"interaction":"create","resource":{"resourceType":"Patient","id":"p","name":[{"given":["a","b"]}]}}"#;
    let fires = r#"{"interaction":"create","resource":{"resourceType":"Patient","id":"p","name":[{"given":["x"]}]}}"#;
    for value in [two, fires, two] {
        trial.process(&record("changes", value));
    }
    assert_eq!((trial.stops, trial.first_stop.as_deref()), (2, Some("changes:1:42")));
    assert_eq!(trial.deliveries[0].notifications, 1);
}

#[test]
fn plans_are_compared_notification_by_notification() {
    let new = trial(plan("active = true", &["same", "new"]));
    let present = trial(plan("active.exists()", &["same", "gone"]));
    let mut comparison = Comparison::new(new, present);
    for value in [FORM, OTHER, FORM] {
        comparison.process(&record("changes", value));
    }
    let difference = |id: &str| comparison.differences[id];
    assert_eq!(difference("same"), Difference { same: 2, fewer: 1, ..Difference::default() });
    assert_eq!(difference("new"), Difference { more: 2, ..Difference::default() });
    assert_eq!(difference("gone"), Difference { fewer: 3, ..Difference::default() });
    assert!(!difference("same").is_none());
}

#[test]
fn a_notification_that_says_something_else_is_changed() {
    let new = plan("active = true", &["one"]).with(|plan| plan.destinations[0].content = Content::IdOnly);
    let mut comparison = Comparison::new(trial(new), trial(plan("active = true", &["one"])));
    comparison.process(&record("changes", FORM));
    assert_eq!(comparison.differences["one"], Difference { changed: 1, ..Difference::default() });
    let hash = |plan: TestPlan| plan.with(|plan| plan.hash = "another".to_owned());
    let mut comparison =
        Comparison::new(trial(hash(plan("active = true", &["one"]))), trial(plan("active = true", &["one"])));
    comparison.process(&record("changes", FORM));
    assert!(comparison.differences["one"].is_none(), "the header fhir-plan is no difference to a subscriber");
}
