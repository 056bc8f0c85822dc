//! Reading JSON without copying it: the members of an object and the elements of an array as slices of the text.
//!
//! ```text
//! text -> members / elements (one level, syntax of everything below is checked) -> slices of the same text
//!      -> inspect (nesting, surrogates) for the slices that are carried on or shown to criteria
//! ```
//!
//! Slices are what lets a resource pass through unchanged. Of a member that stands twice the visitor sees both, in their
//! order: a caller that assigns keeps the last one, which is the rule everywhere. No depth of nesting overflows the
//! stack: serde_json skips values without recursion, and nothing is built here.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// How many levels of objects and arrays a resource may have; its own braces are the first.
pub const MAX_DEPTH: usize = 128;

/// Calls `visit` with the name and the text of each member of an object.
///
/// # Errors
/// When the text is not one JSON object. The error's text may quote the input: show its line and column only.
pub fn members<'a>(json: &'a str, visit: impl FnMut(&str, &'a str)) -> Result<(), serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Members(visit))?;
    reader.end()
}

/// The texts of the elements of an array.
///
/// # Errors
/// When the text is not one JSON array. The error's text may quote the input: show its line and column only.
pub fn elements(json: &str) -> Result<Vec<&str>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let elements = reader.deserialize_seq(Elements)?;
    reader.end()?;
    Ok(elements)
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

/// Builds the value of a text that [`inspect`] has passed (the nesting is bounded by it, not here).
///
/// # Errors
/// When a number is out of range. The error's text may quote the input: show its line and column only.
pub fn value(json: &str) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.disable_recursion_limit();
    serde::Deserialize::deserialize(&mut reader)
}

/// What is wrong with a JSON text that is otherwise well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// More than [`MAX_DEPTH`] levels.
    TooDeep,
    /// A `\u` escape of half a surrogate pair: no Unicode text.
    LoneSurrogate,
}

/// Looks for what the syntax check lets through: deep nesting and lone surrogates.
///
/// # Errors
/// The first flaw, if there is one.
pub fn inspect(json: &str) -> Result<(), Flaw> {
    // Most resources have fewer brackets than levels are allowed and no escapes: two vectorised passes settle them.
    let brackets = json.bytes().filter(|byte| byte | 0x20 == b'{').count();
    if brackets <= MAX_DEPTH && !json.contains('\\') {
        return Ok(());
    }
    inspect_bytes(json.as_bytes())
}

fn inspect_bytes(bytes: &[u8]) -> Result<(), Flaw> {
    let mut depth = 0_usize;
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        position += 1;
        match byte {
            b'{' | b'[' if depth == MAX_DEPTH => return Err(Flaw::TooDeep),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => position = skip_string(bytes, position)?,
            _ => {}
        }
    }
    Ok(())
}

/// Returns the position behind the string whose first byte after the quote stands at `position`.
fn skip_string(bytes: &[u8], mut position: usize) -> Result<usize, Flaw> {
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => return Ok(position + 1),
            b'\\' => match escaped_unit(bytes, position) {
                Some(0xD800..=0xDBFF) => match escaped_unit(bytes, position + 6) {
                    Some(0xDC00..=0xDFFF) => position += 12,
                    _ => return Err(Flaw::LoneSurrogate),
                },
                Some(0xDC00..=0xDFFF) => return Err(Flaw::LoneSurrogate),
                Some(_) => position += 6,
                None => position += 2,
            },
            _ => position += 1,
        }
    }
    Ok(position)
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

struct Members<F>(F);

impl<'de, F: FnMut(&str, &'de str)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Name)? {
            let value: &'de RawValue = map.next_value()?;
            (self.0)(&name, value.get());
        }
        Ok(())
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element::<&'de RawValue>()? {
            elements.push(element.get());
        }
        Ok(elements)
    }
}

/// A member's name: borrowed unless it contains escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
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
    fn depth_is_counted_outside_of_strings_and_128_levels_pass() {
        assert_eq!(inspect(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(inspect(&nested(MAX_DEPTH + 1)), Err(Flaw::TooDeep));
        assert_eq!(inspect(&nested(100_000)), Err(Flaw::TooDeep));
        assert_eq!(inspect(&format!("[{}]", vec!["[]"; 500].join(","))), Ok(()));
        assert_eq!(inspect(&format!(r#"["{}\"[","\\",{}]"#, "{".repeat(500), nested(MAX_DEPTH - 1))), Ok(()));
        assert_eq!(inspect(&format!(r#"["\\",{}]"#, nested(MAX_DEPTH))), Err(Flaw::TooDeep));
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
    fn surrogates_must_come_in_pairs() {
        for text in [r#""\ud83d\ude00""#, r#""\uD83D\uDE00 \u00e9""#, r#""\\ud83d""#, r#""\\\\ude00 \n""#] {
            assert_eq!(inspect(text), Ok(()), "{text}");
        }
        for text in [
            r#""\ud83d""#,
            r#""\ude00\ud83d""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#"{"\udc00":1}"#,
            r#""\\\ud83d""#,
        ] {
            assert_eq!(inspect(text), Err(Flaw::LoneSurrogate), "{text}");
        }
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
