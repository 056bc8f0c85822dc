//! Equality, equivalence and order ("Equality", "Comparison").

use std::cmp::Ordering;

use super::{Failed, Value};

/// `=`: empty where the precision of dates and times or the units of quantities do not tell; false for different types.
pub(in super::super) fn equal(left: Value<'_>, right: Value<'_>) -> Option<bool> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left == right),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left == right),
        (Value::Integer(left), Value::Integer(right)) => Some(left == right),
        (Value::Time(left), Value::Time(right)) => left.compare(right).map(Ordering::is_eq),
        _ => {
            if let (Some(left), Some(right)) = (left.decimal(), right.decimal()) {
                Some(left.compare(right).is_eq())
            } else if let (Some(left), Some(right)) = (left.date_time(), right.date_time()) {
                left.equal(right)
            } else if let (Some(left), Some(right)) = (left.quantity(), right.quantity()) {
                left.compare(right).map(Ordering::is_eq)
            } else {
                Some(false)
            }
        }
    }
}

/// `~`: never empty; what cannot be compared is not equivalent.
pub(in super::super) fn equivalent(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => equivalent_text(left, right),
        (Value::Boolean(left), Value::Boolean(right)) => left == right,
        (Value::Integer(left), Value::Integer(right)) => left == right,
        _ => {
            if let (Some(left), Some(right)) = (left.decimal(), right.decimal()) {
                left.equivalent(right)
            } else if let (Value::Quantity(_), _) | (_, Value::Quantity(_)) = (left, right) {
                match (left.quantity(), right.quantity()) {
                    (Some(left), Some(right)) => left.equivalent(right),
                    _ => false,
                }
            } else {
                equal(left, right) == Some(true)
            }
        }
    }
}

/// The order of two values for `<`, `<=`, `>`, `>=`; empty where precision or units do not tell.
///
/// # Errors
/// For types that have no order, or none together.
pub(in super::super) fn compare(left: Value<'_>, right: Value<'_>) -> Result<Option<Ordering>, Failed> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Ok(Some(left.cmp(right))),
        (Value::Integer(left), Value::Integer(right)) => Ok(Some(left.cmp(&right))),
        (Value::Time(left), Value::Time(right)) => Ok(left.compare(right)),
        _ => {
            if let (Some(left), Some(right)) = (left.decimal(), right.decimal()) {
                Ok(Some(left.compare(right)))
            } else if let (Some(left), Some(right)) = (left.date_time(), right.date_time()) {
                Ok(left.compare(right))
            } else if let (Some(left), Some(right)) = (left.quantity(), right.quantity()) {
                Ok(left.compare(right))
            } else {
                Err(Failed)
            }
        }
    }
}

/// Equal but for case and for which white space it is ("String Equivalence": white space is not collapsed).
fn equivalent_text(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        let fold = |byte: u8| if matches!(byte, b'\t'..=b'\r') { b' ' } else { byte.to_ascii_lowercase() };
        return left.len() == right.len() && left.bytes().map(fold).eq(right.bytes().map(fold));
    }
    folded(left).eq(folded(right))
}

/// Upper and then lower case, so that letters that share one of them are the same.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let spaced = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter });
    spaced.flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
