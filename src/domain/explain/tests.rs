#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use super::*;
use crate::domain::event::Interaction::{Create, Update};
use crate::domain::output::DeadLetterClass;
use crate::domain::plan::{Content, KeySource, OnError, OnMissingState};
use crate::domain::tally::FilterReason;
use crate::domain::testing::{TestPlan, no_limits, record};

const ORGANIZATION: &str = "Organization/b";

fn plan() -> TestPlan {
    TestPlan::new()
        .parent("Organization/b", "Organization/a")
        .parent("Organization/y", "Organization/x")
        .topic("http://t/active", None)
        .trigger("Patient", &[Update], Some("active"))
        .destination("all", Content::FullResource, KeySource::Source, None)
        .destination("of-b", Content::FullResource, KeySource::Source, Some("Organization/b"))
        .destination("of-x", Content::FullResource, KeySource::Source, Some("Organization/x"))
        .topic("http://t/new", None)
        .trigger("Patient", &[Create], None)
        .destination("new", Content::IdOnly, KeySource::None, None)
        .topic("http://t/of-x", Some("Organization/x"))
        .trigger("Patient", &[Update], Some("active"))
        .destination("x", Content::IdOnly, KeySource::None, None)
        .topic("http://t/changed", None)
        .trigger("Patient", &[Update], Some("%previous.active != active"))
        .destination("changed", Content::IdOnly, KeySource::None, None)
        .topic("http://t/forms", None)
        .trigger("QuestionnaireResponse", &[Create], None)
        .destination("forms", Content::IdOnly, KeySource::None, None)
        .topic("http://t/nobody", None)
        .trigger("Patient", &[Update], None)
        .topic("http://t/broken", None)
        .trigger("Patient", &[Update], Some("name.given.single() = 'x'"))
        .destination("broken", Content::IdOnly, KeySource::None, None)
}

fn update(members: &str) -> String {
    format!(
        r#"{{"interaction":"update","organization":{{"reference":"{ORGANIZATION}"}},
            "resource":{{"resourceType":"Patient","id":"p1","name":[{{"given":["a","b"]}}]{members}}}}}"#
    )
}

fn explained(plan: TestPlan, value: &str) -> Explanation {
    Explainer::new(plan.build(), no_limits()).explain(&record("changes", value), None).unwrap()
}

fn only_event(plan: TestPlan, value: &str) -> EventExplanation {
    let mut events = explained(plan, value).events.unwrap();
    assert_eq!(events.len(), 1);
    events.remove(0)
}

fn outcomes(event: &EventExplanation) -> Vec<TopicOutcome> {
    event.topics.iter().map(|topic| topic.outcome).collect()
}

#[test]
fn each_topic_tells_what_was_decided() {
    use DeadLetterClass::{EvaluationError, MissingState};
    use FilterReason::{Interaction, OrganizationUnrelated};
    let event = only_event(plan(), &update(r#","active":true"#));
    assert_eq!(
        outcomes(&event),
        [
            TopicOutcome::Fired,
            TopicOutcome::Filtered(Interaction),
            TopicOutcome::Filtered(OrganizationUnrelated),
            TopicOutcome::DeadLetter(MissingState),
            TopicOutcome::OtherType,
            TopicOutcome::NoDestination,
            TopicOutcome::DeadLetter(EvaluationError),
        ]
    );
}

#[test]
fn each_destination_tells_what_it_gets() {
    let event = only_event(plan(), &update(r#","active":true"#));
    let [all, of_b, of_x] = event.topics[0].destinations.as_slice() else { panic!("three destinations") };
    for notified in [all, of_b] {
        let DestinationOutcome::Notified { key, bytes } = &notified.outcome else { panic!("{notified:?}") };
        assert_eq!(key.as_deref(), Some(&b"key"[..]));
        assert!(*bytes > 100);
    }
    assert_eq!(of_x.outcome, DestinationOutcome::Filtered(FilterReason::OrganizationUnrelated));
    assert_eq!(event.topics[1].destinations[0].outcome, DestinationOutcome::TopicDidNotFire);
}

#[test]
fn the_way_up_from_the_events_organization() {
    let upwards = vec!["Organization/b".to_owned(), "Organization/a".to_owned()];
    let named = EventOrganization::Named { source: ClaimSource::Envelope, upwards, in_hierarchy: true };
    assert_eq!(only_event(plan(), &update("")).organization, named);
    let unknown = update("").replace(ORGANIZATION, "Organization/z");
    let EventOrganization::Named { in_hierarchy, .. } = only_event(plan(), &unknown).organization else {
        panic!("it is named")
    };
    assert!(!in_hierarchy);
}

#[test]
fn what_the_sieve_left_out_is_explained_by_the_criterion_itself() {
    let of_women = TestPlan::new()
        .topic("http://t/women", None)
        .trigger("Patient", &[Update], Some("gender = 'female'"))
        .destination("women", Content::IdOnly, KeySource::None, None);
    let event = only_event(of_women, &update(r#","gender":"male""#));
    let topic = &event.topics[0];
    assert!(topic.sifted, "the sieve knows the codes of the criteria");
    assert_eq!(topic.outcome, TopicOutcome::Filtered(FilterReason::Criteria));
    let TriggerOutcome::Criterion(criterion) = &topic.triggers[0].outcome else { panic!("it is asked") };
    assert_eq!((criterion.answer, criterion.engine), (Answer::False, Engine::Program));
    assert_eq!(criterion.parts.as_ref().unwrap().seen.boolean(), Some(false));
}

#[test]
fn a_topic_of_another_organization_is_not_asked() {
    let event = only_event(plan(), &update(r#","active":true"#));
    assert!(matches!(event.topics[2].triggers[0].outcome, TriggerOutcome::NotAsked));
}

#[test]
fn the_process_stops_and_nothing_comes_out() {
    let plan = || plan().with(|plan| plan.on_error = OnError::Stop);
    let explanation = explained(plan(), &update(r#","active":true"#));
    assert!(explanation.stops);
    let event = only_event(plan(), &update(r#","active":true"#));
    assert_eq!(event.topics[0].destinations[0].outcome, DestinationOutcome::HeldBack);
    assert_eq!(event.topics[6].outcome, TopicOutcome::Stops);
}

#[test]
fn what_stands_behind_the_topic_that_stops_was_not_reached() {
    let of_women = plan()
        .topic("http://t/women", None)
        .trigger("Patient", &[Update], Some("gender = 'female'"))
        .destination("women", Content::IdOnly, KeySource::None, None)
        .with(|plan| plan.on_error = OnError::Stop);
    let event = only_event(of_women, &update(r#","active":true,"gender":"female""#));
    assert_eq!(event.topics[6].outcome, TopicOutcome::Stops);
    assert_eq!(event.topics[7].outcome, TopicOutcome::NotReached);
}

#[test]
fn a_skipped_error_and_a_skipped_state_are_told() {
    let lenient = plan().with(|plan| {
        plan.on_error = OnError::Skip;
        plan.on_missing_state = OnMissingState::Skip;
    });
    let event = only_event(lenient, &update(r#","active":true"#));
    assert_eq!(event.topics[3].outcome, TopicOutcome::Filtered(FilterReason::MissingState));
    assert_eq!(event.topics[6].outcome, TopicOutcome::FailedAndSkipped);
}

#[test]
fn a_notification_that_is_too_large_is_a_dead_letter() {
    let limits = Limits { max_message_bytes: 300, ..no_limits() };
    let explanation =
        Explainer::new(plan().build(), limits).explain(&record("changes", &update(r#","active":true"#)), None).unwrap();
    let event = &explanation.events.unwrap()[0];
    assert_eq!(event.topics[0].destinations[0].outcome, DestinationOutcome::DeadLetter(DeadLetterClass::TooLarge));
}

#[test]
fn what_is_no_event_says_why() {
    let explanation = explained(plan(), r#"{"resourceType":"Patient","id":"p1"}"#);
    assert_eq!(explanation.events.unwrap_err(), Undecodable::Interaction);
}

#[test]
fn only_the_topics_that_are_asked_for_are_explained() {
    let mut explainer = Explainer::new(plan().build(), no_limits());
    let value = update("");
    let explanation = explainer.explain(&record("changes", &value), Some(&[TopicIndex(3)])).unwrap();
    let topics: Vec<_> = explanation.events.unwrap()[0].topics.iter().map(|topic| topic.topic).collect();
    assert_eq!(topics, [TopicIndex(3)]);
    assert_eq!(explainer.explain(&record("elsewhere", &value), None).unwrap_err(), NotAnIngest);
}
