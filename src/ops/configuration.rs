//! Which configuration the process runs, and what became of the last edit: for `/status` and the page.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// Why an edit was not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalReason {
    /// There are errors in it.
    Invalid,
    /// A part of it cannot be taken over while the process runs.
    NeedsRestart,
    /// The Kafka cluster does not have what it names.
    Cluster,
}

impl RefusalReason {
    /// The reason as logs name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NeedsRestart => "needs-restart",
            Self::Cluster => "cluster",
        }
    }
}

/// One thing that is wrong with an edit. Holds no resource content: an edit has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// `topics.yaml:12:5 (ingest[0].format)`; nothing where the cluster is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// An edit that was not taken over: the plan before it goes on running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedEdit {
    /// When it was looked at.
    pub at: Timestamp,
    /// Why not.
    pub reason: RefusalReason,
    /// All of it.
    pub problems: Vec<Problem>,
}

/// What runs, and what does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationReport {
    /// The hash of the plan; empty before it is known.
    pub plan: String,
    /// Which plan of this process it is; 0 is that of the start.
    #[serde(skip)]
    pub version: u64,
    /// Since when tasks take it over.
    pub since: Option<Timestamp>,
    /// How many edits were taken over since the start.
    pub reloads: u64,
    /// The last edit, where it was not taken over.
    pub refused: Option<RefusedEdit>,
    /// Whether the settings have changed: they count from the next start.
    pub settings_changed: bool,
}

/// The report, shared.
#[derive(Debug, Default)]
pub struct Configuration {
    report: Mutex<ConfigurationReport>,
}

impl Configuration {
    /// As it is now.
    #[must_use]
    pub fn report(&self) -> ConfigurationReport {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes it.
    pub fn update(&self, change: impl FnOnce(&mut ConfigurationReport)) {
        change(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
