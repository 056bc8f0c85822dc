//! `cargo bench-e2e`: the whole way through a real Apache Kafka, next to a bare client loop.

use std::process::ExitCode;

fn main() -> ExitCode {
    integration_tests::bench::main()
}
