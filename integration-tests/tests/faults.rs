//! Brokers and processes that freeze or die in the middle of work, and Kafka topics that change under the service.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use integration_tests::kafka::{ClusterOptions, Isolation, KafkaCluster, ReadRecord, Record, read, shared};
use integration_tests::moment::freeze_between_transactions;
use integration_tests::oracle::{ExpectedOutput, History, check};
use integration_tests::scene::{Hospital, THROUGH_WITHIN};
use integration_tests::service::{Metrics, Service};
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(60);

/// How long a silent member keeps its partitions in some of the tests.
const SESSION: Duration = Duration::from_secs(2);

/// How many moments are tried to find a transaction open.
const ATTEMPTS: u64 = 100;

/// Under load, with transactions open, brokers die in `brokers.rs`, where others take over.
#[test]
fn the_only_broker_dies_and_comes_back_to_a_backlog() {
    let cluster = KafkaCluster::start(&impatient()).unwrap();
    let mut hospital = hasty_hospital(&cluster);
    let mut service = hospital.spec.start().unwrap();
    hospital.produce(1, 1_000, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
    freeze_without_transaction(&cluster, &mut service);
    hospital.produce(2, 3_000, 200).unwrap();
    cluster.node(0).kill().unwrap();
    service.resume().unwrap();
    let have_lost = |metrics: &Metrics| metrics.sum("fanout_rebalances_total", &[("kind", "lost")]) == Some(2.0);
    service.wait_metrics("two tasks without the group", WITHIN, have_lost).unwrap();
    cluster.node(0).start().unwrap();
    cluster.wait_ready(WITHIN).unwrap();
    hospital.produce(3, 500, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
    wait_for_tasks(&service, "running", 2.0);
    assert_eq!(service.exit_status().unwrap(), None);
}

#[test]
fn a_broker_that_freezes_in_mid_transaction_costs_nothing() {
    // The controller, frozen as well, must not take the broker for lost when both wake: see `freeze_without_transaction`.
    let cluster = KafkaCluster::start(&impatient().with("broker.session.timeout.ms", "120000")).unwrap();
    let mut hospital = hasty_hospital(&cluster);
    let mut service = hospital.spec.start().unwrap();
    hospital.wait_for_shares(&[1, 1], WITHIN).unwrap();
    freeze_with_open_transaction(&mut service, &mut hospital);
    cluster.node(0).pause().unwrap();
    service.resume().unwrap();
    // What was open is given up. The group takes the partitions away while they are paused: the client says so now or when
    // the broker is back, by what its connection was doing.
    let is_paused = |metrics: &Metrics| metrics.sum("fanout_tasks", &[("state", "paused")]).unwrap_or_default() > 0.0;
    service.wait_metrics("a task that is paused", WITHIN, is_paused).unwrap();
    thread::sleep(2 * SESSION);
    cluster.node(0).resume().unwrap();
    hospital.produce(2, 500, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
    wait_for_tasks(&service, "running", 2.0);
    assert_eq!(service.exit_status().unwrap(), None);
}

/// Two tasks whose partitions are lost while they are paused: their time-outs are short.
fn hasty_hospital(cluster: &KafkaCluster) -> Hospital<'_> {
    let mut hospital = Hospital::new(cluster, 2).unwrap();
    hospital.spec = hospital.spec.clone().setting("TASKS", "2").setting("BATCH__MAX_RECORDS", "100");
    let millis = SESSION.as_millis().to_string();
    hospital.spec =
        hospital.spec.clone().setting("TRANSACTION_TIMEOUT_MS", &millis).setting("SESSION_TIMEOUT_MS", &millis);
    hospital
}

#[test]
fn a_zombie_that_wakes_with_its_transaction_timed_out_rebuilds_and_goes_on() {
    let cluster = KafkaCluster::start(&impatient()).unwrap();
    let mut hospital = Hospital::new(&cluster, 2).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "100");
    hospital.spec =
        hospital.spec.clone().setting("TRANSACTION_TIMEOUT_MS", "2000").setting("SESSION_TIMEOUT_MS", "2000");
    let mut zombie = hospital.spec.start().unwrap();
    freeze_with_open_transaction(&mut zombie, &mut hospital);
    let mut successor = hospital.spec.start().unwrap();
    hospital.wait_for_shares(&[2], WITHIN).unwrap();
    let results = hospital.scene.kafka_topic("results");
    hospital.scene.admin.wait_settled(results, WITHIN).unwrap();
    let before = seen(&hospital);
    hospital.produce(2, 1_000, 200).unwrap();
    wait_for_progress(before, &hospital, &mut successor);
    zombie.resume().unwrap();
    hospital.wait_for_shares(&[1, 1], WITHIN).unwrap();
    hospital.produce(3, 1_000, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(zombie.exit_status().unwrap(), None, "a woken zombie rebuilds and goes on");
    assert!(zombie.is_ready());
}

#[test]
fn a_destination_whose_kafka_topic_vanishes_is_waited_for() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.produce(1, 200, 10).unwrap();
    let mut service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
    let forms = hospital.scene.kafka_topic("forms").to_owned();
    hospital.scene.admin.delete_kafka_topic(&forms).unwrap();
    // What was delivered is gone with the Kafka topic.
    let gone = hospital.expected().len();
    hospital.produce(2, 200, 10).unwrap();
    wait_for_blocked(&service, 1.0);
    assert!(service.is_ready(), "the operator mends the Kafka topic, not the service");
    hospital.scene.admin.create_kafka_topic(&forms, 2).unwrap();

    let history = hospital.scene.history(hospital.spec.group()).unwrap();
    let expected: Vec<ExpectedOutput> = hospital
        .expected()
        .iter()
        .enumerate()
        .filter(|(index, output)| *index >= gone || output.kafka_topic != forms)
        .map(|(_, output)| output.clone())
        .collect();
    assert!(expected.iter().any(|output| output.kafka_topic == forms));
    check(&expected, &history).assert_clean();
    wait_for_blocked(&service, 0.0);
    wait_for_tasks(&service, "running", 1.0);
    assert_eq!(service.exit_status().unwrap(), None);
}

#[test]
fn a_destination_whose_kafka_topic_vanishes_is_dead_lettered_where_that_is_asked_for() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.spec = hospital.spec_with("onDestinationError: dead-letter\n");
    hospital.produce(1, 100, 10).unwrap();
    let _service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
    let audit = hospital.scene.kafka_topic("audit").to_owned();
    hospital.scene.admin.delete_kafka_topic(&audit).unwrap();
    let gone = hospital.expected().len();
    hospital.produce(2, 200, 10).unwrap();

    let mut scope = hospital.scene.scope(hospital.spec.group());
    scope.destinations.retain(|kafka_topic| *kafka_topic != audit);
    let history = History::take(hospital.scene.cluster, &scope, THROUGH_WITHIN).unwrap();
    let expected: Vec<ExpectedOutput> =
        hospital.expected().iter().filter(|output| output.kafka_topic != audit).cloned().collect();
    let refused = &hospital.expected()[gone..];
    let refused = refused.iter().filter(|output| output.kafka_topic == audit);
    assert_dead_letters_instead(history, &expected, refused, "rejected", "audit");
}

#[test]
fn outputs_over_a_limit_that_was_lowered_are_dead_letters_and_all_others_arrive() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    hospital.produce(1, 30, 10).unwrap();
    let _service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
    let forms = hospital.scene.kafka_topic("forms").to_owned();
    hospital.scene.admin.alter_kafka_topic(&forms, &[("max.message.bytes", "3000")]).unwrap();
    hospital.produce(2, 30, 10).unwrap();
    let small = hospital.expected().len();
    hospital.produce(3, 20, 5_000).unwrap();
    let large = hospital.expected().len();
    hospital.produce(4, 30, 10).unwrap();

    let history = hospital.scene.history(hospital.spec.group()).unwrap();
    let is_refused = |index: usize, output: &ExpectedOutput| {
        // A delete carries no resource, and fits.
        (small..large).contains(&index) && output.kafka_topic == forms && !is_delete(output)
    };
    let (refused, expected): (Vec<_>, Vec<_>) =
        hospital.expected().iter().enumerate().partition(|(index, output)| is_refused(*index, output));
    let expected: Vec<ExpectedOutput> = expected.into_iter().map(|(_, output)| output.clone()).collect();
    let refused = refused.into_iter().map(|(_, output)| output);
    assert_dead_letters_instead(history, &expected, refused, "too-large", "forms");
}

/// The broker compares its limit with batches of records: each record fits here, and no batch of those that were made
/// before.
#[test]
fn a_limit_that_was_lowered_below_the_size_of_batches_gets_smaller_ones() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    let service = hospital.spec.start().unwrap();
    hospital.produce(1, 30, 10).unwrap();
    hospital.verdict().unwrap().assert_clean();
    let results = hospital.scene.kafka_topic("results").to_owned();
    hospital.scene.admin.alter_kafka_topic(&results, &[("max.message.bytes", "8000")]).unwrap();
    hospital.produce(2, 4_000, 500).unwrap();
    hospital.verdict().unwrap().assert_clean();
    let metrics = service.metrics().unwrap();
    let aborted = metrics.sum("fanout_transactions_total", &[("outcome", "aborted")]);
    assert!(aborted.is_some_and(|count| (0.0..8.0).contains(&count)), "{aborted:?} aborted transactions");
    assert_eq!(metrics.sum("fanout_producer_rebuilds_total", &[("reason", "limits-changed")]), Some(1.0));
}

#[test]
fn a_null_key_for_a_compacted_kafka_topic_is_a_dead_letter() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    let audit = hospital.scene.kafka_topic("audit").to_owned();
    hospital.scene.admin.alter_kafka_topic(&audit, &[("cleanup.policy", "compact")]).unwrap();
    hospital.produce(1, 60, 10).unwrap();
    let _service = hospital.spec.start().unwrap();
    let history = hospital.scene.history(hospital.spec.group()).unwrap();
    let (refused, expected): (Vec<_>, Vec<_>) =
        hospital.expected().iter().cloned().partition(|output| output.kafka_topic == audit);
    assert_dead_letters_instead(history, &expected, refused.iter(), "rejected", "audit");
}

#[test]
fn a_dead_letter_that_does_not_fit_goes_without_its_value() {
    let hospital = Hospital::new(shared(), 1).unwrap();
    let scene = &hospital.scene;
    let small = Record::new("{ no JSON").key("small");
    let large = Record::new("{".repeat(5_000)).key("large");
    let limit = [("max.message.bytes", "2000")];
    // Known at the start, and found out while running.
    scene.admin.alter_kafka_topic(&scene.dead_letters, &limit).unwrap();
    scene.produce(&[small.clone(), large.clone()]).unwrap();
    let mut known = hospital.spec.start().unwrap();
    scene.admin.wait_consumed(scene.cluster, hospital.spec.group(), &scene.ingest, WITHIN).unwrap();
    assert_eq!(known.sigterm().unwrap().0.code(), Some(0));
    scene.admin.alter_kafka_topic(&scene.dead_letters, &[]).unwrap();
    let _unknown = hospital.spec.start().unwrap();
    scene.admin.alter_kafka_topic(&scene.dead_letters, &limit).unwrap();
    scene.produce(&[small.clone(), large]).unwrap();
    scene.admin.wait_consumed(scene.cluster, hospital.spec.group(), &scene.ingest, WITHIN).unwrap();

    let letters = read::to_end(scene.cluster, &scene.dead_letters, Isolation::ReadCommitted, WITHIN).unwrap();
    let found: Vec<_> = letters.iter().map(|letter| (letter.key_text(), letter.value.clone())).collect();
    let whole = (Some("small"), small.value);
    let stripped = (Some("large"), None);
    assert_eq!(found, [whole.clone(), stripped.clone(), whole, stripped]);
    assert!(letters.iter().all(|letter| letter.header("fhir-dead-letter-class") == Some("undecodable")));
}

/// A cluster that takes short time-outs, and ends transactions that exceed theirs soon.
fn impatient() -> ClusterOptions {
    ClusterOptions::default()
        .with("group.min.session.timeout.ms", "1000")
        .with("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500")
}

/// The expected outputs, and in place of the refused ones dead letters, each once.
fn assert_dead_letters_instead<'e>(
    mut history: History,
    expected: &[ExpectedOutput],
    refused: impl Iterator<Item = &'e ExpectedOutput>,
    class: &str,
    destination: &str,
) {
    let dead_letters = std::mem::take(&mut history.dead_letters);
    check(expected, &history).assert_clean();
    let wanted: BTreeSet<String> = refused.map(|output| output.event.source.to_string()).collect();
    assert!(!wanted.is_empty(), "the test refuses something");
    let sources: Vec<String> = dead_letters.iter().map(|letter| header(letter, "fhir-dead-letter-source")).collect();
    assert_eq!(sources.len(), wanted.len(), "one dead letter for each refused output");
    assert_eq!(sources.into_iter().collect::<BTreeSet<_>>(), wanted);
    for letter in &dead_letters {
        assert_eq!(header(letter, "fhir-dead-letter-class"), class);
        assert_eq!(header(letter, "fhir-dead-letter-destination"), destination);
    }
}

fn header(record: &ReadRecord, name: &str) -> String {
    record.header(name).unwrap_or_default().to_owned()
}

fn is_delete(output: &ExpectedOutput) -> bool {
    use integration_tests::oracle::expected::What;
    matches!(&output.what, What::Notification(notification) if notification.interaction == "delete")
}

fn wait_for_progress(before: i64, hospital: &Hospital<'_>, service: &mut Service) {
    wait::until("progress of the service", WITHIN, || {
        assert_eq!(service.exit_status().unwrap(), None, "the service ended by itself");
        seen(hospital) > before
    })
    .unwrap();
}

/// How many results there are to see, committed or not.
fn seen(hospital: &Hospital<'_>) -> i64 {
    hospital.scene.end_sum(hospital.scene.kafka_topic("results")).unwrap()
}

/// Freezes the service, which has nothing to do, at a moment at which the only broker may be taken away.
fn freeze_without_transaction(cluster: &KafkaCluster, service: &mut Service) {
    assert!(
        freeze_between_transactions(cluster, &mut [service]).unwrap(),
        "nothing comes in, but a transaction is open"
    );
}

/// Freezes the service at a moment at which its transaction is open, by looking at it while it is frozen.
fn freeze_with_open_transaction(service: &mut Service, hospital: &mut Hospital<'_>) {
    for attempt in 1..=ATTEMPTS {
        let before = seen(hospital);
        // Behind its back, so that it has many batches to do when it is looked at after the first.
        service.pause().unwrap();
        hospital.produce(1_000 + attempt, 1_000, 200).unwrap();
        service.resume().unwrap();
        wait_for_progress(before, hospital, service);
        service.pause().unwrap();
        let (scene, results) = (&hospital.scene, hospital.scene.kafka_topic("results"));
        let high = scene.admin.end_offsets(results, Isolation::ReadUncommitted).unwrap();
        let stable = scene.admin.end_offsets(results, Isolation::ReadCommitted).unwrap();
        if stable.iter().any(|(partition, end)| *end < high[partition]) {
            return;
        }
        service.resume().unwrap();
    }
    panic!("{ATTEMPTS} moments were tried, and in none a transaction was open");
}

fn wait_for_tasks(service: &Service, state: &str, tasks: f64) {
    service
        .wait_metrics(&format!("{tasks} tasks that are {state}"), WITHIN, |metrics| {
            metrics.sum("fanout_tasks", &[("state", state)]) == Some(tasks)
        })
        .unwrap();
}

fn wait_for_blocked(service: &Service, tasks: f64) {
    service
        .wait_metrics(&format!("a destination that blocks {tasks} tasks"), WITHIN, |metrics| {
            metrics.sum("fanout_destination_blocked", &[("destination", "forms")]) == Some(tasks)
        })
        .unwrap();
}
