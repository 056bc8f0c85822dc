//! Any record through a plan: total and deterministic, notifications are Bundles, dead letters carry their class and the
//! record's bytes, and nothing is larger than it may be.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use fhir_fanout::config;
use fhir_fanout::config::environment::Environment;
use fhir_fanout::domain::fhirpath::FhirPath;
use fhir_fanout::domain::json;
use fhir_fanout::domain::limits::{Limits, record_size};
use fhir_fanout::domain::output::{DeadLetterClass, OutputKind, OutputRecord};
use fhir_fanout::domain::pipeline::Pipeline;
use fhir_fanout::domain::plan::Plan;
use fhir_fanout::domain::refusals::Refusals;
use fhir_fanout::domain::source::SourceRecord;
use fhir_fanout::domain::tally::Tally;

use crate::record::record;

static PLAN: LazyLock<Arc<Plan>> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fhir-fanout-fuzz-plan-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the plan");
    let path = folder.join("topics.yaml");
    std::fs::write(&path, include_str!("plan.yaml")).expect("the plan can be written");
    let environment: Environment = [("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", "broker:9092")].into_iter().collect();
    let loaded = config::load(None, &path, &environment, &Arc::new(FhirPath::new()));
    let plan = loaded.topics.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)).plan;
    drop(std::fs::remove_dir_all(folder));
    Arc::new(plan)
});

const LARGEST: usize = 64 * 1024;
const SMALL: usize = 900;

/// Processes a record twice.
pub fn run(data: &[u8]) {
    let Some(record) = record(data) else { return };
    let (outputs, tally) = process(&record);
    let (again, tally_again) = process(&record);
    assert_eq!(outputs, again, "the same record gives the same bytes");
    assert_eq!(format!("{tally:?}"), format!("{tally_again:?}"));
    let events: u64 = tally.events.iter().flatten().sum();
    let letters: u64 = tally.dead_letters.iter().sum();
    let notifications: u64 = tally.notifications.iter().sum();
    assert_eq!(outputs.len() as u64, letters + notifications, "what is counted came out");
    assert!(events > 0 || outputs.is_empty());
}

fn process(record: &SourceRecord<'_>) -> (Vec<String>, Tally) {
    let limits = Limits {
        max_message_bytes: LARGEST,
        by_kafka_topic: HashMap::from([("notify.small".to_owned(), SMALL), ("dead-letters".to_owned(), LARGEST / 2)]),
        compressed: false,
    };
    let mut pipeline = Pipeline::new(Arc::clone(&PLAN), limits.clone());
    let mut tally = Tally::new(&PLAN);
    let mut outputs = Vec::new();
    let processed = pipeline.process(record, &Refusals::NONE, &mut tally, &mut |output: OutputRecord<'_>| {
        check(&output, record, &limits);
        outputs.push(format!("{output:?}"));
        Ok::<(), Infallible>(())
    });
    processed.expect("a record of an ingest is processed");
    (outputs, tally)
}

fn check(output: &OutputRecord<'_>, record: &SourceRecord<'_>, limits: &Limits) {
    let value = output.value;
    let header = |name: &str| {
        let found = output.headers.iter().find(|header| header.name == name)?;
        std::str::from_utf8(found.value.as_deref()?).ok()
    };
    let size = record_size(output.key.as_deref(), value, &output.headers);
    match output.kind {
        OutputKind::Notification(_) => {
            assert!(size <= limits.of(output.kafka_topic));
            let text = std::str::from_utf8(value.expect("a notification has a value")).expect("it is text");
            let mut resource_type = None;
            json::members(text, |name, value| {
                if name == "resourceType" {
                    resource_type = json::string(value).map(|name| name.into_owned());
                }
            })
            .expect("a notification is JSON");
            assert_eq!(resource_type.as_deref(), Some("Bundle"));
            assert_eq!(header("content-type"), Some("application/fhir+json"));
        }
        OutputKind::DeadLetter(class) => {
            assert_eq!(header("fhir-dead-letter-class"), Some(class.name()));
            assert_eq!(header("fhir-dead-letter-source"), Some(record.position().as_str()));
            assert!(DeadLetterClass::ALL.contains(&class) && class != DeadLetterClass::Rejected);
            assert!(value.is_none() || value == record.value, "a dead letter is the record as it was");
            assert!(value.is_none() || size <= limits.of(output.kafka_topic));
        }
    }
}
