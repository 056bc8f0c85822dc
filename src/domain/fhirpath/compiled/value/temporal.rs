//! Dates and times of partial precision.
//!
//! Values compare component by component, from the year on, after both are brought to UTC; where one ends before a
//! difference is found, the answer is empty (FHIRPath, "Equals" and "Comparison": Date, DateTime, Time). Seconds and
//! their fraction are one component. A DateTime without a time zone, and a Date, are in UTC: the service's evaluation
//! time zone. For `=` a known time zone against an unknown one is empty as long as some time zone makes them equal.

use std::cmp::Ordering;
use std::fmt;

mod calendar;
mod parse;
pub(super) mod shift;

pub(crate) use self::calendar::{civil_from_days, days_from_civil, days_in_month};

/// Parts of a second that a fraction is kept in: 18 digits.
const FRACTIONS: u64 = 1_000_000_000_000_000_000;

const DAY: i64 = 86_400;

/// How far a time zone may be from UTC, in seconds.
const MAX_OFFSET: i64 = 14 * 3600;

/// How far a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    /// With or without a fraction.
    Second,
}

/// A FHIRPath `Date`: year, year and month, or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    year: i16,
    /// 0 when it is not given.
    month: u8,
    /// 0 when it is not given.
    day: u8,
}

/// A FHIRPath `Time` of the day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    precision: Precision,
    hour: u8,
    minute: u8,
    /// 60 is a leap second.
    second: u8,
    fraction: Fraction,
}

/// A FHIRPath `DateTime`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateTime {
    precision: Precision,
    zone: Zone,
    /// The start of the span that the value covers, in seconds since 1970 in UTC.
    start: i64,
    fraction: Fraction,
}

/// A fraction of a second, with the number of digits that it was written with.
#[derive(Clone, Copy, Debug, Default)]
struct Fraction {
    /// In units of 10^-18 seconds.
    value: u64,
    digits: u8,
}

/// The time zone of a DateTime, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    /// Not given: counts as UTC.
    Unknown,
    /// `Z`.
    Utc,
    /// `+hh:mm`, in minutes.
    Offset(i16),
}

impl Zone {
    fn seconds(self) -> i64 {
        match self {
            Self::Unknown | Self::Utc => 0,
            Self::Offset(minutes) => i64::from(minutes) * 60,
        }
    }
}

impl Date {
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD` of a day that exists, from year 1 on.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse::date(text)
    }

    pub(crate) fn precision(self) -> Precision {
        match self {
            Self { month: 0, .. } => Precision::Year,
            Self { day: 0, .. } => Precision::Month,
            _ => Precision::Day,
        }
    }

    /// As a DateTime of the same precision, without time zone.
    pub(crate) fn to_date_time(self) -> DateTime {
        let start = days_from_civil(self.year.into(), self.month.max(1).into(), self.day.max(1).into()) * DAY;
        DateTime { precision: self.precision(), zone: Zone::Unknown, start, fraction: Fraction::default() }
    }

    fn at(days: i64, precision: Precision) -> Option<Self> {
        let (year, month, day) = civil_from_days(days);
        let year = i16::try_from(year).ok().filter(|year| (1..=9999).contains(year))?;
        Some(Self {
            year,
            month: if precision >= Precision::Month { month } else { 0 },
            day: if precision >= Precision::Day { day } else { 0 },
        })
    }
}

impl DateTime {
    /// Reads a date, or a date, `T` and a time of any precision with or without a time zone; nothing may follow the `T`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse::date_time(text)
    }

    /// From the start of its span in UTC; `offset` is that of a known time zone, in seconds.
    pub(crate) fn from_parts(
        precision: Precision,
        offset: Option<i32>,
        start: i64,
        nanoseconds: u32,
        written: u8,
    ) -> Option<Self> {
        let zone = match offset {
            None => Zone::Unknown,
            Some(0) => Zone::Utc,
            Some(seconds) => Zone::Offset(i16::try_from(seconds / 60).ok()?),
        };
        // A leap second is second 59 and more than a whole one.
        let (carry, nanoseconds) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        let start = start.checked_add(carry.into())?;
        let value = u64::from(nanoseconds) * (FRACTIONS / 1_000_000_000);
        let needed = match nanoseconds {
            0 => 0,
            _ if nanoseconds.is_multiple_of(1_000_000) => 3,
            _ => 9,
        };
        let fraction = Fraction { value, digits: written.max(needed) };
        Some(Self { precision, zone, start, fraction }).filter(|value| value.is_in_range())
    }

    /// An instant in UTC with milliseconds: what `now()` gives.
    pub(crate) fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        let nanoseconds = u32::try_from(milliseconds.rem_euclid(1000)).ok()? * 1_000_000;
        Self::from_parts(Precision::Second, Some(0), milliseconds.div_euclid(1000), nanoseconds, 3)
    }

    /// Years 1 to 9999 of its own clock.
    fn is_in_range(self) -> bool {
        let local = self.start.checked_add(self.zone.seconds());
        let range = days_from_civil(1, 1, 1) * DAY..days_from_civil(10_000, 1, 1) * DAY;
        local.is_some_and(|local| range.contains(&local))
    }

    pub(crate) fn precision(self) -> Precision {
        self.precision
    }

    /// The day, month or year, in the value's own time zone.
    pub(crate) fn date(self) -> Option<Date> {
        Date::at(self.local().div_euclid(DAY), self.precision)
    }

    /// The time of the day, in the value's own time zone, if it has one.
    pub(crate) fn time(self) -> Option<Time> {
        if self.precision < Precision::Hour {
            return None;
        }
        let second = self.local().rem_euclid(DAY);
        Some(Time::at(second, self.fraction, self.precision))
    }

    /// Seconds of the value's own clock.
    fn local(self) -> i64 {
        self.start + self.zone.seconds()
    }

    /// By component; `None` where precision ends before a difference.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        if self.precision == Precision::Second && other.precision == Precision::Second {
            return Some((self.start, self.fraction.value).cmp(&(other.start, other.fraction.value)));
        }
        let ordering = match self.precision.min(other.precision) {
            Precision::Year => self.utc().0.cmp(&other.utc().0),
            Precision::Month => self.utc().cmp(&other.utc()),
            common => {
                let seconds = common.seconds();
                self.start.div_euclid(seconds).cmp(&other.start.div_euclid(seconds))
            }
        };
        (ordering.is_ne() || self.precision == other.precision).then_some(ordering)
    }

    /// Year and month in UTC.
    fn utc(self) -> (i64, u8) {
        let (year, month, _) = civil_from_days(self.start.div_euclid(DAY));
        (year, month)
    }

    /// Whether both are the same time. `None` where precision ends before a difference, or where it depends on the time
    /// zone that one of them does not say (and on its minutes, if it does not say those).
    pub(crate) fn equal(self, other: Self) -> Option<bool> {
        let timed = self.precision >= Precision::Hour && other.precision >= Precision::Hour;
        if timed && (self.zone == Zone::Unknown) != (other.zone == Zone::Unknown) {
            let (unknown, known) = if self.zone == Zone::Unknown { (self, other) } else { (other, self) };
            let apart = (known.start - unknown.start).abs();
            return if apart <= MAX_OFFSET + 3600 { None } else { Some(false) };
        }
        self.compare(other).map(Ordering::is_eq)
    }
}

impl Precision {
    /// The length of the component in seconds; that of a day for months and years.
    fn seconds(self) -> i64 {
        match self {
            Self::Year | Self::Month | Self::Day => DAY,
            Self::Hour => 3600,
            Self::Minute => 60,
            Self::Second => 1,
        }
    }
}

impl Time {
    /// Reads `hh`, `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fff`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        parse::time(text)
    }

    pub(crate) fn precision(self) -> Precision {
        self.precision
    }

    /// By component; `None` where precision ends before a difference.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        let common = self.precision.min(other.precision);
        let ordering = self.components(common).cmp(&other.components(common));
        (ordering.is_ne() || self.precision == other.precision).then_some(ordering)
    }

    fn components(self, precision: Precision) -> (u8, u8, u8, u64) {
        match precision {
            Precision::Second => (self.hour, self.minute, self.second, self.fraction.value),
            Precision::Minute => (self.hour, self.minute, 0, 0),
            _ => (self.hour, 0, 0, 0),
        }
    }

    fn seconds(self) -> i64 {
        i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }

    /// At a second of the day.
    fn at(second: i64, fraction: Fraction, precision: Precision) -> Self {
        let part = |value: i64| u8::try_from(value).unwrap_or_default();
        Self {
            precision,
            hour: part(second / 3600),
            minute: part(second / 60 % 60),
            second: part(second % 60),
            fraction,
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}", self.year)?;
        if self.month != 0 {
            write!(formatter, "-{:02}", self.month)?;
        }
        if self.day != 0 {
            write!(formatter, "-{:02}", self.day)?;
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}", self.hour)?;
        if self.precision >= Precision::Minute {
            write!(formatter, ":{:02}", self.minute)?;
        }
        if self.precision >= Precision::Second {
            write!(formatter, ":{:02}", self.second)?;
        }
        let digits = usize::from(self.fraction.digits).min(18);
        if digits != 0 {
            let written = self.fraction.value / 10_u64.pow(18 - u32::from(self.fraction.digits.min(18)));
            write!(formatter, ".{written:0digits$}")?;
        }
        Ok(())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(date) = self.date() {
            date.fmt(formatter)?;
        }
        let Some(time) = self.time() else { return Ok(()) };
        write!(formatter, "T{time}")?;
        match self.zone {
            Zone::Unknown => Ok(()),
            Zone::Utc => formatter.write_str("Z"),
            Zone::Offset(minutes) => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(formatter, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        }
    }
}

#[cfg(test)]
#[path = "temporal_tests.rs"]
mod tests;
