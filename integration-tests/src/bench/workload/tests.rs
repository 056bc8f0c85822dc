//! What the workloads promise; the service's own pipeline says what comes out of them.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use fhir_fanout::domain::pipeline::Pipeline;
use fhir_fanout::domain::plan::Plan;
use fhir_fanout::domain::refusals::Refusals;
use fhir_fanout::domain::tally::Tally;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::*;
use crate::bench::workload::plan::{self, INGEST};

const EVENTS: usize = 20_000;

#[derive(Deserialize)]
struct Envelope<'a> {
    interaction: &'a str,
    #[serde(borrow)]
    resource: &'a RawValue,
    #[serde(borrow)]
    previous: Option<&'a RawValue>,
    reference: Option<&'a str>,
    timestamp: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    resource_type: &'a str,
    id: &'a str,
    #[serde(borrow)]
    meta: Meta<'a>,
    subject: Option<Subject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    version_id: &'a str,
    last_updated: &'a str,
}

#[derive(Deserialize)]
struct Subject {
    reference: String,
}

/// Asserts that a share is what it should be, give or take a hundredth of all.
#[track_caller]
fn assert_share(what: &str, count: usize, of: usize, expected: f64) {
    let share = count as f64 / of as f64;
    assert!((share - expected).abs() < 0.01, "{what}: {share:.3} instead of {expected}");
}

/// FNV-1a: enough to notice a changed byte.
fn fingerprint(records: &[Record]) -> u64 {
    let bytes = records.iter().flat_map(|record| record.key.bytes().chain(record.value.bytes()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_every_build() {
    let records = |kind, seed| Workload::new(kind, seed).take(2_000).collect::<Vec<_>>();
    let first = records(Kind::W1, 7);
    assert_eq!(first, records(Kind::W2, 7));
    assert_eq!(format!("{:016x}", fingerprint(&first)), "77eca325279da091");
    assert_ne!(fingerprint(&first), fingerprint(&records(Kind::W1, 8)));
}

/// Replays the changes as a FHIR server would see them.
#[test]
fn changes_are_of_resources_that_exist_and_previous_is_the_version_before() {
    let mut server: HashMap<(String, String), (u32, String)> = HashMap::new();
    let mut gone: HashMap<(String, String), u32> = HashMap::new();
    for record in Workload::new(Kind::W1, 3).take(EVENTS) {
        let event: Envelope<'_> = serde_json::from_str(&record.value).expect("a record is an envelope");
        let text = event.resource.get();
        let head: Head<'_> = serde_json::from_str(text).expect("a resource has a head");
        let version: u32 = head.meta.version_id.parse().expect("versions are numbers");
        let identity = (head.resource_type.to_owned(), head.id.to_owned());
        let patient = head.subject.map_or(format!("Patient/{}", head.id), |subject| subject.reference);
        assert_eq!(patient, format!("Patient/{}", record.key));
        if event.interaction == "delete" {
            assert_eq!(server.remove(&identity).expect("it existed"), (version, text.to_owned()));
            assert_eq!(event.reference, Some(format!("{}/{}", identity.0, identity.1).as_str()));
            gone.insert(identity, version);
            continue;
        }
        assert_eq!((event.reference, event.timestamp), (None, head.meta.last_updated));
        let before = server.insert(identity.clone(), (version, text.to_owned()));
        match event.interaction {
            // A Patient that was deleted comes back, as a server does it: with the next version.
            "create" => assert_eq!((before, version), (None, gone.get(&identity).unwrap_or(&0) + 1)),
            "update" => {
                let (last, before) = before.expect("it existed");
                assert_eq!(version, last + 1);
                assert!(event.previous.is_none_or(|previous| previous.get() == before), "another previous version");
            }
            other => panic!("no interaction: {other}"),
        }
    }
    assert!(gone.keys().any(|(resource_type, _)| resource_type == "Patient"));
}

#[test]
fn types_interactions_and_previous_have_their_shares() {
    let mut types: HashMap<String, usize> = HashMap::new();
    let mut interactions: HashMap<String, usize> = HashMap::new();
    let (mut with_previous, mut patients) = (0, std::collections::HashSet::new());
    for record in Workload::new(Kind::W1, 1).take(EVENTS) {
        let event: Envelope<'_> = serde_json::from_str(&record.value).expect("a record is an envelope");
        let head: Head<'_> = serde_json::from_str(event.resource.get()).expect("a resource has a head");
        *types.entry(head.resource_type.to_owned()).or_default() += 1;
        *interactions.entry(event.interaction.to_owned()).or_default() += 1;
        with_previous += usize::from(event.previous.is_some());
        patients.insert(record.key);
    }
    for (name, share) in [
        ("Observation", 0.60),
        ("Encounter", 0.15),
        ("QuestionnaireResponse", 0.10),
        ("Patient", 0.10),
        ("MedicationRequest", 0.05),
    ] {
        assert_share(name, types[name], EVENTS, share);
    }
    for (name, share) in [("create", 0.40), ("update", 0.58), ("delete", 0.02)] {
        assert_share(name, interactions[name], EVENTS, share);
    }
    assert_share("previous", with_previous, interactions["update"], 0.5);
    // A hundred of a thousand events register somebody new, until all 5,000 are there.
    assert!((1_800..=2_000).contains(&patients.len()), "{}", patients.len());
}

#[test]
fn resources_are_as_large_as_asked() {
    let mut sizes: HashMap<String, Vec<usize>> = HashMap::new();
    for record in Workload::new(Kind::W1, 2).take(5_000) {
        let event: Envelope<'_> = serde_json::from_str(&record.value).expect("a record is an envelope");
        let head: Head<'_> = serde_json::from_str(event.resource.get()).expect("a resource has a head");
        sizes.entry(head.resource_type.to_owned()).or_default().push(event.resource.get().len());
    }
    for (name, range) in [
        ("Observation", 1_500..=2_000),
        ("Encounter", 1_100..=1_300),
        ("QuestionnaireResponse", 3_800..=4_200),
        ("Patient", 2_850..=3_150),
        ("MedicationRequest", 1_900..=2_100),
    ] {
        let sizes = &sizes[name];
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        let extremes = (sizes.iter().min(), sizes.iter().max());
        assert!(range.contains(&mean), "{name}: {mean} on average, {extremes:?}");
        assert!(
            sizes.iter().all(|size| (range.start() - 100..=range.end() + 100).contains(size)),
            "{name}: {extremes:?}"
        );
    }
}

#[test]
fn what_is_kept_does_not_grow_with_the_records() {
    let mut workload = Workload::new(Kind::W1, 5);
    let mut record = Record::default();
    let most: usize = ResourceKind::ALL.iter().map(|kind| kind.kept()).sum();
    let mut patients = std::collections::HashSet::new();
    for _ in 0..150_000 {
        workload.write_next(&mut record);
        if !patients.contains(&record.key) {
            patients.insert(record.key.clone());
        }
    }
    assert_eq!(patients.len(), PATIENTS);
    assert!(workload.patients.records.iter().all(|patient| patient.kept() <= most));
    assert!(workload.owed.len() < 20 && workload.postponed.is_empty(), "{} are owed", workload.owed.len());
}

/// How often each destination gets something, and how many events there are.
fn outputs(kind: Kind, records: impl Iterator<Item = Record>) -> (Arc<Plan>, BTreeMap<String, u64>, Tally) {
    let plan = plan::of(kind);
    let mut pipeline = Pipeline::new(Arc::clone(&plan), plan::limits());
    let mut tally = Tally::new(&plan);
    for (offset, record) in (0..).zip(records) {
        let source = record.source(INGEST, 0, offset);
        let processed = pipeline.process(&source, &Refusals::NONE, &mut tally, &mut |_| Ok::<(), Infallible>(()));
        processed.expect("a record of the ingest is processed");
    }
    let ids = plan.destinations.iter().map(|destination| destination.id.clone());
    let counts = ids.zip(tally.notifications.iter().copied()).collect();
    (plan, counts, tally)
}

#[test]
fn every_event_gives_about_one_output_and_w2_fires_as_many() {
    let records = || Workload::new(Kind::W1, 1).take(EVENTS);
    let (plan, w1, tally) = outputs(Kind::W1, records());
    assert_eq!((plan.topics.len(), plan.destinations.len()), (8, 10));
    assert_eq!(tally.dead_letters.iter().sum::<u64>(), 0);
    let ids: Vec<_> = plan.destinations.iter().map(|destination| destination.id.as_str()).collect();
    assert_eq!(ids, Kind::W1.destinations().iter().map(|destination| destination.id).collect::<Vec<_>>());
    let per_event = w1.values().sum::<u64>() as f64 / EVENTS as f64;
    assert!((0.95..1.05).contains(&per_event), "{per_event:.3} outputs per event: {w1:?}");
    assert!(w1.values().all(|count| *count > EVENTS as u64 / 100), "{w1:?}");

    let (plan, mut w2, tally) = outputs(Kind::W2, records());
    assert_eq!(plan.topics.len(), 1_000);
    assert_eq!(tally.dead_letters.iter().sum::<u64>(), 0);
    assert_eq!(w2.iter().filter(|(id, _)| id.starts_with("quiet-")).map(|(_, count)| count).sum::<u64>(), 0);
    w2.retain(|id, _| !id.starts_with("quiet-"));
    assert_eq!(w1, w2);
}

#[test]
fn the_kafka_topics_are_those_of_the_destinations() {
    for kind in [Kind::W1, Kind::W2] {
        let plan = plan::of(kind);
        let mut used: Vec<_> = plan.destinations.iter().map(|destination| destination.kafka_topic.clone()).collect();
        used.dedup();
        assert_eq!(used, kind.kafka_topics(plan::PREFIX));
    }
}

#[test]
fn the_hospital_of_synthea_gives_outputs_and_no_dead_letter() {
    let Some(records) = HospitalEvents::open().expect("the file can be read") else { return };
    // The first lines are organizations and practitioners.
    let records = records.skip(2_500).take(3_000).map(|record| record.expect("every line is an event"));
    let (_, counts, tally) = outputs(Kind::W1, records);
    assert_eq!(tally.events[0].iter().sum::<u64>(), 3_000);
    assert_eq!(tally.dead_letters.iter().sum::<u64>(), 0);
    assert!(counts["patients"] > 0 && counts["labs-final"] > 0, "{counts:?}");
}
