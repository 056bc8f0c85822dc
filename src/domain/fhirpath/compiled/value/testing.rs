//! Values for tests, written as FHIRPath literals and read by the engine's parser.

#![allow(clippy::unwrap_used, reason = "a test that does not get its values fails")]

use octofhir_fhirpath::{ExpressionNode, ParsingMode, parse_with_mode};

use super::{Decimal, Failed, Value, literal};

/// The value of a literal such as `4.5 'mg'`, `@2014-01-25T14:30`, `7 days`, `-1.5` or `'text'`.
pub(super) fn value(text: &str) -> Value<'static> {
    let parsed = parse_with_mode(text, ParsingMode::Fast);
    match parsed.ast.unwrap_or_else(|| panic!("{text} is not FHIRPath")) {
        ExpressionNode::Literal(node) => literal(Box::leak(Box::new(node.value))).unwrap(),
        ExpressionNode::UnaryOperation(node) => match *node.operand {
            ExpressionNode::Literal(node) => {
                super::arithmetic::negate(literal(Box::leak(Box::new(node.value))).unwrap()).unwrap().unwrap()
            }
            _ => panic!("{text} is no literal"),
        },
        _ => panic!("{text} is no literal"),
    }
}

pub(super) fn decimal(text: &str) -> Decimal<'_> {
    Decimal::parse(text).unwrap_or_else(|| panic!("{text} is no number"))
}

/// A result as text: its type and `toString()`.
pub(super) fn shown(result: Result<Option<Value<'_>>, Failed>) -> String {
    match result {
        Err(Failed) => "failed".to_owned(),
        Ok(None) => "empty".to_owned(),
        Ok(Some(value)) => {
            let arena = crate::domain::fhirpath::compiled::arena::Arena::new(1 << 24);
            format!("{} {}", value.type_name(), super::convert::to_string(value, &arena).unwrap_or("too long"))
        }
    }
}
