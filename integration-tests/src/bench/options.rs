//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::source::Source;
use super::subject::Subject;

/// Measures the service end to end on a real Kafka, side by side with a bare client loop and Kafka Streams programs.
#[derive(Debug, Parser)]
#[command(name = "bench-e2e", args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(flatten)]
    pub(super) throughput: Throughput,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// From the call that produces an event to the notification at a read_committed consumer, at an even rate.
    Latency(Latency),
    /// The bare loop itself; bench-e2e starts it as a process of its own, until it is killed.
    #[command(hide = true)]
    Bare {
        /// What it has to do, as JSON.
        plan: PathBuf,
    },
}

/// How fast a backlog is worked off.
#[derive(Debug, Clone, Args)]
pub(super) struct Throughput {
    #[command(flatten)]
    pub(super) setup: Setup,
    /// What is measured one after the other.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "w1")]
    pub(super) workload: Vec<Source>,
    /// How many events; by default 400,000, or all that a workload from a file has.
    #[arg(long)]
    pub(super) events: Option<u64>,
    /// Makes the events while the service works and deletes what is behind it: shows memory over a backlog of any
    /// length.
    #[arg(long)]
    pub(super) bounded_disk: bool,
    /// With --bounded-disk: megabytes of memory beyond which the run is an error.
    #[arg(long, default_value_t = 150.0)]
    pub(super) peak_limit_mb: f64,
    /// How often everything is measured; the table shows medians.
    #[arg(long, default_value_t = 3)]
    pub(super) repeats: usize,
    #[command(flatten)]
    pub(super) batch: Batch,
}

/// How long one notification takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Latency {
    #[command(flatten)]
    pub(super) setup: Setup,
    /// Whose events and topics.
    #[arg(long, value_enum, default_value = "w1")]
    pub(super) workload: Source,
    /// Events per second; several are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "84,2000")]
    pub(super) rate: Vec<u32>,
    /// For how many seconds it is measured.
    #[arg(long, default_value_t = 30)]
    pub(super) seconds: u32,
    /// How many seconds before that do not count.
    #[arg(long, default_value_t = 10)]
    pub(super) warm_up_seconds: u32,
    /// How often everything is measured; the table shows medians.
    #[arg(long, default_value_t = 3)]
    pub(super) repeats: usize,
}

/// What every measurement is made on.
#[derive(Debug, Clone, Args)]
pub(super) struct Setup {
    /// Partitions of the ingest Kafka topic and of each destination.
    #[arg(long, default_value_t = 4)]
    pub(super) partitions: i32,
    /// Tasks of the service, threads of the others.
    #[arg(long, default_value_t = 2)]
    pub(super) tasks: usize,
    /// Who is measured; by default all, and the Kafka Streams programs where they can be built.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(super) subjects: Vec<Subject>,
    /// Another `fhir-fanout` to measure beside the one that is built here.
    #[arg(long, value_name = "BINARY")]
    pub(super) other: Option<PathBuf>,
    /// Java heap of the Kafka Streams programs in megabytes.
    #[arg(long, default_value_t = 512)]
    pub(super) peer_heap_mb: usize,
    /// Where the figures go as JSON; by default below target/.
    #[arg(long)]
    pub(super) json: Option<PathBuf>,
}

/// The size of the bare loop's transactions: the service's defaults.
#[derive(Debug, Clone, Args)]
pub(super) struct Batch {
    /// Records of a transaction of the bare loop.
    #[arg(long, default_value_t = 10_000)]
    pub(super) max_records: usize,
    /// Bytes of the ingest records of a transaction of the bare loop.
    #[arg(long, default_value_t = 8 * 1024 * 1024)]
    pub(super) max_bytes: usize,
    /// Milliseconds that a transaction of the bare loop waits for more records.
    #[arg(long, default_value_t = 5)]
    pub(super) linger_ms: u64,
}
