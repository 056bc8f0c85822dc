//! What `topics check` and `validate --against-cluster` find on a real cluster, and that they only ask.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::OnceLock;

use integration_tests::kafka::{Acls, ClusterOptions, KafkaCluster, Operation, Resource, unique};
use integration_tests::scene::Hospital;
use integration_tests::service::{Finished, ServiceSpec};
use serde_json::Value;

fn cluster() -> &'static KafkaCluster {
    static CLUSTER: OnceLock<KafkaCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| KafkaCluster::start(&ClusterOptions::default().authorizer()).unwrap())
}

/// A finding as `severity check kafkaTopic`.
fn findings(checked: &Value) -> BTreeSet<String> {
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap_or("-").to_owned();
    let all = checked["findings"].as_array().unwrap();
    all.iter().map(|found| ["severity", "check", "kafkaTopic"].map(|member| text(found, member)).join(" ")).collect()
}

fn check(spec: &ServiceSpec, code: i32) -> Value {
    let Finished { code: ended, stdout, stderr } = spec.run(&["topics", "check", "--format", "json"]).unwrap();
    assert_eq!(ended, Some(code), "{stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// What is always found on a cluster of one node.
fn of_one_node(hospital: &Hospital<'_>) -> BTreeSet<String> {
    let scene = &hospital.scene;
    let outputs = scene.destinations.iter().chain([&scene.dead_letters]);
    let mut found: BTreeSet<String> = outputs.map(|name| format!("warning one-replica {name}")).collect();
    found.insert(format!("note one-replica {}", scene.ingest));
    found.insert("warning transaction-state -".to_owned());
    for destination in ["forms", "results"] {
        found.insert(format!("note message-size {}", scene.kafka_topic(destination)));
    }
    found
}

#[test]
fn a_cluster_that_fits_has_no_errors_and_is_described() {
    let hospital = Hospital::new(cluster(), 2).unwrap();
    let checked = check(&hospital.spec, 0);
    assert_eq!(findings(&checked), of_one_node(&hospital), "{checked:#}");
    assert_eq!(checked["cluster"], hospital.scene.admin.cluster_id().unwrap());
    let kafka_topics = checked["kafkaTopics"].as_array().unwrap();
    assert_eq!(kafka_topics.len(), 6);
    let ingest = kafka_topics.iter().find(|found| found["kafkaTopic"] == hospital.scene.ingest).unwrap();
    assert_eq!((&ingest["role"], &ingest["partitions"]), (&"ingest".into(), &2.into()));
    assert_eq!(ingest["options"]["cleanup.policy"], "delete");

    let for_people = hospital.spec.run(&["validate", "--against-cluster"]).unwrap();
    assert_eq!(for_people.code, Some(0), "{}{}", for_people.stdout, for_people.stderr);
    let (offline, online) =
        for_people.stdout.split_once("topics.yaml: valid").expect("the offline verdict comes first");
    assert!(!offline.contains("cluster") && online.contains("the cluster fits (0 errors"), "{}", for_people.stdout);
    assert!(online.contains("kafka-configs.sh --bootstrap-server"), "with what to do about it: {online}");
}

#[test]
fn what_does_not_fit_is_found_at_once_and_nothing_is_made() {
    let hospital = Hospital::new(cluster(), 4).unwrap();
    let (admin, name) = (&hospital.scene.admin, |name| hospital.scene.kafka_topic(name).to_owned());
    admin.alter_kafka_topic(&name("audit"), &[("cleanup.policy", "compact")]).unwrap();
    admin.alter_kafka_topic(&name("results"), &[("max.message.bytes", "1000")]).unwrap();
    admin.alter_kafka_topic(&name("forms"), &[("retention.ms", "3600000"), ("min.insync.replicas", "2")]).unwrap();
    admin.alter_kafka_topic(&name("forms-b"), &[("message.timestamp.before.max.ms", "60000")]).unwrap();
    admin
        .alter_kafka_topic(
            &hospital.scene.dead_letters,
            &[("cleanup.policy", "compact"), ("max.message.bytes", "2000")],
        )
        .unwrap();
    let missing = unique("nowhere");
    let more = format!("  - {{ id: lost, topic: http://example.org/topic/results, kafkaTopic: {missing} }}\n");
    let spec =
        hospital.spec_with(&more).setting("TRANSACTION_TIMEOUT_MS", "900001").setting("SESSION_TIMEOUT_MS", "1800001");
    let checked = check(&spec, 1);
    let mut expected = of_one_node(&hospital);
    expected.remove(&format!("note message-size {}", name("results")));
    for destination in &hospital.scene.destinations {
        expected.insert(format!("note fewer-partitions {destination}"));
    }
    for found in [
        format!("error missing {missing}"),
        format!("error compacted-without-key {}", name("audit")),
        format!("error min-insync {}", name("forms")),
        "error transaction-timeout -".to_owned(),
        "error session-timeout -".to_owned(),
        format!("warning message-size {}", name("results")),
        format!("warning retention {}", name("forms")),
        format!("warning timestamps {}", name("forms-b")),
        format!("warning dead-letters-compacted {}", hospital.scene.dead_letters),
        format!("warning dead-letters-too-small {}", hospital.scene.dead_letters),
    ] {
        expected.insert(found);
    }
    let found = findings(&checked);
    let (extra, lacking): (Vec<_>, Vec<_>) =
        (found.difference(&expected).collect(), expected.difference(&found).collect());
    assert!(extra.is_empty() && lacking.is_empty(), "not expected: {extra:?}, not found: {lacking:?}");
    assert_eq!(admin.partitions(&missing).unwrap(), None, "it only asked");
    assert_eq!(admin.member_count(spec.group()).unwrap(), 0);
    assert!(admin.committed_offsets(spec.group(), &hospital.scene.ingest).unwrap().is_empty());
}

#[test]
fn rights_are_told_as_far_as_brokers_tell_them() {
    let hospital = Hospital::new(cluster(), 1).unwrap();
    let spec = hospital.spec.clone().as_user(cluster());
    let acls = Acls::new(cluster());
    let scene = &hospital.scene;
    let (forms, audit) = (scene.kafka_topic("forms"), scene.kafka_topic("audit"));
    let outputs = scene.destinations.iter().chain([&scene.dead_letters]);
    acls.allow_service(spec.group(), &scene.ingest, outputs).unwrap();
    let rights = |checked: &Value| -> BTreeSet<String> {
        findings(checked).into_iter().filter(|found| found.contains("rights") || found.contains("unknown")).collect()
    };
    let well = check(&spec, 0);
    assert!(rights(&well).is_empty(), "{well:#}");
    let unchecked = well["notChecked"].to_string();
    assert!(
        unchecked.contains("transactional ids") && unchecked.contains("DescribeConfigs on the cluster"),
        "{unchecked}"
    );

    acls.withdraw(Resource::KafkaTopic(forms), Operation::Write).unwrap();
    acls.withdraw(Resource::KafkaTopic(audit), Operation::DescribeConfigs).unwrap();
    acls.withdraw(Resource::KafkaTopic(&scene.ingest), Operation::Read).unwrap();
    acls.withdraw(Resource::Group(spec.group()), Operation::Read).unwrap();
    let checked = check(&spec, 1);
    let wanted = [
        format!("error rights {forms}"),
        format!("error rights {}", scene.ingest),
        "error rights -".to_owned(),
        format!("warning options-unknown {audit}"),
    ];
    assert_eq!(rights(&checked), wanted.into(), "{checked:#}");
    let said = checked.to_string();
    assert!(said.contains(&format!("--operation Write --topic {forms}")), "with the command: {said}");
}

#[test]
fn a_dry_run_needs_no_right_but_those_on_the_ingest() {
    let mut hospital = Hospital::new(cluster(), 2).unwrap();
    hospital.produce(1, 50, 100).unwrap();
    let acls = Acls::new(cluster());
    let ingest = Resource::KafkaTopic(&hospital.scene.ingest);
    acls.allow_all(ingest, &[Operation::Read, Operation::Describe]).unwrap();
    let spec = hospital.spec.clone().as_user(cluster());
    let counted = spec.run(&["dry-run", "--since", "1h", "--format", "json"]).unwrap();
    assert_eq!(counted.code, Some(0), "{counted:?}");
    let counted: Value = serde_json::from_str(&counted.stdout).unwrap();
    assert_eq!(counted["records"], 50, "without any right on a group");
    acls.withdraw(ingest, Operation::Read).unwrap();
    let refused = spec.run(&["dry-run", "--since", "1h"]).unwrap();
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("cannot be read"), "{refused:?}");
}

#[test]
fn offline_errors_end_it_before_the_cluster_is_asked_and_no_broker_is_2() {
    let hospital = Hospital::new(cluster(), 1).unwrap();
    let nobody = hospital.spec.clone().setting("KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1");
    let asked = nobody.run(&["validate", "--against-cluster"]).unwrap();
    assert_eq!(asked.code, Some(2), "{}{}", asked.stdout, asked.stderr);
    assert!(asked.stdout.contains("topics.yaml: valid") && asked.stderr.contains("no broker answered"), "{asked:?}");
    assert_eq!(nobody.run(&["topics", "check"]).unwrap().code, Some(2));
    let invalid = nobody.topics_yaml("ingest: 3\n").run(&["validate", "--against-cluster"]).unwrap();
    assert_eq!(invalid.code, Some(1), "{}{}", invalid.stdout, invalid.stderr);
    assert!(!invalid.stderr.contains("broker"), "{invalid:?}");
}
