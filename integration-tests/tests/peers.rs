//! The Kafka Streams programs that the benchmarks compare with: what they write is what the service writes, byte for
//! byte, so that it is the same work that is measured.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use integration_tests::bench::peers;
use integration_tests::bench::workload::{Kind, Workload};
use integration_tests::kafka::artifacts::java;
use integration_tests::kafka::{Admin, Isolation, KafkaCluster, Producer, ReadRecord, Record, read, shared, unique};
use integration_tests::process::Child;
use integration_tests::scene::THROUGH_WITHIN;
use integration_tests::service::ServiceSpec;
use integration_tests::wait;

const PARTITIONS: usize = 4;
const EVENTS: usize = 6_000;

/// What stands in a Kafka topic, without order.
type Contents = BTreeMap<Output, usize>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Output {
    key: Option<String>,
    value: Option<String>,
    /// In their order; all but `fhir-plan`, which names the service's own configuration.
    headers: Vec<(String, Option<String>)>,
    timestamp_ms: Option<i64>,
}

#[test]
fn the_kafka_streams_programs_write_what_the_service_writes() {
    let stage = Stage::new();
    stage.feed();
    let expected = stage.written_by_the_service();
    for (destination, contents) in &expected {
        assert!(!contents.is_empty(), "nothing for {destination}: the comparison would say nothing");
    }
    for variant in ["hand-coded", "fhirpath"] {
        let found = stage.written_by(variant);
        for (destination, contents) in &expected {
            let found = &found[destination];
            let missing = contents.iter().find(|(output, count)| found.get(*output) != Some(count));
            let unexpected = found.iter().find(|(output, count)| contents.get(*output) != Some(count));
            assert_eq!(missing, unexpected, "{variant} differs at {destination}");
        }
    }
}

/// An explanation and another exit code than 0 is what the benchmarks rely on.
#[test]
fn a_program_that_cannot_go_on_says_why_and_ends() {
    let stage = Stage::new();
    let names = Names::new(&stage.admin);
    let mut command = stage.peer("hand-coded", &names);
    command.args(["--ingest", "no-such-kafka-topic"]);
    let mut process = stage.spawn(&mut command, &names);
    let status = process.wait(THROUGH_WITHIN).unwrap();
    assert!(!status.success());
    assert!(process.stderr().contains("fanout-peers: "), "{}", process.stderr());
    assert!(!process.stdout().contains("READY"));
}

struct Stage {
    cluster: &'static KafkaCluster,
    admin: Admin,
    ingest: String,
    jar: PathBuf,
    folder: tempfile::TempDir,
}

/// Where one program writes.
struct Names {
    application: String,
    prefix: String,
    dead_letters: String,
}

impl Names {
    fn new(admin: &Admin) -> Self {
        let application = unique("peers");
        let names = Self {
            prefix: format!("{application}.out"),
            dead_letters: format!("{application}.dead-letters"),
            application,
        };
        for kafka_topic in Kind::W1.kafka_topics(&names.prefix).iter().chain([&names.dead_letters]) {
            admin.create_kafka_topic(kafka_topic, 2).unwrap();
        }
        names
    }
}

impl Stage {
    fn new() -> Self {
        let cluster = shared();
        let admin = Admin::new(cluster).unwrap();
        let ingest = unique("changes");
        admin.create_kafka_topic(&ingest, PARTITIONS).unwrap();
        Self { cluster, admin, ingest, jar: jar(), folder: tempfile::tempdir().unwrap() }
    }

    fn feed(&self) {
        let events = Workload::new(Kind::W1, 7).take(EVENTS);
        let mut records: Vec<Record> =
            events.map(|event| Record::new(event.value).key(event.key).timestamp(event.timestamp_ms)).collect();
        records.extend(oddities().into_iter().map(|record| record.timestamp(1_772_431_200_123)));
        Producer::plain(self.cluster).unwrap().send(&self.ingest, &records).unwrap();
    }

    fn written_by_the_service(&self) -> BTreeMap<String, Contents> {
        let names = Names::new(&self.admin);
        let topics = Kind::W1.topics_yaml(&names.prefix, &self.ingest, &names.dead_letters);
        let service = ServiceSpec::new(self.cluster, &topics).application_id(&names.application).start().unwrap();
        let written = self.written(&names);
        drop(service);
        written
    }

    fn written_by(&self, variant: &str) -> BTreeMap<String, Contents> {
        let names = Names::new(&self.admin);
        let mut command = self.peer(variant, &names);
        command.args(["--ingest", &self.ingest]);
        let mut process = self.spawn(&mut command, &names);
        wait::until_ok("READY", Duration::from_secs(60), || {
            anyhow::ensure!(process.stdout().lines().any(|line| line == "READY"), "{}", process.log_tail());
            Ok(())
        })
        .unwrap();
        let written = self.written(&names);
        process.signal(nix::sys::signal::Signal::SIGTERM).unwrap();
        process.wait(Duration::from_secs(30)).unwrap();
        written
    }

    fn peer(&self, variant: &str, names: &Names) -> Command {
        let mut command = Command::new(java());
        command.args(["-Xmx512m", "-jar"]).arg(&self.jar);
        command.args(["--variant", variant, "--bootstrap", self.cluster.bootstrap_servers()]);
        command.args(["--application", &names.application, "--prefix", &names.prefix]);
        command.args(["--dead-letters", &names.dead_letters, "--threads", "2", "--commit-interval-ms", "50"]);
        command.arg("--state-dir").arg(self.folder.path().join(&names.application));
        command
    }

    fn spawn(&self, command: &mut Command, names: &Names) -> Child {
        let file = |kind: &str| self.folder.path().join(format!("{}.{kind}", names.application));
        Child::spawn(command, &file("out"), &file("err")).unwrap()
    }

    /// By destination, and the dead letters, once the program is through.
    fn written(&self, names: &Names) -> BTreeMap<String, Contents> {
        self.admin.wait_consumed(self.cluster, &names.application, &self.ingest, THROUGH_WITHIN).unwrap();
        let destinations = Kind::W1.kafka_topics(&names.prefix);
        let kafka_topics = destinations.iter().chain([&names.dead_letters]);
        kafka_topics
            .map(|kafka_topic| {
                let records =
                    read::to_end(self.cluster, kafka_topic, Isolation::ReadCommitted, THROUGH_WITHIN).unwrap();
                let mut contents = Contents::new();
                for record in records {
                    *contents.entry(Output::of(record)).or_default() += 1;
                }
                (kafka_topic.rsplit('.').next().unwrap().to_owned(), contents)
            })
            .collect()
    }
}

impl Output {
    fn of(record: ReadRecord) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let headers = record.headers.into_iter().filter(|(name, _)| name != "fhir-plan");
        Self {
            key: record.key.map(text),
            value: record.value.map(text),
            headers: headers.map(|(name, value)| (name, value.map(text))).collect(),
            timestamp_ms: record.timestamp_ms,
        }
    }
}

/// What the workload does not have: records that are no events, and events that are unusual ones.
fn oddities() -> Vec<Record> {
    let tenant = "https://aidbox.app/tenant-organization-id";
    let meta = |organization: &str| {
        format!(
            r#""meta":{{"lastUpdated":"2026-03-02T06:00:00.5+01:00","extension":[{{"url":"{tenant}","valueReference":{{"reference":"{organization}"}}}}]}}"#
        )
    };
    let change = |interaction: &str, resource: &str, more: &str| {
        format!(r#"{{ "interaction" : "{interaction}" , "resource": {resource} {more} }}"#)
    };
    let patient = |members: &str| format!(r#"{{"resourceType":"Patient",{members}"id":"odd"}}"#);
    let encounter = |members: &str| format!(r#"{{"resourceType":"Encounter","id":"e","status":"finished",{members}}}"#);
    let lab = |code: &str, value: &str| {
        format!(
            "{{\n\t\"resourceType\": \"Observation\", \"id\": \"lab\", \"status\": \"amended\",\r\n \"code\": {{\"coding\": [\
             {{\"code\": \"x\"}}, {{\"code\": \"{code}\", \"system\": \"http://loinc.org\"}}]}},\
             \"valueQuantity\": {{\"value\": {value}}} }}"
        )
    };
    let glucose_in = |organization: &str| lab("2345-7", "1.50").replacen('\t', &format!("{},", meta(organization)), 1);
    let values = [
        // No events.
        String::new(),
        "no JSON".to_owned(),
        "[]".to_owned(),
        r#"{"interaction":"create"}"#.to_owned(),
        r#"{"interaction":"delete","reference":"urn:uuid:1"}"#.to_owned(),
        change("upsert", &patient(""), ""),
        change("create", r#"{"resourceType":"Patient"}"#, ""),
        change("create", &patient(""), "} {"),
        change("update", &patient(""), r#", "previous": {"resourceType":"Patient","id":"other"}"#),
        change("create", &patient(""), r#", "fhirRelease": "R7""#),
        // Unusual ones.
        change("create", &patient(r#""name":[{"family":"Müller-Ł \ud83d\ude00 \/"}],"#), ""),
        format!("\u{feff}{}", change("update", &patient(&format!("{},", meta("Organization/ward-1"))), "")),
        r#"{"interaction":"delete","reference":{"reference":"http://h/fhir/Patient/gone/_history/3"}}"#.to_owned(),
        format!(r#"{{"interaction":"delete","previous":{}}}"#, patient("")),
        change("update", &patient(""), r#", "timestamp":"2026-03-02""#),
        change("create", &encounter(&meta("Organization/region-1")), ""),
        change("create", &encounter(&meta("http://h/Organization/ward-13/_history/1")), ""),
        change("create", &encounter(&meta("Organization/ward-14")), r#", "organization": "Organization/hospital-1""#),
        change("create", &encounter(&meta("Organization/network")), ""),
        change("create", &encounter(&meta("Group/ward-1")), ""),
        change("update", &encounter(r#""x":1"#), r#", "previous": null"#),
        change("update", &encounter(r#""x":1"#), r#", "previous": {"id":"e","resourceType":"Encounter"}"#),
        change(
            "update",
            &encounter(r#""x":1"#),
            r#", "previous": {"id":"e","resourceType":"Encounter","status":"planned"}"#,
        ),
        change("create", &lab("2345-7", "4E+1"), ""),
        change("create", &lab("2345-7", "39.99"), ""),
        change("create", &lab("718-7", "18.0"), ""),
        change("create", &lab("718-7", "1.80001e1"), ""),
        change("create", &lab("no-code", "-5"), ""),
        change("create", &glucose_in("Organization/ward-2"), ""),
        change("create", &glucose_in("Organization/hospital-7"), ""),
    ];
    let mut records: Vec<Record> =
        values.into_iter().map(|value| Record::new(value).key("odd").header("traceparent", "00-1-2-01")).collect();
    records.push(Record::null().key("odd"));
    records.push(Record::new(b"\xff".to_vec()).key("odd"));
    records.push(Record::new(change("create", &patient(""), "")).header("secret", "not passed on"));
    records
}

/// The jar of `integration-tests/peers`; one test at a time has it built.
fn jar() -> PathBuf {
    let lock = std::fs::File::create(std::env::temp_dir().join("fhir-fanout-peers.lock")).unwrap();
    lock.lock().unwrap();
    peers::build().unwrap().expect("Maven builds the Kafka Streams programs")
}
