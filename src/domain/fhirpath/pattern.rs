//! What a regular expression may cost.
//!
//! The engine's regular expressions never backtrack; at worst each byte of the text visits every state of the automaton.
//! So text times automaton is paid for before the search, and an automaton that is too large is not built at all: the
//! pattern may come from the event.

use octofhir_fhirpath::core::Result;
use regex_automata::nfa::thompson::{Config, NFA};

use super::budget::{exhausted, spend};

/// The largest automaton, in bytes. `\w{3,40}` has some 600 kB: Unicode has many letters.
const MAX_BYTES: usize = 1024 * 1024;

/// The longest pattern, in bytes.
const MAX_PATTERN: usize = 16 * 1024;

/// How much automaton times text a step is, in bytes of each.
const BYTES_PER_STEP: u64 = 4096;

/// The size of the pattern's automaton in bytes; `None` when it is too large, or no regular expression.
pub(super) fn measure(pattern: &str) -> Option<u64> {
    if pattern.len() > MAX_PATTERN {
        return None;
    }
    let compiler = Config::new().nfa_size_limit(Some(MAX_BYTES)).utf8(true);
    let automaton = NFA::compiler().configure(compiler).build(pattern).ok()?;
    Some(automaton.memory_usage() as u64)
}

/// [`measure`] for a pattern that is computed: it is built anew each time, which is paid for.
///
/// # Errors
/// When the pattern is too large or the budget is used up.
pub(super) fn size(pattern: &str) -> Result<u64> {
    spend(1 + pattern.len() as u64)?;
    let size = measure(pattern).ok_or_else(exhausted)?;
    spend(size / 64)?;
    Ok(size)
}

/// The steps of searching a text of this length.
pub(super) fn cost(size: u64, text: u64) -> u64 {
    size.saturating_mul(text) / BYTES_PER_STEP
}
