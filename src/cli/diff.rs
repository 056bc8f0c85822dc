//! `fhir-fanout diff`: what is different between two `topics.yaml`, and whether a running service can take it over.
//!
//! Files are compared by what they mean, with the same settings. Where one of them is invalid nothing is compared, which has
//! an exit code of its own: a script that deploys "where nothing is different" must not take it for that, nor for a change.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::args::{DiffOptions, Format};
use super::output::{colour, line, many, problem};
use super::{Exit, report};
use crate::config;
use crate::config::diagnostic::{Colour, Diagnostic, Diagnostics, Severity};
use crate::config::environment::Environment;
use crate::domain::fhirpath::FhirPath;
use crate::domain::plan::Plan;
use crate::domain::plan_diff::{self, Change, PlanDiff};

/// What `--format json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    /// `same`, `different` or `invalid`.
    result: &'static str,
    old: Side<'a>,
    new: Side<'a>,
    needs_restart: bool,
    changes: &'a [Change],
    diagnostics: Vec<report::Problem<'a>>,
}

#[derive(Serialize)]
struct Side<'a> {
    file: String,
    /// The plan's; `None` where the file is invalid.
    hash: Option<&'a str>,
}

impl<'a> Side<'a> {
    fn of(file: &Path, plan: Option<&'a Plan>) -> Self {
        Self { file: file.display().to_string(), hash: plan.map(|plan| plan.hash.as_str()) }
    }
}

/// Compares and prints.
#[must_use]
pub fn diff(options: &DiffOptions) -> Exit {
    let mut errors = Diagnostics::default();
    let old = load(&options.old, options.config.as_deref(), &mut errors);
    let new = load(&options.new, options.config.as_deref(), &mut errors);
    let found = old.as_ref().zip(new.as_ref()).map(|(old, new)| plan_diff::diff(old, new));
    let exit = match &found {
        None => Exit::Incomparable,
        Some(found) if found.is_empty() => Exit::Success,
        Some(_) => Exit::Different,
    };
    match options.format {
        Format::Human => print(found.as_ref(), &errors),
        Format::Json => report::print(&Document {
            result: match exit {
                Exit::Success => "same",
                Exit::Different => "different",
                _ => "invalid",
            },
            old: Side::of(&options.old, old.as_ref()),
            new: Side::of(&options.new, new.as_ref()),
            needs_restart: found.as_ref().is_some_and(PlanDiff::needs_restart),
            changes: found.as_ref().map(PlanDiff::changes).unwrap_or_default(),
            diagnostics: report::problems(&errors),
        }),
    }
    exit
}

/// The plan of a file; its errors, if there are any. Warnings are `validate`'s.
fn load(topics: &Path, settings: Option<&Path>, errors: &mut Diagnostics) -> Option<Plan> {
    let loaded = config::load(settings, topics, &Environment::of_process(), &Arc::new(FhirPath::new()));
    let found = loaded.diagnostics.into_iter().filter(|problem| problem.severity == Severity::Error);
    // those of the settings are found with each file
    let found: Vec<Diagnostic> = found.filter(|problem| errors.iter().all(|known| known != problem)).collect();
    errors.extend(found);
    loaded.topics.map(|topics| topics.plan)
}

fn print(found: Option<&PlanDiff>, errors: &Diagnostics) {
    let Some(found) = found else {
        for error in errors {
            problem(format_args!("{}\n", error.render(colour(&std::io::stderr()))));
        }
        problem(format_args!("nothing was compared ({})", many(errors.count(Severity::Error), "error")));
        return;
    };
    let colour = colour(&std::io::stdout());
    for text in format!("{found:#}").lines() {
        line(painted(text, colour));
    }
}

/// A line in the colour of its sign.
fn painted(text: &str, colour: Colour) -> String {
    let code = match (colour, text.trim_start().get(..2)) {
        (Colour::Always, Some("+ ")) => "32",
        (Colour::Always, Some("- ")) => "31",
        (Colour::Always, Some("~ ")) => "33",
        _ => return text.to_owned(),
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_that_of_the_sign_and_only_where_it_is_asked_for() {
        assert_eq!(painted("+ topic", Colour::Always), "\u{1b}[32m+ topic\u{1b}[0m");
        assert_eq!(painted("      - old", Colour::Always), "\u{1b}[31m      - old\u{1b}[0m");
        assert_eq!(painted("~ options", Colour::Always), "\u{1b}[33m~ options\u{1b}[0m");
        assert_eq!(painted("plan a -> b", Colour::Always), "plan a -> b");
        assert_eq!(painted("+ topic", Colour::Never), "+ topic");
    }
}
