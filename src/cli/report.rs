//! Diagnostics as JSON, for commands with `--format json`: the README's section on `validate` documents the fields.

use serde::Serialize;

use super::output::line;
use crate::config::Place;
use crate::config::diagnostic::{Diagnostic, Diagnostics, Severity};

/// One problem.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem<'a> {
    severity: &'static str,
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    end_column: Option<usize>,
    path: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
}

impl<'a> From<&'a Diagnostic> for Problem<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        let width = diagnostic.excerpt.as_ref().map(|excerpt| excerpt.width);
        Self {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            file: &diagnostic.file,
            line: diagnostic.line,
            column: diagnostic.column,
            end_column: diagnostic.column.zip(width).map(|(column, width)| column + width),
            path: &diagnostic.path,
            message: &diagnostic.message,
            hint: diagnostic.hint.as_deref(),
        }
    }
}

/// All problems in order.
#[must_use]
pub fn problems(diagnostics: &Diagnostics) -> Vec<Problem<'_>> {
    diagnostics.iter().map(Problem::from).collect()
}

/// A place, with what there is to say about it.
#[derive(Debug, Serialize)]
pub struct Note {
    file: String,
    line: Option<usize>,
    column: Option<usize>,
    path: String,
    reason: String,
}

impl Note {
    /// Says something about a place that is no problem.
    #[must_use]
    pub fn new(place: &Place, reason: &str) -> Self {
        let Diagnostic { file, line, column, path, message, .. } = place.warning(reason);
        Self { file, line, column, path, reason: message }
    }
}

/// Prints one document.
pub fn print(document: &impl Serialize) {
    // maps have text as keys, and nothing else can fail
    if let Ok(text) = serde_json::to_string_pretty(document) {
        line(text);
    }
}
