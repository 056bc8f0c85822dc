//! The results for people: a line a case, what was otherwise under it, and a summary.

use std::path::Path;

use super::{CaseResult, SuiteResult};
use crate::cli::output::many;
use crate::config::diagnostic::Colour;

const GREEN: &str = "1;32";
const RED: &str = "1;31";

fn paint(colour: Colour, code: &str, text: &str) -> String {
    match colour {
        Colour::Always => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        Colour::Never => text.to_owned(),
    }
}

/// The file, and what it tests.
pub(super) fn heading(file: &Path, topics: &Path) -> String {
    format!("{} (topics: {})", file.display(), topics.display())
}

/// A case that was run.
pub(super) fn case(case: &CaseResult, colour: Colour) -> String {
    if case.passed() {
        return format!("  {}    {}", paint(colour, GREEN, "ok"), printable(&case.name));
    }
    let mut out = format!("  {}  {} ({})", paint(colour, RED, "FAIL"), printable(&case.name), case.place);
    for line in case.differences.iter().flat_map(|difference| difference.lines()) {
        out += &format!("\n        {}", printable(line));
    }
    out
}

/// How it went.
pub(super) fn summary(results: &[SuiteResult], unusable: usize, colour: Colour) -> String {
    let cases = results.iter().map(|suite| suite.cases.len()).sum();
    let failed = results.iter().flat_map(|suite| &suite.cases).filter(|case| !case.passed()).count();
    let files = if unusable > 0 { format!(", {} not run", many(unusable, "file")) } else { String::new() };
    let (code, word) = if failed + unusable > 0 { (RED, "failed") } else { (GREEN, "passed") };
    let counts = format!("{}: {} passed, {failed} failed{files}", many(cases, "case"), cases - failed);
    format!("{}: {counts}", paint(colour, code, word))
}

/// Control characters would move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
