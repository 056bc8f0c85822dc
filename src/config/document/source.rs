//! The text of a file, and places in it.

use std::sync::Arc;

use crate::config::diagnostic::{Diagnostic, Excerpt, Severity};

/// Bytes `start..end` of a file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::config) struct Span {
    pub(in crate::config) start: usize,
    pub(in crate::config) end: usize,
}

/// A file's name and text. `Debug` shows the name only: a file may hold passwords.
pub(in crate::config) struct SourceFile {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

impl std::fmt::Debug for SourceFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("SourceFile").field(&self.name).finish()
    }
}

impl SourceFile {
    /// Takes a text; a byte order mark at its beginning is no part of it.
    pub(in crate::config) fn new(name: impl Into<String>, text: String) -> Arc<Self> {
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let mut line_starts = vec![0];
        let bytes = text.as_bytes();
        for (index, byte) in bytes.iter().enumerate() {
            let lone_return = *byte == b'\r' && bytes.get(index + 1) != Some(&b'\n');
            if *byte == b'\n' || lone_return {
                line_starts.push(index + 1);
            }
        }
        Arc::new(Self { name: name.into(), text, line_starts })
    }

    pub(in crate::config) fn name(&self) -> &str {
        &self.name
    }

    pub(in crate::config) fn text(&self) -> &str {
        &self.text
    }

    /// The byte at a line (from 1) and a column in characters (from 0).
    pub(super) fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let rest = &self.text[start..];
        start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
    }

    /// Whether the line of a byte has this text.
    pub(super) fn line_has(&self, offset: usize, text: &str) -> bool {
        let (line, _) = self.position(offset);
        let end = self.line_starts.get(line).copied().unwrap_or(self.text.len());
        self.text[self.line_starts[line - 1]..end].contains(text)
    }

    /// Line and column (both from 1, the column in characters) of a byte.
    fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.floor(offset);
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        (line, self.text[start..offset].chars().count() + 1)
    }

    /// The nearest character boundary at or before a byte.
    fn floor(&self, offset: usize) -> usize {
        (0..=offset.min(self.text.len())).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
    }

    /// The line of the span's beginning, without what does not belong to the scope around it; nothing where that leaves
    /// nothing.
    fn excerpt(&self, span: Span, scope: Span) -> Option<Excerpt> {
        let start = self.floor(span.start);
        let (line, _) = self.position(start);
        let line_start = self.line_starts[line - 1];
        let line_end = self.text[start..].find(['\n', '\r']).map_or(self.text.len(), |length| start + length);
        let end = self.floor(span.end.clamp(start, line_end));
        let (shown_start, shown_end) =
            (self.floor(scope.start.clamp(line_start, start)), self.floor(scope.end.clamp(end, line_end)));
        let before = &self.text[line_start..shown_start];
        let indent_and_key = if is_indent_and_key(before) { before } else { "… " };
        let shown_before = format!("{indent_and_key}{}", &self.text[shown_start..start]);
        let (offending, rest) = (&self.text[start..end], &self.text[end..shown_end]);
        let after = &self.text[shown_end..line_end];
        let shown_after = match after.strip_prefix(':') {
            Some(value) if !value.trim().is_empty() => ": …",
            Some(_) => ":",
            None if after.trim().is_empty() => "",
            None => " …",
        };
        if offending.is_empty() && (before.trim().is_empty() || !is_indent_and_key(before)) {
            return None;
        }
        Some(Excerpt {
            indent: shown_before.chars().count(),
            width: offending.chars().count().max(1),
            text: format!("{shown_before}{offending}{rest}{shown_after}").replace('\t', " "),
        })
    }
}

/// Whether this is nothing but indentation, list dashes and one key: safe to show.
fn is_indent_and_key(text: &str) -> bool {
    let rest = text.trim_start_matches([' ', '\t', '-']).trim_end();
    let is_key = |key: &str| {
        let key = key.strip_suffix(':').unwrap_or_default().trim_end();
        let key = key.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(key);
        !key.is_empty() && key.chars().all(|character| character.is_ascii_alphanumeric() || "_.-/".contains(character))
    };
    rest.is_empty() || is_key(rest)
}

/// Why a file cannot be read, for people; the rest of the error is the operating system's.
pub(in crate::config) fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::InvalidData => "the file is not UTF-8".to_owned(),
        kind => format!("the file cannot be read: {kind}"),
    }
}

/// A place that a problem can be attached to: in a file, or in the environment.
#[derive(Debug, Clone)]
pub struct Place {
    origin: Origin,
    path: String,
}

#[derive(Debug, Clone)]
enum Origin {
    /// The bytes that a problem is about, and those that an excerpt may show: the scalar around them.
    File(Arc<SourceFile>, Span, Span),
    Environment,
}

impl Place {
    pub(in crate::config) fn in_file(file: &Arc<SourceFile>, span: Span, path: impl Into<String>) -> Self {
        Self { origin: Origin::File(Arc::clone(file), span, span), path: path.into() }
    }

    pub(in crate::config) fn in_environment(variable: impl Into<String>) -> Self {
        Self { origin: Origin::Environment, path: variable.into() }
    }

    /// Whether a comment stands right behind the scalar that the place is in: `a #1` without quotes is `a` and a comment.
    pub(in crate::config) fn is_cut_by_a_comment(&self) -> bool {
        let Origin::File(file, _, scope) = &self.origin else { return false };
        let rest = file.text().get(scope.end..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        rest.starts_with([' ', '\t']) && rest.trim_start().starts_with('#')
    }

    /// Where in the document, or the variable.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same place, for a field that should stand there.
    pub(in crate::config) fn below(&self, name: &str) -> Self {
        Self { path: super::cursor::join(&self.path, name), ..self.clone() }
    }

    /// A problem at this place that keeps the configuration from running.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Error, message)
    }

    /// A problem at this place that may surprise.
    #[must_use]
    pub fn warning(&self, message: impl Into<String>) -> Diagnostic {
        self.diagnostic(Severity::Warning, message)
    }

    /// A problem at this place.
    #[must_use]
    pub fn diagnostic(&self, severity: Severity, message: impl Into<String>) -> Diagnostic {
        let Origin::File(file, span, scope) = &self.origin else {
            return Diagnostic { path: self.path.clone(), ..Diagnostic::general(severity, "environment", message) };
        };
        let (line, column) = file.position(span.start);
        Diagnostic {
            line: Some(line),
            column: Some(column),
            path: self.path.clone(),
            excerpt: file.excerpt(*span, *scope),
            ..Diagnostic::general(severity, file.name(), message)
        }
    }

    /// `topics.yaml:12:5` or `environment`: for a message that names a second place.
    #[must_use]
    pub fn short(&self) -> String {
        match &self.origin {
            Origin::File(file, span, _) => {
                let (line, column) = file.position(span.start);
                format!("{}:{line}:{column}", file.name())
            }
            Origin::Environment => format!("environment variable {}", self.path),
        }
    }

    /// The place of a part of this scalar, bytes `range` of the text that the file's syntax made of it; the whole scalar
    /// where the part cannot be found in the file.
    pub(in crate::config) fn part(&self, style: super::Style, text: &str, range: std::ops::Range<usize>) -> Self {
        let Origin::File(file, span, _) = &self.origin else { return self.clone() };
        let written = &file.text()[span.start..];
        let Some(start) = super::locate::locate(written, style, text, range.start) else { return self.clone() };
        let end = super::locate::locate(written, style, text, range.end).unwrap_or(start).max(start);
        let part = Span { start: span.start + start, end: span.start + end };
        Self { origin: Origin::File(Arc::clone(file), part, *span), path: self.path.clone() }
    }
}
