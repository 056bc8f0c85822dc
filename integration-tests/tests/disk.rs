//! The disk of a broker is full.
//!
//! Kafka gives up a log folder that it cannot write, and a broker without any other ends. Each node has a small file
//! system of its own here, which only root may mount: elsewhere these tests say that they are left out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;
use std::time::{Duration, Instant};

use integration_tests::kafka::{ClusterOptions, Disk, KafkaCluster, Producer};
use integration_tests::moment::freeze_between_transactions;
use integration_tests::scene::Hospital;
use integration_tests::service::{Metrics, Service};
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(90);
/// More than a node writes here.
const DISK_MB: usize = 64;

#[allow(clippy::print_stderr, reason = "a test that is left out says so, and measured times are shown")]
fn say(what: &str) {
    eprintln!("{what}");
}

fn is_possible() -> bool {
    let possible = Disk::is_possible();
    if !possible {
        say("!!! LEFT OUT: no file system can be mounted here; a full disk was NOT tried !!!");
    }
    possible
}

fn committed(service: &Service) -> f64 {
    service.metrics().unwrap().sum("fanout_transactions_total", &[("outcome", "committed")]).unwrap_or_default()
}

fn mend(cluster: &KafkaCluster, node: usize) {
    cluster.node(node).disk().unwrap().free().unwrap();
    cluster.node(node).start().unwrap();
    cluster.wait_ready(WITHIN).unwrap();
}

/// No transaction is open when the disk fills up: why, [`freeze_between_transactions`] tells.
#[test]
fn a_broker_whose_disk_is_full_is_waited_for_until_it_is_mended() {
    if !is_possible() {
        return;
    }
    let cluster = KafkaCluster::start(&ClusterOptions::default().own_disk(DISK_MB)).unwrap();
    let mut hospital = Hospital::new(&cluster, 2).unwrap();
    let mut service = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "50").start().unwrap();
    hospital.produce(1, 1_000, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert!(freeze_between_transactions(&cluster, &mut [&mut service]).unwrap(), "nothing comes in");
    let publisher = Producer::plain(&cluster).unwrap();
    hospital.produce_with(&publisher, 2, 1_000, 200).unwrap();
    thread::scope(|scope| {
        cluster.node(0).disk().unwrap().fill().unwrap();
        let load = scope.spawn(|| hospital.produce_with(&publisher, 3, 2_000, 200));
        wait::until("the end of a node that cannot write", WITHIN, || !cluster.node(0).is_running()).unwrap();
        service.resume().unwrap();
        let has_lost = |metrics: &Metrics| metrics.sum("fanout_rebalances_total", &[("kind", "lost")]) == Some(1.0);
        service.wait_metrics("a task without the group", WITHIN, has_lost).unwrap();
        mend(&cluster, 0);
        load.join().unwrap().unwrap();
    });
    let since = Instant::now();
    hospital.verdict().unwrap().assert_clean();
    say(&format!("measured: room again and the broker back, until everything is there: {:?}", since.elapsed()));
    assert_eq!(service.exit_status().unwrap(), None);
}

#[test]
fn two_of_three_brokers_go_on_when_the_disk_of_one_is_full() {
    if !is_possible() {
        return;
    }
    let cluster = KafkaCluster::start(&ClusterOptions::three_nodes().own_disk(DISK_MB)).unwrap();
    let mut hospital = Hospital::new(&cluster, 3).unwrap();
    let mut service = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "50").start().unwrap();
    let before = committed(&service);
    thread::scope(|scope| {
        let load = scope.spawn(|| hospital.produce(1, 2_000, 200));
        wait::until("progress under load", WITHIN, || committed(&service) > before + 2.0).unwrap();
        cluster.node(1).disk().unwrap().fill().unwrap();
        wait::until("the end of a node that cannot write", WITHIN, || !cluster.node(1).is_running()).unwrap();
        load.join().unwrap().unwrap();
    });
    let since = Instant::now();
    hospital.verdict().unwrap().assert_clean();
    say(&format!("measured: one disk of three full, until everything is there: {:?}", since.elapsed()));
    mend(&cluster, 1);
    hospital.produce(2, 500, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(service.exit_status().unwrap(), None);
}
