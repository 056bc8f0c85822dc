//! What values of a type are to an operator: text, numbers, dates ...

use octofhir_fhirpath::ast::{BinaryOperator, ExpressionNode, LiteralValue};

use crate::domain::fhirpath::idioms::is_date;
use crate::domain::fhirpath::tree::{literal, path_text};
use crate::domain::fhirpath::types::Types;

/// What a type is to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Boolean,
    Number,
    Date,
    DateTime,
    Time,
    Quantity,
    /// A type with elements, by its name.
    Complex(&'static str),
}

/// The kinds of types that are all known, each once.
pub(super) fn of(types: &Types) -> Option<Vec<Kind>> {
    let mut kinds = Vec::new();
    for name in types.names()? {
        let kind = of_name(name);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Some(kinds)
}

fn of_name(name: &'static str) -> Kind {
    match name {
        "string" | "code" | "id" | "uri" | "url" | "canonical" | "oid" | "uuid" | "markdown" | "base64Binary"
        | "xhtml" => Kind::Text,
        "boolean" => Kind::Boolean,
        "integer" | "integer64" | "positiveInt" | "unsignedInt" | "decimal" => Kind::Number,
        "date" => Kind::Date,
        "dateTime" | "instant" => Kind::DateTime,
        "time" => Kind::Time,
        "Quantity" | "SimpleQuantity" | "Age" | "Count" | "Distance" | "Duration" | "MoneyQuantity" => Kind::Quantity,
        other => Kind::Complex(other),
    }
}

/// Whether an operator takes these operands. Of types with elements only what is sure: they are not equal to what has
/// none.
pub(super) fn fit(operator: BinaryOperator, left: &Kind, right: &Kind) -> bool {
    use Kind::{Boolean, Complex, Date, DateTime, Number, Quantity, Text, Time};
    let alike = match (left, right) {
        (Date | DateTime, Date | DateTime) | (Number | Quantity, Number | Quantity) => true,
        (Complex(_), Complex(_)) => true,
        _ => left == right,
    };
    let is_temporal = |kind: &Kind| matches!(kind, Date | DateTime | Time);
    match operator {
        BinaryOperator::LessThan
        | BinaryOperator::LessThanOrEqual
        | BinaryOperator::GreaterThan
        | BinaryOperator::GreaterThanOrEqual => alike && !matches!(left, Boolean | Complex(_)),
        BinaryOperator::Add => {
            (alike && matches!(left, Number | Quantity | Text)) || (is_temporal(left) && *right == Quantity)
        }
        BinaryOperator::Subtract => {
            (alike && matches!(left, Number | Quantity)) || (is_temporal(left) && *right == Quantity)
        }
        BinaryOperator::Multiply | BinaryOperator::Divide | BinaryOperator::IntegerDivide | BinaryOperator::Modulo => {
            alike && matches!(left, Number | Quantity)
        }
        _ => alike,
    }
}

/// Why a comparison that some of many types allow is hardly meant.
pub(super) fn doubt(operator: BinaryOperator, value: &[Kind], other: &[Kind]) -> Option<&'static str> {
    use BinaryOperator::{Equal, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual, NotEqual};
    let orders = matches!(operator, LessThan | LessThanOrEqual | GreaterThan | GreaterThanOrEqual);
    match other {
        [Kind::Number] if value.contains(&Kind::Quantity) && (orders || matches!(operator, Equal | NotEqual)) => {
            Some("a Quantity is compared with a bare number, which means the unit `1`")
        }
        [Kind::Text] if orders && value.len() > 1 => Some("only text has an order with text: other types fail here"),
        _ => None,
    }
}

/// The kinds as a message calls them.
pub(super) fn list(kinds: &[Kind]) -> String {
    match kinds {
        [one] => name(one),
        [one, other] => format!("{} or {}", name(one), name(other)),
        [one, ..] => format!("{} or one of {} other types", name(one), kinds.len() - 1),
        [] => "nothing".to_owned(),
    }
}

fn name(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Boolean => "a boolean".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Date => "a date".to_owned(),
        Kind::DateTime => "a dateTime".to_owned(),
        Kind::Time => "a time".to_owned(),
        Kind::Quantity => "a Quantity".to_owned(),
        Kind::Complex(name) if name.starts_with(['A', 'E', 'I', 'O', 'U']) => format!("an {name}"),
        Kind::Complex(name) => format!("a {name}"),
    }
}

/// An operand of an operator.
pub(super) struct Operand<'a> {
    pub(super) node: &'a ExpressionNode,
    pub(super) kinds: &'a [Kind],
}

/// What to write where an operand meets another, mostly a literal, that does not go with it.
pub(super) fn hint(sign: &str, value: &Operand<'_>, other: &Operand<'_>) -> Option<String> {
    use Kind::{Boolean, Complex, Date, DateTime, Number, Quantity, Text, Time};
    let path = path_text(value.node).unwrap_or_else(|| "x".to_owned());
    let (first, other_kind) = (*value.kinds.first()?, *other.kinds.first()?);
    let is_sum = matches!(sign, "+" | "-");
    Some(match (first, other_kind) {
        _ if value.kinds.contains(&Quantity) && other_kind == Number => {
            let number = literal(other.node).map_or("6.5".to_owned(), |literal| literal.value.to_string());
            format!("write the unit too, as in `{path} {sign} {number} 'mmol/L'`, or ask the number: `{path}.value`")
        }
        _ if value.kinds.len() > 1 && other_kind == Text => {
            format!("write a number or a time without quotes; if text is meant, `{path}.ofType(string)`")
        }
        (Quantity, Text) => format!("write a number with its unit, as in `{path} {sign} 6.5 'mmol/L'`"),
        (Date | DateTime, Date | DateTime) if is_sum => {
            "there is no difference of dates: compare them, as in `birthDate <= today() - 18 years`".into()
        }
        (Date | DateTime | Time, Number) if is_sum => "write a span of time, as in `1 day`".into(),
        (Date | DateTime, Text) if date_in(other.node).is_some() => {
            format!("write it without quotes: @{}", date_in(other.node).unwrap_or_default())
        }
        (Date, Text | Number) => "write a date with @ and without quotes, as in @2024-05-01".into(),
        (DateTime, Text | Number) => "write a time with @ and without quotes, as in @2024-05-01T00:00:00Z".into(),
        (Time, Text | Number) => "write a time with @T and without quotes, as in @T10:30".into(),
        (Number, Text) => "write the number without quotes".into(),
        (Boolean, Text) if is_boolean_text(other.node) => "write true and false without quotes".into(),
        (Boolean, Boolean) => "booleans are joined with `and`, `or`, `xor`, `implies`".into(),
        (Boolean, _) => format!("write `{path} = true`, or `{path}` alone"),
        (Text, Number | Boolean) => "write text in single quotes".into(),
        (Complex(name), _) => match within(name) {
            Some(element) => format!("a {name} has elements: compare one, as in `{path}.{element}`"),
            None => format!("{name} has elements: compare one of them"),
        },
        _ => return None,
    })
}

/// The date or time that a text literal holds, which is safe to write as a literal.
fn date_in(node: &ExpressionNode) -> Option<&str> {
    match &literal(node)?.value {
        LiteralValue::String(text) if text.starts_with(|first: char| first.is_ascii_digit()) && is_date(text) => {
            Some(text)
        }
        _ => None,
    }
}

fn is_boolean_text(node: &ExpressionNode) -> bool {
    let value = literal(node).map(|literal| &literal.value);
    matches!(value, Some(LiteralValue::String(text)) if text == "true" || text == "false")
}

/// The element that holds what people usually mean by a value of this type.
pub(super) fn within(name: &str) -> Option<&'static str> {
    Some(match name {
        "CodeableConcept" => "coding.code",
        "Coding" => "code",
        "CodeableReference" => "concept.coding.code",
        "Reference" => "reference",
        "Identifier" | "ContactPoint" | "Money" | "Extension" => "value",
        "HumanName" => "family",
        "Address" => "city",
        "Period" => "start",
        "Range" => "low",
        "Ratio" => "numerator.value",
        "Annotation" => "text",
        "Attachment" => "url",
        "Narrative" => "status",
        "Meta" => "lastUpdated",
        "Timing" => "event",
        _ => return None,
    })
}
