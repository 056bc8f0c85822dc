//! Expressions and resources that nobody should write: every one ends as an answer or an error.

use std::time::{Duration, Instant};

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
        let (criterion, problems) = FhirPath::new().compile_for(&text, &["Observation"], &[]);
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

/// The longest that any of these expressions may take, in an unoptimised build on a machine under load.
const LONGEST: Duration = Duration::from_secs(20);

/// Compiles, evaluates, and says whether it was refused; in a thread with the stack of a task's thread, which must do.
fn is_refused(text: String) -> bool {
    let begun = Instant::now();
    let shown: String = text.chars().take(40).collect();
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024);
    let refused = thread.spawn(move || {
        let (criterion, problems) = FhirPath::new().compile_for(&text, &["Observation"], &[]);
        assert_eq!(criterion.is_none(), problems.iter().any(|problem| problem.severity == Severity::Error));
        if let Some(criterion) = &criterion {
            let _any = FhirPath::new().evaluate(criterion, &subject(Interaction::Update, Some(observation()), None));
        }
        criterion.is_none()
    });
    let refused = refused.expect("a thread starts").join().expect("no expression panics");
    assert!(begun.elapsed() < LONGEST, "{shown}...: {:?}", begun.elapsed());
    refused
}

#[test]
fn enormous_expressions_are_refused_or_answered_in_time() {
    const DEEP: usize = 10_000;
    const LONG: usize = 100_000;
    const HUGE: usize = 10 * 1024 * 1024;
    for (what, text) in [
        ("parentheses", format!("{}true{}", "(".repeat(DEEP), ")".repeat(DEEP))),
        ("open parentheses", "(".repeat(DEEP)),
        ("lambdas", format!("{}true{}", "note.where(".repeat(DEEP), ").exists()".repeat(DEEP))),
        ("indexers", format!("note{}0{}", "[note.count()+".repeat(DEEP), "]".repeat(DEEP))),
        ("signs", format!("{}1 = 1", "- ".repeat(DEEP))),
        ("operators", format!("true{}", " and true".repeat(LONG))),
        ("implications", format!("true{}", " implies true".repeat(LONG))),
        ("sums", format!("1{} = 1", " + 1".repeat(LONG))),
        ("unions", format!("(status{}).exists()", " | status".repeat(LONG))),
        ("type tests", format!("status{}", " is code".repeat(LONG))),
        ("steps", format!("note{}.exists()", ".extension".repeat(LONG))),
        ("calls", format!("note{}.exists()", ".first()".repeat(LONG))),
        ("a string", format!("status = '{}'", "x".repeat(HUGE))),
        ("escapes", format!("status = '{}'", "\\u0041".repeat(HUGE / 6))),
        ("digits", format!("value > {}", "9".repeat(HUGE))),
        ("places", format!("value > 0.{}", "9".repeat(HUGE))),
        ("a name", format!("{}.exists()", "x".repeat(HUGE))),
        ("a pattern", format!("status.matches('{}')", "x".repeat(HUGE))),
        ("a pattern of repetitions", "status.matches('((((x{1000}){1000}){1000}){1000})')".to_owned()),
        ("a unit", format!("value > 1 '{}'", "m.".repeat(HUGE / 2))),
        ("a comment", format!("true /*{}*/", "x".repeat(HUGE))),
    ] {
        assert!(is_refused(text), "{what}");
    }
}

/// Just inside of what is taken, where the bounds of the text no longer help.
#[test]
fn expressions_at_the_limits_are_answered_in_time() {
    let bytes = lexical::MAX_BYTES - 64;
    let depth = lexical::MAX_NESTING - 2;
    let fill = |start: &str, part: &str, end: &str| format!("{start}{}{end}", part.repeat(bytes / part.len()));
    for text in [
        format!("{}true{}", "(".repeat(depth), ")".repeat(depth)),
        format!("{}true{}", "note.where(".repeat(depth), ").exists()".repeat(depth)),
        format!("{}true{}", "iif(true, ".repeat(depth), ", false)".repeat(depth)),
        fill("true", " and true", ""),
        fill("true", " implies true", ""),
        fill("1", " + 1", " = 1"),
        fill("1", " * 9999999999", " > 1"),
        fill("(status", " | status", ").exists()"),
        fill("status", " & status", " = ''"),
        fill("status", ".lower()", " = ''"),
        fill("note", ".extension", ".exists()"),
        fill("note", ".first()", ".exists()"),
        fill("status = '", "x", "'"),
        fill("status = '", "\\u0041", "'"),
        fill("value > ", "9", ""),
        fill("value > 0.", "9", ""),
        fill("value > 1 '", "m.", "'"),
        fill("status.matches('", "x?", "')"),
        fill("status.matches('", "x*", "')"),
        fill("status in ('a'", " | 'final'", ")"),
        fill("", "x", ".exists()"),
        fill("true /*", "x", "*/"),
    ] {
        let _either = is_refused(text);
    }
}

/// Criteria that are well-formed, about what an Observation has and what it has not.
fn criterion() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "%previous.exists()",
        "%previous.empty()",
        "%current.exists()",
        "%current.status = 'final'",
        "%previous.status = 'final'",
        "%previous.status != %current.status",
        "%previous.status ~ %current.status",
        "%previous.status in ('final' | 'amended')",
        "('final' | 'amended') contains %current.status",
        "status = 'final'",
        "status = 'final' and status = 'amended'",
        "status != 'final' or status != 'amended'",
        "note.where(%previous.exists()).exists()",
        "%previous.note.all(text = 'x')",
        "%current.note.where(text = 'ok').exists(text = 'ok')",
        "(%previous.status | %current.status).count() = 1",
        "%previous.status.startsWith('f')",
        "%current.note.text.first().length() > 1",
        "%previous.contained.active",
        "contained.active",
        "contained.birthDate > 5",
        "%previous.value.value > 6",
        "value > 6.2 'mmol/L'",
        "%previous.is(Observation)",
        "%previous is Observation",
        "iif(%previous.exists(), %previous.status = 'final', status = 'final')",
        "%previous.note.intersect(note).empty()",
        "%previous.note.subsetOf(note)",
        "%previous.status.hasValue()",
        "%previous.select(status).empty()",
        "true",
        "false",
        "{}",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 12, 2, |inner| {
        let joined = (inner.clone(), prop::sample::select(vec!["and", "or", "xor", "implies"]), inner.clone());
        prop_oneof![
            joined.prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
            inner.clone().prop_map(|inner| format!("({inner}).not()")),
            inner.prop_map(|inner| format!("({inner}).exists()")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_said_never_to_fire_does_not(text in criterion(), has_previous: bool) {
        for interaction in Interaction::ALL {
            let (criterion, problems) = FhirPath::new().compile_for(&text, &["Observation"], &[interaction]);
            let Some(criterion) = criterion else { continue };
            let never = ["never fires", "never true, for no event"];
            let is_said = problems.iter().any(|problem| never.iter().any(|said| problem.message.contains(said)));
            let previous = has_previous.then(observation);
            let answer = FhirPath::new().evaluate(&criterion, &subject(interaction, Some(observation()), previous));
            prop_assert!(!(is_said && answer == Ok(true)), "{interaction:?} {text}: {problems:?}");
            let always = problems.iter().any(|problem| problem.message.contains("always true, for every event"));
            prop_assert!(!always || answer == Ok(true), "{interaction:?} {text}: {problems:?}");
        }
    }
}
