//! The command line: what the user asked for, what is printed, and which exit code says how it went.
//!
//! ```text
//! arguments -> args (clap) -> command -> load (settings, topics.yaml) -> command's own file -> Exit
//! ```
//!
//! `anyhow` is used in here only: below, errors are enums named by consequence.

pub mod args;
pub mod cluster;
pub mod diff;
pub mod dry_run;
pub mod explain;
pub mod load;
pub mod output;
mod record;
pub mod report;
pub mod signals;
pub mod test;
pub mod topics;
pub mod validate;

use std::process::ExitCode;

/// How the process ends; the numbers are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// A graceful stop, or a command that did what it was asked for.
    Success,
    /// The settings or `topics.yaml` are invalid.
    InvalidConfiguration,
    /// A fatal error while running.
    Fatal,
    /// Two configurations that were compared are not the same.
    Different,
    /// A wrong command line (`EX_USAGE` of sysexits).
    Usage,
    /// What was to be compared is invalid (`EX_DATAERR` of sysexits): not 1, which would say that it is different.
    Incomparable,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::InvalidConfiguration | Self::Different => 1,
            Self::Fatal => 2,
            Self::Usage => 64,
            Self::Incomparable => 65,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
