//! That the generator writes everything that the compiler takes: a function or an operator that no criterion has is
//! compared by nothing.

use std::collections::BTreeSet;

use fastrand::Rng;
use octofhir_fhirpath::ast::{ExpressionNode, LiteralValue};
use serde_json::{Value, json};

use super::super::compiled::testing::Probe;
use super::super::tree::{call, children};
use super::super::{catalog, engine, lexical, model, parse};
use super::criteria::Criteria;
use super::marks;
use crate::domain::event::FhirRelease;

/// How many criteria are made; the rarest part stands in some of them, whatever the seed.
const CRITERIA: usize = 40_000;

/// What functions are tried on: an item of each kind, some items, and no receiver.
const RECEIVERS: [&str; 9] = [
    "status.",
    "value.ofType(Quantity).",
    "value.ofType(integer).",
    "referenceRange.low.value.",
    "issued.",
    "component.",
    "(true | false).",
    "component.type().",
    "",
];

/// What they are given.
const ARGUMENTS: [&str; 15] = [
    "",
    "1",
    "1, 2",
    "'x'",
    "'x', 'y'",
    "'x', 1",
    "1.5",
    "true",
    "true, 1",
    "true, 1, 2",
    "$this",
    "status",
    "Quantity",
    "$this, 1",
    "@2024",
];

const OPERATORS: [&str; 23] = [
    "+", "-", "*", "/", "mod", "div", "=", "!=", "~", "!~", "<", "<=", ">", ">=", "and", "or", "xor", "implies", "&",
    "|", "in", "contains", "is",
];

/// What operators are tried on.
const OPERANDS: [(&str, &str); 6] =
    [("1", "2"), ("'x'", "'y'"), ("true", "false"), ("status", "'x'"), ("value", "Quantity"), ("@2024", "1 year")];

#[test]
fn everything_that_is_compiled_is_generated() {
    let generated = generated();
    let missing: Vec<String> = compiled().difference(&generated).cloned().collect();
    assert!(missing.is_empty(), "no criterion of the differential tests has: {}", missing.join(", "));
}

/// The parts of criteria that the compiler takes.
fn compiled() -> BTreeSet<String> {
    let functions = engine::functions().list_functions();
    let calls = functions.iter().flat_map(|name| {
        let calls = RECEIVERS.iter().flat_map(|receiver| ARGUMENTS.map(|argument| (*receiver, argument)));
        calls.map(move |(receiver, arguments)| format!("{receiver}{name}({arguments})"))
    });
    let operations = OPERATORS
        .iter()
        .chain(&["as"])
        .flat_map(|operator| OPERANDS.map(|(left, right)| format!("{left} {operator} {right}")));
    let variables = catalog::VARIABLES.into_iter().chain(["%`vs-x`", "%`ext-x`"]).map(str::to_owned);
    let within = ["$this", "$index", "$total"].map(|variable| format!("component.select({variable})"));
    let others = [
        "status[0]",
        "-1",
        "+1",
        "{}",
        "true",
        "'x'",
        "1",
        "1.5",
        "@2024",
        "@2024-01-01T10:00",
        "@T10:00",
        "1 'mg'",
        "1 year",
        "component.type().name",
        "component.type().namespace",
        "component",
    ];
    let tried = calls.chain(operations).chain(variables).chain(within).chain(others.map(str::to_owned));
    let taken = tried.filter(|text| Probe::compile(text, FhirRelease::R4, "Observation").is_ok());
    taken.flat_map(|text| parts(&text)).collect()
}

/// The parts that the generator writes, about a resource with elements of all kinds.
fn generated() -> BTreeSet<String> {
    let (mut rng, resource) = (Rng::with_seed(1), resource());
    let model = model::model(FhirRelease::R4);
    let mut found = BTreeSet::new();
    for _ in 0..CRITERIA {
        let marked = Criteria { rng: &mut rng, model, root: "Observation", resource: &resource }.criterion();
        found.extend(parts(&marks::asked(&marked)));
    }
    found
}

fn resource() -> Value {
    json!({
        "resourceType": "Observation", "id": "o", "status": "final", "issued": "2024-05-01T10:00:00Z",
        "meta": {"lastUpdated": "2024-05-01T10:00:00Z", "tag": [{"system": "http://loinc.org", "userSelected": true}]},
        "effectivePeriod": {"start": "2024-05-01", "end": "2024-05-02"},
        "referenceRange": [{"low": {"value": 1.5, "system": "http://unitsofmeasure.org", "code": "mg"}}],
        "component": [{"valueInteger": 3}, {"valueTime": "10:30:00"}, {"valueBoolean": true}],
        "valueQuantity": {"value": 6.5, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"},
        "note": [{"text": "x"}, {"text": "y", "extension": [{"url": "urn:x", "valueDate": "2024-05-01"}]}]
    })
}

/// Functions, operators, variables and kinds of literals of a criterion, each by a name.
fn parts(text: &str) -> BTreeSet<String> {
    let normalized = lexical::normalize(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    let tree = parse(&normalized).unwrap_or_else(|| panic!("{text}: does not parse"));
    let mut found = BTreeSet::new();
    let mut open = vec![&tree];
    while let Some(node) = open.pop() {
        found.extend(part(node));
        open.extend(children(node));
    }
    found
}

fn part(node: &ExpressionNode) -> Option<String> {
    if let Some((name, arguments, _)) = call(node) {
        // How many arguments a function has may be what it does.
        return Some(format!("{name}/{}", arguments.len()));
    }
    Some(match node {
        ExpressionNode::BinaryOperation(operation) => format!("{:?}", operation.operator),
        ExpressionNode::UnaryOperation(operation) => format!("{:?} before", operation.operator),
        ExpressionNode::Union(_) => "Union".to_owned(),
        ExpressionNode::IndexAccess(_) => "index".to_owned(),
        ExpressionNode::TypeCheck(_) => "is".to_owned(),
        ExpressionNode::TypeCast(_) => "as".to_owned(),
        ExpressionNode::Collection(_) => "{}".to_owned(),
        ExpressionNode::Variable(variable) => format!("variable {}", variable.name.split('-').next()?),
        ExpressionNode::Literal(literal) => match &literal.value {
            LiteralValue::Boolean(_) => "Boolean",
            LiteralValue::String(_) => "String",
            LiteralValue::Integer(_) => "Integer",
            LiteralValue::Decimal(_) => "Decimal",
            LiteralValue::Date(_) => "Date",
            LiteralValue::DateTime(_) => "DateTime",
            LiteralValue::Time(_) => "Time",
            LiteralValue::Quantity { .. } => "Quantity",
            _ => return None,
        }
        .to_owned(),
        _ => return None,
    })
}
