//! Problems of a configuration: what, where, and what to do about it; collected, never the first one only.
//!
//! ```text
//! error: unknown field `kafkatopic`
//!   --> topics.yaml:12:5 (ingest[0].kafkatopic)
//!    |
//! 12 |     kafkatopic: …
//!    |     ^^^^^^^^^^
//!    = hint: did you mean `kafkaTopic`?
//! ```
//!
//! An excerpt shows the offending key or scalar and the key before it on its line, as they stand in the file; the rest of
//! the line is left out, since a neighbour may be a password. Values of environment variables are never shown.

use std::fmt;

pub use crate::domain::fhirpath::Severity;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the configuration cannot run, or may surprise.
    pub severity: Severity,
    /// The file as it was named, or `environment`.
    pub file: String,
    /// Line, from 1; `None` for the environment and for a file as a whole.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// Where in the document (`topics[0].trigger[1].fhirPathCriteria`), or the variable; may be empty.
    pub path: String,
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The offending text.
    pub excerpt: Option<Excerpt>,
}

/// The part of a line that a problem is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// The line without what does not belong to the problem.
    pub text: String,
    /// Characters before the caret.
    pub indent: usize,
    /// How many characters the caret underlines; at least 1.
    pub width: usize,
}

impl Diagnostic {
    /// A problem with a file as a whole, or with the environment.
    #[must_use]
    pub fn general(severity: Severity, file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity,
            file: file.into(),
            line: None,
            column: None,
            path: String::new(),
            message: message.into(),
            hint: None,
            excerpt: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The problem for people, over several lines, without a line break at the end.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let (label, ink) = match self.severity {
            Severity::Error => ("error", colour.red()),
            Severity::Warning => ("warning", colour.yellow()),
        };
        let mut out = format!("{}: {}\n", ink.paint(label), colour.bold().paint(&printable(&self.message)));
        let number = self.line.map(|line| line.to_string()).unwrap_or_default();
        let gutter = " ".repeat(number.len());
        out += &format!("{gutter}{} {}", colour.blue().paint("-->"), printable(&self.location()));
        if let Some(excerpt) = &self.excerpt {
            let bar = colour.blue().paint("|");
            let caret = format!("{}{}", " ".repeat(excerpt.indent), "^".repeat(excerpt.width));
            out += &format!("\n{gutter} {bar}\n{} {bar} ", colour.blue().paint(&number));
            out += &printable(&excerpt.text);
            out += &format!("\n{gutter} {bar} {}", ink.paint(&caret));
        }
        if let Some(hint) = &self.hint {
            out += &format!("\n{gutter} {} {}", colour.blue().paint("= hint:"), printable(hint));
        }
        out
    }

    /// `file:line:column (path)`.
    #[must_use]
    pub fn location(&self) -> String {
        let mut out = self.file.clone();
        if let (Some(line), Some(column)) = (self.line, self.column) {
            out += &format!(":{line}:{column}");
        }
        if !self.path.is_empty() {
            out += &format!(" ({})", self.path);
        }
        out
    }
}

/// Control characters would move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.render(Colour::Never))
    }
}

/// Whether the text for people is coloured; the command line decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// ANSI colours.
    Always,
    /// Plain text.
    Never,
}

/// An ANSI style, or none.
pub(crate) struct Ink(Option<&'static str>);

impl Ink {
    pub(crate) fn paint(&self, text: &str) -> String {
        match self.0 {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }
}

impl Colour {
    fn ink(self, code: &'static str) -> Ink {
        Ink((self == Self::Always).then_some(code))
    }

    pub(crate) fn red(self) -> Ink {
        self.ink("1;31")
    }

    pub(crate) fn yellow(self) -> Ink {
        self.ink("1;33")
    }

    pub(crate) fn blue(self) -> Ink {
        self.ink("1;34")
    }

    pub(crate) fn bold(self) -> Ink {
        self.ink("1")
    }
}

/// All problems of a configuration, in the order of files and positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// Adds a problem.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.extend([diagnostic]);
    }

    /// Whether the configuration cannot run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many problems have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// All problems for people, a blank line between them.
    #[must_use]
    pub fn render(&self, colour: Colour) -> String {
        let rendered: Vec<String> = self.iter().map(|diagnostic| diagnostic.render(colour)).collect();
        rendered.join("\n\n")
    }

    /// `2 errors, 1 warning`, or `no problems`.
    #[must_use]
    pub fn summary(&self) -> String {
        let counted = [(Severity::Error, "error"), (Severity::Warning, "warning")];
        let parts: Vec<String> = counted
            .into_iter()
            .map(|(severity, name)| (self.count(severity), name))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
            .collect();
        if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        self.0.extend(diagnostics);
        self.0
            .sort_by(|left, right| (&left.file, left.line, left.column).cmp(&(&right.file, right.line, right.column)));
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        let mut all = Self::default();
        all.extend(diagnostics);
        all
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Diagnostic {
        Diagnostic {
            line: Some(12),
            column: Some(5),
            path: "ingest[0].kafkatopic".to_owned(),
            excerpt: Some(Excerpt { text: "    kafkatopic: …".to_owned(), indent: 4, width: 10 }),
            ..Diagnostic::general(Severity::Error, "topics.yaml", "unknown field `kafkatopic`")
        }
        .hint("did you mean `kafkaTopic`?")
    }

    #[test]
    fn renders_for_people() {
        insta::assert_snapshot!(sample().render(Colour::Never));
    }

    #[test]
    fn colour_adds_only_escape_sequences() {
        let coloured = sample().render(Colour::Always);
        assert!(coloured.contains("\u{1b}[1;31merror\u{1b}[0m"));
        let mut plain = coloured;
        for code in ["1;31", "1;33", "1;34", "1", "0"] {
            plain = plain.replace(&format!("\u{1b}[{code}m"), "");
        }
        assert_eq!(plain, sample().render(Colour::Never));
    }

    #[test]
    fn keeps_files_and_positions_in_order() {
        let at = |file: &str, line| Diagnostic {
            line: Some(line),
            column: Some(1),
            ..Diagnostic::general(Severity::Warning, file, "x")
        };
        let all: Diagnostics = [at("b", 1), at("a", 10), at("a", 9)].into_iter().collect();
        let order: Vec<_> = all.iter().map(|found| (found.file.as_str(), found.line)).collect();
        assert_eq!(order, [("a", Some(9)), ("a", Some(10)), ("b", Some(1))]);
        assert!(!all.has_errors());
        assert_eq!(all.summary(), "3 warnings");
    }

    #[test]
    fn control_characters_stay_off_the_terminal() {
        let text = Diagnostic::general(Severity::Error, "f", "bad\u{1b}[2J\rname").render(Colour::Never);
        assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
    }
}
