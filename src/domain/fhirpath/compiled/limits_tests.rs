//! Criteria that ask whether a value is beyond a literal are left out by one look-up for all, and only where they are
//! false.
#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use proptest::prelude::*;

use super::prepared::{EventSubject, Workspace};
use super::sieve_tests::{criteria, evaluate, event, prepared, sift};
use crate::domain::event::Interaction;
use crate::domain::fhirpath::{Budget, EvaluationError, FhirPath};

/// Criteria that compare one operand with these literals.
fn texts(operand: &str, operator: &str, limits: &[&str]) -> Vec<String> {
    limits.iter().map(|limit| format!("{operand} {operator} {limit}")).collect()
}

/// Which of these criteria are left to be evaluated; of all of them it must be right.
fn left(texts: &[String], focus: &str) -> Vec<u32> {
    let criteria = criteria(texts);
    let prepared = prepared(&criteria);
    assert_eq!(prepared.sifted(Interaction::Update).len(), texts.len(), "{texts:?}");
    let found = sift(&prepared, focus).expect("it is sure");
    for (position, text) in texts.iter().enumerate().filter(|(position, _)| !found.contains(&(*position as u32))) {
        assert_eq!(evaluate(&prepared, &criteria, position, focus), Ok(false), "{text}");
    }
    found
}

fn quantity(members: &str) -> String {
    format!(r#"{{"resourceType":"Observation","valueQuantity":{{{members}}}}}"#)
}

const NUMBERS: [&str; 5] = ["3", "1", "2.50", "2.5", "100000000000000000000000.5"];

#[test]
fn of_many_limits_those_are_found_that_a_number_is_beyond() {
    for operand in ["value.value", "value.ofType(Quantity).value", "(value as Quantity).value"] {
        for (operator, number, expected) in [
            (">", "2.5", vec![1]),
            (">=", "2.500", vec![1, 2, 3]),
            ("<", "2.5", vec![0, 4]),
            ("<=", "2.5", vec![0, 2, 3, 4]),
            (">", "100000000000000000000000.50000000000001", vec![0, 1, 2, 3, 4]),
            ("<=", "100000000000000000000000.50000000000001", vec![]),
            (">", "-1e400", vec![]),
            ("<", "1", vec![0, 2, 3, 4]),
        ] {
            let focus = quantity(&format!(r#""value":{number}"#));
            assert_eq!(left(&texts(operand, operator, &NUMBERS), &focus), expected, "{operand} {operator} {number}");
        }
    }
    // With the literal on the left.
    let turned: Vec<_> = NUMBERS.iter().map(|limit| format!("{limit} <= value.value")).collect();
    assert_eq!(left(&turned, &quantity(r#""value":2.5"#)), [1, 2, 3]);
    assert_eq!(left(&turned, r#"{"resourceType":"Observation"}"#), [0_u32; 0]);
}

#[test]
fn quantities_are_beyond_limits_of_units_that_go_together() {
    let limits = ["5 'mg'", "0.004 'g'", "6 'mg'", "3 'mg'", "7 '%'", "8 'mg'"];
    let of = |value: &str, code: &str| {
        quantity(&format!(r#""value":{value},"system":"http://unitsofmeasure.org","code":"{code}""#))
    };
    let criteria = texts("value", ">", &limits);
    assert_eq!(left(&criteria, &of("5.5", "mg")), [0, 1, 3]);
    assert_eq!(left(&criteria, &of("0.0055", "g")), [0, 1, 3]);
    assert_eq!(left(&criteria, &of("7.5", "%")), [4]);
    assert_eq!(left(&criteria, &of("7.5", "mm[Hg]")), [0_u32; 0]);
    // Whose unit nobody knows.
    assert_eq!(left(&criteria, &quantity(r#""value":7.5,"unit":"mg""#)), [0_u32; 0]);
    // A range: more than 5 is not known to be more than 6.
    let range = |comparator: &str| {
        let members = r#""value":5,"system":"http://unitsofmeasure.org","code":"mg""#;
        quantity(&format!(r#"{members},"comparator":"{comparator}""#))
    };
    assert_eq!(left(&criteria, &range(">")), [0, 1, 3]);
    assert_eq!(left(&criteria, &range(">=")), [1, 3]);
    assert_eq!(left(&criteria, &range("<")), [0_u32; 0]);
    assert_eq!(left(&texts("value", "<", &limits), &range("<")), [0, 2, 5]);
    // Temperatures have zeros of their own.
    let fever = texts("value", ">=", &["38 'Cel'", "39 'Cel'", "40.5 'Cel'", "100.4 '[degF]'", "310 'K'", "312 'K'"]);
    assert_eq!(left(&fever, &of("38.0", "Cel")), [0, 3, 4]);
    assert_eq!(left(&fever, &of("103", "[degF]")), [0, 1, 3, 4, 5]);
}

#[test]
fn dates_are_beyond_limits_by_the_components_that_both_have() {
    let limits = ["@2000", "@2000-05", "@2000-05-05", "@2000-05-05T12:00:00Z", "@1999-12-31", "@2001"];
    let of = |time: &str| format!(r#"{{"resourceType":"Observation","effectiveDateTime":"{time}"}}"#);
    let later = texts("effective", ">", &limits);
    assert_eq!(left(&later, &of("2000-05-05T13:00:00Z")), [3, 4]);
    assert_eq!(left(&later, &of("2000-05-05T13:00:00+02:00")), [4]);
    assert_eq!(left(&later, &of("2000-06")), [1, 2, 3, 4]);
    assert_eq!(left(&later, &of("2000")), [4]);
    let before = texts("effective", "<", &limits);
    assert_eq!(left(&before, &of("2000-05-04")), [2, 3, 5]);
    assert_eq!(left(&before, &of("1999")), [0, 1, 2, 3, 5]);
    assert_eq!(left(&before, &of("no date")), [0_u32; 0]);
    assert_eq!(left(&texts("effective", "<=", &limits), &of("2000")), [0, 5]);
}

#[test]
fn where_one_comparison_would_fail_all_are_evaluated() {
    let criteria = texts("component.value.ofType(integer)", ">", &["1", "2", "3", "4", "5"]);
    let several = r#"{"component":[{"valueInteger":0},{"valueInteger":0}]}"#;
    assert_eq!(left(&criteria, several), [0, 1, 2, 3, 4]);
    assert_eq!(left(&criteria, r#"{"component":[{"valueInteger":0},{}]}"#), [0_u32; 0]);
    let of_any_type = texts("value", ">", &["1", "2", "3", "4"]);
    assert_eq!(left(&of_any_type, r#"{"valueString":"0"}"#), [0, 1, 2, 3]);
    assert_eq!(left(&of_any_type, r#"{"valueCodeableConcept":{}}"#), [0, 1, 2, 3]);
    assert_eq!(left(&of_any_type, r#"{"valueInteger":2}"#), [0]);
    assert_eq!(left(&texts("component.single().value", ">", &["1", "2", "3", "4"]), several), [0, 1, 2, 3]);
}

#[test]
fn limits_stand_in_lambdas_and_beside_other_parts() {
    let in_lambda = |limit: &str| {
        format!(
            "component.where(code.text = 'a' and value.ofType(integer) > {limit} and value.ofType(integer) < 9).exists()"
        )
    };
    // The text is shared by all, the numbers are not.
    let all: Vec<_> = ["1", "3", "5", "7"].map(in_lambda).into();
    let focus = |first: i32, second: i32| {
        format!(
            r#"{{"component":[{{"code":{{"text":"a"}},"valueInteger":{first}}},
                              {{"code":{{"text":"b"}},"valueInteger":{second}}}]}}"#
        )
    };
    assert_eq!(left(&all, &focus(4, 0)), [0, 1]);
    assert_eq!(left(&all, &focus(0, 6)), [0, 1, 2]);
    assert_eq!(left(&all, &focus(0, 0)), [0_u32; 0]);
    let range: Vec<_> = (0..4).map(|low| format!("value.value > {low} and value.value < {}", low + 2)).collect();
    assert_eq!(left(&range, &quantity(r#""value":1.5"#)), [0, 1]);
    let either: Vec<_> = (0..4).map(|low| format!("value.value > {low} or code.text = '{low}'")).collect();
    assert_eq!(left(&either, r#"{"valueQuantity":{"value":0.5},"code":{"text":"3"}}"#), [0, 3]);
    let computed: Vec<_> = (0..4).map(|low| format!("component.count() * 2 > {low}")).collect();
    assert_eq!(left(&computed, r#"{"component":[{}]}"#), [0, 1]);
}

#[test]
fn what_might_fail_beside_a_limit_is_not_left_out() {
    let takes = |make: &dyn Fn(u32) -> String| {
        let criteria = criteria(&(0..6).map(make).collect::<Vec<_>>());
        prepared(&criteria).sifted(Interaction::Update).len()
    };
    assert_eq!(takes(&|low| format!("value.value > {low}")), 6);
    assert_eq!(takes(&|low| format!("status.exists() and value.value > {low}")), 6);
    assert_eq!(takes(&|low| format!("value.value > {low} and status.exists()")), 6);
    // The second is asked where the first is empty, and may fail.
    assert_eq!(takes(&|low| format!("value.value > {low} and component.value > value.value")), 0);
    assert_eq!(takes(&|low| format!("component.value > value.value and value.value > {low}")), 0);
    // Unless both are looked up.
    assert_eq!(takes(&|low| format!("value.value > {low} and component.value > 5")), 6);
    assert_eq!(takes(&|low| format!("value.value > {low} and component.value > value.value and id = 'a'")), 0);
    assert_eq!(takes(&|low| format!("(value.value > {low}).not()")), 0);
    assert_eq!(takes(&|low| format!("%previous.value.value > {low}")), 0);
    assert_eq!(takes(&|low| format!("%previous.component.exists(value.ofType(integer) > {low})")), 0);
    assert_eq!(takes(&|low| format!("value.value > {low} xor status.exists()")), 0);
    assert_eq!(takes(&|low| format!("status > '{low}'")), 0);
    assert_eq!(takes(&|low| format!("value.value > component.count() + {low}")), 0);
    // Three are evaluated as soon.
    let few = criteria(&texts("value.value", ">", &["1", "2", "3"]));
    assert!(prepared(&few).sifted(Interaction::Update).is_empty());
}

#[test]
fn a_look_up_is_paid_and_ends_with_the_budget() {
    let all: Vec<_> = (0..100).map(|limit| format!("component.exists(value.ofType(integer) > {limit})")).collect();
    let criteria = criteria(&all);
    let prepared = prepared(&criteria);
    let components = vec![r#"{"valueInteger":1000}"#; 20_000].join(",");
    let focus = format!(r#"{{"component":[{components}]}}"#);
    let mut workspace = Workspace::new();
    let mut budget = Budget::of_evaluation();
    let mut subject = EventSubject::new(event(&focus), Some(&prepared), &mut workspace);
    assert_eq!(subject.sift(&mut budget), None);
    assert_eq!(budget.left(), 0);
    assert_eq!(subject.evaluate(0, &criteria[0], &mut budget), Err(EvaluationError::TooCostly));
    assert_eq!(subject.evaluate(0, &criteria[0], &mut Budget::of_evaluation()), Ok(true));
}

const OPERANDS: [&str; 10] = [
    "value.value",
    "value.ofType(Quantity)",
    "value",
    "effective",
    "issued",
    "component.value",
    "component.value.ofType(integer)",
    "component.where(code.text = 'a').value.ofType(Quantity)",
    "component.count()",
    "value.ofType(Quantity).value * 2",
];

fn limit() -> impl Strategy<Value = String> {
    prop_oneof![
        (-2..12_i32).prop_map(|number| number.to_string()),
        (-2..12_i32).prop_map(|number| format!("{number}.50")),
        (-2..12_i32, prop::sample::select(vec!["mg", "g", "%", "1", "Cel", "[degF]", "K", "s", "?"]))
            .prop_map(|(number, unit)| format!("{number} '{unit}'")),
        (0..4_i32).prop_map(|number| format!("{number} seconds")),
        (1998..2002_i32, 1..13_i32, 0..6_usize).prop_map(|(year, month, length)| {
            let whole = format!("@{year}-{month:02}-02T{month:02}:30:00Z");
            whole[..[5, 8, 11, 14, 17, 21][length]].to_owned()
        }),
        Just("'b'".to_owned()),
    ]
}

fn comparison(operand: &'static str) -> impl Strategy<Value = String> {
    let operator = prop::sample::select(vec!["<", "<=", ">", ">="]);
    (limit(), operator, any::<bool>()).prop_map(move |(limit, operator, turned)| {
        if turned { format!("{limit} {operator} {operand}") } else { format!("{operand} {operator} {limit}") }
    })
}

/// Criteria of which many compare the same.
fn compared() -> impl Strategy<Value = Vec<String>> {
    prop::sample::select(&OPERANDS[..]).prop_flat_map(|operand| {
        let one = prop_oneof![
            4 => comparison(operand),
            1 => (comparison(operand), comparison(operand)).prop_map(|(one, other)| format!("{one} and {other}")),
            1 => (comparison(operand), comparison("value")).prop_map(|(one, other)| format!("{one} or {other}")),
            1 => comparison(operand).prop_map(|one| format!("code.text = 'a' and {one}")),
            1 => comparison(operand).prop_map(|one| format!("{one} and code.text.exists()")),
            2 => comparison("value").prop_map(|one| format!("component.where(code.text = 'a' and {one}).exists()")),
            1 => comparison("value").prop_map(|one| format!("component.where({one}).code.exists(text = 'a')")),
        ];
        prop::collection::vec(one, 4..24)
    })
}

fn value() -> impl Strategy<Value = String> {
    let number = || prop_oneof![(-3..13_i32).prop_map(|n| n.to_string()), (-3..13_i32).prop_map(|n| format!("{n}.5"))];
    let unit = prop::sample::select(vec!["mg", "g", "%", "1", "Cel", "[degF]", "K", "s", "a", "?"]);
    let comparator = prop::option::weighted(0.2, prop::sample::select(vec!["<", "<=", ">=", ">", "ad"]));
    let date = (1998..2002_i32, 1..13_i32, 0..5_usize).prop_map(|(year, month, length)| {
        let whole = format!("{year}-{month:02}-02T{month:02}:30:00+01:00");
        whole[..[4, 7, 10, 19, 25][length]].to_owned()
    });
    prop_oneof![
        4 => (number(), unit, comparator).prop_map(|(number, unit, comparator)| {
            let comparator = comparator.map_or(String::new(), |code| format!(r#","comparator":"{code}""#));
            let unit = format!(r#""system":"http://unitsofmeasure.org","code":"{unit}""#);
            format!(r#""valueQuantity":{{"value":{number},{unit}{comparator}}}"#)
        }),
        2 => number().prop_map(|number| format!(r#""valueQuantity":{{"value":{number}}}"#)),
        2 => number().prop_map(|number| format!(r#""valueInteger":{number}"#)),
        1 => Just(r#""valueString":"b""#.to_owned()),
        1 => Just(r#""valueInteger":[1,2]"#.to_owned()),
        1 => Just(r#""valueInteger":"7""#.to_owned()),
        1 => Just(r#""_valueInteger":{"id":"x"}"#.to_owned()),
        3 => date.prop_map(|date| {
            format!(r#""valueDateTime":"{date}","effectiveDateTime":"{date}","issued":"{date}""#)
        }),
        1 => Just(r#""note":[]"#.to_owned()),
    ]
}

fn observation() -> impl Strategy<Value = String> {
    let component = (value(), prop::sample::select(vec!["a", "b"]))
        .prop_map(|(value, code)| format!(r#"{{"code":{{"text":"{code}"}},{value}}}"#));
    (value(), prop::collection::vec(component, 0..3), prop::sample::select(vec![r#""text":"a""#, ""])).prop_map(
        |(value, components, text)| {
            let components = components.join(",");
            format!(r#"{{"resourceType":"Observation",{value},"code":{{{text}}},"component":[{components}]}}"#)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_not_beyond_its_limit_is_false(
        texts in compared(),
        events in prop::collection::vec(observation(), 12),
    ) {
        // Some literals are refused where the operand is only a quantity.
        let is_taken = |text: &String| FhirPath::new().compile(text).0.is_some();
        let texts: Vec<_> = texts.into_iter().filter(is_taken).collect();
        let criteria = criteria(&texts);
        let prepared = prepared(&criteria);
        for focus in events {
            let Some(found) = sift(&prepared, &focus) else { continue };
            for position in prepared.sifted(Interaction::Update).iter().filter(|position| !found.contains(position)) {
                let position = *position as usize;
                let answer = evaluate(&prepared, &criteria, position, &focus);
                prop_assert_eq!(answer, Ok(false), "{} on {}", &texts[position], &focus);
            }
        }
    }
}
