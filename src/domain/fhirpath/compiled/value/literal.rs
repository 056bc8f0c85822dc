//! Literals of the engine's parser as values.

use octofhir_fhirpath::ast::literal::LiteralValue;
use octofhir_fhirpath::core::{PrecisionDateTime, TemporalPrecision};

use super::{Date, DateTime, Decimal, Quantity, Time, Unit, Value, temporal};

/// The value of a literal. `None` where the parser did not keep it exactly: a number of more than 27 digits.
pub(in super::super) fn literal(literal: &LiteralValue) -> Option<Value<'_>> {
    Some(match literal {
        LiteralValue::Boolean(value) => Value::Boolean(*value),
        LiteralValue::String(text) => Value::String(text),
        LiteralValue::Integer(value) | LiteralValue::Long(value) => Value::Integer(*value),
        LiteralValue::Decimal(value) => Value::Decimal(decimal(*value)?),
        LiteralValue::Date(date) => Value::Date(Date::parse(&date.to_string())?),
        LiteralValue::DateTime(value) => Value::DateTime(date_time(value)?),
        LiteralValue::Time(value) => Value::Time(time(value.time.to_string(), value.precision)?),
        LiteralValue::Quantity { value, unit } => {
            let unit = unit.as_deref().map_or(Unit::ONE, Unit::parse);
            Value::Quantity(Quantity { value: decimal(*value)?, unit })
        }
    })
}

/// The parser rounds what has more digits than fit, and does not say so.
fn decimal<'t>(value: rust_decimal::Decimal) -> Option<Decimal<'t>> {
    (value.mantissa().unsigned_abs() < 10_u128.pow(27)).then(|| value.into())
}

fn date_time(value: &PrecisionDateTime) -> Option<DateTime> {
    let precision = precision(value.precision);
    let offset = value.datetime.offset().local_minus_utc();
    let zone = if value.tz_specified && precision >= temporal::Precision::Hour { Some(offset) } else { None };
    let start = value.datetime.timestamp();
    DateTime::from_parts(precision, zone, start, value.datetime.timestamp_subsec_nanos(), written(value.precision))
}

/// From `hh:mm:ss` with or without a fraction, cut down or filled up to a precision.
fn time(mut text: String, precision: TemporalPrecision) -> Option<Time> {
    match precision {
        TemporalPrecision::Hour => text.truncate(2),
        TemporalPrecision::Minute => text.truncate(5),
        TemporalPrecision::Millisecond if !text.contains('.') => text.push_str(".000"),
        _ => {}
    }
    Time::parse(&text)
}

fn precision(precision: TemporalPrecision) -> temporal::Precision {
    match precision {
        TemporalPrecision::Year => temporal::Precision::Year,
        TemporalPrecision::Month => temporal::Precision::Month,
        TemporalPrecision::Day => temporal::Precision::Day,
        TemporalPrecision::Hour => temporal::Precision::Hour,
        TemporalPrecision::Minute => temporal::Precision::Minute,
        TemporalPrecision::Second | TemporalPrecision::Millisecond => temporal::Precision::Second,
    }
}

/// How many digits of the fraction are shown.
fn written(precision: TemporalPrecision) -> u8 {
    if precision == TemporalPrecision::Millisecond { 3 } else { 0 }
}
