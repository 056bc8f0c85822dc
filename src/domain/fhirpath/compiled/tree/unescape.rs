//! What JSON strings stand for.

use memchr::memchr;

use crate::domain::json;

/// Hands over the parts of the text that a string (without its quotes) stands for. `None` when an escape is none, or
/// half of a surrogate pair.
pub(super) fn unescape(mut raw: &str, mut push: impl FnMut(&str)) -> Option<()> {
    while let Some(position) = memchr(b'\\', raw.as_bytes()) {
        push(raw.get(..position)?);
        let (letter, length) = escaped(raw.get(position..)?)?;
        push(letter.encode_utf8(&mut [0; 4]));
        raw = raw.get(position + length..)?;
    }
    push(raw);
    Some(())
}

/// The letter of the escape at the start, and the escape's length.
fn escaped(raw: &str) -> Option<(char, usize)> {
    let letter = match raw.as_bytes().get(1)? {
        b'u' => return escaped_unit(raw),
        letter @ (b'"' | b'\\' | b'/') => char::from(*letter),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    };
    Some((letter, 2))
}

fn escaped_unit(raw: &str) -> Option<(char, usize)> {
    let first = json::escaped_unit(raw.as_bytes(), 0)?;
    if let Some(letter) = char::from_u32(first.into()) {
        return Some((letter, 6));
    }
    let pair = char::decode_utf16([first, json::escaped_unit(raw.as_bytes(), 6)?]).next()?.ok()?;
    Some((pair, 12))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescaped(raw: &str) -> Option<String> {
        let mut text = String::new();
        unescape(raw, |part| text.push_str(part)).map(|()| text)
    }

    /// Whether a quote without a backslash stands in it, which is the end of a JSON string.
    fn ends_early(raw: &str) -> bool {
        let mut is_escaped = false;
        raw.chars().any(|letter| {
            let ends = letter == '"' && !is_escaped;
            is_escaped = letter == '\\' && !is_escaped;
            ends
        })
    }

    proptest! {
        #[test]
        fn it_is_what_serde_says(raw in r#"([a-z\u{e9}\u{1F600}]|\\["\\/bfnrtx]|\\u[0-9a-fA-F]{4}|\\ud8[0-9a-f]{2}\\udc[0-9A-F]{2}|\\u|\\|\\u+12){0,12}"#) {
            prop_assume!(!ends_early(&raw));
            let expected = serde_json::from_str::<String>(&format!("\"{raw}\"")).ok();
            prop_assert_eq!(unescaped(&raw), expected);
        }
    }
}
