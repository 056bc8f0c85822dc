//! Literals for a type: values that occur in the sample, and values beside them.

use fastrand::Rng;
use serde_json::Value;

use super::marks::{self, Reason};

/// The System type that a FHIR primitive is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Boolean,
    Text,
    Integer,
    Decimal,
    Date,
    DateTime,
    Time,
}

impl Family {
    /// Of a primitive type of the model.
    pub(super) fn of(type_name: &str) -> Self {
        match type_name {
            "boolean" => Self::Boolean,
            "integer" | "positiveInt" | "unsignedInt" | "integer64" => Self::Integer,
            "decimal" => Self::Decimal,
            "date" => Self::Date,
            "dateTime" | "instant" => Self::DateTime,
            "time" => Self::Time,
            _ => Self::Text,
        }
    }
}

/// A literal to compare values of this family with.
pub(super) fn literal(rng: &mut Rng, family: Family, values: &[&Value]) -> String {
    let sample = rng.choice(values).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    match family {
        Family::Boolean => rng.bool().to_string(),
        Family::Text => text(&near_text(rng, sample)),
        Family::Integer => near_number(rng, sample, 0),
        Family::Decimal => {
            let places = rng.u32(..4);
            near_number(rng, sample, places)
        }
        Family::Date => format!("@{}", near_date(rng, sample)),
        Family::DateTime => {
            let literal = near_date_time(rng, sample);
            let time = literal.split_once('T').map_or("", |(_, time)| time);
            let has_zone = time.contains(['Z', '+', '-']);
            if time.is_empty() || has_zone {
                literal
            } else {
                // An hour alone takes no zone.
                let minutes = if time.len() == 2 { ":00" } else { "" };
                marks::imitated(Reason::Zone, &literal, &format!("{literal}{minutes}Z"))
            }
        }
        Family::Time => {
            let literal = near_time(rng, sample);
            time_literal(&literal)
        }
    }
}

/// A time of the day, with all its parts for the general engine.
pub(super) fn time_literal(literal: &str) -> String {
    let missing = match literal.len() {
        4 => ":00:00",
        7 => ":00",
        _ => return literal.to_owned(),
    };
    marks::mark(Reason::TimePrecision, literal, &format!("{literal}{missing}"))
}

/// A string literal with this value.
pub(super) fn text(value: &str) -> String {
    let mut quoted = String::from("'");
    for letter in value.chars() {
        match letter {
            '\'' => quoted.push_str("\\'"),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter => quoted.push(letter),
        }
    }
    quoted.push('\'');
    quoted
}

fn near_text(rng: &mut Rng, sample: Option<String>) -> String {
    // Long texts (narratives) make criteria that nobody reads.
    let sample = sample.filter(|text| text.len() < 200).unwrap_or_else(|| "final".to_owned());
    match rng.u8(..100) {
        0..60 => sample,
        60..70 => sample.to_uppercase(),
        70..75 => format!(" {sample}  "),
        75..80 => sample.chars().take(3).collect(),
        80..85 => sample.replace(' ', "  "),
        85..90 => String::new(),
        90..95 => format!("{sample}x"),
        _ => "é\u{301}'ß".to_owned(),
    }
}

fn near_number(rng: &mut Rng, sample: Option<String>, places: u32) -> String {
    let sample = sample.filter(|text| text.len() < 16 && text.parse::<f64>().is_ok() && !text.contains(['e', 'E']));
    let sample = sample.unwrap_or_else(|| "6.3".to_owned());
    let number: f64 = sample.parse().unwrap_or(1.0);
    match rng.u8(..100) {
        0..40 => sample,
        40..55 if sample.contains('.') => format!("{sample}0"),
        40..55 => format!("{sample}.0"),
        55..65 => (number.trunc() + 1.0).to_string(),
        65..75 => (number.trunc() - 1.0).to_string(),
        75..80 => format!("{:.1$}", number + 0.01, places as usize),
        80..85 => format!("{:.1$}", -number, places as usize),
        85..90 => "0".to_owned(),
        90..95 => format!("{:.1$}", number, places as usize),
        _ => "2147483648.5".to_owned(),
    }
}

fn near_date(rng: &mut Rng, sample: Option<String>) -> String {
    let sample = sample.filter(|text| looks_like_date(text)).unwrap_or_else(|| "2024-05-01".to_owned());
    let day: String = sample.chars().take(10).collect();
    let part = |length: usize| day.chars().take(length).collect::<String>();
    match rng.u8(..100) {
        0..45 => day,
        45..60 => part(4),
        60..75 => part(7),
        75..85 => format!("{}-{:02}-{:02}", part(4), rng.u8(1..13), rng.u8(1..29)),
        85..95 => format!("{}-01-01", rng.u16(1990..2030)),
        _ => "2024-02-29".to_owned(),
    }
}

fn near_date_time(rng: &mut Rng, sample: Option<String>) -> String {
    let whole = sample.clone().filter(|text| looks_like_date(text) && text.contains('T'));
    match (rng.u8(..100), whole) {
        (0..40, Some(whole)) => format!("@{whole}"),
        (40..50, Some(whole)) => format!("@{}", whole.chars().take(19).collect::<String>()),
        (50..58, Some(whole)) => format!("@{}Z", whole.chars().take(16).collect::<String>()),
        (58..64, Some(whole)) => format!("@{}", whole.chars().take(13).collect::<String>()),
        (64..70, Some(whole)) => format!("@{}.001+02:00", whole.chars().take(19).collect::<String>()),
        (70..80, _) => format!("@{}T", near_date(rng, sample)),
        (80..90, _) => format!("@{}", near_date(rng, sample)),
        _ => {
            let day = format!("{}-{:02}-{:02}", rng.u16(2000..2027), rng.u8(1..13), rng.u8(1..29));
            let zone = rng.choice(&["Z", "+00:00", "-05:00", "+14:00", ""]).unwrap_or(&"Z");
            format!("@{day}T{:02}:{:02}:{:02}{zone}", rng.u8(..24), rng.u8(..60), rng.u8(..60))
        }
    }
}

fn near_time(rng: &mut Rng, sample: Option<String>) -> String {
    let sample = sample.filter(|text| text.len() >= 8 && text.is_char_boundary(8) && text.as_bytes()[2] == b':');
    let sample = sample.unwrap_or_else(|| "10:30:00".to_owned());
    match rng.u8(..100) {
        0..50 => format!("@T{sample}"),
        50..65 => format!("@T{}", &sample[..5]),
        65..75 => format!("@T{}", &sample[..2]),
        75..85 => format!("@T{}.001", &sample[..8]),
        _ => format!("@T{:02}:{:02}", rng.u8(..24), rng.u8(..60)),
    }
}

fn looks_like_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 4
        && text.is_ascii()
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes.get(4).is_none_or(|byte| *byte == b'-')
}

/// A unit for a quantity beside this one.
pub(super) fn unit(rng: &mut Rng, quantities: &[&Value]) -> String {
    let own = rng.choice(quantities).and_then(|quantity| quantity["code"].as_str().or(quantity["unit"].as_str()));
    let own = own.filter(|unit| unit.len() < 30 && !unit.is_empty()).unwrap_or("mg");
    let other = [
        "mg", "g", "kg", "mmol/L", "cm", "m", "[lb_av]", "[in_i]", "d", "wk", "a", "mo", "h", "min", "1", "%", "mm[Hg]",
    ];
    let unit = if rng.u8(..100) < 65 { own } else { rng.choice(&other).unwrap_or(&"mg") };
    text(unit)
}
