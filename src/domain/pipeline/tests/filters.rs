//! Who is notified: interactions, organizations, and the counts of what was left out.

use crate::domain::event::Interaction;
use crate::domain::plan::{Content, KeySource};
use crate::domain::tally::{EventOutcome, FilterReason};
use crate::domain::testing::{Run, TestPlan, record, resource_of};

fn event_from(organization: Option<&str>) -> String {
    format!(r#"{{"interaction":"create","resource":{}}}"#, resource_of(organization))
}

fn run(plan: TestPlan, value: &str) -> Run {
    plan.run(&record("changes", value))
}

fn patients(topic: Option<&str>, destination: Option<&str>) -> TestPlan {
    let plan = TestPlan::new().parent("Organization/b", "Organization/a");
    let plan = plan.topic("http://example.org/t", topic).trigger("Patient", &Interaction::ALL, None);
    plan.destination("d", Content::FullResource, KeySource::Source, destination)
}

fn by_topic(run: &Run, reason: FilterReason) -> u64 {
    run.tally.filtered_by_topic[0][reason.index()]
}

fn by_destination(run: &Run, reason: FilterReason) -> u64 {
    run.tally.filtered_by_destination[0][reason.index()]
}

/// Aidbox's first example: B is part of A; the topic belongs to A, the destination to B.
#[test]
fn topic_of_the_parent_and_destination_of_the_child() {
    let plan = || patients(Some("Organization/a"), Some("Organization/b"));

    let from_a = run(plan(), &event_from(Some("Organization/a")));
    assert!(from_a.outputs.is_empty());
    assert_eq!(by_topic(&from_a, FilterReason::OrganizationUnrelated), 0, "the topic takes it");
    assert_eq!(by_destination(&from_a, FilterReason::OrganizationUnrelated), 1, "the destination does not");

    assert_eq!(run(plan(), &event_from(Some("Organization/b"))).notified(), ["d"]);

    let unrelated = run(plan().parent("Organization/y", "Organization/x"), &event_from(Some("Organization/y")));
    assert!(unrelated.outputs.is_empty());
    assert_eq!(by_topic(&unrelated, FilterReason::OrganizationUnrelated), 1, "the topic does not take it");
    assert_eq!(by_destination(&unrelated, FilterReason::OrganizationUnrelated), 0, "the destination is not asked");
}

/// Aidbox's second example: A and B are not related; only the destination has an organization.
#[test]
fn filtering_at_the_destination_only() {
    let plan = || {
        let plan = TestPlan::new().topic("http://example.org/t", None).trigger("Patient", &Interaction::ALL, None);
        let plan = plan.parent("Organization/c", "Organization/b");
        plan.destination("d", Content::FullResource, KeySource::Source, Some("Organization/a"))
    };
    assert_eq!(run(plan(), &event_from(Some("Organization/a"))).notified(), ["d"]);
    let from_b = run(plan(), &event_from(Some("Organization/b")));
    assert!(from_b.outputs.is_empty());
    assert_eq!(by_destination(&from_b, FilterReason::OrganizationUnrelated), 1);
}

#[test]
fn without_required_organization_every_event_passes() {
    for organization in [None, Some("Organization/a"), Some("Organization/z"), Some("nonsense")] {
        assert_eq!(run(patients(None, None), &event_from(organization)).notified(), ["d"]);
    }
}

#[test]
fn what_is_unclear_fails_closed_with_its_own_reason() {
    let plan = || patients(Some("Organization/a"), None);
    for (organization, reason) in [
        (None, FilterReason::OrganizationMissing),
        (Some("Organization/z"), FilterReason::OrganizationUnknown),
        (Some("Patient/a"), FilterReason::OrganizationUnknown),
        (Some("urn:uuid:a"), FilterReason::OrganizationUnknown),
    ] {
        let run = run(plan(), &event_from(organization));
        assert!(run.outputs.is_empty());
        assert_eq!(by_topic(&run, reason), 1, "{organization:?}");
        assert_eq!(run.tally.events[0][EventOutcome::Unmatched.index()], 1);
    }
}

#[test]
fn the_envelopes_organization_wins_over_that_of_the_focus() {
    let event = |organization: &str| {
        let resource = resource_of(Some("Organization/b"));
        format!(r#"{{"interaction":"create","organization":{organization},"resource":{resource}}}"#)
    };
    let reaches_a =
        |organization| !run(patients(Some("Organization/a"), None), &event(organization)).outputs.is_empty();
    assert!(reaches_a(r#""Organization/a""#));
    assert!(reaches_a(r#"{"reference":"http://h/fhir/Organization/b/_history/1"}"#));
    assert!(reaches_a("null"), "null is absent: the focus's organization counts");
    assert!(!reaches_a(r#""Organization/z""#));
    assert!(!reaches_a("7"), "unreadable fails closed, it does not fall back");
    assert!(!reaches_a(r#"{"display":"Clinic"}"#));
}

#[test]
fn a_deletes_organization_is_that_of_its_last_known_state() {
    let value = format!(r#"{{"interaction":"delete","previous":{}}}"#, resource_of(Some("Organization/b")));
    assert_eq!(run(patients(Some("Organization/a"), None), &value).notified(), ["d"]);
    let bare = r#"{"interaction":"delete","reference":"Patient/p1"}"#;
    let without = run(patients(Some("Organization/a"), None), bare);
    assert_eq!(by_topic(&without, FilterReason::OrganizationMissing), 1);
}

#[test]
fn interactions() {
    for wanted in Interaction::ALL {
        for told in Interaction::ALL {
            let plan = TestPlan::new().topic("http://example.org/t", None).trigger("Patient", &[wanted], None);
            let plan = plan.destination("d", Content::FullResource, KeySource::Source, None);
            let value = format!(r#"{{"interaction":"{}","resource":{}}}"#, told.code(), resource_of(None));
            let run = run(plan, &value);
            assert_eq!(run.outputs.len(), usize::from(wanted == told));
            assert_eq!(by_topic(&run, FilterReason::Interaction), u64::from(wanted != told));
        }
    }
}

#[test]
fn another_resource_type_is_no_filtered_event() {
    let plan = TestPlan::new().topic("http://example.org/t", None).trigger("Encounter", &Interaction::ALL, None);
    let run = run(plan.destination("d", Content::Empty, KeySource::None, None), &event_from(None));
    assert!(run.outputs.is_empty());
    assert_eq!(run.tally.filtered_by_topic, [[0; FilterReason::ALL.len()]]);
    assert_eq!(run.tally.events[0][EventOutcome::Unmatched.index()], 1);
}

#[test]
fn inferred_interactions_are_counted() {
    let inferred = TestPlan::everything().run(&record("resources", r#"{"resourceType":"Patient","id":"1"}"#));
    assert_eq!(inferred.tally.inferred_interactions, [0, 1, 0]);
    let told = TestPlan::everything().run(&record("changes", &event_from(None)));
    assert_eq!(told.tally.inferred_interactions, [0, 0, 0]);
}
