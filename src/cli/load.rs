//! The one place where the command line meets the configuration.

use std::sync::Arc;

use super::args::Files;
use super::output::{self, problem};
use crate::config;
use crate::config::diagnostic::{Diagnostics, Severity};
use crate::config::environment::Environment;
use crate::config::settings::Settings;
use crate::config::topics::{EngineChoices, ForeignBootstrap};
use crate::domain::fhirpath::FhirPath;
use crate::domain::plan::Plan;
use crate::kafka::admin::start_check::ForeignServers;

/// A configuration that can run.
#[derive(Debug)]
pub struct Loaded {
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

/// Reads, checks and compiles everything, for this process's environment.
///
/// # Errors
/// [`Refused`] with all problems at once, of the settings and of `topics.yaml`.
pub fn load(files: &Files) -> Result<Loaded, Refused> {
    let environment = Environment::of_process();
    let fhirpath = Arc::new(FhirPath::new());
    let config::Loaded { settings, topics, diagnostics } =
        config::load(files.config.as_deref(), &files.topics, &environment, &fhirpath);
    match topics {
        Some(topics) => Ok(Loaded {
            settings,
            plan: topics.plan,
            foreign: topics.foreign_bootstrap.into_iter().map(foreign_servers).collect(),
            warnings: diagnostics,
            engines: topics.engines,
        }),
        None => Err(Refused { diagnostics }),
    }
}

fn foreign_servers(foreign: ForeignBootstrap) -> ForeignServers {
    ForeignServers { destination: foreign.destination, bootstrap_servers: foreign.servers }
}

impl Loaded {
    /// Logs the warnings, one line each, once logging is set up.
    pub fn log_warnings(&self) {
        for warning in &self.warnings {
            tracing::warn!(place = warning.location(), hint = warning.hint, "configuration: {}", warning.message);
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
