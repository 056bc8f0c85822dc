//! Configuration: deployment settings and `topics.yaml`, compiled into a [`Plan`](crate::domain::plan::Plan).
//!
//! ```text
//! defaults < fhir-fanout.yaml < environment ---------> Settings --\
//! topics.yaml + FHIR resources -> raw -> checked ----------------- > Plan
//!                                  \--- problems ---> Diagnostics
//! ```
//!
//! All problems are reported at once, each with file, line, column, path and a hint. With an error there is no plan.
//! No value of a librdkafka option and of an environment variable that topics.yaml names is ever shown.

pub mod cases;
pub mod diagnostic;
mod document;
pub mod environment;
mod records;
pub mod settings;
pub mod topics;
pub mod watch;

use std::path::Path;
use std::sync::Arc;

use self::diagnostic::Diagnostics;
pub use self::document::Place;
pub(crate) use self::document::nearest;
use self::environment::Environment;
pub use self::records::record_values;
use self::settings::Settings;
use self::topics::LoadedTopics;
use crate::domain::fhirpath::FhirPath;

/// Settings, topics and everything there is to say about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings; where there are errors, with defaults in place of what is at fault.
    pub settings: Settings,
    /// The topics; `None` where there is an error in them or in the settings.
    pub topics: Option<LoadedTopics>,
    /// All problems.
    pub diagnostics: Diagnostics,
}

/// Reads the settings and the topics.
#[must_use]
pub fn load(settings: Option<&Path>, topics: &Path, environment: &Environment, fhirpath: &Arc<FhirPath>) -> Loaded {
    let (settings, mut diagnostics) = Settings::load(settings, environment);
    let (topics, problems) = topics::load(topics, &settings, environment, fhirpath);
    diagnostics.extend(problems);
    let topics = topics.filter(|_| !diagnostics.has_errors());
    Loaded { settings, topics, diagnostics }
}
