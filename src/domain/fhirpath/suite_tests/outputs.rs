//! Results of either engine, to compare with what a suite expects.

use octofhir_fhirpath::FhirPathValue;
use octofhir_fhirpath::core::{PrecisionDate, PrecisionDateTime, TemporalPrecision};
use rust_decimal::Decimal;

use super::super::compiled::testing::Shown;

/// An item of a result: a value of FHIRPath's own types, dates and times as they are written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    String(String),
    Date(String),
    DateTime(String),
    Time(String),
    Quantity(Decimal, Option<String>),
    /// An element that is no value.
    Node,
}

impl From<&FhirPathValue> for Output {
    fn from(value: &FhirPathValue) -> Self {
        match value {
            FhirPathValue::Boolean(value, ..) => Self::Boolean(*value),
            FhirPathValue::Integer(value, ..) => Self::Integer(*value),
            FhirPathValue::Decimal(value, ..) => Self::Decimal(*value),
            FhirPathValue::String(value, ..) => Self::String(value.to_string()),
            FhirPathValue::Date(value, ..) => Self::Date(value.to_string()),
            // A dateTime of a day or less has no time zone, whatever the engine writes.
            FhirPathValue::DateTime(value, ..) if value.precision <= TemporalPrecision::Day => {
                let length = match value.precision {
                    TemporalPrecision::Year => 4,
                    TemporalPrecision::Month => 7,
                    _ => 10,
                };
                Self::DateTime(value.datetime.format("%Y-%m-%d").to_string().chars().take(length).collect())
            }
            FhirPathValue::DateTime(value, ..) => Self::DateTime(value.to_string()),
            FhirPathValue::Time(value, ..) => Self::Time(value.to_string()),
            FhirPathValue::Quantity { value, unit, .. } => {
                Self::Quantity(*value, unit.as_ref().map(|unit| unit.to_string()))
            }
            FhirPathValue::Resource(..) | FhirPathValue::Collection(_) | FhirPathValue::Empty => Self::Node,
        }
    }
}

impl From<&Shown> for Output {
    fn from(shown: &Shown) -> Self {
        let text = shown.text.clone().unwrap_or_default();
        match (shown.system_type, &shown.text) {
            (Some("Boolean"), Some(_)) => Self::Boolean(text == "true"),
            (Some("Integer"), Some(_)) => text.parse().map_or(Self::Node, Self::Integer),
            (Some("Decimal"), Some(_)) => text.parse().map_or(Self::Node, Self::Decimal),
            (Some("String"), Some(_)) => Self::String(text),
            (Some("Date"), Some(_)) => Self::Date(text),
            (Some("DateTime"), Some(_)) => Self::DateTime(text),
            (Some("Time"), Some(_)) => Self::Time(text),
            (Some("Quantity"), Some(_)) => quantity(&text).unwrap_or(Self::Node),
            _ => Self::Node,
        }
    }
}

/// A Quantity as toString() gives it: `4 'mg'`, `4 days`.
fn quantity(text: &str) -> Option<Output> {
    let (number, unit) = text.split_once(' ')?;
    Some(Output::Quantity(number.parse().ok()?, Some(unit.trim_matches('\'').to_owned())))
}

impl Output {
    /// Whether this is what the suite expects, as it writes it.
    pub(super) fn is(&self, expected: &str) -> bool {
        match self {
            Self::Boolean(value) => value.to_string() == expected,
            Self::Integer(value) => value.to_string() == expected,
            Self::Decimal(value) => expected.parse() == Ok(*value),
            Self::String(value) => value == expected,
            Self::Date(value) => value == expected.trim_start_matches('@'),
            Self::DateTime(value) => is_moment(value, expected),
            Self::Time(value) => value.trim_start_matches('T') == expected.trim_start_matches(['@', 'T']),
            Self::Quantity(value, unit) => expected.split_once(' ').is_some_and(|(number, written)| {
                number.parse() == Ok(*value) && unit.as_deref() == Some(written.trim_matches('\''))
            }),
            Self::Node => false,
        }
    }
}

fn is_moment(value: &str, expected: &str) -> bool {
    let expected = expected.trim_start_matches('@').trim_end_matches('T');
    if value.trim_end_matches('T') == expected {
        return true;
    }
    let moment = |text: &str| {
        let date = || PrecisionDate::parse(text).map(|date| PrecisionDateTime::from_date(&date));
        PrecisionDateTime::parse(text).or_else(date)
    };
    match (moment(value), moment(expected)) {
        (Some(value), Some(expected)) => value == expected && value.precision == expected.precision,
        _ => false,
    }
}
