//! `fhir-fanout validate`: every problem of the settings and of `topics.yaml`, which criteria are not compiled, and how
//! many there are of each.

use super::args::Files;
use super::output::{self, line, many};
use super::{Exit, load};
use crate::config::diagnostic::Severity;
use crate::config::topics::{Engines, GeneralCriterion};

/// Prints every diagnostic on standard output: they are what was asked for. Warnings do not fail.
#[must_use]
pub fn validate(files: &Files) -> Exit {
    let (diagnostics, engines, verdict, exit) = match load::load(files) {
        Ok(loaded) => {
            let engines = loaded.engines.engines(&loaded.plan.fhirpath);
            (loaded.warnings, engines, "valid", Exit::Success)
        }
        Err(refused) => (refused.diagnostics, Engines::default(), "invalid", Exit::InvalidConfiguration),
    };
    let colour = output::colour(&std::io::stdout());
    for diagnostic in &diagnostics {
        line(format_args!("{}\n", diagnostic.render(colour)));
    }
    print_engines(&engines);
    let errors = many(diagnostics.count(Severity::Error), "error");
    let warnings = many(diagnostics.count(Severity::Warning), "warning");
    line(format_args!("{}: {verdict} ({errors}, {warnings})", files.topics.display()));
    exit
}

/// One line for each criterion that is not compiled, and one for all; nothing where all are.
fn print_engines(engines: &Engines) {
    for GeneralCriterion { place, reason } in &engines.general {
        line(format_args!("{}: not compiled, the general engine runs this criterion: {reason}", place.short()));
    }
    if !engines.general.is_empty() {
        let by_general = engines.general.len();
        line(format_args!("criteria: {} compiled, {by_general} run by the general engine", engines.compiled));
    }
}
