//! String functions ("String Manipulation"). Positions and lengths are in characters.
//!
//! What they make is put into the arena; a result that does not fit fails, so that `replace` in a chain cannot grow
//! without end.

use super::Failed;
use crate::domain::fhirpath::compiled::arena::Arena;

mod pattern;

pub(in super::super) use self::pattern::Pattern;

/// White space of the language: what `trim` takes away.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

pub(in super::super) fn starts_with(text: &str, prefix: &str) -> bool {
    text.starts_with(prefix)
}

pub(in super::super) fn ends_with(text: &str, suffix: &str) -> bool {
    text.ends_with(suffix)
}

pub(in super::super) fn contains(text: &str, part: &str) -> bool {
    text.contains(part)
}

/// The position of the first occurrence; -1 if there is none.
pub(in super::super) fn index_of(text: &str, part: &str) -> i64 {
    text.find(part).map_or(-1, |at| length(&text[..at]))
}

/// The position of the last occurrence; -1 if there is none.
pub(in super::super) fn last_index_of(text: &str, part: &str) -> i64 {
    text.rfind(part).map_or(-1, |at| length(&text[..at]))
}

/// From a position on, at most so many characters; empty when the position is outside of the text.
pub(in super::super) fn substring(text: &str, start: i64, length: Option<i64>) -> Option<&str> {
    let (at, _) = text.char_indices().nth(usize::try_from(start).ok()?)?;
    let rest = &text[at..];
    let Some(length) = length else { return Some(rest) };
    let end =
        usize::try_from(length).map_or(0, |length| rest.char_indices().nth(length).map_or(rest.len(), |(end, _)| end));
    Some(&rest[..end])
}

pub(in super::super) fn length(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

pub(in super::super) fn trim(text: &str) -> &str {
    text.trim_matches(WHITE_SPACE)
}

/// # Errors
/// When the result does not fit.
pub(in super::super) fn upper<'t>(text: &'t str, arena: &'t Arena) -> Result<&'t str, Failed> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Ok(text);
    }
    collect(text.chars().flat_map(char::to_uppercase), text.len(), arena)
}

/// # Errors
/// When the result does not fit.
pub(in super::super) fn lower<'t>(text: &'t str, arena: &'t Arena) -> Result<&'t str, Failed> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(text);
    }
    if text.is_ascii() {
        let lower = arena.put(text)?;
        lower.make_ascii_lowercase();
        return Ok(lower);
    }
    if text.len() > arena.left() {
        return Err(arena.refuse());
    }
    // Of the whole text, since a final sigma depends on what is before it.
    arena.put(&text.to_lowercase()).map(|text| &*text)
}

/// Every occurrence replaced; with an empty pattern, every character is surrounded by the substitution.
///
/// # Errors
/// When the result does not fit.
pub(in super::super) fn replace<'t>(
    text: &'t str,
    pattern: &str,
    substitution: &str,
    arena: &'t Arena,
) -> Result<&'t str, Failed> {
    let count = text.matches(pattern).count();
    if count == 0 {
        return Ok(text);
    }
    let kept = text.len() - count * pattern.len();
    let size = count.checked_mul(substitution.len()).and_then(|added| added.checked_add(kept));
    let mut out = arena.text(size.ok_or_else(|| arena.refuse())?)?;
    let mut copied = 0;
    for (at, found) in text.match_indices(pattern) {
        out.push_str(&text[copied..at])?;
        out.push_str(substitution)?;
        copied = at + found.len();
    }
    out.push_str(&text[copied..])?;
    Ok(out.into_str())
}

/// The parts between the separators; with an empty separator, the characters.
///
/// # Errors
/// When the result does not fit.
pub(in super::super) fn split<'t>(text: &'t str, separator: &str, arena: &'t Arena) -> Result<&'t [&'t str], Failed> {
    if separator.is_empty() {
        return to_chars(text, arena);
    }
    listed(text.split(separator), arena)
}

/// The characters as strings.
///
/// # Errors
/// When the result does not fit.
pub(in super::super) fn to_chars<'t>(text: &'t str, arena: &'t Arena) -> Result<&'t [&'t str], Failed> {
    listed(text.char_indices().map(|(at, letter)| &text[at..at + letter.len_utf8()]), arena)
}

fn listed<'t>(parts: impl Iterator<Item = &'t str>, arena: &'t Arena) -> Result<&'t [&'t str], Failed> {
    let mut list = arena.list();
    for part in parts {
        list.push(part)?;
    }
    Ok(list.into_slice())
}

/// Texts with a separator between them.
///
/// # Errors
/// When the result does not fit.
pub(in super::super) fn join<'t>(parts: &[&str], separator: &str, arena: &'t Arena) -> Result<&'t str, Failed> {
    let texts: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = arena.text(texts + separator.len() * parts.len().saturating_sub(1))?;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push_str(separator)?;
        }
        out.push_str(part)?;
    }
    Ok(out.into_str())
}

/// One text after the other: `&`, and `+` on strings.
///
/// # Errors
/// When the result does not fit.
pub(in super::super) fn concatenate<'t>(left: &'t str, right: &'t str, arena: &'t Arena) -> Result<&'t str, Failed> {
    match (left, right) {
        (text, "") | ("", text) => Ok(text),
        _ => join(&[left, right], "", arena),
    }
}

fn collect(letters: impl Iterator<Item = char>, bytes: usize, arena: &Arena) -> Result<&str, Failed> {
    let mut out = arena.text(bytes)?;
    for letter in letters {
        out.push_str(letter.encode_utf8(&mut [0; 4]))?;
    }
    Ok(out.into_str())
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
