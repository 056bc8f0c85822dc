//! Expressions and resources that nobody should write: every one ends as an answer or an error.

use proptest::prelude::*;
use serde_json::json;

use super::tests::{observation, on, subject};
use super::*;

/// Expressions that are often almost right.
fn expression() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "status",
        "value",
        "note",
        "code.coding",
        "'final'",
        "'it\\'s'",
        "6.3",
        "6.3 'mg'",
        "1",
        "true",
        "@2024-05-01",
        "@T10:00",
        "@2024-05-01T10:00:00Z",
        "%previous",
        "%current",
        "%resource",
        "$this",
        "{}",
        "now()",
        "(",
        ")",
        "[0]",
        "[",
        ".",
        ".exists()",
        ".where(",
        ".first()",
        ".toString()",
        ".repeat(",
        "=",
        "!=",
        "~",
        "<",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "&",
        "|",
        "and",
        "or",
        "implies",
        "not",
        "is Quantity",
        "as dateTime",
        "in",
        "contains",
        ",",
        "//",
        "/*",
        "99999999999999999999999999999999999999",
        "ä",
        "`a b`",
        ".descendants()",
        ".aggregate($total + 1, 0)",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_expression_panics_and_every_refusal_has_an_error(text in expression()) {
        let (criterion, problems) = FhirPath::new().compile_for(&text, &["Observation"]);
        prop_assert_eq!(criterion.is_none(), problems.iter().any(|problem| problem.severity == Severity::Error));
        for span in problems.into_iter().filter_map(|problem| problem.span) {
            prop_assert!(text.get(span).is_some());
        }
        if let Some(criterion) = criterion {
            for (interaction, state) in [
                (Interaction::Create, Some(observation())),
                (Interaction::Delete, Some(observation())),
                (Interaction::Delete, None),
            ] {
                let _any = FhirPath::new().evaluate(&criterion, &subject(interaction, state, None));
            }
        }
    }
}

#[test]
fn a_resource_as_deep_as_json_goes_is_walked() {
    let mut extension = json!({"url": "leaf", "valueBoolean": true});
    for _ in 0..60 {
        extension = json!({"url": "x", "extension": [extension]});
    }
    let focus = json!({"resourceType": "Basic", "id": "b", "extension": [extension]});
    assert_eq!(on("descendants().where(url = 'leaf').exists()", focus.clone()), Ok(true));
    assert_eq!(on("repeat(extension).where(url = 'leaf').value", focus), Ok(true));
}

#[test]
fn states_that_are_no_resources_fail_nothing() {
    for state in
        [json!(null), json!("x"), json!([]), json!({}), json!({"resourceType": 1}), json!({"resourceType": "X"})]
    {
        for text in ["status.exists()", "%resource.id.exists()", "children().exists()", "$this is Patient"] {
            let _any = on(text, state.clone());
        }
    }
}
