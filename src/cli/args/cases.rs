//! The command lines of `explain` and `test`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Files;

/// Options of `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ExplainOptions {
    /// The configuration.
    #[command(flatten)]
    pub files: Files,
    /// The record's value as JSON, or one record a line (NDJSON); `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub event: PathBuf,
    /// The ingest Kafka topic whose format the file has [default: the only one]
    #[arg(long, value_name = "KAFKA_TOPIC")]
    pub ingest: Option<String>,
    /// Explain this destination and its topic only
    #[arg(long, value_name = "ID")]
    pub destination: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = ExplainFormat::Human)]
    pub format: ExplainFormat,
}

/// How an explanation is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainFormat {
    /// For people, within 100 columns
    Human,
    /// One JSON object for each record
    Json,
}

pub(super) const EXPLAIN_HELP: &str = "\
Tells for each topic which trigger fired or why none did, with the value of each part of a criterion, and for
each destination what it gets or why nothing. The service's own code decides; nothing is sent anywhere.
The output shows values of the event: treat it as patient data.
Exit codes: 0 explained, 1 invalid configuration or unreadable event, 64 wrong command line

Examples:
  fhir-fanout explain --topics topics.yaml --event event.json
  fhir-fanout explain --topics topics.yaml --event event.json --destination lab-results --format json";
