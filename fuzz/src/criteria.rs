//! Any criterion about a small resource: `EXPRESSION | RESOURCE` (no resource: a stored one). Compiling and evaluating
//! end, compiled and by the general engine, with answers that are the same the second time and within the budget; what
//! the sieve leaves out does not fire.
//!
//! That both engines give the same answer is no promise, for the general engine is wrong in places: the differential
//! tests look at that.

use std::sync::Arc;

use fhir_fanout::domain::event::{FhirRelease, Interaction};
use fhir_fanout::domain::fhirpath::{
    Budget, Criterion, EVALUATION_STEPS, EvaluationError, EventSubject, EventText, FhirPath, Prepared, Severity,
    Workspace,
};
use fhir_fanout::domain::json::{self, ObjectText, Outline};
use serde_json::Value;

const RESOURCE: &str = include_str!("observation.json");

/// Compiles and evaluates.
pub fn run(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0x1e);
    let Some(Ok(text)) = parts.next().map(std::str::from_utf8) else { return };
    let focus = match parts.next().map(std::str::from_utf8) {
        None => RESOURCE,
        Some(Ok(own)) if own.len() < 4096 && Outline::read(own).is_ok() => own,
        Some(_) => return,
    };
    let Ok(value) = json::value(focus) else { return };
    let fhirpath = FhirPath::new();
    let (criterion, problems) = fhirpath.compile_for(text, &["Observation"], &[]);
    assert_eq!(criterion.is_none(), problems.iter().any(|problem| problem.severity == Severity::Error));
    for span in problems.iter().filter_map(|problem| problem.span.clone()) {
        assert!(text.get(span).is_some(), "a span is one of the text");
    }
    let Some(criterion) = criterion else { return };
    by_general_engine(&criterion, &Arc::new(value));
    compiled(&[criterion], focus);
}

fn by_general_engine(criterion: &Criterion, focus: &Arc<Value>) {
    let fhirpath = FhirPath::new();
    for (interaction, state, previous) in [
        (Interaction::Create, Some(focus), None),
        (Interaction::Update, Some(focus), Some(focus)),
        (Interaction::Delete, None::<&Arc<Value>>, None),
    ] {
        let subject = || {
            let (state, previous) = (state.cloned(), previous.cloned());
            fhirpath.subject(FhirRelease::R4, interaction, state, previous, "2024-05-02T08:30:00.123+02:00")
        };
        let evaluate = |subject| {
            let mut budget = Budget::of_evaluation();
            let answer = fhirpath.evaluate_within(criterion, subject, &mut budget);
            (answer, EVALUATION_STEPS - budget.left())
        };
        let first = subject();
        let answer = evaluate(&first);
        assert_eq!(answer, evaluate(&first), "what is cached changes nothing");
        assert_eq!(answer, evaluate(&subject()), "the same event gives the same answer");
    }
}

/// As the pipeline asks: from the text of the event, in one workspace for all events.
fn compiled(criteria: &[Criterion], focus: &str) {
    let Ok(outline) = Outline::read(focus) else { return };
    let focus = &outline;
    let mut workspace = Workspace::new();
    for release in [FhirRelease::R4, FhirRelease::R5] {
        let prepared = FhirPath::new().prepare(release, "Observation", criteria, [&[0]; 3]);
        if !prepared.is_compiled(0) {
            continue;
        }
        for (interaction, focus, previous) in [
            (Interaction::Create, Some(focus), None),
            (Interaction::Update, Some(focus), Some(focus)),
            (Interaction::Update, Some(focus), None),
            (Interaction::Delete, Some(focus), None),
            (Interaction::Delete, None, None),
        ] {
            let time = "2024-05-02T08:30:00.123+02:00";
            let states = [focus, previous];
            let [focus, previous] = states.map(|outline| outline.map(ObjectText::from));
            let event = EventText { release, interaction, focus, previous, time };
            let [focus, previous] = states.map(|outline| outline.map(|outline| outline.text().into()));
            let plain = EventText { focus, previous, ..event };
            let first = ask(&criteria[0], event, &prepared, &mut workspace);
            assert_eq!(first, ask(&criteria[0], event, &prepared, &mut workspace), "the workspace remembers nothing");
            assert_eq!(first, ask(&criteria[0], event, &prepared, &mut Workspace::new()), "a new workspace is the same");
            assert_eq!(first, ask(&criteria[0], plain, &prepared, &mut workspace), "without the places it is the same");
        }
    }
}

fn ask(
    criterion: &Criterion,
    event: EventText<'_>,
    prepared: &Prepared,
    workspace: &mut Workspace,
) -> (Result<bool, EvaluationError>, u64) {
    let mut budget = Budget::of_evaluation();
    let mut subject = EventSubject::new(event, Some(prepared), workspace);
    let is_left_out = match subject.sift(&mut Budget::of_evaluation()) {
        Some(open) => prepared.sifted(event.interaction) == [0] && open.is_empty(),
        None => false,
    };
    let answer = subject.evaluate(0, criterion, &mut budget);
    assert!(!is_left_out || answer == Ok(false), "what is left out does not fire: {answer:?}");
    (answer, EVALUATION_STEPS - budget.left())
}
