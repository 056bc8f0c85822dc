//! Dates and times plus durations ("Date/Time Arithmetic"): calendar semantics; fractions count for seconds only.

use rust_decimal::Decimal as Short;
use rust_decimal::prelude::ToPrimitive;

use super::super::quantity::{Calendar, Unit};
use super::super::{Failed, Quantity};
use super::{
    DAY, Date, DateTime, FRACTIONS, Fraction, Precision, Time, civil_from_days, days_from_civil, days_in_month,
};

/// A duration that is added: a whole number of one unit, and for seconds a fraction.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Duration {
    unit: Calendar,
    count: i64,
    /// Of a second, in units of 10^-18, of the same sign.
    fraction: i64,
}

impl Duration {
    /// # Errors
    /// When the unit is no duration, is the UCUM year or month, or the number is beyond all dates.
    pub(in super::super) fn of(quantity: Quantity<'_>, negative: bool) -> Result<Self, Failed> {
        let unit = match quantity.unit {
            Unit::Calendar(unit, _) | Unit::Either(_, unit) => unit,
            Unit::Ucum("a" | "mo") => return Err(Failed),
            Unit::Ucum(code) => Calendar::of_ucum(code).ok_or(Failed)?,
        };
        let value = quantity.value.short().ok_or(Failed)?;
        let value = if negative { -value } else { value };
        let (unit, value) = match unit {
            Calendar::Millisecond => (Calendar::Second, value.checked_div(Short::ONE_THOUSAND).ok_or(Failed)?),
            unit => (unit, value),
        };
        // A thousand times the seconds of ten thousand years: sums of it cannot overflow.
        let count = value.trunc().to_i64().filter(|count| count.abs() < 1_000_000_000_000_000).ok_or(Failed)?;
        let fraction = if unit == Calendar::Second {
            value.fract().checked_mul(FRACTIONS.into()).and_then(|fraction| fraction.to_i64()).ok_or(Failed)?
        } else {
            0
        };
        Ok(Self { unit, count, fraction })
    }

    /// The same as a count of a unit that a partial date has: 24 months are 2 years, 35 days 1 month. What is left over
    /// is ignored.
    fn in_unit(self, unit: Calendar) -> i64 {
        match (self.unit, unit) {
            (Calendar::Month, Calendar::Year) => self.count / 12,
            (Calendar::Year, Calendar::Month) => self.count.saturating_mul(12),
            (own, unit) if own == unit => self.count,
            _ => self.seconds() / unit_seconds(unit),
        }
    }

    fn seconds(self) -> i64 {
        self.count.saturating_mul(unit_seconds(self.unit))
    }
}

fn unit_seconds(unit: Calendar) -> i64 {
    match unit {
        Calendar::Millisecond | Calendar::Second => 1,
        Calendar::Minute => 60,
        Calendar::Hour => 3600,
        Calendar::Day => DAY,
        Calendar::Week => 7 * DAY,
        Calendar::Month => 30 * DAY,
        Calendar::Year => 365 * DAY,
    }
}

impl Date {
    /// The date later by a duration. Hours and less are whole days of it.
    ///
    /// # Errors
    /// When the result is outside of the years 1 to 9999.
    pub(in super::super) fn plus(self, duration: Duration) -> Result<Self, Failed> {
        let precision = self.precision();
        let days = days_from_civil(self.year.into(), self.month.max(1).into(), self.day.max(1).into());
        Self::at(shift_days(days, precision, duration)?, precision).ok_or(Failed)
    }
}

/// A day number later by a duration of days or more, or by the whole days of a shorter one.
fn shift_days(days: i64, precision: Precision, duration: Duration) -> Result<i64, Failed> {
    let (months, added) = match (precision, duration.unit) {
        (Precision::Year, _) => (duration.in_unit(Calendar::Year).saturating_mul(12), 0),
        (Precision::Month, _) | (_, Calendar::Year | Calendar::Month) => (duration.in_unit(Calendar::Month), 0),
        _ => (0, duration.in_unit(Calendar::Day)),
    };
    let (year, month, day) = civil_from_days(days);
    let months = (year * 12 + i64::from(month) - 1).saturating_add(months);
    let (year, month) = (months.div_euclid(12), u8::try_from(months.rem_euclid(12) + 1).map_err(|_| Failed)?);
    if !(-10_000..=20_000).contains(&year) {
        return Err(Failed);
    }
    let day = day.min(days_in_month(year, month));
    Ok(days_from_civil(year, month.into(), day.into()).saturating_add(added))
}

impl DateTime {
    /// The time later by a duration, on the clock of its own time zone.
    ///
    /// # Errors
    /// When the result is outside of the years 1 to 9999.
    pub(in super::super) fn plus(self, duration: Duration) -> Result<Self, Failed> {
        let (local, fraction) = if self.precision <= Precision::Day || duration.unit >= Calendar::Day {
            let (days, second) = (self.local().div_euclid(DAY), self.local().rem_euclid(DAY));
            let days = shift_days(days, self.precision.min(Precision::Day), duration)?;
            (days.checked_mul(DAY).and_then(|start| start.checked_add(second)).ok_or(Failed)?, self.fraction)
        } else {
            let (added, fraction) = clock_shift(self.precision, self.fraction, duration);
            (self.local().saturating_add(added), fraction)
        };
        let start = local.checked_sub(self.zone.seconds()).ok_or(Failed)?;
        Some(Self { start, fraction, ..self }).filter(|value| value.is_in_range()).ok_or(Failed)
    }
}

/// Seconds to add, and the fraction that the sum has. Of a value without seconds or minutes only whole ones of what it
/// has are added.
fn clock_shift(precision: Precision, fraction: Fraction, duration: Duration) -> (i64, Fraction) {
    match precision {
        Precision::Hour => (duration.in_unit(Calendar::Hour).saturating_mul(3600), fraction),
        Precision::Minute => (duration.in_unit(Calendar::Minute).saturating_mul(60), fraction),
        _ => {
            let sum = i128::from(fraction.value) + i128::from(duration.fraction);
            let whole = i128::from(FRACTIONS);
            let value = u64::try_from(sum.rem_euclid(whole)).unwrap_or_default();
            let carry = i64::try_from(sum.div_euclid(whole)).unwrap_or_default();
            (
                duration.seconds().saturating_add(carry),
                Fraction { value, digits: fraction.digits.max(needed_digits(value)) },
            )
        }
    }
}

/// How many digits a fraction needs, in groups of three.
fn needed_digits(value: u64) -> u8 {
    let mut digits = 18;
    while digits > 0 && value.is_multiple_of(10_u64.pow(18 - digits + 3).min(FRACTIONS)) {
        digits -= 3;
    }
    u8::try_from(digits).unwrap_or_default()
}

impl Time {
    /// The time later by a duration; midnight is passed by.
    ///
    /// # Errors
    /// For days and longer durations.
    pub(in super::super) fn plus(self, duration: Duration) -> Result<Self, Failed> {
        if duration.unit >= Calendar::Day {
            return Err(Failed);
        }
        let (added, fraction) = clock_shift(self.precision, self.fraction, duration);
        let second = self.seconds().saturating_add(added).rem_euclid(DAY);
        Ok(Self::at(second, fraction, self.precision))
    }
}
