//! What to do about a file that is no YAML: the parser says where it could not go on, people need to know why.

use std::sync::Arc;

use saphyr_parser::ScanError;

use super::super::{Place, SourceFile, Span};
use crate::config::diagnostic::Diagnostic;

const ALIGN: &str = "align it with the lines that it belongs to; indent with spaces";
const GENERAL: &str = "look at the indentation (spaces, no tabs) and at unclosed brackets and quotes; put a text that begins with \
    %, @, &, * or [, or that has `: ` or ` #` in it, in quotes";

/// The problem, at the key or character where reading ended.
pub(super) fn scan_error(file: &Arc<SourceFile>, error: &ScanError) -> Diagnostic {
    let at = file.offset(error.marker().line(), error.marker().col());
    let text = file.text();
    let span = match error.info() {
        info if info.contains("tab") => offending(text, tab(text, at).unwrap_or(at)),
        info if info.contains("simple key") => no_field(text, at).unwrap_or_else(|| offending(text, token(text, at))),
        _ => offending(text, token(text, at)),
    };
    let place = Place::in_file(file, span, "");
    if text[span.start..].starts_with('\t') {
        return place.error("this is no YAML: a tab in the indentation").hint("indent with spaces");
    }
    place.error(format!("this is no YAML: {}", error.info())).hint(advice(file, error.info(), span))
}

fn advice(file: &SourceFile, info: &str, span: Span) -> String {
    let text = file.text();
    let line_start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let before = text[line_start..span.start].trim_start_matches([' ', '-']);
    let first = text[span.start..].chars().next();
    match first {
        _ if file.line_has(span.start, "${") => "inside of [ ] and { } put a value with `${...}` in quotes".to_owned(),
        Some(sign @ ('%' | '@' | '`' | '*' | '&'))
            if info.contains("unexpected character") || info.contains("anchor") =>
        {
            format!(
                "YAML gives `{sign}` at the beginning of a value a meaning of its own: put the whole value in double quotes"
            )
        }
        _ if info.contains("trailing content") => {
            "a value that begins with a quote ends with the next one: put the whole value in double quotes".to_owned()
        }
        _ if info.contains("mapping values are not allowed") && before.is_empty() => {
            format!("the line is indented deeper than the field before it: {ALIGN}")
        }
        _ if info.contains("mapping values are not allowed") => {
            "a value with `: ` in it goes in double quotes, whole".to_owned()
        }
        _ if info.contains("simple key") => "a field is `name: value`, with a blank after the colon".to_owned(),
        _ if info.contains("expected '-'") || info.contains("expected key") => ALIGN.to_owned(),
        _ if info.contains("quoted scalar") => "close the quote".to_owned(),
        _ if info.contains("',' or") => "before it a bracket is not closed, or a comma is missing".to_owned(),
        _ => GENERAL.to_owned(),
    }
}

/// The first tab in an indentation, from the line of this byte on.
fn tab(text: &str, at: usize) -> Option<usize> {
    let from = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let mut start = from;
    for line in text[from..].split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(tab) = line[..indent].find('\t') {
            return Some(start + tab);
        }
        start += line.len();
    }
    None
}

/// The first word of the line that is no field, found from this byte upwards: the parser notices it later.
fn no_field(text: &str, at: usize) -> Option<Span> {
    let mut end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    loop {
        let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start..end].trim_end();
        let said = line.trim_start_matches([' ', '-']);
        let is_field = said.contains(": ") || said.ends_with(':');
        if !said.is_empty() && !said.starts_with('#') {
            let word = said.find([' ', ':']).unwrap_or(said.len());
            let from = start + line.len() - said.len();
            if !is_field {
                return Some(Span { start: from, end: from + word });
            }
            if end < at {
                return None;
            }
        }
        end = start.checked_sub(1)?;
    }
}

/// The first byte from here on that is not blank; at the end of the file the last one before.
fn token(text: &str, at: usize) -> usize {
    let blanks = text[at..].len() - text[at..].trim_start().len();
    if at + blanks < text.len() {
        // a break is told at the end of its line, with what stands there
        return if text[at..at + blanks].contains('\n') { last_before(text, at) } else { at + blanks };
    }
    last_before(text, text.len())
}

fn last_before(text: &str, at: usize) -> usize {
    text[..at].trim_end().char_indices().next_back().map_or(0, |(at, _)| at)
}

/// The key of the line, where reading ended in it or right behind it; else one character: more could be a secret.
fn offending(text: &str, at: usize) -> Span {
    let line_start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let start = line_start + line.len() - line.trim_start_matches([' ', '-']).len();
    let is_part = |character: char| character.is_ascii_alphanumeric() || "_.-/".contains(character);
    let rest = text.get(start..line_start + line.len()).unwrap_or_default();
    let key = rest.len() - rest.trim_start_matches(is_part).len();
    if key > 0 && rest[key..].starts_with(':') && (start..=start + key).contains(&at) {
        return Span { start, end: start + key };
    }
    let width = text[at..].chars().next().filter(|character| !character.is_control() || *character == '\t');
    Span { start: at, end: at + width.map_or(0, char::len_utf8) }
}
