//! A JSON tree that keeps its members in order and its numbers as they were written.
//!
//! FHIR resources start with `resourceType`, and `7.80` is not `7.8`: both must survive here, whatever features other
//! crates switch on in serde_json, since the same seed has to give the same bytes in every build.

use std::fmt::{self, Display, Formatter, Write};

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    /// `true` or `false`.
    Bool(bool),
    /// A number, digits as given.
    Number(String),
    /// A string, unescaped.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object, members in their order.
    Object(Vec<(&'static str, Json)>),
}

/// An object in the order written: `object! { "resourceType": "Patient", "id": id }`.
macro_rules! object {
    ($($name:literal : $value:expr),* $(,)?) => {
        $crate::events::json::Json::Object(vec![$(($name, $crate::events::json::Json::from($value))),*])
    };
}
pub(crate) use object;

impl Json {
    /// Replaces a member of an object, or adds it at the end. Does nothing to other values.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<Self>) {
        let Self::Object(members) = self else { return };
        let value = value.into();
        match members.iter_mut().find(|(existing, _)| *existing == name) {
            Some((_, old)) => *old = value,
            None => members.push((name, value)),
        }
    }

    /// A member of an object.
    #[must_use]
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(existing, _)| *existing == name).map(|(_, value)| value)
    }

    /// The text of a string.
    #[must_use]
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A number with these digits.
    pub(super) fn number(digits: impl Display) -> Self {
        Self::Number(digits.to_string())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Vec<Self>> for Json {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}

impl<const N: usize> From<[Self; N]> for Json {
    fn from(items: [Self; N]) -> Self {
        Self::Array(items.into())
    }
}

impl Display for Json {
    /// Compact JSON.
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(out, "{value}"),
            Self::Number(digits) => out.write_str(digits),
            Self::Text(text) => write_text(out, text),
            Self::Array(items) => {
                out.write_char('[')?;
                for (position, item) in items.iter().enumerate() {
                    separate(out, position)?;
                    write!(out, "{item}")?;
                }
                out.write_char(']')
            }
            Self::Object(members) => {
                out.write_char('{')?;
                for (position, (name, value)) in members.iter().enumerate() {
                    separate(out, position)?;
                    write_text(out, name)?;
                    write!(out, ":{value}")?;
                }
                out.write_char('}')
            }
        }
    }
}

fn separate(out: &mut Formatter<'_>, position: usize) -> fmt::Result {
    if position > 0 { out.write_char(',') } else { Ok(()) }
}

fn write_text(out: &mut Formatter<'_>, text: &str) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            control if control < ' ' => write!(out, "\\u{:04x}", u32::from(control))?,
            other => out.write_char(other)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_survive_and_text_is_escaped() {
        let json = object! { "z": "a\"\\\n\u{1}é", "a": [Json::number("7.80"), true.into()], "o": object! {} };
        assert_eq!(json.to_string(), "{\"z\":\"a\\\"\\\\\\n\\u0001é\",\"a\":[7.80,true],\"o\":{}}");
        serde_json::from_str::<serde_json::Value>(&json.to_string()).expect("it is JSON");
    }

    #[test]
    fn set_replaces_in_place_and_adds_at_the_end() {
        let mut json = object! { "status": "active", "id": "1" };
        json.set("status", "completed");
        json.set("note", "n");
        assert_eq!(json.to_string(), r#"{"status":"completed","id":"1","note":"n"}"#);
    }
}
