//! `cargo chaos`: breaks everything around the service on a real Kafka, and tells whether every output came exactly once.

use std::process::ExitCode;

fn main() -> ExitCode {
    integration_tests::chaos::main()
}
