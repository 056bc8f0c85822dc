use std::time::Duration;

use super::*;
use crate::telemetry::sample_plan::sample_plan;

fn layouts(names: &[&str]) -> BTreeMap<String, Layout> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), Layout { partitions: 4, replicas: 3, in_sync: 3, leaderless: 0 }))
        .collect()
}

fn limits(of: &[(&str, usize, bool)]) -> BTreeMap<String, Limits> {
    let limits = |bytes: &usize, compacted: &bool| Limits { max_message_bytes: *bytes, compacted: *compacted };
    of.iter().map(|(name, bytes, compacted)| ((*name).to_owned(), limits(bytes, compacted))).collect()
}

const ALL: [&str; 4] = ["fhir.changes", "forms", "audit", "fhir.dead-letters"];

fn roomy() -> BTreeMap<String, Limits> {
    limits(&ALL.map(|name| (name, 1_000, false)))
}

#[test]
fn a_cluster_as_the_plan_wants_it_has_no_problem() {
    assert_eq!(judge_kafka_topics(&sample_plan(), &layouts(&ALL), &roomy()), []);
}

#[test]
fn every_missing_kafka_topic_is_reported_with_its_role() {
    let problems = judge_kafka_topics(&sample_plan(), &layouts(&["forms"]), &limits(&[("forms", 1_000, false)]));
    let missing = |role, name: &str| StartProblem::MissingKafkaTopic { role, kafka_topic: name.to_owned() };
    let expected = [
        missing(Role::Destination, "audit"),
        missing(Role::Ingest, "fhir.changes"),
        missing(Role::DeadLetter, "fhir.dead-letters"),
    ];
    assert_eq!(problems, expected);
    assert!(problems.iter().all(StartProblem::is_fatal));
}

#[test]
fn dead_letters_must_take_what_the_ingest_takes() {
    let mut found = roomy();
    found.extend(limits(&[("fhir.changes", 1_001, false)]));
    let problems = judge_kafka_topics(&sample_plan(), &layouts(&ALL), &found);
    assert!(
        matches!(
            &problems[..],
            [StartProblem::DeadLettersTooSmall { dead_letter_bytes: 1_000, ingest_bytes: 1_001, .. }]
        ),
        "{problems:?}"
    );
    assert!(!problems[0].is_fatal(), "a large dead letter goes without its value");
}

#[test]
fn a_compacted_kafka_topic_needs_keys() {
    let mut found = roomy();
    found.extend(limits(&[("forms", 1_000, true), ("audit", 1_000, true)]));
    let problems = judge_kafka_topics(&sample_plan(), &layouts(&ALL), &found);
    let expected =
        StartProblem::CompactedWithoutKey { destination: "audit".to_owned(), kafka_topic: "audit".to_owned() };
    assert_eq!(problems, [expected], "the destination with keys is well");
}

#[test]
fn outputs_with_one_replica_are_warned_of_and_the_ingest_is_its_publishers() {
    let mut laid_out = layouts(&ALL);
    for name in ["forms", "fhir.changes"] {
        laid_out.insert(name.to_owned(), Layout { partitions: 4, replicas: 1, in_sync: 1, leaderless: 0 });
    }
    let problems = judge_kafka_topics(&sample_plan(), &laid_out, &roomy());
    assert_eq!(problems, [StartProblem::OneReplica { kafka_topics: vec!["forms".to_owned()] }]);
    assert!(!problems[0].is_fatal());
}

#[test]
fn limits_that_cannot_be_read_are_said() {
    let mut found = roomy();
    found.remove("forms");
    let problems = judge_kafka_topics(&sample_plan(), &layouts(&ALL), &found);
    assert_eq!(problems, [StartProblem::LimitsUnknown { kafka_topic: "forms".to_owned() }]);
}

#[test]
fn servers_of_the_same_cluster_are_accepted_and_others_explained() {
    let servers = ForeignServers { destination: "audit".to_owned(), bootstrap_servers: "other:9092".to_owned() };
    assert_eq!(judge_cluster(&servers, "own-id", Some("own-id".to_owned())), None);
    let foreign = judge_cluster(&servers, "own-id", Some("other-id".to_owned())).expect("a problem");
    assert!(foreign.is_fatal());
    insta::assert_snapshot!(foreign);
    let unknown = judge_cluster(&servers, "own-id", None).expect("a problem");
    assert!(!unknown.is_fatal() && matches!(unknown, StartProblem::ForeignUnknown { .. }));
}

#[test]
fn brokers_that_are_away_are_an_error_to_wait_for_and_no_problem() {
    let mut kafka = crate::config::settings::Settings::default().kafka;
    kafka.bootstrap_servers = "127.0.0.1:1".to_owned();
    let admin = Admin::new(&kafka).expect("a client needs no broker").with_timeout(Duration::from_millis(200));
    let error = admin.kafka_topics().expect_err("nobody listens");
    assert!(matches!(error, AdminError::BrokersAway(_)), "{error:?}");
}
