//! `cargo bench-e2e`: the whole way through a real Kafka, beside a bare client loop and Kafka Streams.

use std::process::ExitCode;

fn main() -> ExitCode {
    integration_tests::bench::main()
}
