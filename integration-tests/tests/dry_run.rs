//! `dry-run` counts what the service then really delivers, and nobody notices that it was there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use integration_tests::kafka::{Isolation, Producer, Record, read, shared, unique};
use integration_tests::process::Child;
use integration_tests::scene::{Hospital, Scene};
use integration_tests::service::{Finished, Metrics, Service, ServiceSpec};
use integration_tests::wait;
use nix::sys::signal::Signal;
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(60);

fn dry_run(spec: &ServiceSpec, arguments: &[&str]) -> Value {
    let Finished { code, stdout, stderr } = spec.run(&[&["dry-run", "--format", "json"], arguments].concat()).unwrap();
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The ends of all Kafka topics, and what the group has committed.
fn state(scene: &Scene<'_>, group: &str) -> BTreeMap<String, BTreeMap<i32, i64>> {
    let outputs = scene.destinations.iter().chain([&scene.dead_letters, &scene.ingest]);
    let end = |name: &String| (name.clone(), scene.admin.end_offsets(name, Isolation::ReadUncommitted).unwrap());
    let mut state: BTreeMap<_, _> = outputs.map(end).collect();
    state.insert("committed".to_owned(), scene.admin.committed_offsets(group, &scene.ingest).unwrap());
    state
}

/// The workload, records that are no events, aborted ones, and one of the day before yesterday.
fn produce(hospital: &mut Hospital<'_>, events: usize) {
    let scene = &hospital.scene;
    let old = Record::new(final_observation("old")).partition(0).timestamp(now_ms() - 2 * 86_400_000);
    scene.produce(&[old]).unwrap();
    let aborted = Producer::transactional(scene.cluster, &unique("publisher")).unwrap();
    aborted.begin().unwrap();
    aborted.send(&scene.ingest, &[Record::new(final_observation("never")).partition(0)]).unwrap();
    aborted.abort().unwrap();
    hospital.produce(1, events, 200).unwrap();
    let broken = [Record::new("{").key("broken"), Record::new("not JSON").partition(1)];
    hospital.scene.produce(&broken).unwrap();
    // Behind the last record there is a mark, which is no record either.
    let committed = Producer::transactional(hospital.scene.cluster, &unique("publisher")).unwrap();
    committed.begin().unwrap();
    committed.send(&hospital.scene.ingest, &[Record::new(final_observation("last")).partition(1)]).unwrap();
    committed.commit().unwrap();
}

fn final_observation(id: &str) -> String {
    format!(
        r#"{{"interaction":"create","resource":{{"resourceType":"Observation","id":"{id}","status":"final","subject":{{"reference":"Patient/p"}}}}}}"#
    )
}

fn counter(metrics: &Metrics, name: &str, labels: &[(&str, &str)]) -> u64 {
    // Counters are whole numbers.
    metrics.sum(name, labels).unwrap_or(0.0) as u64
}

#[test]
fn the_counts_are_what_the_service_then_delivers() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    produce(&mut hospital, 2_000);
    let before = state(&hospital.scene, hospital.spec.group());
    let counted = dry_run(&hospital.spec, &["--since", "3d"]);
    assert_eq!(state(&hospital.scene, hospital.spec.group()), before, "nothing was written");
    assert_eq!(hospital.scene.admin.member_count(hospital.spec.group()).unwrap(), 0);
    assert_eq!(counted["records"], 2_004, "without the one that was aborted");

    let service = hospital.spec.start().unwrap();
    hospital.scene.admin.wait_consumed(shared(), hospital.spec.group(), &hospital.scene.ingest, WITHIN).unwrap();
    let events = |metrics: &Metrics| counter(metrics, "fanout_events_total", &[]);
    service.wait_metrics("all events to be counted", WITHIN, |metrics| events(metrics) == 2_004).unwrap();
    let metrics = service.metrics().unwrap();
    let new = &counted["new"];
    for outcome in ["notified", "unmatched", "dead-lettered"] {
        assert_eq!(
            new["events"][outcome],
            counter(&metrics, "fanout_events_total", &[("outcome", outcome)]),
            "{outcome}"
        );
    }
    for destination in new["destinations"].as_array().unwrap() {
        let (id, kafka_topic) =
            (destination["destination"].as_str().unwrap(), destination["kafkaTopic"].as_str().unwrap());
        assert_eq!(
            destination["notifications"],
            counter(&metrics, "fanout_notifications_total", &[("destination", id)])
        );
        let arrived = read::to_end(shared(), kafka_topic, Isolation::ReadCommitted, WITHIN).unwrap();
        assert_eq!(destination["notifications"], arrived.len(), "{id}");
        assert!(!arrived.is_empty(), "{id} has something to compare");
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = |headers: &[(String, Option<Vec<u8>>)]| {
            headers.iter().map(|(name, value)| name.len() + length(value)).sum::<usize>()
        };
        let bytes = arrived.iter().map(|record| length(&record.key) + length(&record.value) + headers(&record.headers));
        assert_eq!(destination["bytes"], bytes.sum::<usize>(), "{id}");
        for (reason, count) in destination["filtered"].as_object().unwrap() {
            let labels = [("destination", id), ("reason", reason.as_str())];
            assert_eq!(*count, counter(&metrics, "fanout_filtered_total", &labels), "{id} {reason}");
        }
    }
    for topic in new["topics"].as_array().unwrap() {
        for (reason, count) in topic["filtered"].as_object().unwrap() {
            let labels =
                [("topic", topic["topic"].as_str().unwrap()), ("destination", ""), ("reason", reason.as_str())];
            assert_eq!(*count, counter(&metrics, "fanout_filtered_total", &labels), "{reason}");
        }
    }
    let letters = read::to_end(shared(), &hospital.scene.dead_letters, Isolation::ReadCommitted, WITHIN).unwrap();
    assert_eq!((&new["undecodable"], letters.len()), (&2.into(), 2));

    // While the service runs: its group is not disturbed, and a shorter time leaves the old record out.
    let before = state(&hospital.scene, hospital.spec.group());
    let shares = hospital.scene.admin.assignments(hospital.spec.group(), &hospital.scene.ingest).unwrap();
    let again = dry_run(&hospital.spec, &["--since", "1h"]);
    assert_eq!(again["records"], 2_003);
    assert_eq!(state(&hospital.scene, hospital.spec.group()), before);
    assert_eq!(hospital.scene.admin.assignments(hospital.spec.group(), &hospital.scene.ingest).unwrap(), shares);
    let rebalances = |metrics: &Metrics| counter(metrics, "fanout_rebalances_total", &[]);
    assert_eq!(rebalances(&service.metrics().unwrap()), rebalances(&metrics), "nobody joined or left");
}

#[test]
fn the_difference_to_the_present_plan_is_told() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.produce(3, 1_000, 100).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let present = folder.path().join("present.yaml");
    let yaml = std::fs::read_to_string(hospital_yaml(&hospital, folder.path())).unwrap();
    std::fs::write(&present, &yaml).unwrap();
    let changed = yaml.replace("status = 'final'", "status = 'final' or status = 'amended'");
    let changed =
        changed.replace("id: audit, ", "id: audit-trail, ").replace("content: id-only", "content: full-resource");
    assert_ne!(changed, yaml);
    let spec = hospital.spec.clone().topics_yaml(&changed);
    let present = present.to_str().unwrap();
    let told = dry_run(&spec, &["--since", "1h", "--present", present]);
    let of = |plan: &str, id: &str| -> u64 {
        let all = told[plan]["destinations"].as_array().unwrap();
        all.iter().find(|found| found["destination"] == id).unwrap()["notifications"].as_u64().unwrap()
    };
    let difference = |id: &str, what: &str| told["differences"][id][what].as_u64().unwrap();
    assert_eq!(difference("forms", "same"), of("present", "forms"));
    assert_eq!(difference("forms-b", "changed"), of("present", "forms-b"));
    assert!(of("present", "forms-b") > 0 && difference("forms-b", "same") == 0);
    assert_eq!(difference("audit", "fewer"), of("present", "audit"));
    assert_eq!(difference("audit-trail", "more"), of("new", "audit-trail"));
    let more = difference("results", "more");
    assert_eq!(of("new", "results"), of("present", "results") + more);
    assert_eq!(difference("results", "same"), of("present", "results"));
    let expected =
        hospital.expected().iter().filter(|output| output.kafka_topic == hospital.scene.kafka_topic("results"));
    assert_eq!(of("present", "results"), expected.count() as u64);

    let for_people = spec.run(&["dry-run", "--since", "1h", "--present", present]).unwrap();
    assert_eq!(for_people.code, Some(0), "{for_people:?}");
    assert!(for_people.stdout.contains("nothing was written"), "{}", for_people.stdout);
    assert!(for_people.stdout.contains(&format!("{} changed", of("present", "forms-b"))), "{}", for_people.stdout);
    assert!(!for_people.stdout.contains("Patient/"), "counts, not what events say");
}

#[test]
fn what_comes_is_followed_until_the_signal() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.produce(1, 20, 100).unwrap();
    let folder = tempfile::tempdir().unwrap();
    hospital_yaml(&hospital, folder.path());
    let mut command = std::process::Command::new(Service::binary().unwrap());
    command.args(["dry-run", "--topics", "topics.yaml", "--since", "0s", "--follow", "--format", "json"]);
    command.env("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", shared().bootstrap_servers()).current_dir(folder.path());
    let (stdout, stderr) = (folder.path().join("stdout.log"), folder.path().join("stderr.log"));
    let mut following = Child::spawn(&mut command, &stdout, &stderr).unwrap();
    wait::until("the first line of progress", WITHIN, || following.stderr().contains("passed=0")).unwrap();
    hospital.produce(2, 30, 100).unwrap();
    wait::until("all records to be read", WITHIN, || following.stderr().contains("passed=30")).unwrap();
    following.signal(Signal::SIGINT).unwrap();
    assert_eq!(following.wait(WITHIN).unwrap().code(), Some(0), "{}", following.stderr());
    let counted: Value = serde_json::from_str(&following.stdout()).unwrap();
    assert_eq!(counted["records"], 30, "those that came after the start");
}

/// The hospital's `topics.yaml` in a file.
fn hospital_yaml(hospital: &Hospital<'_>, folder: &std::path::Path) -> std::path::PathBuf {
    let path = folder.join("topics.yaml");
    std::fs::write(&path, hospital.topics_yaml()).unwrap();
    path
}

#[test]
fn what_cannot_be_read_is_told_by_the_exit_code() {
    let hospital = Hospital::new(shared(), 1).unwrap();
    let missing = hospital.topics_yaml().replace(&hospital.scene.ingest, &unique("nowhere"));
    let refused = hospital.spec.clone().topics_yaml(&missing).run(&["dry-run", "--since", "1h"]).unwrap();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("does not exist"), "{refused:?}");
    let nobody = hospital.spec.clone().setting("KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1");
    assert_eq!(nobody.run(&["dry-run", "--since", "1h"]).unwrap().code, Some(2));
    assert_eq!(hospital.spec.run(&["dry-run", "--since", "soon"]).unwrap().code, Some(64));
    assert_eq!(hospital.spec.run(&["dry-run", "--since", "1h", "--follow", "--until-now"]).unwrap().code, Some(64));
    let empty = dry_run(&hospital.spec, &["--since", "1h"]);
    assert_eq!((&empty["records"], &empty["new"]["events"]["notified"]), (&0.into(), &0.into()));
}
