#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use proptest::prelude::*;

use super::prepared::{EventSubject, EventText, Prepared, Workspace};
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::fhirpath::{Budget, Criterion, EvaluationError, FhirPath};

pub(super) fn criteria(texts: &[String]) -> Vec<Criterion> {
    texts.iter().map(|text| FhirPath::new().compile(text).0.unwrap_or_else(|| panic!("{text}"))).collect()
}

pub(super) fn prepared(criteria: &[Criterion]) -> Prepared {
    let all: Vec<_> = (0..criteria.len()).collect();
    FhirPath::new().prepare(FhirRelease::R4, "Observation", criteria, [&all; 3])
}

pub(super) fn event(focus: &str) -> EventText<'_> {
    let time = "2026-01-01T00:00:00Z";
    let focus = Some(focus.into());
    EventText { release: FhirRelease::R4, interaction: Interaction::Update, focus, previous: None, time }
}

pub(super) fn sift(prepared: &Prepared, focus: &str) -> Option<Vec<u32>> {
    let mut workspace = Workspace::new();
    let mut subject = EventSubject::new(event(focus), Some(prepared), &mut workspace);
    subject.sift(&mut Budget::of_evaluation()).map(<[u32]>::to_vec)
}

pub(super) fn evaluate(
    prepared: &Prepared,
    criteria: &[Criterion],
    position: usize,
    focus: &str,
) -> Result<bool, EvaluationError> {
    let mut workspace = Workspace::new();
    let mut subject = EventSubject::new(event(focus), Some(prepared), &mut workspace);
    subject.evaluate(position, &criteria[position], &mut Budget::of_evaluation())
}

/// No criterion that is left out of an event would have been anything but false.
pub(super) fn what_is_left_out_is_evaluated_to_false(texts: &[String], events: &[String]) -> Result<(), TestCaseError> {
    let criteria = criteria(texts);
    let prepared = prepared(&criteria);
    for focus in events {
        let Some(found) = sift(&prepared, focus) else { continue };
        for position in prepared.sifted(Interaction::Update) {
            if !found.contains(position) {
                let position = *position as usize;
                let answer = evaluate(&prepared, &criteria, position, focus);
                prop_assert_eq!(answer, Ok(false), "{} on {}", &texts[position], focus);
            }
        }
    }
    Ok(())
}

pub(super) fn takes(text: &str) -> bool {
    let criteria = criteria(&[text.to_owned()]);
    let prepared = prepared(&criteria);
    assert!(prepared.is_compiled(0), "{text}");
    !prepared.sifted(Interaction::Update).is_empty()
}

#[test]
fn of_a_thousand_codes_the_one_is_found_that_the_event_has() {
    let of_code = |code| format!("code.coding.where(system = 'http://loinc.org' and code = 'c{code}').exists()");
    let criteria = criteria(&(0..1000).map(of_code).collect::<Vec<_>>());
    let prepared = prepared(&criteria);
    assert_eq!(prepared.sifted(Interaction::Create).len(), 1000);
    let focus = |code: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"1","status":"final",
                 "code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}},{{"code":"c7"}}]}}}}"#
        )
    };
    assert_eq!(sift(&prepared, &focus("c500")), Some(vec![7, 500]));
    assert_eq!(sift(&prepared, &focus("c1000")), Some(vec![7]));
    assert_eq!(sift(&prepared, &focus("\\u0063500")), Some(vec![7, 500]));
    assert_eq!(evaluate(&prepared, &criteria, 500, &focus("c500")), Ok(true));
    assert_eq!(evaluate(&prepared, &criteria, 7, &focus("c500")), Ok(false));
}

#[test]
fn what_needs_no_literal_or_could_fail_without_it_is_not_sifted() {
    for text in [
        "status = 'final'",
        "'final' = %resource.status",
        "status in ('final' | 'amended')",
        "status = 'final' or code.text = 'x'",
        "status = 'final' and code.text.exists()",
        "code.coding.exists(code = 'x') and value.value > 5",
        "code.coding.where(code = 'x').display.exists()",
        "code.coding.where(system = 's').where(code = 'x').exists()",
        "code.coding.first().code = 'x'",
        "code.coding.where(code in ('x' | 'y')).exists()",
        "component.where(code.coding.exists(code = 'x') and value.value > 5).exists()",
        "category.coding.code = 'x' and status != 'final'",
        "%current.status = 'final'",
        "%previous.status != 'final' and %current.status = 'final'",
    ] {
        assert!(takes(text), "{text}");
    }
    for text in [
        "status != 'final'",
        "(status = 'final').not()",
        "status.empty() or status = 'final'",
        "status = 'final' or value.value > 5",
        // The comparison of the value is asked for, and fails, where the status is missing.
        "status = 'final' and value.value > 5",
        "value.value > 5 and status = 'final'",
        "value.value > 5",
        "status = code.text",
        "code.coding.where(code = 'x').empty()",
        "code.coding.all(code = 'x')",
        "%previous.status = 'final'",
        "%previous.status != 'final' or status = 'final'",
        "status = 'final' xor status = 'x'",
        "status = 'final' implies code.text = 'x'",
        "category.coding.code in ('x' | 'y')",
        "status ~ 'final'",
        "iif(status = 'final', true, false)",
    ] {
        assert!(!takes(text), "{text}");
    }
}

#[test]
fn an_event_that_could_make_one_fail_is_not_sifted() {
    let criteria = criteria(&["status in ('final' | 'amended')".to_owned(), "code.text = 'x'".to_owned()]);
    let prepared = prepared(&criteria);
    let twice = r#"{"resourceType":"Observation","status":["registered","x"]}"#;
    assert_eq!(sift(&prepared, twice), None);
    assert_eq!(evaluate(&prepared, &criteria, 0, twice), Err(EvaluationError::Failed));
    assert_eq!(sift(&prepared, r#"{"resourceType":"Observation","status":["final"]}"#), Some(vec![0]));
    assert_eq!(sift(&prepared, r#"{"resourceType":"Observation","status":"x"}"#), Some(vec![]));
    assert_eq!(sift(&prepared, "{"), None);
}

#[test]
fn the_walk_is_paid_and_ends_with_the_budget() {
    let criteria = criteria(&["code.coding.code = 'x'".to_owned()]);
    let prepared = prepared(&criteria);
    let codings = vec![r#"{"code":"y"}"#; 10_000].join(",");
    let focus = format!(r#"{{"resourceType":"Observation","code":{{"coding":[{codings}]}}}}"#);
    let mut workspace = Workspace::new();
    let mut budget = Budget::of_evaluation();
    let before = budget.left();
    let mut subject = EventSubject::new(event(&focus), Some(&prepared), &mut workspace);
    assert_eq!(subject.sift(&mut budget), Some([].as_slice()));
    let paid = before - budget.left();
    assert!((20_000..40_000).contains(&paid), "{paid}");
    let mut found = None;
    for _ in 0..before / paid + 1 {
        found = subject.sift(&mut budget).map(<[u32]>::len);
    }
    assert_eq!((found, budget.left()), (None, 0));
}

const PATHS: [&str; 8] = [
    "status",
    "code.text",
    "code.coding.code",
    "code.coding.first().code",
    "category.coding.where(system = 'a').code",
    "value.coding.code",
    "value",
    "%resource.component.code.coding.code",
];

/// Criteria of all kinds, whether they are sifted or not.
pub(super) fn criterion() -> impl Strategy<Value = String> {
    let literal = || prop::sample::select(vec!["a", "b", "c", "d"]);
    let path = prop::sample::select(&PATHS[..]);
    let atom = prop_oneof![
        4 => (path.clone(), literal()).prop_map(|(path, literal)| format!("{path} = '{literal}'")),
        1 => (path.clone(), literal()).prop_map(|(path, literal)| format!("'{literal}' != {path}")),
        2 => (path.clone(), literal()).prop_map(|(path, literal)| format!("{path} in ('{literal}' | 'd')")),
        1 => path.clone().prop_map(|path| format!("{path}.exists()")),
        1 => path.prop_map(|path| format!("{path} > 5")),
        1 => Just("value.value > 5".to_owned()),
        2 => (literal(), literal()).prop_map(|(system, code)| {
            format!("code.coding.where(system = '{system}' and code = '{code}').exists()")
        }),
        2 => (literal(), literal()).prop_map(|(one, other)| {
            format!("component.exists(code.coding.code = '{one}' or code.text in ('{other}' | '{one}'))")
        }),
        1 => literal().prop_map(|code| format!("code.coding.where(code in ('{code}')).display = 'a'")),
        1 => literal().prop_map(|code| format!("code.coding.all(code = '{code}')")),
    ];
    atom.prop_recursive(3, 8, 2, |inner| {
        let operator = prop::sample::select(vec!["and", "or", "xor", "implies"]);
        prop_oneof![
            3 => (inner.clone(), operator, inner.clone())
                .prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
            2 => (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} and {right}")),
            1 => inner.prop_map(|inner| format!("({inner}).not()")),
        ]
    })
}

/// A text at a place, of the right shape or not.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![r#""a""#, r#""b""#, r#""c""#, r#""\u0061""#]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["null", "5", "true", "{}", "[]", r#"["a"]"#, r#"["a","b"]"#, r#"[["a"],null]"#])
            .prop_map(str::to_owned),
    ]
}

fn object(members: Vec<(&'static str, BoxedStrategy<String>)>) -> BoxedStrategy<String> {
    let members = members.into_iter().map(|(name, value)| {
        prop::option::weighted(0.7, value).prop_map(move |value| value.map(|value| format!(r#""{name}":{value}"#)))
    });
    members
        .collect::<Vec<_>>()
        .prop_map(|members| format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(",")))
        .boxed()
}

fn list(item: BoxedStrategy<String>) -> BoxedStrategy<String> {
    prop_oneof![
        6 => prop::collection::vec(item.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(","))),
        1 => item,
    ]
    .boxed()
}

pub(super) fn observation() -> BoxedStrategy<String> {
    let text = || text().boxed();
    let companions = list(Just(r#"{"id":"x"}"#.to_owned()).boxed());
    let coding = object(vec![("system", text()), ("code", text()), ("display", text()), ("_code", companions.clone())]);
    let concept = || object(vec![("coding", list(coding.clone())), ("text", text()), ("_text", companions.clone())]);
    let quantity = Just(r#"{"value":7}"#.to_owned()).boxed();
    object(vec![
        ("status", text()),
        ("_status", companions.clone()),
        ("code", concept()),
        ("category", list(concept())),
        ("valueCodeableConcept", concept()),
        ("valueString", text()),
        ("valueQuantity", list(quantity)),
        ("component", list(object(vec![("code", concept())]))),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_left_out_is_false(
        texts in prop::collection::vec(criterion(), 1..12),
        events in prop::collection::vec(observation(), 8),
    ) {
        what_is_left_out_is_evaluated_to_false(&texts, &events)?;
    }
}
