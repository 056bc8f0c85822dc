//! Reading dates and times: ISO 8601 as FHIR and FHIRPath write it, nothing looser.

use super::{DAY, Date, DateTime, FRACTIONS, Fraction, Precision, Time, Zone, days_in_month};

/// The rest of a text that is being read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes this letter, if it is next.
    fn take(&mut self, letter: u8) -> bool {
        let taken = self.0.first() == Some(&letter);
        if taken {
            self.0 = &self.0[1..];
        }
        taken
    }

    /// Exactly so many digits.
    fn number(&mut self, length: usize) -> Option<i16> {
        let digits = self.0.get(..length)?;
        let number = digits
            .iter()
            .try_fold(0_i16, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i16::from(digit - b'0')))?;
        self.0 = &self.0[length..];
        Some(number)
    }

    /// Two digits up to a maximum.
    fn pair(&mut self, maximum: i16) -> Option<u8> {
        self.number(2).filter(|number| *number <= maximum).and_then(|number| u8::try_from(number).ok())
    }

    fn date(&mut self) -> Option<Date> {
        let year = self.number(4).filter(|year| *year > 0)?;
        if !self.take(b'-') {
            return Some(Date { year, month: 0, day: 0 });
        }
        let month = self.pair(12).filter(|month| *month > 0)?;
        if !self.take(b'-') {
            return Some(Date { year, month, day: 0 });
        }
        let last = days_in_month(year.into(), month);
        let day = self.pair(last.into()).filter(|day| *day > 0)?;
        Some(Date { year, month, day })
    }

    fn time(&mut self) -> Option<Time> {
        let hour = self.pair(23)?;
        let time = Time { precision: Precision::Hour, hour, minute: 0, second: 0, fraction: Fraction::default() };
        if !self.take(b':') {
            return Some(time);
        }
        let minute = self.pair(59)?;
        if !self.take(b':') {
            return Some(Time { precision: Precision::Minute, minute, ..time });
        }
        let second = self.pair(60)?;
        let fraction = if self.take(b'.') { self.fraction()? } else { Fraction::default() };
        Some(Time { precision: Precision::Second, minute, second, fraction, ..time })
    }

    /// At least one digit, at most 18.
    fn fraction(&mut self) -> Option<Fraction> {
        let mut fraction = Fraction::default();
        let mut unit = FRACTIONS;
        while let Some(digit) = self.0.first().filter(|byte| byte.is_ascii_digit()) {
            unit /= 10;
            if unit == 0 {
                return None;
            }
            fraction.value += u64::from(digit - b'0') * unit;
            fraction.digits += 1;
            self.0 = &self.0[1..];
        }
        (fraction.digits > 0).then_some(fraction)
    }

    fn zone(&mut self) -> Option<Zone> {
        if self.is_empty() {
            return Some(Zone::Unknown);
        }
        if self.take(b'Z') {
            return Some(Zone::Utc);
        }
        let behind = self.take(b'-');
        if !behind && !self.take(b'+') {
            return None;
        }
        let hours = self.pair(14)?;
        let minutes = self.take(b':').then(|| self.pair(59)).flatten()?;
        let offset = i16::from(hours) * 60 + i16::from(minutes);
        (offset <= 14 * 60).then_some(Zone::Offset(if behind { -offset } else { offset }))
    }
}

pub(super) fn date(text: &str) -> Option<Date> {
    let mut reader = Reader(text.as_bytes());
    reader.date().filter(|_| reader.is_empty())
}

pub(super) fn time(text: &str) -> Option<Time> {
    let mut reader = Reader(text.as_bytes());
    reader.time().filter(|_| reader.is_empty())
}

pub(super) fn date_time(text: &str) -> Option<DateTime> {
    let mut reader = Reader(text.as_bytes());
    let date = reader.date()?;
    if !reader.take(b'T') {
        return reader.is_empty().then(|| date.to_date_time());
    }
    if reader.is_empty() {
        return Some(date.to_date_time());
    }
    if date.precision() != Precision::Day {
        return None;
    }
    let time = reader.time()?;
    let zone = reader.zone()?;
    if !reader.is_empty() {
        return None;
    }
    let midnight = super::days_from_civil(date.year.into(), date.month.into(), date.day.into()) * DAY;
    let start = midnight + time.seconds() - zone.seconds();
    let value = DateTime { precision: time.precision, zone, start, fraction: time.fraction };
    // The leap second of the last day would be in the year 10000.
    Some(value).filter(|value| value.is_in_range())
}
