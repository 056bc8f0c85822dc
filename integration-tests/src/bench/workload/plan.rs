//! The workloads' topics as the service's own plan, for what runs its pipeline without Kafka.

use std::collections::HashMap;
use std::sync::Arc;

use fhir_fanout::config;
use fhir_fanout::config::environment::Environment;
use fhir_fanout::domain::fhirpath::FhirPath;
use fhir_fanout::domain::limits::Limits;
use fhir_fanout::domain::plan::Plan;
use fhir_fanout::domain::source::SourceRecord;

use super::{Kind, Record};

/// The ingest Kafka topic of these plans.
pub const INGEST: &str = "bench.changes";
/// What their destinations' Kafka topics begin with.
pub const PREFIX: &str = "bench";
const DEAD_LETTERS: &str = "bench.dead-letters";

/// The plan of a workload.
///
/// # Panics
/// When the service refuses the topics, which a test excludes.
#[must_use]
pub fn of(kind: Kind) -> Arc<Plan> {
    let folder = tempfile::tempdir().expect("a folder for topics.yaml");
    let path = folder.path().join("topics.yaml");
    std::fs::write(&path, kind.topics_yaml(PREFIX, INGEST, DEAD_LETTERS)).expect("topics.yaml can be written");
    let environment: Environment = [("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", "broker:9092")].into_iter().collect();
    let loaded = config::load(None, &path, &environment, &Arc::new(FhirPath::new()));
    Arc::new(loaded.topics.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)).plan)
}

/// The limits that the service starts with.
#[must_use]
pub fn limits() -> Limits {
    Limits { max_message_bytes: 10 * 1024 * 1024, by_kafka_topic: HashMap::new(), compressed: false }
}

impl Record {
    /// The record as the service's pipeline gets it from Kafka.
    #[must_use]
    pub fn source<'a>(&'a self, kafka_topic: &'a str, partition: i32, offset: i64) -> SourceRecord<'a> {
        SourceRecord {
            kafka_topic,
            partition,
            offset,
            timestamp_ms: Some(self.timestamp_ms),
            key: Some(self.key.as_bytes()),
            value: Some(self.value.as_bytes()),
            headers: Vec::new(),
        }
    }
}
