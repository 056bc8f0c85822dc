//! The end-to-end benchmark: what the service costs beside the client library alone, and beside Kafka Streams.
//!
//! ```text
//! Kafka, loaded once a workload -> for each repeat: fhir-fanout | bare loop | Kafka Streams hand-coded | with FHIRPath
//!   each: a process of its own, its own consumer group and destinations -> figures of that process
//!   -> its destinations are read and compared with those of the others
//! ```
//!
//! - `throughput`: a backlog. Events per second, CPU seconds, peak memory, time to the first commit.
//! - `latency`: an even stream. From produce to `read_committed` receipt.
//! - `backlog`: ten million events on a bounded disk. Memory over time.
//!
//! Who notifies has to notify of the same, byte for byte, and nothing may become a dead letter; the bare loop has to
//! write as many records. A run in which that is not so is an error, not a figure. Figures of one run are to be compared
//! with each other, hardly with those of another day: the repeats are interleaved, and the load average stands beside.

mod backlog;
mod bare;
mod contents;
pub mod instructions;
mod latency;
mod load;
mod machine;
mod options;
pub mod peers;
mod process;
mod progress;
pub mod pure;
mod report;
mod source;
mod stage;
mod statistics;
mod subject;
mod text;
mod throughput;
mod weight;
pub mod workload;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use options::{Command, Options};
use text::say;

/// The program: parses the command line, measures, prints.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.command {
        Some(Command::Bare { plan }) => bare::run(plan),
        Some(Command::Latency(latency)) => latency::run(latency),
        None => throughput::run(&options.throughput),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench-e2e: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Writes figures for machines, and says where.
fn write_json(file: &Path, figures: &serde_json::Value) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, serde_json::to_string_pretty(figures)?)
        .with_context(|| format!("cannot write {}", file.display()))?;
    say(&format!("figures: {}", file.display()));
    Ok(())
}
