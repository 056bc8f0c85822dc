//! FHIR instants: what counts as one, and the record's time written as one.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::Offset;

/// Whether the text is a FHIR `instant`: date, time to the second at least, and an offset, all in their ranges.
///
/// The days of the month are checked too. Second 60 is allowed, as FHIR allows it; hour 24 and year 0 are not.
#[must_use]
pub fn is_instant(text: &str) -> bool {
    fn number(digits: &str, length: usize) -> Option<u32> {
        let all_digits = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
        if all_digits { digits.parse().ok() } else { None }
    }

    fn check(text: &str) -> Option<bool> {
        let (date, time) = text.split_once('T')?;
        let mut date = date.split('-');
        let (year, month, day) = (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
        let offset_start = time.find(['Z', '+', '-'])?;
        let (clock, offset) = time.split_at(offset_start);
        let (clock, fraction) = clock.split_once('.').map_or((clock, "0"), |(clock, fraction)| (clock, fraction));
        let mut clock = clock.split(':');
        let (hour, minute, second) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?, number(clock.next()?, 2)?);
        let complete = date.next().is_none() && clock.next().is_none();
        number(fraction, fraction.len()).filter(|_| (1..=9).contains(&fraction.len()))?;
        let date_exists = year > 0 && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        Some(complete && date_exists && hour < 24 && minute < 60 && second <= 60 && is_offset(offset))
    }

    fn is_offset(offset: &str) -> bool {
        let Some((hours, minutes)) = offset.strip_prefix(['+', '-']).and_then(|offset| offset.split_once(':')) else {
            return offset == "Z";
        };
        match (number(hours, 2), number(minutes, 2)) {
            (Some(hours), Some(minutes)) => minutes < 60 && (hours < 14 || (hours == 14 && minutes == 0)),
            _ => false,
        }
    }

    check(text).unwrap_or(false)
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Writes milliseconds since 1970 as an instant in UTC with milliseconds; writes nothing and returns false for a time
/// outside of the years 1 to 9999, which no instant can tell.
pub fn write_millis(millis: i64, out: &mut String) -> bool {
    let Ok(timestamp) = Timestamp::from_millisecond(millis) else { return false };
    let at = Offset::UTC.to_datetime(timestamp);
    if at.year() < 1 {
        return false;
    }
    write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
    .is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn full_instants() {
        for text in [
            "2024-10-03T10:07:55Z",
            "2024-10-03T10:07:55.843374Z",
            "2024-02-29T00:00:00.000000001+14:00",
            "0001-01-01T00:00:00-13:59",
            "2016-12-31T23:59:60Z",
            "2000-02-29T23:59:59.5-00:00",
        ] {
            assert!(is_instant(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_full_instant() {
        for text in [
            "",
            "2024",
            "2024-10-03",
            "2024-10-03T10:07Z",
            "2024-10-03T10:07:55",
            "2024-10-03T24:00:00Z",
            "2024-02-30T10:07:55Z",
            "2023-02-29T10:07:55Z",
            "1900-02-29T10:07:55Z",
            "2024-04-31T10:07:55Z",
            "0000-01-01T00:00:00Z",
            "2024-13-01T10:07:55Z",
            "2024-00-01T10:07:55Z",
            "2024-10-03T10:60:55Z",
            "2024-10-03T10:07:61Z",
            "2024-10-03T10:07:55.Z",
            "2024-10-03T10:07:55.0123456789Z",
            "2024-10-03T10:07:55+14:01",
            "2024-10-03T10:07:55+15:00",
            "2024-10-03T10:07:55+0100",
            "2024-10-03T10:07:55ZZ",
            "2024-10-03t10:07:55z",
            "2024-10-03 10:07:55Z",
            "2024-10-03T10:07:55Z ",
            "2024-10-03T10:07:55:00Z",
            "2024-10-03-01T10:07:55Z",
            "20240-1-03T10:07:55Z",
            "+024-10-03T10:07:55Z",
            "2024-10-03T10:07:5５Z",
        ] {
            assert!(!is_instant(text), "{text}");
        }
    }

    #[test]
    fn milliseconds_are_written_in_utc() {
        let written = |millis| {
            let mut out = String::new();
            write_millis(millis, &mut out).then_some(out)
        };
        assert_eq!(written(1_767_225_600_000).as_deref(), Some("2026-01-01T00:00:00.000Z"));
        assert_eq!(written(-1).as_deref(), Some("1969-12-31T23:59:59.999Z"));
        assert_eq!(written(i64::MAX), None);
        assert_eq!(written(-70_000_000_000_000), None);
    }

    proptest! {
        #[test]
        fn every_written_time_is_an_instant(millis in -62_135_596_800_000_i64..253_400_000_000_000) {
            let mut out = String::new();
            prop_assert!(write_millis(millis, &mut out));
            prop_assert!(is_instant(&out), "{}", out);
        }

        #[test]
        fn no_text_panics(text in "\\PC*", digits in "[0-9TZ:.+-]{0,40}") {
            let _ = (is_instant(&text), is_instant(&digits));
        }
    }
}
