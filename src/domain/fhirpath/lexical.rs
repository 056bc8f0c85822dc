//! The text of an expression, in a form that the engine's parser reads as FHIRPath means it.
//!
//! Before it parses, the engine strips comments and collapses white space, also inside string literals, takes the quote
//! of `\'` for the end of the string, and decodes XML entities; `%'name'` it does not know. [`normalize`] does all of
//! that first and correctly, so that the engine has nothing left to do, and remembers where every byte came from: spans
//! that the engine reports lead back to the author's text.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

/// The longest expression that is taken, in bytes.
pub(super) const MAX_BYTES: usize = 16 * 1024;

/// The deepest nesting of brackets that is taken: the parser uses the stack for each.
pub(super) const MAX_NESTING: usize = 32;

/// A normalized expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Normalized {
    text: String,
    /// By byte of `text`, and one more for its end: where it stood in the author's text.
    origin: Vec<usize>,
}

/// Why an expression cannot be normalized, and where in the author's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LexicalError {
    pub(super) span: Range<usize>,
    pub(super) message: &'static str,
}

impl Normalized {
    /// The text for the engine's parser.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The span of the author's text for a span of the normalized one.
    pub(super) fn original(&self, span: Range<usize>) -> Range<usize> {
        let last = self.origin.len() - 1;
        let start = self.origin[span.start.min(last)];
        let end = self.origin[span.end.min(last)];
        start..end.max(start)
    }
}

/// Normalizes an expression.
pub(super) fn normalize(source: &str) -> Result<Normalized, LexicalError> {
    if source.len() > MAX_BYTES {
        return Err(LexicalError { span: 0..source.len(), message: "the expression is longer than 16 KiB" });
    }
    Normalizer { source, rest: source.char_indices().peekable(), text: String::new(), origin: Vec::new() }.run()
}

struct Normalizer<'a> {
    source: &'a str,
    rest: Peekable<CharIndices<'a>>,
    text: String,
    origin: Vec<usize>,
}

impl Normalizer<'_> {
    fn run(mut self) -> Result<Normalized, LexicalError> {
        let mut nesting = 0_usize;
        while let Some((at, letter)) = self.rest.next() {
            match letter {
                _ if letter.is_whitespace() => self.gap(at),
                '/' if self.next_is('/') => self.line_comment(at),
                '/' if self.next_is('*') => self.block_comment(at)?,
                '\'' | '"' => self.string(at, letter)?,
                '%' if self.next_is('\'') => {
                    self.push(at, '%');
                    self.rest.next();
                    self.delimited(at, '\'')?;
                }
                '`' => self.delimited(at, '`')?,
                '&' => {
                    // A space keeps the engine from reading `&lt;` and the like as XML entities.
                    self.push(at, '&');
                    self.gap(at + 1);
                }
                '(' | '[' | '{' => {
                    nesting += 1;
                    if nesting > MAX_NESTING {
                        return Err(LexicalError { span: at..at + 1, message: "brackets are nested too deeply" });
                    }
                    self.push(at, letter);
                }
                ')' | ']' | '}' => {
                    nesting = nesting.saturating_sub(1);
                    self.push(at, letter);
                }
                _ if letter == '_' || letter.is_alphabetic() => self.word(at, letter),
                _ => self.push(at, letter),
            }
        }
        if self.text.ends_with(' ') {
            self.text.pop();
            self.origin.pop();
        }
        self.origin.push(self.source.len());
        Ok(Normalized { text: self.text, origin: self.origin })
    }

    fn next_is(&mut self, expected: char) -> bool {
        self.rest.peek().is_some_and(|(_, letter)| *letter == expected)
    }

    fn push(&mut self, at: usize, letter: char) {
        self.text.push(letter);
        self.origin.resize(self.text.len(), at);
    }

    /// White space outside of strings: one space, none at the start.
    fn gap(&mut self, at: usize) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.push(at, ' ');
        }
    }

    fn line_comment(&mut self, at: usize) {
        self.rest.by_ref().find(|(_, letter)| matches!(letter, '\n' | '\r'));
        self.gap(at);
    }

    fn block_comment(&mut self, at: usize) -> Result<(), LexicalError> {
        self.rest.next();
        let mut before = ' ';
        for (_, letter) in self.rest.by_ref() {
            if before == '*' && letter == '/' {
                self.gap(at);
                return Ok(());
            }
            before = letter;
        }
        Err(LexicalError { span: at..self.source.len(), message: "the comment is not closed" })
    }

    /// A string literal up to its closing quote.
    fn string(&mut self, at: usize, quote: char) -> Result<(), LexicalError> {
        self.push(at, quote);
        while let Some((here, letter)) = self.rest.next() {
            match letter {
                '\\' => match self.rest.next() {
                    Some((_, escaped)) if escaped == '\'' || escaped == '"' || escaped.is_whitespace() => {
                        self.escape(here, escaped);
                    }
                    Some((_, escaped)) => {
                        self.push(here, '\\');
                        self.push(here, escaped);
                    }
                    None => break,
                },
                _ if letter == quote => {
                    self.push(here, quote);
                    return Ok(());
                }
                '\'' | '"' => self.escape(here, letter),
                _ if letter.is_whitespace() && (letter != ' ' || self.text.ends_with(' ')) => self.escape(here, letter),
                _ => self.push(here, letter),
            }
        }
        Err(LexicalError { span: at..self.source.len(), message: "the string is not closed" })
    }

    /// Writes a letter as `\uXXXX`; all that come here are in the basic plane.
    fn escape(&mut self, at: usize, letter: char) {
        let _ = write!(self.text, "\\u{:04x}", u32::from(letter));
        self.origin.resize(self.text.len(), at);
    }

    /// A delimited identifier up to its closing quote. The engine strips comments, entities and white space here too.
    fn delimited(&mut self, at: usize, quote: char) -> Result<(), LexicalError> {
        self.push(at, '`');
        while let Some((here, letter)) = self.rest.next() {
            match letter {
                _ if letter == quote => {
                    self.push(here, '`');
                    return Ok(());
                }
                '\'' | '"' | '`' | '/' | '&' | '\\' => return Err(self.not_delimitable(here, letter)),
                _ if letter.is_whitespace() && (letter != ' ' || self.text.ends_with([' ', '`'])) => {
                    return Err(self.not_delimitable(here, letter));
                }
                _ => self.push(here, letter),
            }
        }
        Err(LexicalError { span: at..self.source.len(), message: "the delimited identifier is not closed" })
    }

    fn not_delimitable(&self, at: usize, letter: char) -> LexicalError {
        let message = "this letter is not supported inside a delimited identifier";
        LexicalError { span: at..at + letter.len_utf8(), message }
    }

    /// A word; delimited where the engine's parser would take its first letters for an operator or a literal.
    fn word(&mut self, at: usize, first: char) {
        let mut end = at + first.len_utf8();
        while let Some((here, letter)) = self.rest.peek().copied() {
            if letter != '_' && !letter.is_alphanumeric() {
                break;
            }
            end = here + letter.len_utf8();
            self.rest.next();
        }
        let word = &self.source[at..end];
        let delimit = is_misread(word) && !self.text.trim_end().ends_with(['.', '%', '$']);
        if delimit {
            self.push(at, '`');
        }
        for (offset, letter) in word.char_indices() {
            self.push(at + offset, letter);
        }
        if delimit {
            self.push(end, '`');
        }
    }
}

/// Whether the engine's parser reads the start of this identifier as `not`, `true` or `false` of its own.
fn is_misread(word: &str) -> bool {
    ["not", "true", "false"].iter().any(|keyword| word.len() > keyword.len() && word.starts_with(keyword))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(source: &str) -> String {
        normalize(source).unwrap_or_else(|error| panic!("{source}: {error:?}")).text
    }

    #[test]
    fn the_engine_has_nothing_left_to_strip() {
        for (source, expected) in [
            ("  status \n =\t'final' ", "status = 'final'"),
            ("status // a 'comment'\n= 'final'", "status = 'final'"),
            ("status/* a */=/* b\n */'final'", "status = 'final'"),
            ("'a  b'", r"'a \u0020b'"),
            ("'a\tb'", r"'a\u0009b'"),
            (r"'it\'s'", r"'it\u0027s'"),
            (r"'a\\'", r"'a\\'"),
            (r#"'say "hi"'"#, r"'say \u0022hi\u0022'"),
            ("'http://loinc.org'", "'http://loinc.org'"),
            ("%'ext-a'", "%`ext-a`"),
            ("'a' & lt", "'a' & lt"),
            ("'a' &lt; 1", "'a' & lt; 1"),
            ("note.notGiven", "`note`.notGiven"),
            ("%not1 = $true1", "%not1 = $true1"),
            ("not(a)", "not(a)"),
            ("", ""),
        ] {
            assert_eq!(text(source), expected, "{source}");
        }
    }

    #[test]
    fn what_the_engine_would_change_inside_a_delimited_identifier_is_refused() {
        for source in ["`a  b`", "`a\tb`", "`a//b`", "`it's`", "`a&lt;`", "%'a/*b'", "` a`", "`a"] {
            assert!(normalize(source).is_err(), "{source}");
        }
        assert_eq!(text("`a b`.c"), "`a b`.c");
    }

    #[test]
    fn spans_lead_back_to_the_source() {
        let source = "/* ä */ note . where( text = 'it\\'s  ü' )";
        let normalized = normalize(source).expect("it is fine");
        for part in ["where", "text", "="] {
            let start = normalized.text().find(part).expect("the part is there");
            assert_eq!(&source[normalized.original(start..start + part.len())], part);
        }
        let quoted = normalized.text().find('\'').expect("there is a string");
        let end = normalized.text().rfind('\'').expect("there is a string") + 1;
        assert_eq!(&source[normalized.original(quoted..end)].trim_end(), &"'it\\'s  ü'");
    }

    proptest! {
        #[test]
        fn any_text_is_normalized_or_refused_with_a_span_of_it(source in "[ -~äß\\n\\t'`\\\\/*%&(){}]{0,60}") {
            match normalize(&source) {
                Ok(normalized) => {
                    let whole = normalized.original(0..normalized.text().len());
                    prop_assert!(source.get(whole).is_some());
                    for (start, _) in normalized.text().char_indices() {
                        prop_assert!(source.get(normalized.original(start..normalized.text().len())).is_some());
                    }
                }
                Err(error) => prop_assert!(source.get(error.span).is_some()),
            }
        }
    }
}
