//! Parts that give at most one value.

use jiff::Timestamp;

use super::items::{Few, Item};
use super::{Evaluation, Halt, Scope};
use crate::domain::fhirpath::compiled::program::{
    ChainOperator, Conversion, Expr, MathFunction, Regex, Scalar, TextFunction,
};
use crate::domain::fhirpath::compiled::value::{self, DateTime, Value, arithmetic, convert, math, text};
use crate::domain::fhirpath::pattern;

/// An operand of an operator that takes one value.
#[derive(Clone, Copy)]
pub(super) enum Operand<'e> {
    None,
    One(Value<'e>),
    /// Several items, or an element with elements of its own: an error, unless the other operand is empty.
    Unfit,
}

/// What a conversion is asked of.
pub(super) enum Convertible<'e> {
    None,
    Value(Value<'e>),
    /// An element that is no value.
    Other,
}

impl<'e> Operand<'e> {
    /// Both values; empty if one of them is, an error if one is not fit.
    pub(super) fn pair(left: Self, right: Self) -> Result<Option<(Value<'e>, Value<'e>)>, Halt> {
        match (left, right) {
            (Self::None, _) | (_, Self::None) => Ok(None),
            (Self::One(left), Self::One(right)) => Ok(Some((left, right))),
            _ => Err(Halt::Failed),
        }
    }

    fn of(value: Option<Value<'e>>) -> Self {
        value.map_or(Self::None, Self::One)
    }
}

impl<'e> Evaluation<'e> {
    fn operand(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Operand<'e>, Halt> {
        let items = self.few(expr, scope)?;
        self.operand_of(items)
    }

    /// Fails only when it costs too much: whether an unfit operand is an error, the other one tells.
    pub(super) fn operand_of(&self, items: Few<'e>) -> Result<Operand<'e>, Halt> {
        match items {
            Few::None => Ok(Operand::None),
            Few::One(item) => match self.value_of(item) {
                Err(Halt::Failed) => Ok(Operand::Unfit),
                value => value.map(Operand::of),
            },
            Few::Many => Ok(Operand::Unfit),
        }
    }

    /// At most one value.
    pub(super) fn value(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Option<Value<'e>>, Halt> {
        match self.operand(expr, scope)? {
            Operand::None => Ok(None),
            Operand::One(value) => Ok(Some(value)),
            Operand::Unfit => Err(Halt::Failed),
        }
    }

    /// At most one string.
    pub(super) fn text(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Option<&'e str>, Halt> {
        match self.value(expr, scope)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Halt::Failed),
        }
    }

    /// At most one integer.
    pub(super) fn integer(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Option<i64>, Halt> {
        match self.value(expr, scope)? {
            None => Ok(None),
            Some(Value::Integer(number)) => Ok(Some(number)),
            Some(_) => Err(Halt::Failed),
        }
    }

    pub(super) fn scalar(&self, scalar: &'e Scalar, scope: &Scope<'e>) -> Result<Option<Value<'e>>, Halt> {
        self.spend(1)?;
        match scalar {
            Scalar::Count(input) => self.count(input, scope).map(|count| Some(Value::Integer(count))),
            Scalar::Now => Ok(self.now().map(Value::DateTime)),
            Scalar::Today => Ok(self.now().and_then(DateTime::date).map(Value::Date)),
            Scalar::TimeOfDay => Ok(self.now().and_then(DateTime::time).map(Value::Time)),
            Scalar::Chain { first, rest } => self.chain(first, rest, scope),
            Scalar::Negate(input) => match self.value(input, scope)? {
                Some(value) => Ok(value::arithmetic::negate(value)?),
                None => Ok(None),
            },
            Scalar::Plus(input) => self.value(input, scope),
            Scalar::GetValue(input) => match self.few(input, scope)? {
                Few::One(item) if self.has_value(item) => self.value_of(item),
                _ => Ok(None),
            },
            Scalar::Precision(input) => match self.value(input, scope)? {
                Some(value) => Ok(convert::to_string(value, self.arena).and_then(|text| precision(value, text))),
                None => Ok(None),
            },
            Scalar::Convert { input, to } => match self.convertible(input, scope)? {
                Convertible::Value(value) => self.convert(value, *to),
                Convertible::None | Convertible::Other => Ok(None),
            },
            Scalar::Text { input, function, arguments } => self.text_function(input, *function, arguments, scope),
            Scalar::Join { input, separator } => self.join(input, separator.as_ref(), scope),
            Scalar::ReplaceMatches { input, pattern, replacement } => {
                self.replace_matches(input, pattern, replacement, scope)
            }
            Scalar::Math { input, function, argument } => self.math(input, *function, argument.as_ref(), scope),
        }
    }

    fn count(&self, input: &'e Expr, scope: &Scope<'e>) -> Result<i64, Halt> {
        let mut count = 0;
        self.each(input, scope, &mut |_| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    /// The event's time in UTC, to the millisecond.
    fn now(&self) -> Option<DateTime> {
        let time = self.view.time.parse::<Timestamp>().ok()?;
        DateTime::from_milliseconds(time.as_millisecond())
    }

    /// Operators from left to right.
    fn chain(
        &self,
        first: &'e Expr,
        rest: &'e [(ChainOperator, Expr)],
        scope: &Scope<'e>,
    ) -> Result<Option<Value<'e>>, Halt> {
        let mut left = self.operand(first, scope)?;
        for (operator, right) in rest {
            let right = self.operand(right, scope)?;
            left = match operator {
                ChainOperator::Arithmetic(operator) => match Operand::pair(left, right)? {
                    Some((left, right)) => Operand::of(self.arithmetic(*operator, left, right)?),
                    None => Operand::None,
                },
                ChainOperator::Concatenate => {
                    Operand::One(Value::String(self.concatenate(text_of(left)?, text_of(right)?)?))
                }
            };
        }
        match left {
            Operand::None => Ok(None),
            Operand::One(value) => Ok(Some(value)),
            Operand::Unfit => Err(Halt::Failed),
        }
    }

    fn arithmetic(
        &self,
        operator: arithmetic::Operator,
        left: Value<'e>,
        right: Value<'e>,
    ) -> Result<Option<Value<'e>>, Halt> {
        if let (Value::String(left), Value::String(right)) = (left, right) {
            self.spend_made(left.len() + right.len())?;
        }
        Ok(arithmetic::arithmetic(operator, left, right, self.arena)?)
    }

    fn concatenate(&self, left: &'e str, right: &'e str) -> Result<&'e str, Halt> {
        self.spend_made(left.len() + right.len())?;
        Ok(text::concatenate(left, right, self.arena)?)
    }

    /// What is to be converted. An element with elements of its own is no error, but is converted to nothing (FHIRPath,
    /// Conversion: "the item is not one of the above types").
    pub(super) fn convertible(&self, input: &'e Expr, scope: &Scope<'e>) -> Result<Convertible<'e>, Halt> {
        let Some(item) = self.only(input, scope)? else { return Ok(Convertible::None) };
        Ok(match self.operand_of(Few::One(item))? {
            Operand::None => Convertible::None,
            Operand::One(value) => Convertible::Value(value),
            Operand::Unfit => Convertible::Other,
        })
    }

    fn convert(&self, value: Value<'e>, to: Conversion) -> Result<Option<Value<'e>>, Halt> {
        if let Value::String(text) = value {
            self.spend_text(text.len())?;
        }
        Ok(match to {
            Conversion::Boolean => convert::to_boolean(value).map(Value::Boolean),
            Conversion::Integer => convert::to_integer(value).map(Value::Integer),
            Conversion::Decimal => convert::to_decimal(value).map(Value::Decimal),
            Conversion::String => {
                // A number may be written out longer than it stands in the event.
                let written = convert::to_string(value, self.arena);
                self.spend_made(written.map_or(0, str::len))?;
                written.map(Value::String)
            }
            Conversion::Date => convert::to_date(value).map(Value::Date),
            Conversion::DateTime => convert::to_date_time(value).map(Value::DateTime),
            Conversion::Time => convert::to_time(value).map(Value::Time),
            Conversion::Quantity => convert::to_quantity(value, None).map(Value::Quantity),
        })
    }

    fn text_function(
        &self,
        input: &'e Expr,
        function: TextFunction,
        arguments: &'e [Expr],
        scope: &Scope<'e>,
    ) -> Result<Option<Value<'e>>, Halt> {
        let Some(whole) = self.text(input, scope)? else { return Ok(None) };
        self.spend_text(whole.len())?;
        let integer = |index: usize| match arguments.get(index) {
            Some(argument) => self.integer(argument, scope),
            None => Ok(None),
        };
        let text_at = |index: usize| match arguments.get(index) {
            Some(argument) => self.text(argument, scope),
            None => Ok(None),
        };
        Ok(match function {
            TextFunction::Length => Some(Value::Integer(text::length(whole))),
            TextFunction::Upper => {
                self.spend_made(whole.len())?;
                Some(Value::String(text::upper(whole, self.arena)?))
            }
            TextFunction::Lower => {
                self.spend_made(whole.len())?;
                Some(Value::String(text::lower(whole, self.arena)?))
            }
            TextFunction::Trim => Some(Value::String(text::trim(whole))),
            TextFunction::IndexOf => text_at(0)?.map(|part| Value::Integer(text::index_of(whole, part))),
            TextFunction::LastIndexOf => text_at(0)?.map(|part| Value::Integer(text::last_index_of(whole, part))),
            TextFunction::Substring => {
                let Some(start) = integer(0)? else { return Ok(None) };
                let length = integer(1)?;
                text::substring(whole, start, length).map(Value::String)
            }
            TextFunction::Replace => {
                let (Some(part), Some(substitution)) = (text_at(0)?, text_at(1)?) else { return Ok(None) };
                let replaced = text::replace(whole, part, substitution, self.arena)?;
                self.spend_made(replaced.len())?;
                Some(Value::String(replaced))
            }
        })
    }

    fn join(&self, input: &'e Expr, separator: Option<&'e Expr>, scope: &Scope<'e>) -> Result<Option<Value<'e>>, Halt> {
        let separator = match separator {
            Some(separator) => self.text(separator, scope)?.unwrap_or_default(),
            None => "",
        };
        let mut parts = self.arena.list();
        self.each(input, scope, &mut |item: Item<'e>| match self.value_of(item)? {
            None => Ok(()),
            Some(Value::String(text)) => {
                self.spend_made(text.len() + separator.len())?;
                Ok(parts.push(text)?)
            }
            Some(_) => Err(Halt::Failed),
        })?;
        if parts.is_empty() {
            return Ok(None);
        }
        Ok(Some(Value::String(text::join(&parts, separator, self.arena)?)))
    }

    fn replace_matches(
        &self,
        input: &'e Expr,
        regex: &'e Regex,
        replacement: &'e Expr,
        scope: &Scope<'e>,
    ) -> Result<Option<Value<'e>>, Halt> {
        let (Some(whole), Some(replacement)) = (self.text(input, scope)?, self.text(replacement, scope)?) else {
            return Ok(None);
        };
        self.spend(pattern::cost(regex.size, whole.len() as u64))?;
        let replaced = regex.pattern.replace(whole, replacement, self.arena)?;
        self.spend_made(replaced.len())?;
        Ok(Some(Value::String(replaced)))
    }

    fn math(
        &self,
        input: &'e Expr,
        function: MathFunction,
        argument: Option<&'e Expr>,
        scope: &Scope<'e>,
    ) -> Result<Option<Value<'e>>, Halt> {
        let Some(value) = self.value(input, scope)? else { return Ok(None) };
        if matches!(value, Value::Quantity(_)) && function != MathFunction::Abs {
            return Err(Halt::Failed);
        }
        Ok(match function {
            MathFunction::Abs => math::abs(value)?,
            MathFunction::Ceiling => math::ceiling(value)?,
            MathFunction::Floor => math::floor(value)?,
            MathFunction::Truncate => math::truncate(value)?,
            MathFunction::Sqrt => math::sqrt(value)?,
            MathFunction::Round | MathFunction::Power => {
                let number = match argument {
                    Some(argument) => self.integer(argument, scope)?,
                    None => Some(0),
                };
                let Some(number) = number else { return Ok(None) };
                match (function, value) {
                    (MathFunction::Round, _) => math::round(value, number)?,
                    // A whole power of an Integer is one, too.
                    (_, Value::Integer(base)) if number >= 0 => {
                        u32::try_from(number).ok().and_then(|number| base.checked_pow(number)).map(Value::Integer)
                    }
                    _ => math::power(value, number)?,
                }
            }
        })
    }
}

/// Digits behind the point of a decimal; digits of a date or time.
fn precision<'e>(value: Value<'e>, text: &str) -> Option<Value<'e>> {
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    let count = match value {
        Value::Decimal(_) => text.split_once('.').map_or(0, |(_, fraction)| fraction.len()),
        Value::Date(_) | Value::Time(_) => digits(text),
        Value::DateTime(_) => match text.split_once('T') {
            Some((date, time)) => digits(date) + digits(time.split(['Z', '+', '-']).next().unwrap_or_default()),
            None => digits(text),
        },
        _ => return None,
    };
    i64::try_from(count).ok().map(Value::Integer)
}

/// An operand of `&`, where nothing is the empty string.
fn text_of(operand: Operand<'_>) -> Result<&str, Halt> {
    match operand {
        Operand::None => Ok(""),
        Operand::One(Value::String(text)) => Ok(text),
        Operand::One(_) | Operand::Unfit => Err(Halt::Failed),
    }
}
