//! The end-to-end benchmark: what the service costs on top of the client library.
//!
//! ```text
//! load the ingest Kafka topic once -> for each repeat: service (criterion) | service (no criterion) | bare loop
//!   each: a process of its own, its own consumer group and destination, until the group's committed offsets are the
//!   ends of the ingest -> events/s, CPU seconds and peak memory of that process -> read the destination and count
//! ```
//!
//! The bare loop does what nobody can do without: two threads that consume with `read_committed` and send as many
//! records and bytes, with their offsets, in transactions of the same size. It looks at nothing. The ratio to it says
//! what decoding, matching and building notifications cost. A run whose destination does not hold exactly one record
//! per event is an error, not a figure.

mod bare;
mod broker;
pub mod instructions;
mod options;
mod process;
pub mod pure;
mod report;
mod run;
pub mod workload;

use std::process::ExitCode;

use clap::Parser;

use options::{Command, Options};

/// The program: parses the command line, measures, prints.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match &options.command {
        Some(Command::Bare(bare)) => bare::run(bare),
        None => run::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::say(&format!("bench-e2e: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
