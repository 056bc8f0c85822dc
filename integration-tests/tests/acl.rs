//! Rights that are missing at the start, taken away while the service runs, and given back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use integration_tests::kafka::acl::{TRANSACTS, transactional_ids};
use integration_tests::kafka::{Acls, ClusterOptions, KafkaCluster, Operation, Record, Resource};
use integration_tests::oracle::{ExpectedOutput, check};
use integration_tests::scene::Hospital;
use integration_tests::service::Service;

const WITHIN: Duration = Duration::from_secs(60);

fn cluster() -> &'static KafkaCluster {
    static CLUSTER: OnceLock<KafkaCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| KafkaCluster::start(&ClusterOptions::default().authorizer()).unwrap())
}

/// A hospital whose service may do what the README says that it has to, and nothing else.
struct Guarded {
    hospital: Hospital<'static>,
    acls: Acls<'static>,
}

impl Guarded {
    fn new(yaml: &str) -> Self {
        let mut hospital = Hospital::new(cluster(), 2).unwrap();
        hospital.spec = hospital.spec_with(yaml).as_user(cluster()).setting("BATCH__MAX_RECORDS", "100");
        let acls = Acls::new(cluster());
        let scene = &hospital.scene;
        let outputs = scene.destinations.iter().chain([&scene.dead_letters]);
        acls.allow_service(hospital.spec.group(), &scene.ingest, outputs).unwrap();
        Self { hospital, acls }
    }

    fn ids(&self) -> String {
        transactional_ids(self.hospital.spec.group())
    }

    fn kafka_topic(&self, name: &str) -> String {
        self.hospital.scene.kafka_topic(name).to_owned()
    }
}

fn wait_for_blocked(service: &Service, destination: &str, tasks: f64) {
    service
        .wait_metrics(&format!("{destination} to block {tasks} tasks"), WITHIN, |metrics| {
            metrics.sum("fanout_destination_blocked", &[("destination", destination)]) == Some(tasks)
                && metrics.sum("fanout_tasks", &[("state", "blocked")]) == Some(tasks)
        })
        .unwrap();
}

#[allow(clippy::print_stderr, reason = "measured times are shown with --nocapture")]
fn measured(what: &str, since: Instant) {
    eprintln!("measured: {what}: {:.1} s", since.elapsed().as_secs_f64());
}

#[test]
fn a_destination_whose_right_to_write_is_taken_away_blocks_and_goes_on_when_it_is_back() {
    let mut guarded = Guarded::new("");
    let forms = guarded.kafka_topic("forms");
    guarded.hospital.produce(1, 300, 100).unwrap();
    let mut service = guarded.hospital.spec.start().unwrap();
    guarded.hospital.verdict().unwrap().assert_clean();

    guarded.acls.withdraw(Resource::KafkaTopic(&forms), Operation::Write).unwrap();
    guarded.hospital.produce(2, 300, 100).unwrap();
    let since = Instant::now();
    wait_for_blocked(&service, "forms", 1.0);
    measured("events for a destination without the right to write, until it shows as blocked", since);
    assert!(service.is_ready(), "the operator gives the right back, not the service");

    guarded.acls.allow(Resource::KafkaTopic(&forms), Operation::Write).unwrap();
    let since = Instant::now();
    guarded.hospital.verdict().unwrap().assert_clean();
    measured("the right is back, until everything is there", since);
    wait_for_blocked(&service, "forms", 0.0);
    assert_eq!(service.exit_status().unwrap(), None);
}

#[test]
fn a_destination_without_any_right_left_blocks_and_goes_on_when_they_are_back() {
    let mut guarded = Guarded::new("");
    let forms = guarded.kafka_topic("forms");
    guarded.hospital.produce(1, 100, 100).unwrap();
    let mut service = guarded.hospital.spec.start().unwrap();
    guarded.hospital.verdict().unwrap().assert_clean();
    let rights = [Operation::Describe, Operation::Write];
    guarded.acls.withdraw_all(Resource::KafkaTopic(&forms), &rights).unwrap();
    guarded.hospital.produce(2, 300, 100).unwrap();
    wait_for_blocked(&service, "forms", 1.0);
    guarded.acls.allow(Resource::KafkaTopic(&forms), Operation::Write).unwrap();
    guarded.hospital.verdict().unwrap().assert_clean();
    wait_for_blocked(&service, "forms", 0.0);
    assert_eq!(service.exit_status().unwrap(), None);
}

#[test]
fn a_destination_without_the_right_to_write_is_dead_lettered_where_that_is_asked_for() {
    let mut guarded = Guarded::new("onDestinationError: dead-letter\n");
    let audit = guarded.kafka_topic("audit");
    guarded.acls.withdraw(Resource::KafkaTopic(&audit), Operation::Write).unwrap();
    let _service = guarded.hospital.spec.start().unwrap();
    guarded.hospital.produce(1, 300, 100).unwrap();
    let mut history = guarded.hospital.scene.history(guarded.hospital.spec.group()).unwrap();
    let (refused, expected): (Vec<ExpectedOutput>, Vec<ExpectedOutput>) =
        guarded.hospital.expected().iter().cloned().partition(|output| output.kafka_topic == audit);
    let letters = std::mem::take(&mut history.dead_letters);
    check(&expected, &history).assert_clean();
    let wanted: BTreeSet<String> = refused.iter().map(|output| output.event.source.to_string()).collect();
    let found: Vec<&str> = letters.iter().filter_map(|letter| letter.header("fhir-dead-letter-source")).collect();
    assert!(!wanted.is_empty());
    assert_eq!(found.len(), wanted.len(), "each once");
    assert_eq!(found.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), wanted);
    for letter in &letters {
        assert_eq!(letter.header("fhir-dead-letter-class"), Some("rejected"));
        assert_eq!(letter.header("fhir-dead-letter-destination"), Some("audit"));
    }
}

#[test]
fn dead_letters_without_the_right_to_write_are_waited_for() {
    let mut guarded = Guarded::new("");
    let dead_letters = guarded.hospital.scene.dead_letters.clone();
    let mut service = guarded.hospital.spec.start().unwrap();
    guarded.acls.withdraw(Resource::KafkaTopic(&dead_letters), Operation::Write).unwrap();
    guarded.hospital.scene.produce(&[Record::new("{ no JSON").key("a")]).unwrap();
    guarded.hospital.produce(1, 100, 100).unwrap();
    service
        .wait_metrics("a task that is blocked", WITHIN, |metrics| {
            metrics.sum("fanout_tasks", &[("state", "blocked")]) == Some(1.0)
        })
        .unwrap();
    guarded.acls.allow(Resource::KafkaTopic(&dead_letters), Operation::Write).unwrap();
    let mut history = guarded.hospital.scene.history(guarded.hospital.spec.group()).unwrap();
    assert_eq!(std::mem::take(&mut history.dead_letters).len(), 1);
    check(guarded.hospital.expected(), &history).assert_clean();
    assert_eq!(service.exit_status().unwrap(), None);
}

#[test]
fn rights_that_are_missing_at_the_start_end_it_and_are_named() {
    let guarded = Guarded::new("");
    let scene = &guarded.hospital.scene;
    let (ids, group) = (guarded.ids(), guarded.hospital.spec.group());
    let cases = [
        // Without either of the two, the Kafka topic is not there for the service.
        (Resource::KafkaTopic(&scene.ingest), &[Operation::Describe, Operation::Read][..], 1, &scene.ingest),
        (Resource::KafkaTopic(&scene.dead_letters), &[Operation::Describe, Operation::Write], 1, &scene.dead_letters),
        (Resource::KafkaTopic(&scene.ingest), &[Operation::Read], 1, &scene.ingest),
        (Resource::Group(group), &[Operation::Read], 2, &group.to_owned()),
        (Resource::TransactionalIds(&ids), &TRANSACTS, 2, &ids),
    ];
    for (resource, operations, code, named) in cases {
        guarded.acls.withdraw_all(resource, operations).unwrap();
        let mut service = guarded.hospital.spec.spawn().unwrap();
        let status = service.wait(WITHIN).unwrap();
        assert_eq!(status.code(), Some(code), "{resource:?} {operations:?}:\n{}", service.log());
        let log = service.log();
        let says = log.lines().any(|line| line.contains("\"ERROR\"") && line.contains(named));
        assert!(says, "{resource:?} {operations:?} is not named:\n{log}");
        guarded.acls.allow_all(resource, operations).unwrap();
    }
    let mut service = guarded.hospital.spec.start().unwrap();
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0), "with all of them it runs");
}

#[test]
fn rights_that_only_an_operator_can_give_back_end_the_process_and_nothing_is_lost() {
    let mut guarded = Guarded::new("");
    let (ids, group) = (guarded.ids(), guarded.hospital.spec.group().to_owned());
    let cases = [(Resource::Group(&group), &[Operation::Read][..]), (Resource::TransactionalIds(&ids), &TRANSACTS)];
    for (seed, (resource, operations)) in (1..).zip(cases) {
        let mut service = guarded.hospital.spec.start().unwrap();
        guarded.hospital.produce(seed, 100, 100).unwrap();
        guarded.hospital.verdict().unwrap().assert_clean();
        guarded.acls.withdraw_all(resource, operations).unwrap();
        guarded.hospital.produce(10 + seed, 100, 100).unwrap();
        let since = Instant::now();
        let status = service.wait(WITHIN).unwrap();
        measured(&format!("{resource:?} taken away, until the process has ended"), since);
        assert_eq!(status.code(), Some(2), "{resource:?}:\n{}", service.log());
        guarded.acls.allow_all(resource, operations).unwrap();
    }
    let _service = guarded.hospital.spec.start().unwrap();
    guarded.hospital.verdict().unwrap().assert_clean();
}

#[test]
fn the_right_to_read_the_ingest_is_waited_for() {
    let mut guarded = Guarded::new("");
    let ingest = guarded.hospital.scene.ingest.clone();
    let mut service = guarded.hospital.spec.start().unwrap();
    guarded.hospital.produce(1, 100, 100).unwrap();
    guarded.hospital.verdict().unwrap().assert_clean();
    guarded.acls.withdraw(Resource::KafkaTopic(&ingest), Operation::Read).unwrap();
    guarded.hospital.produce(2, 100, 100).unwrap();
    integration_tests::wait::until("the log to name the Kafka topic", WITHIN, || {
        let log = service.log();
        log.lines().any(|line| line.contains("\"ERROR\"") && line.contains(&ingest))
    })
    .unwrap();
    service
        .wait_metrics("a lag that shows it", WITHIN, |metrics| {
            metrics.sum("fanout_consumer_lag_records", &[]) >= Some(100.0)
        })
        .unwrap();
    guarded.acls.allow(Resource::KafkaTopic(&ingest), Operation::Read).unwrap();
    let since = Instant::now();
    guarded.hospital.verdict().unwrap().assert_clean();
    measured("the right to read the ingest is back, until everything is there", since);
    service
        .wait_metrics("no lag", WITHIN, |metrics| metrics.sum("fanout_consumer_lag_records", &[]) == Some(0.0))
        .unwrap();
    assert_eq!(service.exit_status().unwrap(), None);
}
