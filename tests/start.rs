//! What starting costs with a thousand topics, and the first event of a type.
//!
//! What is measured is the thread's own time on a processor, and shown; what is asserted are ratios.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and what was measured is shown"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;

use fhir_fanout::domain::limits::Limits;
use fhir_fanout::domain::pipeline::Pipeline;
use fhir_fanout::domain::plan::Plan;
use fhir_fanout::domain::refusals::Refusals;
use fhir_fanout::domain::source::SourceRecord;
use fhir_fanout::domain::tally::Tally;

use self::clock::timed;
use self::plan::load;

#[path = "support/clock.rs"]
mod clock;
#[path = "support/plan.rs"]
mod plan;

const TOPICS: usize = 1_000;

/// Topics whose triggers are for this resource type, each with a criterion of its own.
fn topics(resource: &str) -> String {
    let mut text = "fhirBaseUrl: http://aidbox-server/fhir\ningest: [{ kafkaTopic: changes, format: change }]\n\
                    deadLetter: { kafkaTopic: dead-letters }\ntopics:\n"
        .to_owned();
    for number in 0..TOPICS {
        let criterion = match number % 4 {
            0 => format!("meta.tag.where(system = 'urn:t' and code = '{number}').exists()"),
            1 => format!("id = 'r{number}' or meta.profile contains 'http://example.org/p{number}'"),
            2 => format!("meta.lastUpdated > @2026-01-01T00:00:00Z and meta.security.exists(code = '{number}')"),
            _ => format!("%previous.empty() and meta.versionId = '{number}' and language = 'de'"),
        };
        writeln!(text, "  - {{ url: 'http://example.org/t{number}', trigger: [{{ resource: {resource}, fhirPathCriteria: \"{criterion}\" }}] }}").unwrap();
    }
    text.push_str("destinations:\n");
    for number in 0..TOPICS {
        writeln!(text, "  - {{ id: d{number}, topic: 'http://example.org/t{number}', kafkaTopic: out }}").unwrap();
    }
    text
}

fn event(plan: &Plan, pipeline: &mut Pipeline, resource_type: &str) {
    let value = format!(
        r#"{{"interaction":"create","resource":{{"resourceType":"{resource_type}","id":"r1","meta":{{"tag":[{{"system":"urn:t","code":"4"}}]}}}}}}"#
    );
    let record = SourceRecord {
        kafka_topic: "changes",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(0),
        key: None,
        value: Some(value.as_bytes()),
        headers: Vec::new(),
    };
    let taken = &mut |_: fhir_fanout::domain::output::OutputRecord<'_>| Ok::<(), Infallible>(());
    pipeline.process(&record, &Refusals::NONE, &mut Tally::new(plan), taken).unwrap();
}

/// Criteria for resources of any type are compiled for the types that come, when they come.
#[test]
fn a_thousand_topics_for_any_type_load_as_fast_as_for_one() {
    // The model and the engines are made once.
    load(&topics("Patient"), &[]);
    let [one, any] = ["Observation", "Resource"].map(|resource| {
        let text = topics(resource);
        let (plan, loading) = timed(|| load(&text, &[]));
        let plan = Arc::new(plan);
        let limits = Limits { max_message_bytes: usize::MAX, by_kafka_topic: HashMap::new(), compressed: false };
        let mut pipeline = Pipeline::new(Arc::clone(&plan), limits);
        let ((), first) = timed(|| event(&plan, &mut pipeline, "Observation"));
        let ((), second) = timed(|| event(&plan, &mut pipeline, "Observation"));
        let ((), other) = timed(|| event(&plan, &mut pipeline, "Encounter"));
        println!(
            "{resource}: loading {loading:?}, first event {first:?}, second {second:?}, of another type {other:?}"
        );
        loading
    });
    assert!(any <= 3 * one, "{any:?} for any type, {one:?} for one");
}
