//! `cargo bench -p integration-tests --bench pipeline`: the pure part, bytes in to bytes out, on W1, W2 and W3.
//!
//! To reach: 250,000 events/s of W1 on one core, and an event of W2 at 1.3 times the cost of one of W1.

use std::path::PathBuf;

use integration_tests::bench::pure::{Effort, measure};

/// The service's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(25);
    let json = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/bench-pipeline.json");
    measure(Effort { events: 20_000, rounds }, &json)
}
