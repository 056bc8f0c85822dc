//! Reading JSON without copying it: the members of an object and the elements of an array as slices of the text.
//!
//! ```text
//! text -> Scanner (one pass; syntax, nesting and surrogates of everything it passes)
//!      -> members / elements: slices of the same text, one level
//!      -> Outline: an object whose text is checked, with the places of its members
//! ```
//!
//! Slices are what lets a resource pass through unchanged. Of a member that stands twice the visitor sees both, in their
//! order: a caller that assigns keeps the last one, which is the rule everywhere. No depth of nesting overflows the
//! stack: values are skipped without recursion, and nothing is built here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::Value;

mod outline;
mod scanner;

pub use outline::{NoOutline, ObjectText, Outline};
pub(in crate::domain) use scanner::Scanner;

/// How many levels of objects and arrays a resource may have; its own braces are the first.
pub const MAX_DEPTH: usize = 128;

/// The text is not the JSON that was expected; [`fault`] tells where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// What is wrong with a JSON text that is otherwise well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
    /// A `\u` escape of half a surrogate pair: no Unicode text.
    LoneSurrogate,
}

/// Calls `visit` with the name and the text of each member of an object.
///
/// # Errors
/// When the text is not one JSON object.
pub fn members<'a>(json: &'a str, mut visit: impl FnMut(&str, &'a str)) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(json);
    scanner.members(|name, scanner| {
        visit(&name.text, scanner.value(1)?);
        Ok(())
    })?;
    scanner.end()
}

/// The texts of the elements of an array.
///
/// # Errors
/// When the text is not one JSON array.
pub fn elements(json: &str) -> Result<Vec<&str>, Malformed> {
    let mut scanner = Scanner::new(json);
    let elements = scanner.elements()?;
    scanner.end()?;
    Ok(elements)
}

/// Where a text is not one JSON object: the line and the column of the first fault, from 1.
#[must_use]
pub fn fault(json: &str) -> (usize, usize) {
    let read: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_str(json);
    read.map_or_else(|error| (error.line(), error.column()), |_| (1, 1))
}

/// The string that a JSON text is; `None` when it is none, or one with a lone surrogate.
#[must_use]
pub fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str::<String>(json).ok().map(Cow::Owned) } else { Some(inner.into()) }
}

/// The text unless it is `null`: FHIR and the envelopes know no difference between null and absent.
#[must_use]
pub fn present(json: &str) -> Option<&str> {
    (json != "null").then_some(json)
}

/// Builds the value of a text that [`Outline::read`] has passed (the nesting is bounded by it, not here).
///
/// # Errors
/// When a number is out of range. The error's text may quote the input: show its line and column only.
pub fn value(json: &str) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    serde::Deserialize::deserialize(&mut reader)
}

/// The UTF-16 unit of a `\uXXXX` escape at `position`.
pub(in crate::domain) fn escaped_unit(bytes: &[u8], position: usize) -> Option<u16> {
    let digits = bytes.get(position..position + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?))
}

/// How many values, and how many objects among them, a well-formed text has at the most: each value but the first comes
/// after a comma or a bracket.
#[must_use]
pub fn count(json: &str) -> (u64, u64) {
    let bytes = json.as_bytes();
    let (mut values, mut objects, mut position) = (1, 0, 0);
    while let Some(byte) = bytes.get(position) {
        position += 1;
        match byte {
            b',' | b'[' => values += 1,
            b'{' => (values, objects) = (values + 1, objects + 1),
            b'"' => position = string_end(bytes, position),
            _ => {}
        }
    }
    (values, objects)
}

/// The position behind the string whose first byte after the quote stands at `position`.
fn string_end(bytes: &[u8], mut position: usize) -> usize {
    while let Some(found) = bytes.get(position..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        position += found + 1;
        if bytes[position - 1] == b'"' {
            return position;
        }
        position += 1;
    }
    bytes.len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]
mod tests {
    use super::*;

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    #[test]
    fn members_are_slices_of_the_text_in_order_with_duplicates_and_unescaped_names() {
        let mut seen = Vec::new();
        members(r#" {"a": [1, 2] ,"\u0062":1.50,"a":"x"} "#, |name, value| seen.push((name.to_owned(), value)))
            .unwrap();
        assert_eq!(seen, [("a".into(), "[1, 2]"), ("b".into(), "1.50"), ("a".into(), "\"x\"")]);
    }

    #[test]
    fn members_refuse_what_is_no_object_or_not_alone() {
        for text in ["", " ", "1", "[]", "null", "{} x", "{}{}", "{\"a\":}", "{\"a\":1,}", "{'a':1}", "{\"\\ud800\":1}"]
        {
            assert!(members(text, |_, _| {}).is_err(), "{text}");
        }
    }

    #[test]
    fn elements_are_slices_of_the_text() {
        assert_eq!(elements(" [ 1 , {\"a\" : 2},null ] ").unwrap(), ["1", "{\"a\" : 2}", "null"]);
        assert!(elements("{}").is_err());
    }

    #[test]
    fn strings_are_borrowed_unless_they_have_escapes() {
        assert!(matches!(string("\"plain\""), Some(Cow::Borrowed("plain"))));
        assert_eq!(string(r#""a\u00e9\"""#).unwrap(), "aé\"");
        for text in ["1", "null", "\"", r#""\ud800""#] {
            assert_eq!(string(text), None, "{text}");
        }
    }

    #[test]
    fn values_of_the_deepest_accepted_text_can_be_built() {
        assert!(value(&nested(MAX_DEPTH)).is_ok());
    }

    #[test]
    fn syntax_checks_do_not_recurse() {
        let deep = format!("{{\"a\":{}}}", nested(100_000));
        assert!(members(&deep, |_, _| {}).is_ok());
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        let nested = r#"{"a":"x,[{","b\"],":[{}, "\\"]}"#;
        for (text, expected) in [("1", (1, 0)), ("[]", (2, 0)), ("[1,2]", (3, 0)), (nested, (6, 2))] {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    #[test]
    fn the_last_of_duplicate_members_wins_in_values() {
        assert_eq!(value(r#"{"a":1,"b":2,"a":3}"#).unwrap()["a"], 3);
    }
}
