//! Quantities: a decimal and a unit ("Quantity", "Time-valued Quantities", "Unit Conversions").
//!
//! Equal units are compared by value alone. Different ones are compared where both are known to [`ucum`] and of one
//! dimension, or are calendar durations; what is not known gives empty. A calendar year or month and a definite UCUM
//! duration do not compare, but are equivalent.

use std::cmp::Ordering;
use std::fmt;

use self::ucum::Scale;
use super::Decimal;
use super::decimal::digits::{self, Digits};

pub(super) mod algebra;
mod table;
pub(super) mod ucum;

/// The most decimal places of a temperature that is moved to the zero of another unit.
const TEMPERATURE_PLACES: u32 = 20;

/// A FHIRPath `Quantity`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quantity<'t> {
    pub(crate) value: Decimal<'t>,
    pub(crate) unit: Unit<'t>,
}

/// The unit of a quantity.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit<'t> {
    /// A UCUM code.
    Ucum(&'t str),
    /// A calendar duration, and whether it is written in the plural.
    Calendar(Calendar, bool),
    /// A UCUM code of a duration in a FHIR Quantity, which FHIR maps to a calendar duration: it compares as both.
    Either(&'t str, Calendar),
}

/// The calendar duration units, from the shortest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Calendar {
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Calendar {
    /// By its keyword, singular or plural, and whether it is the plural.
    pub(crate) fn of_keyword(word: &str) -> Option<(Self, bool)> {
        let plural = word.ends_with('s');
        let unit = match word.strip_suffix('s').unwrap_or(word) {
            "millisecond" => Self::Millisecond,
            "second" => Self::Second,
            "minute" => Self::Minute,
            "hour" => Self::Hour,
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "year" => Self::Year,
            _ => return None,
        };
        Some((unit, plural))
    }

    /// The keyword in the singular.
    pub(crate) fn keyword(self) -> &'static str {
        match self {
            Self::Millisecond => "millisecond",
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The code of the UCUM unit that it is equivalent to.
    fn ucum(self) -> &'static str {
        match self {
            Self::Millisecond => "ms",
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
            Self::Day => "d",
            Self::Week => "wk",
            Self::Month => "mo",
            Self::Year => "a",
        }
    }

    /// Whether it equals a UCUM unit.
    fn is_definite(self) -> bool {
        self <= Self::Week
    }

    /// Its length, by the conversion factors of the specification.
    fn seconds(self) -> Scale {
        match self {
            Self::Millisecond => Scale { exponent: -3, ..Scale::seconds(1) },
            Self::Second => Scale::seconds(1),
            Self::Minute => Scale::seconds(60),
            Self::Hour => Scale::seconds(3600),
            Self::Day => Scale::seconds(86_400),
            Self::Week => Scale::seconds(7 * 86_400),
            Self::Month => Scale::seconds(30 * 86_400),
            Self::Year => Scale::seconds(365 * 86_400),
        }
    }

    /// By the UCUM code of the definite duration that it is equivalent to.
    pub(crate) fn of_ucum(code: &str) -> Option<Self> {
        Some(match code {
            "ms" => Self::Millisecond,
            "s" => Self::Second,
            "min" => Self::Minute,
            "h" => Self::Hour,
            "d" => Self::Day,
            "wk" => Self::Week,
            "mo" => Self::Month,
            "a" => Self::Year,
            _ => return None,
        })
    }
}

impl<'t> Unit<'t> {
    /// The UCUM default unit.
    pub(crate) const ONE: Self = Self::Ucum("1");

    /// The unit of a literal or of a text: a keyword is a calendar duration, anything else is a UCUM code.
    pub(crate) fn parse(text: &'t str) -> Self {
        match Calendar::of_keyword(text) {
            Some((unit, plural)) => Self::Calendar(unit, plural),
            None => Self::Ucum(text),
        }
    }
}

impl<'t> Quantity<'t> {
    /// A FHIR Quantity's `value`, `system` and `code` (FHIR, "Use of FHIR Quantity"): `None` unless the system is UCUM.
    pub(crate) fn of_fhir(value: Decimal<'t>, system: Option<&str>, code: Option<&'t str>) -> Option<Self> {
        if system != Some("http://unitsofmeasure.org") {
            return None;
        }
        let code = code?;
        // UCUM has no code like `month`, which HL7's own examples write: it is what a literal of that word is.
        let unit = Calendar::of_ucum(code).map_or(Unit::parse(code), |calendar| Unit::Either(code, calendar));
        Some(Self { value, unit })
    }

    /// The order of two quantities; `None` when their units are not known to be comparable.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        if self.unit.is_same(other.unit) {
            return Some(self.value.compare(other.value));
        }
        let (left, right) = self.unit.comparable(other.unit)?;
        // Across, so that nothing is divided: a × n/d against b × m/e is a × n × e against b × m × d.
        let side = |quantity: Self, own: Scale, other: Scale| {
            let digits = quantity.value_from_zero(own)?;
            Some(digits.times(own.numerator).times(other.denominator).shifted(own.exponent))
        };
        Some(side(self, left, right)?.compare(&side(other, right, left)?))
    }

    /// Whether the values are equivalent in the larger unit ("Quantity Equivalence"); false when the units are not known
    /// to be convertible.
    pub(crate) fn equivalent(self, other: Self) -> bool {
        if self.unit.is_same(other.unit) {
            return self.value.equivalent(other.value);
        }
        self.equivalent_converted(other).unwrap_or(false)
    }

    fn equivalent_converted(self, other: Self) -> Option<bool> {
        let (left, right) = self.unit.convertible(other.unit)?;
        let (larger, smaller, large, small) =
            if left.compare(&right).is_ge() { (self, other, left, right) } else { (other, self, right, left) };
        let digits = larger.value.digits();
        let converted = smaller.digits_in(small, large, digits.length())?;
        Some(digits::equivalent(&digits, &converted))
    }

    /// In another unit; `None` when the units are not known to be convertible. What has no end is rounded to 28 digits.
    pub(crate) fn converted(self, unit: Unit<'t>) -> Option<Self> {
        if self.unit.is_same(unit) {
            return Some(Self { unit, ..self });
        }
        let (from, to) = self.unit.explicitly_convertible(unit)?;
        let value = self.digits_in(from, to, 0)?.rounded()?;
        Some(Self { value: value.into(), unit })
    }

    /// The value in another unit of the same dimensions, to at least so many digits.
    fn digits_in(self, from: Scale, to: Scale, least: usize) -> Option<Digits<'t>> {
        let (left, right) = (ucum::gcd(from.numerator, to.numerator), ucum::gcd(from.denominator, to.denominator));
        let divisor = u128::from(from.denominator / right).checked_mul((to.numerator / left).into())?;
        let digits = self.value_from_zero(from)?;
        let multiplied = digits.times(from.numerator / left).times(to.denominator / right);
        let converted = multiplied.divided(divisor, least)?.shifted(from.exponent.checked_sub(to.exponent)?);
        if to.offset == 0 {
            return Some(converted);
        }
        Decimal::from(converted.rounded()?.round_dp(TEMPERATURE_PLACES)).plus(-to.offset)
    }

    /// The value counted from the zero of the base unit.
    fn value_from_zero(self, scale: Scale) -> Option<Digits<'t>> {
        if scale.offset == 0 { Some(self.value.digits()) } else { self.value.plus(scale.offset) }
    }
}

impl<'t> Decimal<'t> {
    /// The exact sum with some hundredths; `None` for a number that is too long for it, which no temperature is.
    fn plus(self, hundredths: i64) -> Option<Digits<'t>> {
        let value = self.short().filter(|value| value.scale() <= TEMPERATURE_PLACES)?;
        if value.abs() >= rust_decimal::Decimal::from(1_000_000) {
            return None;
        }
        Some(Decimal::from(value.checked_add(rust_decimal::Decimal::new(hundredths, 2))?).digits())
    }
}

impl<'t> Unit<'t> {
    fn is_same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Ucum(left) | Self::Either(left, _), Self::Ucum(right) | Self::Either(right, _)) => left == right,
            (Self::Calendar(left, _) | Self::Either(_, left), Self::Calendar(right, _) | Self::Either(_, right)) => {
                left == right
            }
            (Self::Ucum(_), Self::Calendar(..)) | (Self::Calendar(..), Self::Ucum(_)) => false,
        }
    }

    /// Both units on one scale, if they can be compared.
    fn comparable(self, other: Self) -> Option<(Scale, Scale)> {
        match (self, other) {
            (Self::Calendar(left, _), Self::Ucum(code)) if left.is_definite() && !is_year_or_month(code) => {
                same_dimensions(left.seconds(), ucum::parse(code)?)
            }
            (Self::Ucum(_), Self::Calendar(..)) => other.comparable(self).map(|(right, left)| (left, right)),
            (Self::Calendar(..), Self::Ucum(_)) => None,
            (Self::Calendar(left, _) | Self::Either(_, left), Self::Calendar(right, _))
            | (Self::Calendar(left, _), Self::Either(_, right)) => Some(calendar_scales(left, right)),
            (Self::Ucum(left) | Self::Either(left, _), Self::Ucum(right) | Self::Either(right, _)) => {
                same_dimensions(ucum::parse(left)?, ucum::parse(right)?)
            }
        }
    }

    /// As [`Unit::comparable`], and calendar years and months as the UCUM units that they are equivalent to.
    fn convertible(self, other: Self) -> Option<(Scale, Scale)> {
        match (self, other) {
            (Self::Calendar(left, _), Self::Ucum(code)) => {
                same_dimensions(ucum::parse(left.ucum())?, ucum::parse(code)?)
            }
            (Self::Ucum(_), Self::Calendar(..)) => other.convertible(self).map(|(right, left)| (left, right)),
            _ => self.comparable(other),
        }
    }

    /// From this unit to the other by `toQuantity`: within the system of the source.
    fn explicitly_convertible(self, to: Self) -> Option<(Scale, Scale)> {
        match (self, to) {
            (Self::Calendar(from, _), Self::Ucum(code)) => match Calendar::of_ucum(code) {
                Some(to) => Some(calendar_scales(from, to)),
                None => self.comparable(to),
            },
            (Self::Ucum(code), Self::Calendar(to, _)) => same_dimensions(ucum::parse(code)?, ucum::parse(to.ucum())?),
            _ => self.comparable(to),
        }
    }
}

/// Whether a UCUM duration is one that a calendar has, but of another length.
fn is_year_or_month(code: &str) -> bool {
    matches!(code, "a" | "a_t" | "a_j" | "a_g" | "mo" | "mo_s" | "mo_j" | "mo_g")
}

/// A year has 12 months, or 365 days; a month has 30 days ("toQuantity", conversion factors).
fn calendar_scales(left: Calendar, right: Calendar) -> (Scale, Scale) {
    match (left, right) {
        (Calendar::Year, Calendar::Month) => (Scale::seconds(12), Scale::seconds(1)),
        (Calendar::Month, Calendar::Year) => (Scale::seconds(1), Scale::seconds(12)),
        _ => (left.seconds(), right.seconds()),
    }
}

fn same_dimensions(left: Scale, right: Scale) -> Option<(Scale, Scale)> {
    (left.dimensions == right.dimensions).then_some((left, right))
}

impl fmt::Display for Unit<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ucum(code) | Self::Either(code, _) => write!(formatter, "'{code}'"),
            Self::Calendar(unit, plural) => {
                formatter.write_str(unit.keyword())?;
                formatter.write_str(if *plural { "s" } else { "" })
            }
        }
    }
}

#[cfg(test)]
#[path = "quantity_tests.rs"]
mod tests;
