//! `topics.yaml` and the FHIR resources that it names, compiled into a [`Plan`].
//!
//! ```text
//! topics.yaml -> tree -> ${VAR} -> read ----\
//!      resources: globs                      raw (what is written, with places) -> check -> Plan + hash
//!                    -> JSON -> tree -> fhir /
//! shape: the fields -> read, schema (JSON Schema), reference (page)
//! ```
//!
//! Promise: every problem is reported at once, with its place; a plan comes out if and only if there is no error. Nothing of
//! the files but the offending scalar is shown, and of the environment nothing.

mod check;
mod criteria;
#[cfg(test)]
mod criteria_tests;
#[cfg(test)]
mod diff_tests;
#[cfg(test)]
mod engine_tests;
mod fhir;
#[cfg(test)]
mod fhir_tests;
mod hash;
#[cfg(test)]
mod mistakes_tests;
#[cfg(test)]
mod more_mistakes_tests;
mod names;
mod organizations;
mod raw;
mod read;
mod reference;
mod resources;
mod schema;
#[cfg(test)]
mod schema_tests;
mod shape;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use self::reference::page as reference_page;
pub use self::schema::text as json_schema;
use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::document::{Cursor, Located, Place, Sink, SourceFile, parse_yaml, substitute, unreadable};
use super::environment::Environment;
use super::settings::Settings;
use crate::domain::event::FhirRelease;
use crate::domain::fhirpath::{Criterion, FhirPath};
use crate::domain::plan::Plan;

/// What `topics.yaml` and its resources say.
#[derive(Debug)]
pub struct LoadedTopics {
    /// What runs.
    pub plan: Plan,
    /// Destinations that name brokers of their own, to be compared by cluster id.
    pub foreign_bootstrap: Vec<ForeignBootstrap>,
    /// Which engine runs the criteria, for those who ask.
    pub engines: EngineChoices,
}

/// Which engine runs the criteria of the active topics, each text once for each resource type. It is found out when
/// somebody asks: criteria for resources of any type are compiled for all of them then.
#[derive(Debug, Default)]
pub struct EngineChoices {
    release: FhirRelease,
    criteria: Vec<(Located<String>, Criterion, String)>,
}

/// What [`EngineChoices`] are.
#[derive(Debug, Clone, Default)]
pub struct Engines {
    /// How many are compiled.
    pub compiled: usize,
    /// The others.
    pub general: Vec<GeneralCriterion>,
}

/// A criterion that is not compiled, so that the general engine runs it.
#[derive(Debug, Clone)]
pub struct GeneralCriterion {
    /// What the compiler does not take, where that is known; else the criterion.
    pub place: Place,
    /// Why; holds nothing of the expression.
    pub reason: String,
}

/// A destination whose resource names other brokers than the service's own. They may lead to the same cluster; a
/// transaction cannot span two.
#[derive(Debug, Clone)]
pub struct ForeignBootstrap {
    /// The destination's id.
    pub destination: String,
    /// `host:port`, comma separated.
    pub servers: String,
    /// Where they are named: [`Place::error`] makes the diagnostic.
    pub place: Place,
}

/// Reads `topics.yaml` and the resources that it names. `None` with at least one error where there is no plan.
#[must_use]
pub fn load(
    path: &Path,
    settings: &Settings,
    environment: &Environment,
    fhirpath: &Arc<FhirPath>,
) -> (Option<LoadedTopics>, Diagnostics) {
    let sink = Sink::default();
    let compiled = compile(path, settings, environment, fhirpath, &sink);
    let problems: Diagnostics = sink.into_inner().into_iter().collect();
    (compiled.filter(|_| !problems.has_errors()), problems)
}

/// The file name patterns of the resources that `topics.yaml` names, for those who look whether there is something new.
/// None where it cannot be read: what is wrong with it is told by [`load`].
#[must_use]
pub fn resource_patterns(path: &Path, environment: &Environment) -> Vec<String> {
    let sink = Sink::default();
    let raw = read_raw(path, environment, &sink);
    let globs = raw.map_or_else(Vec::new, |raw| raw.resources);
    globs.iter().map(|glob| resources::pattern(folder_of(path), &glob.value)).collect()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn compile(
    path: &Path,
    settings: &Settings,
    environment: &Environment,
    fhirpath: &Arc<FhirPath>,
    sink: &Sink,
) -> Option<LoadedTopics> {
    let mut raw = read_raw(path, environment, sink)?;
    resources::load(folder_of(path), &mut raw, sink);
    check::check(raw, settings, fhirpath, sink)
}

/// What `topics.yaml` itself says.
fn read_raw(path: &Path, environment: &Environment, sink: &Sink) -> Option<raw::RawConfig> {
    let file = read_file(path, sink)?;
    let mut root = parse_yaml(&file, sink)?;
    substitute(&mut root, &file, environment, sink);
    read::read(&Cursor::new(&root, &file, sink))
}

fn read_file(path: &Path, sink: &Sink) -> Option<Arc<SourceFile>> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Some(SourceFile::new(name, text)),
        Err(error) => {
            let problem = Diagnostic::general(Severity::Error, name, unreadable(&error));
            sink.push(problem.hint("name a file that the service may read, as UTF-8, with --topics"));
            None
        }
    }
}
