//! Any criterion about a small resource: `EXPRESSION | RESOURCE` (no resource: a stored one). Compiling and evaluating
//! end, with an answer that is the same the second time.

use std::sync::Arc;

use fhir_fanout::domain::event::{FhirRelease, Interaction};
use fhir_fanout::domain::fhirpath::{Budget, EVALUATION_STEPS, FhirPath, Severity};
use fhir_fanout::domain::json;
use serde_json::Value;

const RESOURCE: &str = include_str!("observation.json");

/// Compiles and evaluates.
pub fn run(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0x1e);
    let Some(Ok(text)) = parts.next().map(std::str::from_utf8) else { return };
    let focus = match parts.next().map(std::str::from_utf8) {
        None => json::value(RESOURCE).expect("the stored resource is JSON"),
        Some(Ok(own)) if own.len() < 4096 && json::inspect(own).is_ok() => match json::value(own) {
            Ok(own) => own,
            Err(_) => return,
        },
        Some(_) => return,
    };
    let fhirpath = FhirPath::new();
    let (criterion, problems) = fhirpath.compile_for(text, &["Observation"]);
    assert_eq!(criterion.is_none(), problems.iter().any(|problem| problem.severity == Severity::Error));
    for span in problems.iter().filter_map(|problem| problem.span.clone()) {
        assert!(text.get(span).is_some(), "a span is one of the text");
    }
    let Some(criterion) = criterion else { return };
    let focus = Arc::new(focus);
    for (interaction, state, previous) in [
        (Interaction::Create, Some(&focus), None),
        (Interaction::Update, Some(&focus), Some(&focus)),
        (Interaction::Delete, None::<&Arc<Value>>, None),
    ] {
        let subject = || {
            let (state, previous) = (state.cloned(), previous.cloned());
            fhirpath.subject(FhirRelease::R4, interaction, state, previous, "2024-05-02T08:30:00.123+02:00")
        };
        let evaluate = |subject| {
            let mut budget = Budget::of_evaluation();
            let answer = fhirpath.evaluate_within(&criterion, subject, &mut budget);
            (answer, EVALUATION_STEPS - budget.left())
        };
        let first = subject();
        let answer = evaluate(&first);
        assert_eq!(answer, evaluate(&first), "what is cached changes nothing");
        assert_eq!(answer, evaluate(&subject()), "the same event gives the same answer");
    }
}
