//! `cargo demo`: hospital events fan out through a real Apache Kafka, before your eyes.

use std::process::ExitCode;

fn main() -> ExitCode {
    integration_tests::demo::main()
}
