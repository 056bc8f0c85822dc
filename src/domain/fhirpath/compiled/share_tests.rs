//! Tests that criteria share are evaluated once, and no answer depends on it.
#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use proptest::prelude::*;

use super::prepared::{EventSubject, EventText, Prepared, Workspace};
use super::sieve_tests::{criteria, criterion, event, observation, prepared};
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::fhirpath::{Budget, Criterion, EvaluationError, FhirPath};

fn shared(texts: &[&str]) -> usize {
    let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    prepared(&criteria(&texts)).shared_tests()
}

#[test]
fn equal_tests_are_shared_however_they_are_written() {
    let loinc = "code.coding.where(system = 'http://loinc.org').exists()";
    let (high, low) = (format!("{loinc} and value.value > 5"), format!("value.value < 3 and ({loinc})"));
    assert_eq!(shared(&[&high, &low]), 1);
    assert_eq!(shared(&[&high, "%resource.code.coding.where(%loinc = system).exists()"]), 0);
    assert_eq!(shared(&[&high, "status = 'x' or %resource.code.coding.where(system = %loinc).exists()"]), 1);
    assert_eq!(shared(&["status = 'a' and issued < now()", "%context.status='a' or now() > issued"]), 1);
    // Of two that are equal as a whole there is one; their parts are nobody else's.
    assert_eq!(shared(&["status = 'a' and code.text = 'b'", "((status = 'a')) and %resource.code.text = 'b'"]), 1);
    assert_eq!(shared(&["status = 'a'", "status = 'b'", "status != 'a'", "id = 'a'", "%previous.status = 'a'"]), 0);
    assert_eq!(shared(&["value.value > 5", "value.value > 5.0", "value.value >= 5", "5 > value.value"]), 0);
    assert_eq!(shared(&["%current.status = 'a'", "status = 'a'"]), 0);
    assert_eq!(shared(&["value is Quantity and id = 'a'", "value is string and id = 'b'"]), 0);
    assert_eq!(shared(&["code.text.matches('a') or id = 'a'", "code.text.matches('b') or id = 'b'"]), 0);
    assert_eq!(shared(&["true and status.exists()", "true and id.exists()"]), 0);
}

#[test]
fn what_depends_on_the_item_of_a_lambda_is_not_shared() {
    assert_eq!(shared(&["component.exists(code.text = 'a')", "code.text = 'a'"]), 0);
    assert_eq!(shared(&["component.exists(code.text = 'a')", "category.exists(coding.code = 'a' and text = 'a')"]), 0);
    assert_eq!(shared(&["component.where($index > 0).exists()", "category.where($index > 0).exists()"]), 0);
    assert_eq!(shared(&["component.first().iif(code.exists(), true)", "code.exists()"]), 0);
    // The item has the type of the resource.
    assert_eq!(shared(&["%previous.iif(status = 'a', true, false)", "status = 'a'"]), 0);
    assert_eq!(shared(&["%previous.exists(status = 'a' and id = 'b')", "status = 'a' or id = 'a'"]), 0);
    // Each item would ask for it.
    assert_eq!(shared(&["component.exists(%resource.status = 'final' and code.text = 'a')"]), 1);
    assert_eq!(shared(&["component.exists(%resource.status = 'final')", "status = 'final'"]), 1);
    // The whole depends on nothing around it.
    assert_eq!(shared(&["id = 'x' or component.exists(code.text = 'a')", "component.exists(code.text = 'a')"]), 1);
}

fn spent(prepared: &Prepared, all: &[Criterion], asked: &[usize], focus: &str) -> Vec<u64> {
    let mut workspace = Workspace::new();
    let mut subject = EventSubject::new(event(focus), Some(prepared), &mut workspace);
    let mut budget = Budget::of_evaluation();
    let ask = |position: &usize| {
        let before = budget.left();
        let _any = subject.evaluate(*position, &all[*position], &mut budget);
        before - budget.left()
    };
    asked.iter().map(ask).collect()
}

#[test]
fn a_shared_test_is_paid_once_by_the_record() {
    let loinc = "code.coding.where(system = 'http://loinc.org').exists()";
    let all = criteria(&[format!("{loinc} and status = 'a'"), format!("{loinc} and status = 'b'")]);
    let prepared = prepared(&all);
    let codings = vec![r#"{"system":"s"}"#; 1000].join(",");
    let focus = format!(r#"{{"status":"a","code":{{"coding":[{codings}]}}}}"#);
    let [alone, other] = *spent(&prepared, &all, &[0, 1], &focus) else { panic!("two were asked") };
    assert!(alone > 3000, "{alone}");
    assert!(other < 10, "{other}");
    assert_eq!(spent(&prepared, &all, &[1, 0], &focus)[0], alone);
}

#[test]
fn a_shared_test_that_fails_fails_for_each() {
    let all = criteria(
        &[
            "status in ('a' | 'b') or id = 'x'",
            "id = 'y' or status in ('a' | 'b')",
            "id = 'o' or status in ('a' | 'b')",
        ]
        .map(str::to_owned),
    );
    let prepared = prepared(&all);
    assert_eq!(prepared.shared_tests(), 1);
    let mut workspace = Workspace::new();
    let twice = r#"{"id":"o","status":["a","b"]}"#;
    let mut subject = EventSubject::new(event(twice), Some(&prepared), &mut workspace);
    let mut ask = |position: usize| subject.evaluate(position, &all[position], &mut Budget::of_evaluation());
    let expected = [Err(EvaluationError::Failed), Err(EvaluationError::Failed), Ok(true)];
    assert_eq!([0, 1, 2].map(&mut ask), expected);
    assert_eq!([2, 1, 0].map(&mut ask), [expected[2], expected[1], expected[0]]);
}

#[test]
fn each_event_has_answers_of_its_own() {
    let all = criteria(
        &["status = 'a' and issued < now()", "issued < now() or status = 'b'", "status = 'a' or id = 'x'"]
            .map(str::to_owned),
    );
    let shared = prepared(&all);
    assert_eq!(shared.shared_tests(), 2);
    let other = prepared(&criteria(&["code.text = 'a' or id.exists()", "code.text = 'a'"].map(str::to_owned)));
    let mut workspace = Workspace::new();
    for (status, time, expected) in [
        ("a", "2026-01-01T00:00:00Z", [true, true, true]),
        ("a", "2025-01-01T00:00:00Z", [false, false, true]),
        ("b", "2026-01-01T00:00:00Z", [false, true, false]),
        ("c", "2025-01-01T00:00:00Z", [false, false, false]),
    ] {
        let focus = format!(r#"{{"status":"{status}","issued":"2025-06-01T00:00:00Z","code":{{"text":"a"}}}}"#);
        let text = EventText {
            release: FhirRelease::R4,
            interaction: Interaction::Update,
            focus: Some(focus.as_str().into()),
            previous: None,
            time,
        };
        let mut subject = EventSubject::new(text, Some(&shared), &mut workspace);
        let mut ask = |position: usize| subject.evaluate(position, &all[position], &mut Budget::of_evaluation());
        assert_eq!([0, 1, 2].map(&mut ask), expected.map(Ok), "{status} {time}");
        // Criteria of another type have the same slots.
        drop(subject);
        let mut subject = EventSubject::new(text, Some(&other), &mut workspace);
        let answer = subject.evaluate(1, &criteria(&["code.text = 'a'".to_owned()])[0], &mut Budget::of_evaluation());
        assert_eq!(answer, Ok(true));
    }
}

/// Criteria as deep and as long as they may be are prepared with the stack of a task's thread.
#[test]
fn the_longest_criteria_are_prepared() {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let prepare = || {
        let chain =
            |operand: &str, operator: &str| vec![operand; if operator.len() > 5 { 90 } else { 900 }].join(operator);
        let nested = |open: &str, middle: &str, close: &str, depth: usize| {
            format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
        };
        let texts = [
            chain("status = 'a'", " and "),
            chain("status", " | ") + " = 'a'",
            nested("(", &chain("status = 'a'", " = true = "), ") = true", 30),
            nested("component.exists(", "code.text = 'x'", ")", 1),
            nested("extension.exists(", "url = 'x'", ")", 30),
            nested("status = 'a' and (", "id = 'x'", ") or id = 'y'", 30),
            nested("iif(status = 'a', ", "true", ", false)", 30),
        ];
        let compile = |text: &String| FhirPath::new().compile(text).0;
        let all: Vec<_> = texts.iter().filter_map(compile).collect();
        assert!(all.len() >= 6, "{}", all.len());
        let prepared = prepared(&all);
        let compiled: Vec<_> = (0..all.len()).filter(|position| prepared.is_compiled(*position)).collect();
        assert!(compiled.len() >= 5, "{compiled:?}");
        spent(&prepared, &all, &compiled, r#"{"status":"a"}"#);
    };
    thread.spawn(prepare).unwrap().join().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// In any order, and with any limit of steps, each says what it says alone.
    #[test]
    fn no_answer_depends_on_the_others(
        texts in prop::collection::vec(criterion(), 2..8),
        events in prop::collection::vec(observation(), 4),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
        steps in prop_oneof![1..60_u64, Just(2_000_000)],
    ) {
        // Some have much in common.
        let joined = texts.windows(2).map(|pair| format!("({}) and ({})", pair[1], pair[0]));
        let texts: Vec<_> = texts.iter().cloned().chain(joined).collect();
        let all = criteria(&texts);
        let together = prepared(&all);
        let budget = || Budget::of_record(steps, 1 << 20);
        for focus in &events {
            let mut workspace = Workspace::new();
            let mut subject = EventSubject::new(event(focus), Some(&together), &mut workspace);
            for position in order.iter().map(|index| index.index(all.len())) {
                let answer = subject.evaluate(position, &all[position], &mut budget());
                let alone = criteria(&texts[position..=position]);
                let apart = prepared(&alone);
                let mut workspace = Workspace::new();
                let mut subject = EventSubject::new(event(focus), Some(&apart), &mut workspace);
                let expected = subject.evaluate(0, &alone[0], &mut budget());
                prop_assert_eq!(answer, expected, "{} on {} with {}", &texts[position], focus, steps);
            }
        }
    }
}
