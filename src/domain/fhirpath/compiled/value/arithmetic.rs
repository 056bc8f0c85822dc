//! Arithmetic ("Math", "Date/Time Arithmetic"). Overflow and division by zero are empty; so are quantities whose units do
//! not go together.

use rust_decimal::Decimal as Short;

use super::quantity::algebra;
use super::temporal::shift::Duration;
use super::{Failed, Quantity, Value, text};
use crate::domain::fhirpath::compiled::arena::Arena;

/// An operator of two operands. `&` is [`text::concatenate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Operator {
    Add,
    Subtract,
    Multiply,
    /// `/`: always a Decimal or a Quantity.
    Divide,
    /// `div`
    WholeDivide,
    /// `mod`
    Remainder,
}

/// Applies an operator.
///
/// # Errors
/// For types that it does not take, for a decimal of more than 28 digits, and for dates and durations that do not go
/// together ("an unsupported unit for the type").
pub(in super::super) fn arithmetic<'t>(
    operator: Operator,
    left: Value<'t>,
    right: Value<'t>,
    arena: &'t Arena,
) -> Result<Option<Value<'t>>, Failed> {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Ok(integers(operator, left, right)),
        (Value::String(left), Value::String(right)) if operator == Operator::Add => {
            text::concatenate(left, right, arena).map(|text| Some(Value::String(text)))
        }
        (Value::Date(_) | Value::DateTime(_) | Value::Time(_), Value::Quantity(by)) => temporal(operator, left, by),
        _ => {
            if let (Some(left), Some(right)) = (left.decimal(), right.decimal()) {
                Ok(decimals(operator, left.short().ok_or(Failed)?, right.short().ok_or(Failed)?).map(Value::from))
            } else if let (Some(left), Some(right)) = (left.quantity(), right.quantity()) {
                Ok(quantities(operator, left, right, arena)?.map(Value::Quantity))
            } else {
                Err(Failed)
            }
        }
    }
}

/// The unary minus.
///
/// # Errors
/// When it is no number or quantity of up to 28 digits.
pub(in super::super) fn negate(value: Value<'_>) -> Result<Option<Value<'_>>, Failed> {
    match value {
        Value::Integer(value) => Ok(value.checked_neg().map(Value::Integer)),
        Value::Decimal(value) => value.negated().map(|value| Some(Value::Decimal(value))).ok_or(Failed),
        Value::Quantity(quantity) => {
            let value = quantity.value.negated().ok_or(Failed)?;
            Ok(Some(Value::Quantity(Quantity { value, ..quantity })))
        }
        _ => Err(Failed),
    }
}

fn integers<'t>(operator: Operator, left: i64, right: i64) -> Option<Value<'t>> {
    let value = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::WholeDivide => left.checked_div(right),
        Operator::Remainder => left.checked_rem(right),
        Operator::Divide => return decimals(operator, left.into(), right.into()).map(Value::from),
    };
    value.map(Value::Integer)
}

/// To 28 digits; what needs more is rounded.
fn decimals(operator: Operator, left: Short, right: Short) -> Option<Short> {
    match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        // Without the zeros that the division leaves at the end.
        Operator::Divide => left.checked_div(right).map(|value| value.normalize()),
        // What is left over is taken away first: a quotient just below a whole number would be rounded up to it.
        Operator::WholeDivide => left
            .checked_rem(right)
            .and_then(|rest| left.checked_sub(rest)?.checked_div(right))
            .map(|value| value.round()),
        Operator::Remainder => left.checked_rem(right),
    }
}

fn quantities<'t>(
    operator: Operator,
    left: Quantity<'t>,
    right: Quantity<'t>,
    arena: &'t Arena,
) -> Result<Option<Quantity<'t>>, Failed> {
    match operator {
        Operator::Add | Operator::Subtract => algebra::sum(left, right, |left, right| decimals(operator, left, right)),
        Operator::Multiply => algebra::product(left, right, false, arena),
        Operator::Divide => algebra::product(left, right, true, arena),
        Operator::WholeDivide | Operator::Remainder => Err(Failed),
    }
}

fn temporal<'t>(operator: Operator, left: Value<'t>, by: Quantity<'t>) -> Result<Option<Value<'t>>, Failed> {
    let duration = match operator {
        Operator::Add => Duration::of(by, false)?,
        Operator::Subtract => Duration::of(by, true)?,
        _ => return Err(Failed),
    };
    match left {
        Value::Date(date) => date.plus(duration).map(|date| Some(Value::Date(date))),
        Value::DateTime(time) => time.plus(duration).map(|time| Some(Value::DateTime(time))),
        Value::Time(time) => time.plus(duration).map(|time| Some(Value::Time(time))),
        _ => Err(Failed),
    }
}

#[cfg(test)]
#[path = "arithmetic_tests.rs"]
mod tests;
