//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures the service end to end on a real Kafka, next to a bare client loop.
#[derive(Debug, Parser)]
#[command(name = "bench-e2e")]
pub(super) struct Options {
    /// How many events.
    #[arg(long, default_value_t = 200_000)]
    pub(super) events: usize,
    /// Bytes of an event's record value.
    #[arg(long, default_value_t = 2_048)]
    pub(super) size: usize,
    /// Partitions of the ingest Kafka topic and of each destination.
    #[arg(long, default_value_t = 4)]
    pub(super) partitions: i32,
    /// How often everything is measured; the table shows medians.
    #[arg(long, default_value_t = 3)]
    pub(super) repeats: usize,
    /// Measure the bare loop only.
    #[arg(long)]
    pub(super) bare_only: bool,
    /// Bytes that the bare loop sends per event when no service run has told them.
    #[arg(long, default_value_t = 2_700)]
    pub(super) bare_output_size: usize,
    /// Where the figures go as JSON.
    #[arg(long, default_value = "target/bench-e2e.json")]
    pub(super) json: PathBuf,
    #[command(flatten)]
    pub(super) batch: Batch,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// The size of a transaction and how many threads make them: the same for both.
#[derive(Debug, Clone, Args)]
pub(super) struct Batch {
    /// Tasks of the service, threads of the bare loop.
    #[arg(long, default_value_t = 2)]
    pub(super) tasks: usize,
    /// Records of a transaction.
    #[arg(long, default_value_t = 10_000)]
    pub(super) max_records: usize,
    /// Bytes of the ingest records of a transaction.
    #[arg(long, default_value_t = 4 * 1024 * 1024)]
    pub(super) max_bytes: usize,
    /// Milliseconds that a transaction waits for more records.
    #[arg(long, default_value_t = 5)]
    pub(super) linger_ms: u64,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The bare loop itself; bench-e2e starts it as a process of its own, until it is killed.
    #[command(hide = true)]
    Bare(Bare),
}

/// What the bare loop has to do.
#[derive(Debug, Clone, Args)]
pub(super) struct Bare {
    /// Where Kafka is.
    #[arg(long)]
    pub(super) bootstrap: String,
    /// Consumer group and first part of the transactional ids.
    #[arg(long)]
    pub(super) group: String,
    /// The Kafka topic to read.
    #[arg(long)]
    pub(super) ingest: String,
    /// The Kafka topic to send to.
    #[arg(long)]
    pub(super) output: String,
    /// Partitions of the ingest.
    #[arg(long)]
    pub(super) ingest_partitions: i32,
    /// Bytes of each record's value.
    #[arg(long)]
    pub(super) value_bytes: usize,
    /// Bytes of each record's headers, names and values.
    #[arg(long)]
    pub(super) header_bytes: usize,
    #[command(flatten)]
    pub(super) batch: Batch,
}
