//! FHIRPath System values and all operations on them.
//!
//! ```text
//! JSON scalar of a FHIR primitive -> read -----+
//! literal of a criterion -> literal -----------+-> Value -> equal, equivalent, compare, arithmetic, convert, text, math
//! FHIR Quantity (value, system, code) -> Quantity::of_fhir +
//! ```
//!
//! Values are `Copy`; strings borrow the event, the program or an arena (of the evaluation).
//! Section names in the documentation are those of <https://hl7.org/fhirpath>.
//!
//! Promises: exact (decimals are never binary floating point, and compare exactly at any length), total (no input panics
//! or takes more than its own length in time), bounded. What the specification calls an error is [`Failed`], which
//! carries no text; what it calls empty is `None`.
//!
//! Where the specification leaves it open: an integer has 64 bits (FHIR's integer64 is one, too) and its overflow is
//! empty; a DateTime without time zone counts as UTC (see [`temporal`]); units are those of [`quantity::ucum`], others
//! are known only to themselves.

use rust_decimal::Decimal as Short;

pub(super) mod arithmetic;
mod compare;
pub(super) mod convert;
mod decimal;
mod literal;
pub(super) mod math;
mod quantity;
mod temporal;
pub(super) mod text;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod testing;

pub(super) use self::compare::{compare, equal, equivalent};
pub(super) use self::decimal::Decimal;
pub(super) use self::literal::literal;
pub(super) use self::quantity::{Quantity, Unit};
pub(super) use self::temporal::{Date, DateTime, Time};

/// A FHIRPath System value. Long is an Integer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'t> {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal<'t>),
    String(&'t str),
    Date(Date),
    DateTime(DateTime),
    Time(Time),
    Quantity(Quantity<'t>),
}

/// The expression fails here: a type that the operation does not take, or a bound that is exceeded. Carries no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// A JSON scalar.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar<'t> {
    /// A string, unescaped.
    Text(&'t str),
    /// A number as it is written.
    Number(&'t str),
    Boolean(bool),
}

/// What a FHIR primitive type is in FHIRPath (FHIR, "Using FHIR types in expressions").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Primitive {
    Boolean,
    /// integer, positiveInt, unsignedInt: a JSON number.
    Integer,
    /// integer64: a JSON string.
    Integer64,
    Decimal,
    /// string and all that are strings to FHIRPath: code, id, uri, markdown, base64Binary ...
    String,
    Date,
    /// dateTime and instant.
    DateTime,
    Time,
}

impl Primitive {
    /// By the name of the FHIR type; `None` if it is no primitive.
    pub(super) fn of(fhir_type: &str) -> Option<Self> {
        Some(match fhir_type {
            "boolean" => Self::Boolean,
            "integer" | "positiveInt" | "unsignedInt" => Self::Integer,
            "integer64" => Self::Integer64,
            "decimal" => Self::Decimal,
            "string" | "code" | "id" | "uri" | "url" | "canonical" | "oid" | "uuid" | "markdown" | "base64Binary"
            | "xhtml" => Self::String,
            "date" => Self::Date,
            "dateTime" | "instant" => Self::DateTime,
            "time" => Self::Time,
            _ => return None,
        })
    }

    /// The name of the System type of its values.
    #[cfg(test)]
    pub(super) fn system_type(self) -> &'static str {
        match self {
            Self::Boolean => "Boolean",
            Self::Integer | Self::Integer64 => "Integer",
            Self::Decimal => "Decimal",
            Self::String => "String",
            Self::Date => "Date",
            Self::DateTime => "DateTime",
            Self::Time => "Time",
        }
    }
}

/// Reads the value of a FHIR primitive. `None` if the JSON is none of its type: the element then has no value that
/// FHIRPath could work with.
///
/// An integer that is written as `1.0`, or is too large, is a Decimal.
pub(super) fn read(primitive: Primitive, scalar: Scalar<'_>) -> Option<Value<'_>> {
    Some(match (primitive, scalar) {
        (Primitive::Boolean, Scalar::Boolean(value)) => Value::Boolean(value),
        (Primitive::Integer, Scalar::Number(text))
        | (Primitive::Integer64, Scalar::Text(text) | Scalar::Number(text)) => integer(text)
            .map_or_else(|| Decimal::parse(text).map(Value::Decimal), |value| Some(Value::Integer(value)))?,
        (Primitive::Decimal, Scalar::Number(text)) => Value::Decimal(Decimal::parse(text)?),
        (Primitive::String, Scalar::Text(text)) => Value::String(text),
        (Primitive::Date, Scalar::Text(text)) => Value::Date(Date::parse(text)?),
        (Primitive::DateTime, Scalar::Text(text)) => Value::DateTime(DateTime::parse(text)?),
        (Primitive::Time, Scalar::Text(text)) => Value::Time(Time::parse(text)?),
        _ => return None,
    })
}

/// A whole number of at most 64 bits: digits with or without a sign.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

impl<'t> Value<'t> {
    /// The name of the System type.
    #[cfg(test)]
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Boolean(_) => "Boolean",
            Self::Integer(_) => "Integer",
            Self::Decimal(_) => "Decimal",
            Self::String(_) => "String",
            Self::Date(_) => "Date",
            Self::DateTime(_) => "DateTime",
            Self::Time(_) => "Time",
            Self::Quantity(_) => "Quantity",
        }
    }

    /// An Integer or Decimal as a Decimal ("Conversion": implicit).
    fn decimal(self) -> Option<Decimal<'t>> {
        match self {
            Self::Integer(value) => Some(value.into()),
            Self::Decimal(value) => Some(value),
            _ => None,
        }
    }

    /// An Integer, Decimal or Quantity as a Quantity ("Conversion": implicit).
    fn quantity(self) -> Option<Quantity<'t>> {
        match self {
            Self::Quantity(value) => Some(value),
            _ => self.decimal().map(|value| Quantity { value, unit: Unit::ONE }),
        }
    }

    /// A Date or DateTime as a DateTime ("Conversion": implicit).
    fn date_time(self) -> Option<DateTime> {
        match self {
            Self::Date(value) => Some(value.to_date_time()),
            Self::DateTime(value) => Some(value),
            _ => None,
        }
    }
}

impl From<Short> for Value<'_> {
    fn from(value: Short) -> Self {
        Self::Decimal(value.into())
    }
}
