//! Math functions ("Math"). Empty where the result cannot be represented.

use rust_decimal::{Decimal as Short, RoundingStrategy};

use super::{Failed, Quantity, Value};

/// Applies a function of decimals to a Decimal or to the value of a Quantity.
fn map<'t>(value: Value<'t>, function: impl Fn(Short) -> Value<'t>) -> Result<Value<'t>, Failed> {
    match value {
        Value::Decimal(decimal) => Ok(function(decimal.short().ok_or(Failed)?)),
        Value::Quantity(quantity) => {
            let mapped = function(quantity.value.short().ok_or(Failed)?);
            Ok(Value::Quantity(Quantity { value: mapped.decimal().ok_or(Failed)?, ..quantity }))
        }
        _ => Err(Failed),
    }
}

/// A whole number as an Integer, or as a Decimal when it is too large for one.
fn whole<'t>(value: Short) -> Value<'t> {
    i64::try_from(value).map_or_else(|_| Value::from(value), Value::Integer)
}

/// # Errors
/// When it is no number or quantity of up to 28 digits.
pub(in super::super) fn abs(value: Value<'_>) -> Result<Option<Value<'_>>, Failed> {
    match value {
        Value::Integer(value) => Ok(value.checked_abs().map(Value::Integer)),
        _ => map(value, |value| Value::from(value.abs())).map(Some),
    }
}

/// # Errors
/// As [`abs`].
pub(in super::super) fn ceiling(value: Value<'_>) -> Result<Option<Value<'_>>, Failed> {
    match value {
        Value::Integer(_) => Ok(Some(value)),
        _ => map(value, |value| whole(value.ceil())).map(Some),
    }
}

/// # Errors
/// As [`abs`].
pub(in super::super) fn floor(value: Value<'_>) -> Result<Option<Value<'_>>, Failed> {
    match value {
        Value::Integer(_) => Ok(Some(value)),
        _ => map(value, |value| whole(value.floor())).map(Some),
    }
}

/// # Errors
/// As [`abs`].
pub(in super::super) fn truncate(value: Value<'_>) -> Result<Option<Value<'_>>, Failed> {
    match value {
        Value::Integer(_) => Ok(Some(value)),
        _ => map(value, |value| whole(value.trunc())).map(Some),
    }
}

/// The square root; empty for a negative number. One that is no decimal of 28 digits is rounded to 28.
///
/// # Errors
/// When it is no number of up to 28 digits.
pub(in super::super) fn sqrt(value: Value<'_>) -> Result<Option<Value<'_>>, Failed> {
    let value = value.decimal().and_then(super::Decimal::short).ok_or(Failed)?;
    if value.is_sign_negative() && !value.is_zero() {
        return Ok(None);
    }
    Ok(square_root(value).map(Value::from))
}

/// By Newton's method from above: each step halves the distance at least, and one that does not fall is the end.
fn square_root(value: Short) -> Option<Short> {
    if value.is_zero() {
        return Some(Short::ZERO);
    }
    // Not below the root of any number that there is.
    let mut root = value.clamp(Short::ONE, Short::from(300_000_000_000_000_i64));
    for _ in 0..256 {
        let next = root.checked_add(value.checked_div(root)?)?.checked_div(Short::TWO)?;
        if next >= root {
            break;
        }
        root = next;
    }
    // A root that is a shorter decimal is found exactly.
    let short = root.round_dp(14).normalize();
    Some(if short.checked_mul(short) == Some(value) { short } else { root })
}

/// A whole power; empty where it is too large. What needs more than 28 digits is rounded to 28.
///
/// # Errors
/// When it is no number of up to 28 digits.
pub(in super::super) fn power(value: Value<'_>, exponent: i64) -> Result<Option<Value<'_>>, Failed> {
    let base = value.decimal().and_then(super::Decimal::short).ok_or(Failed)?;
    let power = whole_power(base, exponent.unsigned_abs());
    let power = if exponent < 0 { power.and_then(|power| Short::ONE.checked_div(power)) } else { power };
    Ok(power.map(|power| Value::from(power.normalize())))
}

fn whole_power(mut base: Short, mut exponent: u64) -> Option<Short> {
    let mut power = Short::ONE;
    loop {
        if exponent % 2 == 1 {
            power = power.checked_mul(base)?;
        }
        exponent /= 2;
        if exponent == 0 {
            return Some(power);
        }
        base = base.checked_mul(base)?;
    }
}

/// To so many places, halves away from zero; a Decimal, or a Quantity.
///
/// # Errors
/// As [`abs`], and when there are less than 0 places.
pub(in super::super) fn round(value: Value<'_>, places: i64) -> Result<Option<Value<'_>>, Failed> {
    let places = u32::try_from(places.min(28)).map_err(|_| Failed)?;
    let value = match value {
        Value::Integer(value) => Value::Decimal(value.into()),
        _ => value,
    };
    let round = |value: Short| value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
    map(value, |value| Value::from(round(value))).map(Some)
}

#[cfg(test)]
#[path = "math_tests.rs"]
mod tests;
