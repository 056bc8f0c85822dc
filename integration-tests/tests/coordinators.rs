//! Coordinators: what the testkit learns from them, and what the service does when they vanish.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use integration_tests::kafka::{Admin, ClusterOptions, KafkaCluster, Producer, Record, coordinators, shared, unique};
use integration_tests::scene::Hospital;
use integration_tests::wait;

#[test]
fn an_open_transaction_is_seen_with_its_first_records_and_a_committed_one_is_not() {
    let cluster = shared();
    let (kafka_topic, id) = (unique("open"), unique("publisher"));
    Admin::new(cluster).unwrap().create_kafka_topic(&kafka_topic, 2).unwrap();
    let asked = BTreeMap::from([(kafka_topic.clone(), 2)]);
    let open = || coordinators::open_transactions(cluster, &id, &asked).unwrap();
    assert_eq!(open(), []);

    let producer = Producer::transactional(cluster, &id).unwrap();
    producer.begin().unwrap();
    let records: Vec<Record> = (0..4).map(|number| Record::new("x").partition(number % 2)).collect();
    let mut written = producer.send(&kafka_topic, &records).unwrap();
    let seen = open();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].transactional_id, id);
    written.truncate(2);
    let mut first = seen[0].first_records.clone();
    first.sort();
    written.sort();
    assert_eq!(first, written);

    producer.commit().unwrap();
    assert_eq!(open(), []);
    assert_eq!(coordinators::of_group(cluster, "any").unwrap(), 0);
    assert_eq!(coordinators::of_transactions(cluster, &id).unwrap(), 0);
}

/// The client waits for ever for a group coordinator that has vanished from the cluster (librdkafka issues 5456, 5511).
#[test]
fn a_group_coordinator_that_dies_and_stays_away_does_not_stop_any_task() {
    let within = Duration::from_secs(60);
    let options = ClusterOptions::three_nodes().impatient().with("broker.session.timeout.ms", "3000");
    let cluster = KafkaCluster::start(&options.with("broker.heartbeat.interval.ms", "500")).unwrap();
    let mut hospital = Hospital::new(&cluster, 4).unwrap();
    let spec = hospital.spec.clone().setting("TASKS", "4").setting("BATCH__MAX_RECORDS", "50");
    hospital.spec = spec.setting("TRANSACTION_TIMEOUT_MS", "4000").setting("SESSION_TIMEOUT_MS", "4000");
    let mut service = hospital.spec.start().unwrap();
    hospital.produce(1, 400, 50).unwrap();
    hospital.wait_for_shares(&[1, 1, 1, 1], within).unwrap();
    let coordinator = coordinators::of_group(&cluster, hospital.spec.group()).unwrap();
    thread::scope(|scope| {
        let load = scope.spawn(|| {
            for seed in 2..12 {
                hospital.produce(seed, 600, 50).unwrap();
            }
        });
        let committed = |outcome: &str| {
            let metrics = service.metrics().unwrap();
            metrics.sum("fanout_transactions_total", &[("outcome", outcome)]).unwrap_or_default()
        };
        let before = committed("committed");
        wait::until("progress under load", within, || committed("committed") > before + 4.0).unwrap();
        cluster.node(coordinator).kill().unwrap();
        load.join().unwrap();
    });
    hospital.verdict().unwrap().assert_clean();
    assert!(service.sigterm().unwrap().0.success());
}
