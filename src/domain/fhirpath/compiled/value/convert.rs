//! Conversion functions ("Conversion"): `to...` gives empty where `convertsTo...` is false.

use std::fmt::Write as _;

use super::{Date, DateTime, Decimal, Quantity, Time, Unit, Value};
use crate::domain::fhirpath::compiled::arena::Arena;

/// `1`, `1.0` and some words are true, `0`, `0.0` and some words are false.
pub(in super::super) fn to_boolean(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Boolean(value) => Some(value),
        Value::String(text) => match_word(text),
        _ => {
            let value = value.decimal()?;
            if value.compare(Decimal::ONE).is_eq() {
                Some(true)
            } else if value.compare(0.into()).is_eq() {
                Some(false)
            } else {
                None
            }
        }
    }
}

fn match_word(text: &str) -> Option<bool> {
    let is_one_of = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_one_of(&["true", "t", "yes", "y", "1", "1.0"]) {
        Some(true)
    } else if is_one_of(&["false", "f", "no", "n", "0", "0.0"]) {
        Some(false)
    } else {
        None
    }
}

/// An Integer of 32 bits, which is all that a string may give.
pub(in super::super) fn to_integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::String(text) => super::integer(text).filter(|value| i32::try_from(*value).is_ok()),
        _ => to_long(value),
    }
}

/// An Integer of 64 bits.
pub(in super::super) fn to_long(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(value),
        Value::Boolean(value) => Some(value.into()),
        Value::String(text) => super::integer(text),
        _ => None,
    }
}

pub(in super::super) fn to_decimal(value: Value<'_>) -> Option<Decimal<'_>> {
    match value {
        Value::Boolean(value) => Some(rust_decimal::Decimal::new(if value { 10 } else { 0 }, 1).into()),
        Value::String(text) => plain_decimal(text),
        _ => value.decimal(),
    }
}

/// A decimal without exponent.
fn plain_decimal(text: &str) -> Option<Decimal<'_>> {
    if text.contains(['e', 'E']) { None } else { Decimal::parse(text) }
}

/// Empty only for a number that is too long to be written out, and where it does not fit.
pub(in super::super) fn to_string<'t>(value: Value<'t>, arena: &'t Arena) -> Option<&'t str> {
    let mut out = arena.text(0).ok()?;
    let written = match value {
        Value::String(text) => return Some(text),
        Value::Boolean(value) => return Some(if value { "true" } else { "false" }),
        Value::Integer(value) => write!(out, "{value}").is_ok(),
        Value::Decimal(value) => value.write(&mut out),
        Value::Date(value) => write!(out, "{value}").is_ok(),
        Value::DateTime(value) => write!(out, "{value}").is_ok(),
        Value::Time(value) => write!(out, "{value}").is_ok(),
        Value::Quantity(value) => value.value.write(&mut out) && write!(out, " {}", value.unit).is_ok(),
    };
    written.then(|| out.into_str())
}

pub(in super::super) fn to_date(value: Value<'_>) -> Option<Date> {
    match value {
        Value::Date(value) => Some(value),
        Value::DateTime(value) => value.date(),
        Value::String(text) => Date::parse(text),
        _ => None,
    }
}

pub(in super::super) fn to_date_time(value: Value<'_>) -> Option<DateTime> {
    match value {
        Value::String(text) => DateTime::parse(text),
        _ => value.date_time(),
    }
}

pub(in super::super) fn to_time(value: Value<'_>) -> Option<Time> {
    match value {
        Value::Time(value) => Some(value),
        Value::String(text) => Time::parse(text),
        _ => None,
    }
}

/// With a unit: converted to it, if it can be.
pub(in super::super) fn to_quantity<'t>(value: Value<'t>, unit: Option<&'t str>) -> Option<Quantity<'t>> {
    let quantity = match value {
        Value::Boolean(_) => Quantity { value: to_decimal(value)?, unit: Unit::ONE },
        Value::String(text) => parse_quantity(text)?,
        _ => value.quantity()?,
    };
    match unit {
        Some(unit) => quantity.converted(Unit::parse(unit)),
        None => Some(quantity),
    }
}

/// A number, and a UCUM code in quotes or the word of a calendar duration.
fn parse_quantity(text: &str) -> Option<Quantity<'_>> {
    let digits = text.find(|letter: char| !matches!(letter, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let value = plain_decimal(number)?;
    let unit = unit.trim_start();
    let unit = if unit.is_empty() {
        Unit::ONE
    } else if let Some(code) = unit.strip_prefix('\'') {
        Unit::Ucum(code.strip_suffix('\'').filter(|code| !code.is_empty() && !code.contains('\''))?)
    } else {
        match Unit::parse(unit) {
            Unit::Ucum(_) => return None,
            calendar => calendar,
        }
    };
    Some(Quantity { value, unit })
}

pub(in super::super) fn converts_to_boolean(value: Value<'_>) -> bool {
    to_boolean(value).is_some()
}

pub(in super::super) fn converts_to_integer(value: Value<'_>) -> bool {
    to_integer(value).is_some()
}

pub(in super::super) fn converts_to_decimal(value: Value<'_>) -> bool {
    to_decimal(value).is_some()
}

/// Every System value does.
pub(in super::super) fn converts_to_string(_: Value<'_>) -> bool {
    true
}

pub(in super::super) fn converts_to_date(value: Value<'_>) -> bool {
    to_date(value).is_some()
}

pub(in super::super) fn converts_to_date_time(value: Value<'_>) -> bool {
    to_date_time(value).is_some()
}

pub(in super::super) fn converts_to_time(value: Value<'_>) -> bool {
    to_time(value).is_some()
}

pub(in super::super) fn converts_to_quantity<'t>(value: Value<'t>, unit: Option<&'t str>) -> bool {
    to_quantity(value, unit).is_some()
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
