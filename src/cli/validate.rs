//! `fhir-fanout validate`: every problem of the settings and of `topics.yaml`, and how many there are.

use super::args::Files;
use super::output::{self, line, many};
use super::{Exit, load};
use crate::config::diagnostic::Severity;

/// Prints every diagnostic on standard output: they are what was asked for. Warnings do not fail.
#[must_use]
pub fn validate(files: &Files) -> Exit {
    let (diagnostics, verdict, exit) = match load::load(files) {
        Ok(loaded) => (loaded.warnings, "valid", Exit::Success),
        Err(refused) => (refused.diagnostics, "invalid", Exit::InvalidConfiguration),
    };
    let colour = output::colour(&std::io::stdout());
    for diagnostic in &diagnostics {
        line(format_args!("{}\n", diagnostic.render(colour)));
    }
    let errors = many(diagnostics.count(Severity::Error), "error");
    let warnings = many(diagnostics.count(Severity::Warning), "warning");
    line(format_args!("{}: {verdict} ({errors}, {warnings})", files.topics.display()));
    exit
}
