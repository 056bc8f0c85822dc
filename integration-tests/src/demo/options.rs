//! The command line.

use std::path::{Path, PathBuf};

use clap::Parser;

/// Starts a real Apache Kafka and the service, publishes sample hospital events and shows what arrives.
#[derive(Debug, Parser)]
#[command(name = "demo")]
pub(super) struct Options {
    /// End by itself after the check, with exit code 0 if everything adds up.
    #[arg(long)]
    pub(super) once: bool,
    /// How many events are published before the check.
    #[arg(long, default_value_t = 1_500)]
    pub(super) events: usize,
    /// Events a second.
    #[arg(long, default_value_t = 150)]
    pub(super) rate: u32,
    /// Seed of the sample events.
    #[arg(long, default_value_t = 7)]
    pub(super) seed: u64,
    /// The topics.yaml to run.
    #[arg(long, default_value_os_t = repository().join("topics.yaml"))]
    pub(super) topics: PathBuf,
    /// Print this many sample events, one a line, and do nothing else.
    #[arg(long, value_name = "COUNT")]
    pub(super) print_events: Option<usize>,
}

/// The folder of the repository.
pub(super) fn repository() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().unwrap_or(crate_folder).to_owned()
}
