//! The command line: what the user asked for, what is printed, and which exit code says how it went.
//!
//! ```text
//! arguments -> args (clap) -> command -> load (settings, topics.yaml) -> run | validate | topics create -> Exit
//! ```
//!
//! `anyhow` is used in here only: below, errors are enums named by consequence.

pub mod args;
pub mod load;
pub mod output;
pub mod signals;
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
    /// A wrong command line (`EX_USAGE` of sysexits).
    Usage,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::InvalidConfiguration => 1,
            Self::Fatal => 2,
            Self::Usage => 64,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
