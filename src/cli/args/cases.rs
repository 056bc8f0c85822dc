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

/// Options of `test`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct TestOptions {
    /// Files of cases (YAML)
    #[arg(required = true, value_name = "CASES")]
    pub cases: Vec<PathBuf>,
    /// The topics.yaml to test, in place of those that the files name
    #[arg(long, value_name = "FILE")]
    pub topics: Option<PathBuf>,
    /// Deployment settings (YAML); environment variables FHIR_FANOUT__* win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Also write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

pub(super) const TEST_HELP: &str = "\
Runs each case through the code of the service; needs no Kafka. A file of cases names its topics.yaml and lists what
is given and what has to come out:

  topics: topics.yaml            # from this file's folder
  cases:
    - name: a final result is sent
      given:                     # one, or a list
        event: { interaction: create, resource: { resourceType: Observation, id: o1, status: final } }
        # or value: the record's value as text; or file: JSON, or one record a line
        # beside it: ingest (a Kafka topic), key, headers, time
      expect:                    # or none: true
        - destination: lab-results
          key: o1                # ~ is no key
          headers: { fhir-interaction: create }
          bundle: { entry: [ {}, { resource: { status: final } } ] }   # a part; exactly: true for all of it
          count: 1
        - deadLetter: evaluation-error   # with topic, destination
      only: [lab-results]        # other destinations are not looked at

Whatever else comes out fails the case. Failures show values of the events.
Exit codes: 0 all passed, 1 a case failed or a file is invalid, 64 wrong command line

Examples:
  fhir-fanout test examples/cases.yaml
  fhir-fanout test cases/*.yaml --topics topics.yaml --junit target/junit.xml";
