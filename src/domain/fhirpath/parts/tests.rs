#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use serde_json::Value;

use super::*;
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::fhirpath::{lexical, parse, tree};

const CURRENT: &str = r#"{"resourceType":"Observation","id":"o1","status":"final",
    "category":[{"coding":[{"code":"a"},{"code":"laboratory"}]}],
    "component":[{"valueInteger":1},{"valueInteger":2},{"valueInteger":3},{"valueInteger":4},{"valueInteger":5}],
    "valueQuantity":{"value":5.90,"unit":"mmol/L"}}"#;
const PREVIOUS: &str = r#"{"resourceType":"Observation","id":"o1","status":"preliminary"}"#;

fn event(previous: Option<&'static str>) -> EventText<'static> {
    EventText {
        release: FhirRelease::R4,
        interaction: Interaction::Update,
        focus: Some(CURRENT.into()),
        previous: previous.map(Into::into),
        time: "2026-01-31T06:00:00Z",
    }
}

fn parts_of(text: &str, event: &EventText<'_>) -> Part {
    let (criterion, problems) = FhirPath::new().compile(text);
    let criterion = criterion.unwrap_or_else(|| panic!("{text}: {problems:?}"));
    FhirPath::new().parts(&criterion, event, &mut Budget::of_evaluation()).unwrap()
}

/// One line for each part: its text and what it gave.
fn lines(part: &Part, indent: usize, out: &mut String) {
    let seen = match &part.seen {
        Seen::Values { count, shown } => format!("{count}: {}", shown.join(" ")),
        Seen::Failed(error) => format!("{error}"),
    };
    *out += &format!("{:indent$}{} -> {seen}\n", "", part.text);
    for part in &part.parts {
        lines(part, indent + 2, out);
    }
    for item in &part.items {
        lines(&item.part, indent + 4, out);
    }
    if part.more_items > 0 {
        *out += &format!("{:indent$}    and {} more\n", "", part.more_items);
    }
}

fn shown(text: &str, previous: Option<&'static str>) -> String {
    let mut out = String::new();
    lines(&parts_of(text, &event(previous)), 0, &mut out);
    out
}

#[test]
fn each_part_has_its_value() {
    insta::assert_snapshot!(
        [
            "%previous.status != 'final' and (%current.status = 'final')",
            "category.coding.where(code = 'laboratory').exists() or valueQuantity.value > 6",
            "component.where((valueInteger + 1) > 2).count() = 4",
            "component.all(valueInteger < 9) xor status.startsWith('fin').not()",
            "iif(status = 'final', note.text.exists(), 1 = 2)",
            "subject.reference.resolve().exists() or (value as Quantity).unit = 'mmol/L'",
            "today() = @2026-01-31 and code.coding.code.first() = 'x'",
            "-1 < 2 and {}.empty() and status is code and component[1].valueInteger.select($this + $index) = 2",
            "%`vs-x` = 'x' or component.valueInteger.aggregate($total + $this, 0) > 5",
            "(status\n  =\n  'final') implies /* why */ category.coding.exists(code in ('a' | 'b'))",
        ]
        .map(|text| shown(text, Some(PREVIOUS)))
        .join("\n")
    );
}

#[test]
fn a_missing_state_is_empty() {
    let shown = shown("%previous.status != 'final' or %previous.exists()", None);
    assert!(shown.contains("  %previous.exists() -> 1: false\n"), "{shown}");
    assert!(shown.contains("    %previous.status -> 0: \n"), "{shown}");
}

#[test]
fn a_path_that_gives_nothing_shows_how_far_it_goes() {
    let shown = shown("category.coding.display.extension.exists()", None);
    assert!(shown.contains("\n    category.coding -> 2: "), "{shown}");
    assert!(!shown.contains("category.coding.display ->"), "{shown}");
}

#[test]
fn the_whole_is_what_the_general_engine_says() {
    for (text, expected) in [("status = 'final'", Some(true)), ("status = 'x'", Some(false)), ("note.text = 'x'", None)]
    {
        assert_eq!(parts_of(text, &event(None)).seen.boolean(), expected, "{text}");
    }
}

#[test]
fn what_fails_says_so_and_its_parts_are_shown() {
    let shown = shown("(1 | 2).single() = 1", None);
    assert!(shown.contains("(1 | 2).single() -> the expression failed"), "{shown}");
}

#[test]
fn parts_and_steps_are_bounded() {
    fn count(part: &Part) -> usize {
        let items = part.items.iter().map(|item| count(&item.part));
        1 + part.parts.iter().map(count).chain(items).sum::<usize>()
    }
    let many = vec!["status = 'x'"; 900].join(" or ");
    assert!(count(&parts_of(&many, &event(None))) <= MAX_PARTS);
    let nested = "component.exists(valueInteger > 0 and %resource.component.exists(valueInteger > 0 and \
                  %resource.component.exists(valueInteger > 0 and %resource.component.exists(valueInteger > 0))))";
    assert!(count(&parts_of(nested, &event(None))) <= MAX_PARTS);
    let (criterion, _) = FhirPath::new().compile("status = 'final' and component.exists()");
    let mut budget = Budget::of_record(3, 0);
    let part = FhirPath::new().parts(&criterion.unwrap(), &event(None), &mut budget).unwrap();
    assert_eq!(part.seen, Seen::Failed(EvaluationError::TooCostly));
}

/// Every node that could be a part, with its text: parsed by itself, the text is the node again.
#[test]
fn the_text_of_a_part_is_the_part() {
    let mut checked = 0;
    for text in [
        "%previous.status != 'final' and (%current.status = 'final')",
        "category.coding.where(code = 'labor (a)' and (system | version).exists()).exists().not()",
        "a.b[0].c.first().d[1 + 1] = -(2 + 3) * 4",
        "(a or (b and c)) and ((d))",
        "value.ofType(Quantity).value > 5 'mg' or (value as Quantity).unit ~ 'x' or value is Quantity",
        "exists() and where(x) . exists ( ) and iif( a , b , c ).exists()",
        "`div`.a = 'it\\'s' & \"b\" and @2026-01-31T06:00:00Z > now() and {} = {} and 'é€' + 'ü' = 'x'",
        "a | b | c.d(e, f(g), h) in (i | j) xor k contains l implies m div n mod o",
        "repeat(item).where(linkId = '1').answer.value.as(Coding).code.trim().length() > 1",
        "%`ext-x`.exists() and %'vs-y' = 'z' and $this.a.all($index < $this.count())",
    ] {
        let normalized = lexical::normalize(text).unwrap();
        let root = parse(&normalized).unwrap_or_else(|| panic!("{text}"));
        let mut open = vec![&root];
        while let Some(node) = open.pop() {
            open.extend(tree::children(node));
            let is_type = matches!(node, ExpressionNode::TypeInfo(_));
            let Some(span) = span::written(normalized.text(), node).filter(|_| !is_type) else {
                assert!(is_type, "no text for {node:?}");
                continue;
            };
            let part = &normalized.text()[span];
            let again = lexical::normalize(part).ok().and_then(|again| parse(&again));
            let again = again.unwrap_or_else(|| panic!("{part:?} of {text:?} is no expression"));
            assert_eq!(shape(&again), shape(node), "{part:?} of {text:?}");
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked}");
}

/// A node without where it stands.
fn shape(node: &ExpressionNode) -> Value {
    fn forget(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.remove("location");
                members.values_mut().for_each(forget);
            }
            Value::Array(items) => items.iter_mut().for_each(forget),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(node).unwrap();
    forget(&mut value);
    value
}
