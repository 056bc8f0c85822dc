//! Many criteria about few codes: found by their literals and by their limits.
#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use proptest::prelude::*;

use super::sieve_tests::{criteria, evaluate, prepared, sift, what_is_left_out_is_evaluated_to_false};
use crate::domain::event::Interaction;

fn range(code: &str, low: &str, high: &str) -> String {
    format!(
        "(code.coding.where(system = 's' and code = '{code}').exists() and (value.value < {low} or value.value > {high}))"
    )
}

fn focus(code: &str, value: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","code":{{"coding":[{{"system":"s","code":"{code}"}}]}}{value}}}"#
    )
}

fn of_value(code: &str, value: &str) -> String {
    focus(code, &format!(r#","valueQuantity":{{"value":{value}}}"#))
}

#[test]
fn of_many_limits_for_one_code_those_are_found_that_the_value_is_beyond() {
    let criteria = criteria(&(0..40).map(|number| range("c", &number.to_string(), "100")).collect::<Vec<_>>());
    let prepared = prepared(&criteria);
    assert_eq!(prepared.sifted(Interaction::Update).len(), 40);
    assert_eq!(sift(&prepared, &of_value("c", "50")), Some(vec![]));
    assert_eq!(sift(&prepared, &of_value("c", "36.5")), Some(vec![37, 38, 39]));
    assert_eq!(sift(&prepared, &of_value("c", "100.5")), Some((0..40).collect()));
    assert_eq!(sift(&prepared, &of_value("d", "36.5")), Some(vec![]));
    assert_eq!(sift(&prepared, &focus("c", "")), Some(vec![]));
    // Each would fail: all are found.
    let text = focus("c", r#","valueString":"high""#);
    assert_eq!(evaluate(&prepared, &criteria, 0, &text).is_err(), sift(&prepared, &text) == Some((0..40).collect()));
}

#[test]
fn one_of_several_ranges_in_each_criterion() {
    let several = |number: usize| {
        let (low, high) = (format!("0.{number:02}"), format!("{}", 1_000 + number));
        ["a", "b", "c", "d", "e"].map(|code| range(code, &low, &high)).join(" or ")
    };
    let others =
        |number: usize| ["p", "q", "r", "s", "t"].map(|code| range(&format!("{code}{number}"), "5", "7")).join(" or ");
    let texts: Vec<_> = (0..60).map(|number| if number % 2 == 0 { several(number) } else { others(number) }).collect();
    let criteria = criteria(&texts);
    let prepared = prepared(&criteria);
    assert_eq!(prepared.sifted(Interaction::Update).len(), 60);
    assert_eq!(sift(&prepared, &of_value("c", "9")), Some(vec![]));
    assert_eq!(sift(&prepared, &of_value("c", "1003")), Some(vec![0, 2]));
    assert_eq!(sift(&prepared, &of_value("q7", "9")), Some(vec![7]));
    assert_eq!(evaluate(&prepared, &criteria, 2, &of_value("c", "1003")), Ok(true));
    assert_eq!(evaluate(&prepared, &criteria, 7, &of_value("q7", "9")), Ok(true));
}

#[test]
fn what_stands_beside_many_ways_is_not_forgotten() {
    let ranges = ["a", "b", "c"].map(|code| range(code, "5", "7")).join(" or ");
    let texts: Vec<_> =
        (0..30).map(|number| format!("category.coding.exists(code = 'x{number}') and ({ranges})")).collect();
    let criteria = criteria(&texts);
    let prepared = prepared(&criteria);
    assert_eq!(prepared.sifted(Interaction::Update).len(), 30);
    assert_eq!(sift(&prepared, &of_value("a", "9")), Some(vec![]));
    let category = r#""category":[{"coding":[{"code":"x3"}]}],"status""#;
    assert_eq!(sift(&prepared, &of_value("a", "9").replace("\"status\"", category)), Some(vec![3]));
}

fn criterion() -> impl Strategy<Value = String> {
    let code = || prop::sample::select(vec!["a", "b"]);
    let limits = || (0_u32..6, 3_u32..9);
    let atom = prop_oneof![
        4 => (code(), limits()).prop_map(|(code, (low, high))| range(code, &low.to_string(), &high.to_string())),
        2 => (code(), limits()).prop_map(|(code, (low, _))| format!("code.coding.code = '{code}' and value.value >= {low}")),
        1 => (code(), limits()).prop_map(|(code, (low, _))| format!("value.value <= {low} and code.coding.code = '{code}'")),
        1 => limits().prop_map(|(low, _)| format!("value.value > {low}")),
        1 => code().prop_map(|code| format!("status = '{code}'")),
    ];
    prop::collection::vec(atom, 1..4).prop_map(|atoms| atoms.join(" or "))
}

fn observation() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        6 => (0_u32..10).prop_map(|value| format!(r#","valueQuantity":{{"value":{value}}}"#)),
        1 => Just(r#","valueQuantity":{"value":"x"}"#.to_owned()),
        1 => Just(r#","valueQuantity":[{"value":1},{"value":2}]"#.to_owned()),
        1 => Just(r#","valueString":"a""#.to_owned()),
        1 => Just(String::new()),
    ];
    (prop::sample::select(vec!["a", "b", "x"]), value).prop_map(|(code, value)| focus(code, &value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_left_out_of_many_is_false(
        texts in prop::collection::vec(criterion(), 20..50),
        events in prop::collection::vec(observation(), 8),
    ) {
        what_is_left_out_is_evaluated_to_false(&texts, &events)?;
    }
}
