//! The fault runner: breaks everything around the service on a real Kafka, and tells whether every output came once.
//!
//! ```text
//! publisher --events--> ingest --> instances of the service (fleet) --> destinations, dead letters
//!     (plain, committed, aborted, killed)     ^                                   |
//!                                             |  faults (nemesis, plan by seed)   v
//!                         brokers (stage) <---+                    reader (watch) -> judge, flow
//! ```
//!
//! Faults come one after the other, drawn from the seed: the same seed gives the same faults in the same order. After each
//! it is measured how long outputs take to flow again, as a `read_committed` reader sees it (`flow`). The reader has
//! every output judged at once ([`crate::oracle::stream`]). A run is good when nothing is lost, doubled, torn, reordered
//! or unexpected, no instance ended by itself, and as many events and kills went by as were asked for. When it is not,
//! the logs of all brokers and instances are kept.

mod fleet;
mod flow;
mod log;
mod nemesis;
mod network;
mod operator;
mod options;
mod plan;
mod publisher;
mod report;
mod run;
mod stage;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::process::build_folder;
use log::say;
use options::Options;

/// The program: parses the command line, runs, reports. The exit code is 0 only when everything was as it had to be.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    match run_all(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("chaos: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run_all(options: &Options) -> anyhow::Result<bool> {
    let seed = options.seed.unwrap_or_else(rand::random);
    say(&format!("seed {seed}: {}", options.command(seed)));
    crate::service::binary::path()?;
    let logs = logs_folder(seed)?;
    let mut outcomes = Vec::new();
    for (nodes, time) in options.phases() {
        let outcome = run::run(options, nodes, time, seed, &logs);
        match outcome {
            Ok(outcome) => outcomes.push(outcome),
            Err(error) => return Err(error.context(format!("logs are in {}", logs.display()))),
        }
    }
    let events: usize = outcomes.iter().map(|outcome| outcome.events).sum();
    let kills: usize = outcomes.iter().map(run::Outcome::kills).sum();
    let is_clean = outcomes.iter().all(run::Outcome::is_good);
    let is_enough = events >= options.min_events() && kills >= options.min_kills();
    let report = report::markdown(options, seed, &outcomes, is_clean && is_enough);
    say(&report);
    if !is_enough {
        say(&format!(
            "{events} events and {kills} kills: {} and {} were wanted",
            options.min_events(),
            options.min_kills()
        ));
    }
    if let Some(path) = &options.report {
        let before = std::fs::read_to_string(path).unwrap_or_default();
        std::fs::write(path, report::over(&before, &report))?;
    }
    if is_clean && !options.keep_logs {
        let _ = std::fs::remove_dir_all(&logs);
    } else {
        say(&format!("logs are in {}", logs.display()));
    }
    Ok(is_clean && is_enough)
}

fn logs_folder(seed: u64) -> anyhow::Result<PathBuf> {
    let now = jiff::Timestamp::now().as_second();
    let folder = build_folder().join("chaos").join(format!("{seed}-{now}"));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
