//! `docs/conformance.md`, written from what the suites gave. `UPDATE_CONFORMANCE=1` writes it; otherwise it must say
//! what it would be written as.

use std::fmt::Write as _;
use std::path::Path;

use super::super::differential::defects::DEFECTS;
use super::coverage::Coverage;
use super::{Verdict, reasons};

const BEFORE: &str = include_str!("before.md");

/// The document as it grows.
#[derive(Default)]
pub(super) struct Report {
    summary: String,
    failures: String,
    coverage: String,
}

impl Report {
    pub(super) fn suite(&mut self, suite: &str, verdicts: &[Verdict<'_>]) {
        let count = |holds: fn(&Verdict<'_>) -> bool| verdicts.iter().filter(|verdict| holds(verdict)).count();
        let passed = count(|verdict| verdict.failure.is_none());
        let compiled = count(|verdict| verdict.is_compiled && !verdict.test.invalid);
        let (total, valid) = (verdicts.len(), count(|verdict| !verdict.test.invalid));
        let title = title(suite);
        writeln!(self.summary, "| {title} | {total} | {passed} | {} | {compiled} of {valid} |", total - passed)
            .expect("a string takes text");
        writeln!(self.failures, "\n### {title}\n\n| Test | Expression | Why |\n|---|---|---|")
            .expect("a string takes text");
        for verdict in verdicts.iter().filter(|verdict| verdict.failure.is_some()) {
            let (name, expression) = (&verdict.test.name, one_line(&verdict.test.expression));
            let reason = reasons::reason(suite, name).unwrap_or("no reason is known");
            writeln!(self.failures, "| {name} | `{expression}` | {reason} |").expect("a string takes text");
        }
    }

    pub(super) fn coverage(&mut self, coverage: &[Coverage]) {
        for Coverage { from, taken, total, .. } in coverage {
            writeln!(self.coverage, "| {from} | {total} | {taken} |").expect("a string takes text");
        }
        for expression in coverage.iter().flat_map(|coverage| &coverage.left) {
            writeln!(self.coverage, "\nTo the general engine: `{}`", one_line(expression))
                .expect("a string takes text");
        }
    }

    fn text(&self) -> String {
        BEFORE
            .replace("{{summary}}", self.summary.trim_end())
            .replace("{{coverage}}", self.coverage.trim_end())
            .replace("{{defects}}", defects().trim_end())
            .replace("{{failures}}", self.failures.trim_end())
    }

    /// Whether the document says this; writes it first if it is to be written.
    pub(super) fn is_current(&self) -> bool {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
        let text = self.text();
        if std::env::var_os("UPDATE_CONFORMANCE").is_some() {
            std::fs::write(&file, &text).expect("docs/conformance.md can be written");
        }
        std::fs::read_to_string(&file).is_ok_and(|written| written == text)
    }
}

/// What the general engine gets wrong.
fn defects() -> String {
    let rows = DEFECTS.iter().map(|defect| format!("| {} | `{}` |\n", defect.what, one_line(defect.criterion)));
    rows.collect()
}

fn title(suite: &str) -> String {
    suite.to_uppercase()
}

/// An expression in one line, without what a table takes for its own.
fn one_line(expression: &str) -> String {
    expression.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
