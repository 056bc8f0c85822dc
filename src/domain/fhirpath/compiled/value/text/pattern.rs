//! Regular expressions (`matches`, `matchesFull`, `replaceMatches`): linear time, bounded size.
//!
//! A criterion's pattern is compiled with its program. As the specification asks: case-sensitive, `.` takes line breaks,
//! Unicode, found anywhere in the text unless it is anchored. Look-around and back-references do not exist.

use regex::{Regex, RegexBuilder};

use super::super::Failed;
use crate::domain::fhirpath::compiled::arena::Arena;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 16 * 1024;

/// The largest compiled pattern, in bytes. `\w{3,40}` has some 600 kB: Unicode has many letters.
const MAX_COMPILED: usize = 1024 * 1024;

/// A compiled regular expression. Clones share it.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Pattern(Regex);

/// The pattern is no regular expression, or too large a one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct PatternError;

impl Pattern {
    /// Compiles the pattern of `matches` and `replaceMatches`: `i` ignores case, `m` lets `^` and `$` match at every line.
    ///
    /// # Errors
    /// When it is none, is too large, or a flag is unknown.
    pub(in super::super::super) fn compile(pattern: &str, flags: &str) -> Result<Self, PatternError> {
        if pattern.len() > MAX_PATTERN || flags.contains(|flag| !matches!(flag, 'i' | 'm')) {
            return Err(PatternError);
        }
        RegexBuilder::new(pattern)
            .case_insensitive(flags.contains('i'))
            .multi_line(flags.contains('m'))
            .dot_matches_new_line(true)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .build()
            .map(Self)
            .map_err(|_| PatternError)
    }

    /// Compiles the pattern of `matchesFull`, which matches the whole text.
    ///
    /// # Errors
    /// As [`Pattern::compile`].
    pub(in super::super::super) fn compile_full(pattern: &str, flags: &str) -> Result<Self, PatternError> {
        // Alone first: a pattern that closes a group that it did not open must not get past.
        Self::compile(pattern, flags)?;
        Self::compile(&format!("\\A(?:{pattern})\\z"), flags)
    }

    pub(in super::super::super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// `replaceMatches`: `$1`, `$name` and `${name}` in the substitution are groups; empty matches stay.
    ///
    /// # Errors
    /// When the result may not fit.
    pub(in super::super::super) fn replace<'t>(
        &self,
        text: &'t str,
        substitution: &str,
        arena: &'t Arena,
    ) -> Result<&'t str, Failed> {
        let mut out = String::new();
        let mut copied = 0;
        // Each reference to a group gives a part of the match at the most.
        let references = substitution.matches('$').count();
        for found in self.0.captures_iter(text) {
            let Some(whole) = found.get(0).filter(|whole| !whole.is_empty()) else { continue };
            let added = (whole.start() - copied) + substitution.len() + references.saturating_mul(whole.len());
            if out.len().saturating_add(added) > arena.left() {
                return Err(arena.refuse());
            }
            out.push_str(&text[copied..whole.start()]);
            found.expand(substitution, &mut out);
            copied = whole.end();
        }
        if copied == 0 {
            return Ok(text);
        }
        out.push_str(&text[copied..]);
        arena.put(&out).map(|text| &*text)
    }
}
