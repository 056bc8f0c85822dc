//! The demo: hospital events fan out through a real Apache Kafka, before your eyes.
//!
//! ```text
//! sample events --publish--> ingest --[ fhir-fanout, a process of its own ]--> destinations --observe--> screen
//!       |                                                                                         |
//!       `------------------ facts -> what has to come out ---------------------> check <---------'
//! ```
//!
//! It runs what a user would run: the release binary, its `topics create`, the repository's topics.yaml. The check at
//! the end is no part of the service: it states from the events' facts what each destination must hold, and compares
//! by source position, so that a lost, doubled or wrong notification fails the demo.

mod check;
mod expected;
mod metrics;
mod observe;
mod options;
mod pretty;
mod publish;
mod running;
mod screen;
pub mod service;
mod story;
mod topics;

use std::process::ExitCode;

use clap::Parser;

/// The program: tells the story, gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let options = options::Options::parse();
    let mut screen = screen::Screen::new();
    match story::tell(&options, &mut screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen.failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
