//! `fhir-fanout explain`: that it says what the service does, and that it reads one record of a real Kafka.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use fhir_fanout::config::{self, environment::Environment};
use fhir_fanout::domain::explain::{Answer, DestinationOutcome, Explainer, TopicOutcome, TriggerOutcome};
use fhir_fanout::domain::fhirpath::FhirPath;
use fhir_fanout::domain::limits::Limits;
use fhir_fanout::domain::output::OutputKind;
use fhir_fanout::domain::pipeline::Pipeline;
use fhir_fanout::domain::plan::Plan;
use fhir_fanout::domain::refusals::Refusals;
use fhir_fanout::domain::source::SourceRecord;
use fhir_fanout::domain::tally::{FilterReason, Tally};
use integration_tests::events::{ClinicalDay, DayOptions, SampleEvent};
use integration_tests::kafka::{Producer, Record, shared, unique};
use integration_tests::scene::Scene;
use integration_tests::service::{Finished, ServiceSpec};

fn shipped() -> Arc<Plan> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../topics.yaml");
    let loaded = config::load(None, &path, &Environment::default(), &Arc::new(FhirPath::new()));
    Arc::new(loaded.topics.unwrap().plan)
}

fn record(event: &SampleEvent) -> SourceRecord<'_> {
    SourceRecord {
        kafka_topic: "fhir.changes",
        partition: 0,
        offset: 0,
        timestamp_ms: Some(event.at.as_millisecond()),
        key: Some(event.key.as_bytes()),
        value: event.value.as_deref(),
        headers: Vec::new(),
    }
}

/// On sample events of hospitals: destinations that are told to be notified are those that the pipeline notifies, what is
/// told of a topic is what the pipeline counts, each topic's outcome follows from what its criteria say one by one, and
/// the parts, which the general engine shows, say the same as what decides.
#[test]
fn the_explanation_is_what_the_service_does() {
    let plan = shipped();
    let limits = || Limits { max_message_bytes: 1_000_000, by_kafka_topic: HashMap::new(), compressed: false };
    let mut pipeline = Pipeline::new(Arc::clone(&plan), limits());
    let mut explainer = Explainer::new(Arc::clone(&plan), limits());
    let (mut fired, mut sifted, mut filtered, mut undecided) = (0, 0, 0, 0);
    for event in ClinicalDay::new(DayOptions { broken_every: Some(50), ..DayOptions::default() }).take(2_000) {
        let mut notified = BTreeSet::new();
        let mut tally = Tally::new(&plan);
        pipeline
            .process::<Infallible>(&record(&event), &Refusals::NONE, &mut tally, &mut |output| {
                if let OutputKind::Notification(destination) = output.kind {
                    notified.insert(destination);
                }
                Ok(())
            })
            .unwrap();
        let explanation = explainer.explain(&record(&event), None).unwrap();
        let Ok([event]) = explanation.events.as_deref() else {
            assert!(explanation.events.is_err() && notified.is_empty(), "a record holds one event or is broken");
            continue;
        };
        let mut told = BTreeSet::new();
        for topic in &event.topics {
            for destination in &topic.destinations {
                match destination.outcome {
                    DestinationOutcome::Notified { .. } => drop(told.insert(destination.destination)),
                    DestinationOutcome::Filtered(reason) => {
                        let counted = tally.filtered_by_destination[destination.destination.0];
                        assert_eq!(counted[reason.index()], 1);
                        filtered += 1;
                    }
                    _ => {}
                }
            }
            let mut counted = [0; FilterReason::ALL.len()];
            match topic.outcome {
                TopicOutcome::Filtered(reason) => counted[reason.index()] = 1,
                TopicOutcome::DeadLetter(_) => {
                    counted[FilterReason::MissingState.index()] = 1;
                    undecided += 1;
                }
                _ => {}
            }
            assert_eq!(tally.filtered_by_topic[topic.topic.0], counted, "{:?}", topic.outcome);
            let mut is_true = false;
            for trigger in &topic.triggers {
                match &trigger.outcome {
                    TriggerOutcome::NoCriterion => is_true = true,
                    TriggerOutcome::Criterion(criterion) => {
                        is_true |= criterion.answer == Answer::True;
                        let parts = criterion.parts.as_ref().unwrap().seen.boolean();
                        match criterion.answer {
                            Answer::True => assert_eq!(parts, Some(true)),
                            Answer::False => assert_ne!(parts, Some(true)),
                            _ => {}
                        }
                    }
                    _ => {}
                }
            }
            let is_asked = !topic.triggers.iter().any(|trigger| matches!(trigger.outcome, TriggerOutcome::NotAsked));
            assert!(!is_asked || is_true == (topic.outcome == TopicOutcome::Fired), "{topic:?}");
            fired += usize::from(topic.outcome == TopicOutcome::Fired);
            sifted += usize::from(topic.sifted);
        }
        assert_eq!(told, notified);
    }
    assert!(fired > 300 && sifted > 100 && filtered > 100 && undecided > 10, "{fired} {sifted} {filtered} {undecided}");
}

fn spec(scene: &Scene<'_>) -> ServiceSpec {
    let topics_yaml = format!(
        "{}topics:\n  - url: http://example.org/t\n    trigger: [ {{ resource: Patient, fhirPathCriteria: active }} ]\n\
         destinations:\n  - {{ id: all, topic: http://example.org/t, kafkaTopic: {} }}\n",
        scene.head("change"),
        scene.kafka_topic("all")
    );
    ServiceSpec::new(scene.cluster, &topics_yaml)
}

fn explain(spec: &ServiceSpec, position: &str) -> Finished {
    spec.run(&["explain", "--from-kafka", position]).unwrap()
}

fn patient(id: &str) -> Record {
    let resource = format!(r#"{{"resourceType":"Patient","id":"{id}","active":true}}"#);
    Record::new(format!(r#"{{"interaction":"create","resource":{resource}}}"#)).key(format!("key-{id}")).partition(0)
}

#[test]
fn one_record_is_read_and_explained() {
    let scene = Scene::new(shared(), 1, &["all"]).unwrap();
    let positions = scene.produce(&[patient("p1"), patient("p2"), patient("p3")]).unwrap();
    let spec = spec(&scene);
    let finished = explain(&spec, &positions[1].to_string());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stdout.contains("create of Patient/p2"), "{}", finished.stdout);
    assert!(finished.stdout.contains("notified: Kafka topic") && finished.stdout.contains("key key-p2"));
    assert!(!finished.stdout.contains("p1") && !finished.stdout.contains("p3"), "exactly that one");
    assert_eq!(scene.admin.member_count(spec.group()).unwrap(), 0);
    assert!(scene.admin.committed_offsets(spec.group(), &scene.ingest).unwrap().is_empty(), "nothing is committed");
}

#[test]
fn what_is_not_there_is_told_for_what_it_is() {
    let scene = Scene::new(shared(), 1, &["all"]).unwrap();
    let spec = spec(&scene);
    let ingest = &scene.ingest;
    scene.produce(&[patient("p1"), patient("p2")]).unwrap();
    let producer = Producer::transactional(scene.cluster, &unique("aborted")).unwrap();
    producer.begin().unwrap();
    producer.send(ingest, &[patient("p3")]).unwrap();
    producer.abort().unwrap();
    scene.produce(&[patient("p4")]).unwrap();
    producer.begin().unwrap();
    producer.send(ingest, &[patient("p5")]).unwrap();
    scene.admin.delete_records_before(ingest, &[1]).unwrap();
    let refused = [
        (format!("{ingest}:0:0"), "the partition begins at 1"),
        (format!("{ingest}:0:2"), "one that was aborted"),
        (format!("{ingest}:0:3"), "a mark of the end of a transaction"),
        (format!("{ingest}:0:5"), "it may be in an open transaction"),
        (format!("{ingest}:0:999"), "readers of committed records come to 5"),
        (format!("{ingest}:7:0"), "they are 0 to 0"),
    ];
    for (position, why) in &refused {
        let finished = explain(&spec, position);
        assert_eq!(finished.code, Some(2), "{position}: {}{}", finished.stdout, finished.stderr);
        assert!(finished.stdout.is_empty(), "{position}: {}", finished.stdout);
        assert!(finished.stderr.contains(why) && finished.stderr.contains(position), "{position}: {}", finished.stderr);
    }
    for there in [1, 4] {
        assert_eq!(explain(&spec, &format!("{ingest}:0:{there}")).code, Some(0));
    }
    producer.abort().unwrap();
    let elsewhere = explain(&spec, "no-such-topic:0:0");
    assert_eq!(elsewhere.code, Some(2));
    assert!(elsewhere.stderr.contains("there is no such Kafka topic"), "{}", elsewhere.stderr);
}
