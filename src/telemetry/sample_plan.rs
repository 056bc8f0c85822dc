//! A small plan for the tests of this crate's edges.

use std::sync::Arc;

use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::fhirpath::{EVALUATION_MEMORY, EVALUATION_STEPS, FhirPath};
use crate::domain::plan::{
    Content, Destination, DestinationIndex, Ingest, IngestFormat, KeySource, OnDestinationError, OnError,
    OnMissingState, OrganizationHierarchy, Plan, StartFrom, Topic, TopicIndex, TriggerIndex,
};

/// One ingest `fhir.changes`, topic `http://t/forms`, destinations `kafka-destination` (key source) and `audit` (key
/// none) with the Kafka topics `forms` and `audit`, dead letters to `fhir.dead-letters`.
pub(crate) fn sample_plan() -> Plan {
    Plan {
        fhir_base_url: "http://fhir.example.org/fhir".to_owned(),
        ingest: vec![Ingest {
            kafka_topic: "fhir.changes".to_owned(),
            format: IngestFormat::Change,
            start_from: StartFrom::Earliest,
            default_interaction: Interaction::Update,
        }],
        dead_letter_kafka_topic: "fhir.dead-letters".to_owned(),
        on_error: OnError::DeadLetter,
        on_missing_state: OnMissingState::DeadLetter,
        on_destination_error: OnDestinationError::Block,
        organizations: OrganizationHierarchy::default(),
        fhir_release: FhirRelease::R4,
        topics: vec![Topic {
            url: "http://t/forms".to_owned(),
            organization: None,
            destinations: vec![DestinationIndex(0), DestinationIndex(1)],
            triggers: Vec::new(),
        }],
        destinations: vec![
            destination("kafka-destination", "forms", KeySource::Source),
            destination("audit", "audit", KeySource::None),
        ],
        criteria: Vec::new(),
        fhirpath: Arc::new(FhirPath::new()),
        evaluation_steps: EVALUATION_STEPS,
        evaluation_memory: EVALUATION_MEMORY,
        forward_headers: Vec::new(),
        hash: "0123456789abcdef".to_owned(),
        triggers: TriggerIndex::default(),
    }
}

fn destination(id: &str, kafka_topic: &str, key: KeySource) -> Destination {
    Destination {
        id: id.to_owned(),
        topic: TopicIndex(0),
        kafka_topic: kafka_topic.to_owned(),
        content: Content::FullResource,
        key,
        organization: None,
    }
}
