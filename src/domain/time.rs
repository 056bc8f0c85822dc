//! FHIR instants: what counts as one, and the record's time written as one.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::Offset;

/// Whether the text is a FHIR `instant`: date, time to the second at least, and an offset, all in their ranges.
///
/// The days of the month are checked too. Second 60 is allowed, as FHIR allows it; hour 24 and year 0 are not.
#[must_use]
pub fn is_instant(text: &str) -> bool {
    /// The number that these digits are, and nothing but digits.
    fn number(digits: &[u8]) -> Option<u32> {
        let all_digits = digits.iter().all(u8::is_ascii_digit);
        all_digits.then(|| digits.iter().fold(0, |number, digit| 10 * number + u32::from(digit - b'0')))
    }

    fn is_offset(offset: &[u8]) -> bool {
        let [b'+' | b'-', hours @ .., b':', tens, ones] = offset else { return offset == b"Z" };
        match (number(hours).filter(|_| hours.len() == 2), number(&[*tens, *ones])) {
            (Some(hours), Some(minutes)) => minutes < 60 && (hours < 14 || (hours == 14 && minutes == 0)),
            _ => false,
        }
    }

    fn check(text: &[u8]) -> Option<bool> {
        let (moment, rest) = text.split_first_chunk::<19>()?;
        let separators = [moment[4], moment[7], moment[10], moment[13], moment[16]];
        let at = |start: usize| number(&moment[start..start + 2]);
        let (year, month, day) = (number(&moment[..4])?, at(5)?, at(8)?);
        let (hour, minute, second) = (at(11)?, at(14)?, at(17)?);
        let offset = match rest.strip_prefix(b".") {
            None => rest,
            Some(rest) => {
                let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                rest.get(digits..).filter(|_| (1..=9).contains(&digits))?
            }
        };
        let date_exists = year > 0 && (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        let time_exists = hour < 24 && minute < 60 && second <= 60;
        Some(separators == *b"--T::" && date_exists && time_exists && is_offset(offset))
    }

    check(text.as_bytes()).unwrap_or(false)
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
