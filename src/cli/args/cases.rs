//! The command lines of `explain` and `test`.

use std::path::PathBuf;

use clap::Args;

use super::{Files, Format};
use crate::kafka::one_record::RecordPosition;

/// Options of `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ExplainOptions {
    /// The configuration.
    #[command(flatten)]
    pub files: Files,
    /// What is explained.
    #[command(flatten)]
    pub source: ExplainSource,
    /// The ingest Kafka topic whose format the record has [default: its own, or the only one]
    #[arg(long, value_name = "KAFKA_TOPIC")]
    pub ingest: Option<String>,
    /// Explain this destination and its topic only
    #[arg(long, value_name = "ID")]
    pub destination: Option<String>,
    /// How it is printed
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

/// Where the record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct ExplainSource {
    /// The record's value as JSON, or one record a line (NDJSON); `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub event: Option<PathBuf>,
    /// Read exactly this record from Kafka, as the service would; commits nothing
    #[arg(long, value_name = "KAFKA_TOPIC:PARTITION:OFFSET", value_parser = position)]
    pub from_kafka: Option<RecordPosition>,
}

/// Reads `KAFKA_TOPIC:PARTITION:OFFSET`, as the header `fhir-source` and the logs write it.
fn position(text: &str) -> Result<RecordPosition, &'static str> {
    let mut parts = text.rsplitn(3, ':');
    let (offset, partition, kafka_topic) = (parts.next(), parts.next(), parts.next());
    let is_number = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let offset = offset.filter(is_number).and_then(|offset| offset.parse().ok());
    let partition = partition.filter(is_number).and_then(|partition| partition.parse().ok());
    match (kafka_topic.filter(|name| !name.is_empty()), partition, offset) {
        (Some(kafka_topic), Some(partition), Some(offset)) => {
            Ok(RecordPosition { kafka_topic: kafka_topic.to_owned(), partition, offset })
        }
        _ => Err("write KAFKA_TOPIC:PARTITION:OFFSET, as in fhir.changes:0:42"),
    }
}

pub(super) const EXPLAIN_HELP: &str = "\
Tells for each topic which trigger fired or why none did, with the value of each part of a criterion, and for
each destination what it gets or why nothing. The service's own code decides; nothing is sent anywhere.
The output shows values of the event: treat it as patient data.
Exit codes: 0 explained, 1 invalid configuration or unreadable event, 2 the record cannot be had from Kafka,
64 wrong command line

Examples:
  fhir-fanout explain --topics topics.yaml --event event.json
  fhir-fanout explain --topics topics.yaml --from-kafka fhir.changes:0:42
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_what_the_headers_say() {
        let read = |text| position(text).map(|at| (at.kafka_topic, at.partition, at.offset));
        assert_eq!(read("fhir.changes:3:42"), Ok(("fhir.changes".to_owned(), 3, 42)));
        for text in
            ["", "fhir.changes", "fhir.changes:1", ":1:2", "t:-1:2", "t:1:+2", "t:1:", "t:1:99999999999999999999"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
