//! `make instructions`: instructions per event of the pure part, compared with their bounds.

use std::process::ExitCode;

/// The service's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    integration_tests::bench::instructions::main()
}
