//! Why a text is no FHIRPath, and where.

use std::panic::catch_unwind;

use octofhir_fhirpath::{ParsingMode, parse_with_mode};

use super::lexical::{LexicalError, Normalized};
use super::{CriterionProblem, error, idioms};

/// A text that cannot even be read.
pub(super) fn unreadable(LexicalError { span, message }: LexicalError) -> CriterionProblem {
    let hint = match message {
        "the string is not closed" => r"close it with the quote that it begins with; a quote inside is written `\'`",
        "the comment is not closed" => "close it with `*/`",
        "the delimited identifier is not closed" => "close it with a backtick",
        "this letter is not supported inside a delimited identifier" => {
            r"quotes, `/`, `&`, `\` and runs of blanks are not"
        }
        _ => "write it in smaller parts: a topic may have several triggers",
    };
    CriterionProblem { hint: Some(hint.to_owned()), ..error(Some(span), message.to_owned()) }
}

/// Why the text does not parse. Only the parser for analysis knows where, and not always; what another language would
/// write there is told as a hint.
pub(super) fn problem(normalized: &Normalized) -> CriterionProblem {
    let source = normalized.text();
    if source.is_empty() {
        return error(None, "the expression is empty".to_owned());
    }
    let analysed = catch_unwind(|| parse_with_mode(source, ParsingMode::Analysis));
    let diagnostics = analysed.map(|parsed| parsed.diagnostics).unwrap_or_default();
    let idiom = idioms::syntax(source);
    let Some(location) = diagnostics.iter().find_map(|diagnostic| diagnostic.location.as_ref()) else {
        let Some((span, hint)) = idiom else { return error(None, "the expression is not FHIRPath".to_owned()) };
        let message = format!("unexpected `{}`", &source[span.clone()]);
        return CriterionProblem { hint: Some(hint.to_owned()), ..error(Some(normalized.original(span)), message) };
    };
    let start = location.offset.min(source.len());
    let end = (start + location.length.max(1)).min(source.len());
    let word = idiom.as_ref().map(|(span, _)| span.clone()).filter(|span| {
        span.start <= start
            && start < span.end
            && source[span.clone()].starts_with(|first: char| first.is_alphabetic() || first == '@')
    });
    let (start, end) = word.map_or((start, end), |word| (word.start, word.end));
    let (span, message) = match source.get(start..end.max(start)) {
        Some("") | None => {
            let last = source.char_indices().next_back().map_or(0, |(at, _)| at);
            (last..source.len(), "the expression ends too early".to_owned())
        }
        Some(found) => (start..end, format!("unexpected `{found}`")),
    };
    let unclosed = diagnostics.iter().find(|diagnostic| diagnostic.code.code == "FP0008");
    let hint = match (unclosed, idiom) {
        (Some(_), None) => Some("a bracket is not closed".to_owned()),
        (_, Some((span, hint))) if span.start <= end && start <= span.end => Some(hint.to_owned()),
        _ => None,
    };
    CriterionProblem { hint, ..error(Some(normalized.original(span)), message) }
}
