//! The one place where the command line meets the configuration.

use std::sync::Arc;

use super::args::Files;
use super::output::{self, problem};
use crate::config;
use crate::config::diagnostic::{Diagnostics, Severity};
use crate::config::environment::Environment;
use crate::config::settings::Settings;
use crate::config::topics::EngineChoices;
use crate::domain::fhirpath::FhirPath;
use crate::domain::plan::Plan;
use crate::kafka::admin::start_check::ForeignServers;
use crate::runtime::reload::Sources;
use crate::telemetry::occurrence;

/// A configuration that can run.
#[derive(Debug)]
pub struct Loaded {
    /// Where all of it comes from.
    pub sources: Sources,
    /// Deployment settings.
    pub settings: Settings,
    /// What runs.
    pub plan: Plan,
    /// Destinations that name servers of their own.
    pub foreign: Vec<ForeignServers>,
    /// What may surprise.
    pub warnings: Diagnostics,
    /// Which engine runs the criteria, for who asks.
    pub engines: EngineChoices,
}

/// A configuration that cannot run.
#[derive(Debug)]
pub struct Refused {
    /// Errors and warnings, in the order of the files.
    pub diagnostics: Diagnostics,
}

/// Where a configuration comes from, with this process's environment.
#[must_use]
pub fn sources(files: &Files) -> Sources {
    Sources { topics: files.topics.clone(), settings: files.config.clone(), environment: Environment::of_process() }
}

/// Reads, checks and compiles everything, for this process's environment.
///
/// # Errors
/// [`Refused`] with all problems at once, of the settings and of `topics.yaml`.
pub fn load(files: &Files) -> Result<Loaded, Refused> {
    let sources = sources(files);
    let fhirpath = Arc::new(FhirPath::new());
    let config::Loaded { settings, topics, diagnostics } =
        config::load(files.config.as_deref(), &files.topics, &sources.environment, &fhirpath);
    match topics {
        Some(topics) => Ok(Loaded {
            sources,
            settings,
            plan: topics.plan,
            foreign: topics.foreign_bootstrap.into_iter().map(ForeignServers::from).collect(),
            warnings: diagnostics,
            engines: topics.engines,
        }),
        None => Err(Refused { diagnostics }),
    }
}

impl Loaded {
    /// Logs the warnings, one line each, once logging is set up.
    pub fn log_warnings(&self) {
        for warning in &self.warnings {
            occurrence::configuration_warning(&warning.location(), &warning.message, warning.hint.as_deref());
        }
    }
}

impl Refused {
    /// Prints every problem on standard error.
    pub fn print(&self) {
        let colour = output::colour(&std::io::stderr());
        for diagnostic in &self.diagnostics {
            problem(format_args!("{}\n", diagnostic.render(colour)));
        }
        let errors = self.diagnostics.count(Severity::Error);
        problem(format_args!("invalid configuration ({})", output::many(errors, "error")));
    }
}
