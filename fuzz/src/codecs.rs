//! Any record in any format: decoding ends, twice the same, and what it gives stands in the record.

use fhir_fanout::domain::codec;
use fhir_fanout::domain::event::Interaction;
use fhir_fanout::domain::plan::{Ingest, IngestFormat, StartFrom};

use crate::record::{KAFKA_TOPICS, record};

/// Decodes a record.
pub fn run(data: &[u8]) {
    let Some(record) = record(data) else { return };
    let format = match record.kafka_topic {
        topic if topic == KAFKA_TOPICS[0] => IngestFormat::Change,
        topic if topic == KAFKA_TOPICS[1] => IngestFormat::Fhir,
        _ => IngestFormat::Bundle,
    };
    let ingest = Ingest {
        kafka_topic: record.kafka_topic.to_owned(),
        format,
        start_from: StartFrom::Earliest,
        default_interaction: Interaction::Update,
    };
    let decoded = codec::decode(&ingest, &record);
    let again = codec::decode(&ingest, &record);
    assert_eq!(format!("{decoded:?}"), format!("{again:?}"), "decoding is deterministic");
    let Ok(events) = decoded else { return };
    let value = record.value.unwrap_or_default();
    let is_inside = |text: &str| value.as_ptr_range().contains(&text.as_ptr());
    for event in &events {
        let mut time = String::new();
        event.write_time(&record, &mut time);
        let _any = event.claimed_organization("https://aidbox.app/tenant-organization-id");
        assert!(!event.identity.id.is_empty() && !event.identity.id.contains('/'));
        assert!(event.identity.resource_type.starts_with(|first: char| first.is_ascii_uppercase()));
        if let Some(focus) = &event.focus {
            let _any = focus.patient_id();
            assert!(is_inside(focus.json()), "a resource is the record's own text");
            assert!(focus.json().starts_with('{') && focus.json().ends_with('}'));
        }
        if let Some(previous) = &event.previous {
            assert!(is_inside(previous.text()));
            assert_eq!(event.interaction, Interaction::Update);
        }
    }
}
