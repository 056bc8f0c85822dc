use proptest::prelude::*;

use super::*;

fn time(text: &str) -> DateTime {
    DateTime::parse(text).unwrap_or_else(|| panic!("{text} is no DateTime"))
}

#[test]
fn what_is_a_date_and_what_is_not() {
    for text in ["2024", "2024-02", "2024-02-29", "0001-01-01", "9999-12-31"] {
        assert_eq!(Date::parse(text).expect("it is").to_string(), text);
    }
    for text in [
        "",
        "24",
        "02024",
        "2024-",
        "2024-2",
        "2024-13",
        "2024-00",
        "2023-02-29",
        "1900-02-29",
        "2024-04-31",
        "2024-01-00",
        "2024-01-01T",
        "0000",
        "+2024",
        "2024/01/01",
        "2024-01-01 ",
        "２０２４",
        "2024-1-01",
    ] {
        assert!(Date::parse(text).is_none(), "{text}");
    }
}

#[test]
fn what_is_a_date_time_and_what_is_not() {
    for text in [
        "2015",
        "2015-02",
        "2015-02-04",
        "2015-02-04T14",
        "2015-02-04T14:34",
        "2015-02-04T14:34:28",
        "2015-02-04T14:34:28.123",
        "2015-02-04T14:34:28Z",
        "2015-02-04T14:34:28+10:00",
        "2015-02-04T14:34:28.000-00:30",
        "2015-02-04T14:34:28.123456789012345678+14:00",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00+14:00",
        "2015-02-04T14+05:30",
    ] {
        assert_eq!(time(text).to_string(), text);
    }
    assert_eq!(time("2015-02T").to_string(), "2015-02");
    assert_eq!(time("2016-12-31T23:59:60Z").compare(time("2017-01-01T00:00:00Z")), Some(Ordering::Equal));
    for text in [
        "2015-02-04T24:00:00Z",
        "2015-02-04T14:60",
        "2015-02-04T14:34:61Z",
        "2015-02-04T14:34:28.",
        "2015-02T14",
        "T14:34",
        "2015-02-04T14:34:28+1000",
        "2015-02-04T14:34:28+15:00",
        "2015-02-04T14:34:28+14:01",
        "2015-02-04T14:34:28z",
        "2015-02-04 14:34:28",
        "2015-02-04T1:34",
        "2015-02-04TZ",
        "2015Z",
        "2015-02-04T14:34:28ZZ",
        "2015-02-04T14:34:28.1234567890123456789Z",
        "2015-02-04T14:34:28,5Z",
    ] {
        assert!(DateTime::parse(text).is_none(), "{text}");
    }
}

#[test]
fn what_is_a_time_and_what_is_not() {
    for text in ["14", "14:34", "14:34:28", "14:34:28.123", "23:59:60", "00:00:00.000000001"] {
        assert_eq!(Time::parse(text).expect("it is").to_string(), text);
    }
    for text in ["", "1", "24:00", "14:34:28Z", "T14", "14:3", "14:60", "14:34:28.", "14.5"] {
        assert!(Time::parse(text).is_none(), "{text}");
    }
}

#[test]
fn the_components_of_a_date_time_are_those_of_its_own_clock() {
    let at = time("2024-01-15T23:30:00.5-05:00");
    assert_eq!(at.date().expect("it has one").to_string(), "2024-01-15");
    assert_eq!(at.time().expect("it has one").to_string(), "23:30:00.5");
    assert_eq!(time("2024-01").date().expect("it has one").to_string(), "2024-01");
    assert!(time("2024-01").time().is_none());
}

#[test]
fn the_time_of_an_event() {
    let at = DateTime::from_milliseconds(1_767_225_600_000).expect("it is in range");
    assert_eq!(at.to_string(), "2026-01-01T00:00:00.000Z");
    assert_eq!(DateTime::from_milliseconds(-1).expect("it is in range").to_string(), "1969-12-31T23:59:59.999Z");
    assert!(DateTime::from_milliseconds(i64::MAX).is_none() && DateTime::from_milliseconds(i64::MIN).is_none());
    assert!(DateTime::from_parts(Precision::Second, Some(3600), i64::MAX, 0, 0).is_none());
}

/// Dates and times of every precision, near each other.
fn date_times() -> impl Strategy<Value = String> {
    let zone = prop_oneof![Just(""), Just("Z"), Just("+01:00"), Just("-05:00"), Just("+05:30")];
    let fraction = prop_oneof![Just(""), Just(".0"), Just(".5"), Just(".500"), Just(".123456789")];
    (
        0_u8..6,
        2023_u16..2025,
        prop_oneof![Just(1_u8), Just(12)],
        prop_oneof![Just(1_u8), Just(31)],
        0_u8..24,
        0_u8..3,
        58_u8..60,
        fraction,
        zone,
    )
        .prop_map(|(precision, year, month, day, hour, minute, second, fraction, zone)| match precision {
            0 => format!("{year}"),
            1 => format!("{year}-{month:02}"),
            2 => format!("{year}-{month:02}-{day:02}"),
            3 => format!("{year}-{month:02}-{day:02}T{hour:02}{zone}"),
            4 => format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}{zone}"),
            _ => format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"),
        })
}

/// The components in UCT by jiff's calendar, seconds with their fraction as one.
fn components(text: &str) -> Vec<i128> {
    let at = time(text);
    let (date, clock) = text.split_once('T').unwrap_or((text, ""));
    let mut date = date.split('-').map(|part| part.parse::<i16>().expect("a number"));
    let (year, month, day) = (date.next().expect("a year"), date.next(), date.next());
    let clock_length = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(clock_length);
    let mut parts = clock.split(':').filter(|part| !part.is_empty());
    let hour = parts.next().map(|part| part.parse::<i8>().expect("a number"));
    let minute = parts.next().map(|part| part.parse::<i8>().expect("a number"));
    let second = parts.next().map(|part| format!("{part}{}", if part.contains('.') { "" } else { ".0" }));
    let nanoseconds = second.map(|second| {
        let (second, fraction) = second.split_once('.').expect("it has a fraction");
        second.parse::<i128>().expect("a number") * 1_000_000_000
            + format!("{fraction:0<9}").parse::<i128>().expect("a number")
    });
    let offset = match zone {
        "" | "Z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            sign * (zone[1..3].parse::<i64>().expect("a number") * 60 + zone[4..].parse::<i64>().expect("a number"))
        }
    };
    let day_time = jiff::civil::date(year, month.unwrap_or(1) as i8, day.unwrap_or(1) as i8)
        .at(hour.unwrap_or(0), minute.unwrap_or(0), 0, 0)
        .checked_sub(jiff::Span::new().minutes(offset))
        .expect("it is in range");
    let all = [
        i128::from(day_time.year()),
        day_time.month().into(),
        day_time.day().into(),
        day_time.hour().into(),
        day_time.minute().into(),
        nanoseconds.unwrap_or(0),
    ];
    all[..=at.precision() as usize].to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn comparison_goes_by_component((left, right) in (date_times(), date_times())) {
        let (a, b) = (components(&left), components(&right));
        let difference = a.iter().zip(&b).map(|(a, b)| a.cmp(b)).find(|ordering| ordering.is_ne());
        let expected = difference.or((a.len() == b.len()).then_some(Ordering::Equal));
        prop_assert_eq!(time(&left).compare(time(&right)), expected, "{} {}", left, right);
        prop_assert_eq!(time(&right).compare(time(&left)), expected.map(Ordering::reverse));
        let equal = time(&left).equal(time(&right));
        prop_assert_eq!(equal, time(&right).equal(time(&left)));
        prop_assert!(equal.is_none() || expected.is_none() || equal == expected.map(Ordering::is_eq));
    }

    #[test]
    fn what_is_written_reads_as_the_same(text in date_times()) {
        prop_assert_eq!(time(&text).to_string(), text);
    }

    #[test]
    fn the_calendar_is_that_of_jiff(days in -3_600_000_i64..2_932_800) {
        let (year, month, day) = civil_from_days(days);
        prop_assert_eq!(days_from_civil(year, month.into(), day.into()), days);
        let epoch = jiff::civil::date(1970, 1, 1);
        let date = epoch.checked_add(jiff::Span::new().days(days)).expect("it is in range");
        prop_assert_eq!((date.year().into(), date.month() as u8, date.day() as u8), (year, month, day));
        prop_assert_eq!(date.days_in_month() as u8, days_in_month(year, month));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,30}", digits in "[0-9TZ:.+-]{0,40}") {
        for text in [text, digits] {
            let _ = (Date::parse(&text).map(|value| value.to_string()), Time::parse(&text).map(|value| value.to_string()));
            if let Some(at) = DateTime::parse(&text) {
                let _ = (at.to_string(), at.date(), at.time(), at.compare(at), at.equal(at));
            }
        }
    }
}
