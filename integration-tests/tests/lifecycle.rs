//! Start, stop and everything around it: exit codes, brokers that are away, Kafka topics that are missing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use integration_tests::kafka::{ClusterOptions, KafkaCluster, shared, unique};
use integration_tests::moment::freeze_between_transactions;
use integration_tests::scene::{Hospital, Scene};
use integration_tests::service::{ServiceSpec, run_bare};
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn a_wrong_command_line_is_64() {
    for arguments in [&["run"][..], &["--nonsense"], &["run", "--topics"], &["topics"], &["no-such-command"]] {
        assert_eq!(run_bare(arguments).unwrap().code, Some(64), "{arguments:?}");
    }
    for arguments in [["--help"], ["--version"]] {
        assert_eq!(run_bare(&arguments).unwrap().code, Some(0), "{arguments:?}");
    }
}

#[test]
fn an_invalid_configuration_is_1_and_a_valid_one_validates_as_0() {
    let hospital = Hospital::new(shared(), 1).unwrap();
    let valid = hospital.spec.run(&["validate"]).unwrap();
    assert_eq!(valid.code, Some(0), "{}{}", valid.stdout, valid.stderr);
    let invalid = hospital.spec.clone().topics_yaml("ingest: 3\nnonsense: true\n");
    for command in ["validate", "run"] {
        let finished = invalid.run(&[command]).unwrap();
        assert_eq!(finished.code, Some(1), "{}{}", finished.stdout, finished.stderr);
        let said = finished.stdout + &finished.stderr;
        assert!(said.contains("topics.yaml") && said.contains("nonsense"), "{command} says where: {said}");
    }
}

#[test]
fn sigterm_and_sigint_under_load_end_in_time_with_0() {
    let mut hospital = Hospital::new(shared(), 4).unwrap();
    hospital.produce(1, 20_000, 500).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "500");
    for interrupted in [false, true] {
        let mut service = hospital.spec.start().unwrap();
        service
            .wait_metrics("a first commit", WITHIN, |metrics| {
                metrics.sum("fanout_events_total", &[]).is_some_and(|events| events > 0.0)
            })
            .unwrap();
        let (status, after) = if interrupted { service.sigint() } else { service.sigterm() }.unwrap();
        assert_eq!(status.code(), Some(0));
        assert!(after < Duration::from_secs(15), "it took {after:?}");
        assert_eq!(hospital.scene.admin.member_count(hospital.spec.group()).unwrap(), 0, "it left the group");
    }
    let _service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
}

#[test]
fn missing_kafka_topics_are_named_and_topics_create_makes_them() {
    let scene = Scene::new(shared(), 1, &[]).unwrap();
    let (out, dead_letters) = (unique("out"), unique("dead-letters"));
    let topics_yaml = one_destination(&scene.head("change").replace(&scene.dead_letters, &dead_letters), &out);
    let spec = ServiceSpec::new(scene.cluster, &topics_yaml);
    let refused = spec.run(&["run"]).unwrap();
    assert_eq!(refused.code, Some(1), "{}{}", refused.stdout, refused.stderr);
    let said = refused.stdout + &refused.stderr;
    assert!(said.contains(&out) && said.contains(&dead_letters), "all are named at once: {said}");
    let created = spec.run(&["topics", "create", "--partitions", "3", "--replication-factor", "1"]).unwrap();
    assert_eq!(created.code, Some(0), "{}{}", created.stdout, created.stderr);
    assert_eq!(scene.admin.partitions(&out).unwrap().unwrap().len(), 3);
    let again = spec.run(&["topics", "create"]).unwrap();
    assert_eq!(again.code, Some(0), "what is there is left alone");
    let mut service = spec.start().unwrap();
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
}

#[test]
fn a_destination_of_another_cluster_is_refused_with_the_reason() {
    let other = KafkaCluster::start(&ClusterOptions::default()).unwrap();
    let scene = Scene::new(shared(), 1, &["out"]).unwrap();
    let out = scene.kafka_topic("out");
    for (servers, is_refused) in [(other.bootstrap_servers(), true), (scene.cluster.bootstrap_servers(), false)] {
        let resource = destination_resource(out, servers);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("destination.json");
        std::fs::write(&file, resource).unwrap();
        let head = scene.head("change");
        let topics_yaml = format!(
            "{head}resources: [ {} ]\ntopics:\n  - url: http://example.org/t\n    status: active\n    trigger: [ {{ resource: Observation }} ]\n",
            file.display()
        );
        let spec = ServiceSpec::new(scene.cluster, &topics_yaml);
        if is_refused {
            let refused = spec.run(&["run"]).unwrap();
            assert_eq!(refused.code, Some(1), "{}{}", refused.stdout, refused.stderr);
            let said = refused.stdout + &refused.stderr;
            assert!(said.contains("transaction") && said.contains("cluster"), "it says why: {said}");
        } else {
            spec.start().unwrap();
        }
    }
}

fn destination_resource(kafka_topic: &str, servers: &str) -> String {
    format!(
        r#"{{"resourceType":"AidboxTopicDestination","id":"elsewhere","status":"active","kind":"kafka-at-least-once","topic":"http://example.org/t",
        "parameter":[{{"name":"kafkaTopic","valueString":"{kafka_topic}"}},{{"name":"bootstrapServers","valueString":"{servers}"}}]}}"#
    )
}

#[test]
fn brokers_that_are_away_at_start_and_while_running_are_waited_for() {
    let cluster = KafkaCluster::start(&ClusterOptions::default()).unwrap();
    let mut hospital = Hospital::new(&cluster, 2).unwrap();
    hospital.produce(1, 500, 100).unwrap();
    cluster.node(0).stop().unwrap();
    let mut service = hospital.spec.spawn().unwrap();
    wait::until("an answer of the service", WITHIN, || {
        service.get("/health/live").is_ok_and(|(status, _)| status == 200)
    })
    .unwrap();
    assert!(!service.is_ready(), "without brokers it is not ready");
    cluster.node(0).start().unwrap();
    service.wait_ready().unwrap();
    hospital.produce(2, 1_000, 100).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert!(freeze_between_transactions(&cluster, &mut [&mut service]).unwrap(), "nothing comes in");
    cluster.node(0).stop().unwrap();
    service.resume().unwrap();
    cluster.node(0).start().unwrap();
    cluster.wait_ready(WITHIN).unwrap();
    hospital.produce(3, 500, 100).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(service.exit_status().unwrap(), None);
    cluster.node(0).kill().unwrap();
    let (status, after) = service.sigterm().unwrap();
    assert_eq!(status.code(), Some(0), "it stops in order also without brokers");
    assert!(after < Duration::from_secs(15), "it took {after:?}");
}

fn one_destination(head: &str, kafka_topic: &str) -> String {
    format!(
        "{head}topics:
  - url: http://example.org/t
    status: active
    trigger: [ {{ resource: Observation }} ]
destinations:
  - {{ id: out, topic: http://example.org/t, kafkaTopic: {kafka_topic} }}
"
    )
}
