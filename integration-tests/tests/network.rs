//! The network between an instance and the brokers: gone, gone one way, slow, and breaking all the time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;
use std::time::{Duration, Instant};

use integration_tests::kafka::{ClusterOptions, KafkaCluster};
use integration_tests::proxy::{Api, Direction, Fault, Link};
use integration_tests::scene::Hospital;
use integration_tests::service::{Metrics, Service};
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(60);

type Cut = fn(&Link);

fn impatient(hospital: &mut Hospital<'_>, batch: usize) {
    let spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", &batch.to_string());
    hospital.spec = spec.setting("TRANSACTION_TIMEOUT_MS", "2000").setting("SESSION_TIMEOUT_MS", "2000");
}

fn committed(metrics: &Metrics) -> f64 {
    metrics.sum("fanout_transactions_total", &[("outcome", "committed")]).unwrap_or_default()
}

/// Waits until the service has committed more than it had.
fn goes_on(service: &Service) {
    let before = committed(&service.metrics().unwrap());
    service.wait_metrics("progress", WITHIN, |metrics| committed(metrics) > before).unwrap();
}

#[allow(clippy::print_stderr, reason = "measured times are shown with --nocapture")]
fn measured(what: &str, since: Instant) {
    eprintln!("measured: {what}: {:.1} s", since.elapsed().as_secs_f64());
}

#[test]
fn an_instance_that_is_cut_off_for_longer_than_its_time_outs_is_replaced_and_comes_back() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().impatient().links(1)).unwrap();
    let link = cluster.link(0);
    let mut hospital = Hospital::new(&cluster, 2).unwrap();
    impatient(&mut hospital, 50);
    let mut one = hospital.spec.clone().through(link).start().unwrap();
    let mut other = hospital.spec.start().unwrap();
    hospital.wait_for_shares(&[1, 1], WITHIN).unwrap();
    let cuts: [(&str, Cut); 4] = [
        ("both ways", Link::cut),
        ("to the brokers", |link| link.cut_one_way(Direction::ToBroker)),
        ("from the brokers", |link| link.cut_one_way(Direction::FromBroker)),
        ("connections refused", Link::refuse),
    ];
    for (seed, (name, cut)) in (1..).zip(cuts) {
        // In the middle of its work: with a transaction open.
        let open = link.next(Api::Produce, Fault::None);
        hospital.produce(seed, 1_000, 200).unwrap();
        open.wait(1, WITHIN).unwrap();
        cut(link);
        let since = Instant::now();
        hospital.wait_for_shares(&[2], WITHIN).unwrap();
        measured(&format!("cut {name}, until the other instance has all partitions"), since);
        hospital.produce(100 + seed, 200, 200).unwrap();
        // Everything, also what the cut instance had in hand.
        hospital.verdict().unwrap().assert_clean();
        measured(&format!("cut {name}, until everything is there"), since);
        assert!(one.is_ready(), "it waits, and says that it is alive");

        link.heal();
        let since = Instant::now();
        hospital.wait_for_shares(&[1, 1], WITHIN).unwrap();
        measured(&format!("cut {name}, healed, until the partitions are shared again"), since);
        hospital.produce(200 + seed, 400, 200).unwrap();
        goes_on(&one);
        hospital.verdict().unwrap().assert_clean();
    }
    assert_eq!((one.exit_status().unwrap(), other.exit_status().unwrap()), (None, None));
}

#[test]
fn a_slow_network_is_no_fault() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().links(1)).unwrap();
    let link = cluster.link(0);
    let mut hospital = Hospital::new(&cluster, 2).unwrap();
    let service = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "200").through(link).start().unwrap();
    link.delay(Duration::from_millis(200));
    hospital.produce(1, 2_000, 200).unwrap();
    let since = Instant::now();
    hospital.verdict().unwrap().assert_clean();
    measured("2,000 events over 200 ms each way", since);
    let metrics = service.metrics().unwrap();
    assert_eq!(metrics.sum("fanout_transactions_total", &[("outcome", "aborted")]), Some(0.0));
    assert_eq!(metrics.sum("fanout_producer_rebuilds_total", &[]), Some(0.0));
    assert_eq!(metrics.sum("fanout_rebalances_total", &[("kind", "lost")]), Some(0.0));
    assert!(committed(&metrics) >= 10.0, "2,000 records in batches of 200");
}

#[test]
fn connections_that_break_all_the_time_cost_nothing() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().impatient().links(1)).unwrap();
    let link = cluster.link(0);
    let mut hospital = Hospital::new(&cluster, 2).unwrap();
    impatient(&mut hospital, 20);
    let mut service = hospital.spec.clone().setting("TASKS", "2").through(link).start().unwrap();
    let moments = [Api::AddPartitionsToTxn, Api::Produce, Api::AddOffsetsToTxn, Api::TxnOffsetCommit, Api::CommitTxn];
    thread::scope(|scope| {
        let load = scope.spawn(|| hospital.produce(1, 6_000, 200));
        for api in moments.into_iter().cycle().take(40) {
            link.next(api, Fault::None).wait(1, WITHIN).unwrap();
            link.reset();
        }
        load.join().unwrap().unwrap();
    });
    let since = Instant::now();
    hospital.verdict().unwrap().assert_clean();
    measured("the last of 40 resets, until everything is there", since);
    assert_eq!(service.exit_status().unwrap(), None);
}

/// Every request of a transaction meets every fault.
#[test]
fn whatever_is_lost_held_or_late_on_the_way_costs_nothing() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().impatient().links(1)).unwrap();
    let link = cluster.link(0);
    let mut hospital = Hospital::new(&cluster, 2).unwrap();
    impatient(&mut hospital, 10);
    let mut service = hospital.spec.clone().through(link).start().unwrap();
    let apis = [Api::AddPartitionsToTxn, Api::Produce, Api::AddOffsetsToTxn, Api::TxnOffsetCommit, Api::CommitTxn];
    let short = Duration::from_millis(300);
    // Longer than the transaction and the session.
    let long = Duration::from_secs(3);
    let faults = [
        Fault::LoseRequest,
        Fault::LoseResponse,
        Fault::HoldRequest(short),
        Fault::HoldRequest(long),
        Fault::HoldResponse(short),
        Fault::HoldResponse(long),
        Fault::Strand(short),
        Fault::Strand(long),
    ];
    for (seed, (api, fault)) in (1..).zip(apis.iter().flat_map(|api| faults.map(|fault| (*api, fault)))) {
        let watch = link.next(api, fault);
        hospital.produce(seed, 60, 50).unwrap();
        watch.wait(1, WITHIN).unwrap();
        wait::until("progress after the fault", WITHIN, || {
            assert_eq!(service.exit_status().unwrap(), None, "{api:?} {fault:?}");
            hospital.scene.admin.unconsumed(&cluster, hospital.spec.group(), &hospital.scene.ingest).unwrap().is_empty()
        })
        .unwrap();
    }
    link.heal();
    hospital.produce(1_000, 100, 50).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(service.exit_status().unwrap(), None);
}
