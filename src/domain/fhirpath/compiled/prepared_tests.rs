#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use super::prepared::{EventSubject, EventText, Prepared, Workspace};
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::fhirpath::{Budget, Criterion, EvaluationError, FhirPath};
use crate::domain::json::ObjectText;

const TIME: &str = "2026-01-01T00:00:00.000Z";

/// Not compiled: what `children()` gives is not known beforehand.
const GENERAL: &str = "children().exists()";

fn criteria(texts: &[&str]) -> Vec<Criterion> {
    texts.iter().map(|text| FhirPath::new().compile(text).0.unwrap()).collect()
}

fn prepared(criteria: &[Criterion]) -> Prepared {
    let all: Vec<_> = (0..criteria.len()).collect();
    FhirPath::new().prepare(FhirRelease::R4, "Patient", criteria, [&all; 3])
}

fn event<'e>(interaction: Interaction, focus: Option<&'e str>, previous: Option<&'e str>) -> EventText<'e> {
    let [focus, previous] = [focus, previous].map(|text| text.map(ObjectText::from));
    EventText { release: FhirRelease::R4, interaction, focus, previous, time: TIME }
}

/// The answers to all criteria, from programs where there are such, and from the general engine alone.
fn answers(texts: &[&str], event: EventText<'_>) -> [Vec<Result<bool, EvaluationError>>; 2] {
    let criteria = criteria(texts);
    let prepared = prepared(&criteria);
    [Some(&prepared), None].map(|prepared| {
        let mut workspace = Workspace::new();
        let mut subject = EventSubject::new(event, prepared, &mut workspace);
        let ask = |(position, criterion)| subject.evaluate(position, criterion, &mut Budget::of_evaluation());
        criteria.iter().enumerate().map(ask).collect()
    })
}

const STATES: [&str; 7] = [
    "active = true",
    "%current.exists()",
    "%current.active = true",
    "%previous.exists()",
    "%previous.active = true",
    "%resource.active = true",
    "now() = @2026-01-01T00:00:00Z",
];

#[test]
fn states_are_those_of_the_general_engine() {
    let (now, before) = (r#"{"resourceType":"Patient","active":true}"#, r#"{"resourceType":"Patient","active":false}"#);
    for (interaction, expected) in [
        (Interaction::Create, [true, true, true, false, false, true, true]),
        (Interaction::Update, [true, true, true, true, false, true, true]),
        (Interaction::Delete, [true, false, false, true, true, true, true]),
    ] {
        let [compiled, general] = answers(&STATES, event(interaction, Some(now), Some(before)));
        assert_eq!(compiled, expected.map(Ok), "{interaction:?}");
        assert_eq!(general, compiled, "{interaction:?}");
    }
    for (interaction, focus, previous, expected) in [
        (Interaction::Update, Some(now), None, [true, true, true, false, false, true, true]),
        (Interaction::Delete, None, Some(now), [true, false, false, true, true, true, true]),
    ] {
        let [compiled, general] = answers(&STATES, event(interaction, focus, previous));
        assert_eq!(compiled, expected.map(Ok), "{interaction:?}");
        assert_eq!(general, compiled, "{interaction:?}");
    }
    // The general engine knows no time either where there is no focus.
    let [compiled, _] = answers(&STATES, event(Interaction::Delete, None, None));
    assert_eq!(compiled, [false, false, false, false, false, false, true].map(Ok));
}

#[test]
fn what_is_not_compiled_stands_beside_what_is() {
    let texts = ["active = true", GENERAL, "%previous.children().exists()", "%previous.active = true"];
    let criteria = criteria(&texts);
    let prepared = prepared(&criteria);
    assert_eq!([0, 1, 2, 3, 4].map(|position| prepared.is_compiled(position)), [true, false, false, true, false]);
    let state = r#"{"resourceType":"Patient","active":true}"#;
    let [mixed, general] = answers(&texts, event(Interaction::Update, Some(state), Some(state)));
    assert_eq!(mixed, [Ok(true); 4]);
    assert_eq!(general, mixed);
    let [mixed, _] = answers(&texts, event(Interaction::Update, Some(state), None));
    assert_eq!(mixed, [Ok(true), Ok(true), Ok(false), Ok(false)]);
}

#[test]
fn a_state_is_read_when_it_is_asked_for() {
    let texts = ["active = true", "%previous.active = true", GENERAL];
    let state = r#"{"resourceType":"Patient","active":true}"#;
    // No record has such states: `Resource::read` refuses them.
    let [compiled, _] = answers(&texts, event(Interaction::Update, Some(state), Some("{")));
    assert_eq!(compiled, [Ok(true), Err(EvaluationError::Failed), Ok(true)]);
    let [compiled, _] = answers(&texts, event(Interaction::Update, Some("{"), Some(state)));
    assert_eq!(compiled, [Err(EvaluationError::Failed); 3]);
    let [compiled, _] = answers(&texts, event(Interaction::Create, Some(state), Some("{")));
    assert_eq!(compiled, [Ok(true), Ok(false), Ok(true)]);
}

#[test]
fn a_workspace_keeps_nothing_of_an_event() {
    let criteria = criteria(&["active = true", "%previous.active = true"]);
    let prepared = prepared(&criteria);
    let mut workspace = Workspace::new();
    for (active, before) in [("true", "false"), ("false", "true"), ("true", "true"), ("[]", "null")] {
        let [focus, previous] =
            [active, before].map(|active| format!(r#"{{"resourceType":"Patient","active":{active}}}"#));
        let event = event(Interaction::Update, Some(&focus), Some(&previous));
        let mut subject = EventSubject::new(event, Some(&prepared), &mut workspace);
        for (position, expected) in [active == "true", before == "true"].into_iter().enumerate() {
            let answer = subject.evaluate(position, &criteria[position], &mut Budget::of_evaluation());
            assert_eq!(answer, Ok(expected), "{active} {before}");
        }
    }
}

#[test]
fn what_is_no_type_of_the_release_is_left_to_the_general_engine() {
    let criteria = criteria(&["active = true"]);
    for (resource_type, is_compiled) in [("Patient", true), ("Resource", false), ("Chart", false)] {
        let prepared = FhirPath::new().prepare(FhirRelease::R4, resource_type, &criteria, [&[0, 0, 7]; 3]);
        assert_eq!(prepared.is_compiled(0), is_compiled, "{resource_type}");
    }
}

#[test]
fn evaluations_are_paid() {
    let criteria = criteria(&["active = true"]);
    let prepared = prepared(&criteria);
    let mut workspace = Workspace::new();
    let state = r#"{"resourceType":"Patient","active":true}"#;
    let event = event(Interaction::Create, Some(state), None);
    let mut subject = EventSubject::new(event, Some(&prepared), &mut workspace);
    let mut budget = Budget::of_evaluation();
    let before = budget.left();
    assert_eq!(subject.evaluate(0, &criteria[0], &mut budget), Ok(true));
    assert!(budget.left() < before);
    while budget.left() > 0 {
        let _ = subject.evaluate(0, &criteria[0], &mut budget);
    }
    assert_eq!(subject.evaluate(0, &criteria[0], &mut budget), Err(EvaluationError::TooCostly));
}
