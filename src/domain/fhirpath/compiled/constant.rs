//! Values that stand in a program: as [`Value`], but owned.

use rust_decimal::Decimal as Short;

use super::value::{self, Quantity, Unit, Value};

/// A constant of a program.
#[derive(Debug, Clone)]
pub(super) enum Constant {
    /// A value that borrows nothing.
    Plain(Value<'static>),
    Text(Box<str>),
    /// A quantity with a UCUM code.
    Quantity {
        value: Short,
        code: Box<str>,
    },
}

impl Constant {
    /// `None` for a decimal of more than 28 digits.
    pub(super) fn of(value: Value<'_>) -> Option<Self> {
        Some(Self::Plain(match value {
            Value::Boolean(value) => Value::Boolean(value),
            Value::Integer(value) => Value::Integer(value),
            Value::Decimal(value) => Value::Decimal(value.short()?.into()),
            Value::String(text) => return Some(Self::Text(text.into())),
            Value::Date(value) => Value::Date(value),
            Value::DateTime(value) => Value::DateTime(value),
            Value::Time(value) => Value::Time(value),
            Value::Quantity(Quantity { value, unit: Unit::Calendar(unit, plural) }) => {
                Value::Quantity(Quantity { value: value.short()?.into(), unit: Unit::Calendar(unit, plural) })
            }
            Value::Quantity(Quantity { value, unit: Unit::Ucum(code) | Unit::Either(code, _) }) => {
                return Some(Self::Quantity { value: value.short()?, code: code.into() });
            }
        }))
    }

    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Plain(value) => *value,
            Self::Text(text) => Value::String(text),
            Self::Quantity { value, code } => {
                Value::Quantity(Quantity { value: (*value).into(), unit: Unit::Ucum(code) })
            }
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self {
            Self::Plain(Value::Boolean(value)) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a quantity that is no whole number.
    pub(super) fn is_fraction(&self) -> bool {
        match self.value() {
            Value::Quantity(quantity) => quantity.value.short().is_none_or(|value| !value.is_integer()),
            _ => false,
        }
    }

    /// With the sign turned around, if it is a number or a quantity.
    pub(super) fn negated(&self) -> Option<Self> {
        value::arithmetic::negate(self.value()).ok().flatten().and_then(Self::of)
    }
}

impl From<i64> for Constant {
    fn from(value: i64) -> Self {
        Self::Plain(Value::Integer(value))
    }
}
