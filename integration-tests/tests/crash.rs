//! Killed in mid-transaction, over and over: nothing is lost, doubled, torn or out of order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use integration_tests::kafka::{Isolation, read, shared};
use integration_tests::scene::{Hospital, THROUGH_WITHIN};
use integration_tests::service::Service;
use integration_tests::wait;

/// How many moments are tried to find a transaction open.
const ATTEMPTS: u64 = 100;

/// How often the service is killed before the run is let through.
const KILLS: u64 = 3;

#[test]
fn a_service_killed_in_mid_transaction_goes_on_without_loss_or_double() {
    let mut hospital = Hospital::new(shared(), 4).unwrap();
    hospital.produce(1, 3_000, 500).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "100").setting("INSTANCE_ID", "crash");
    for seed in 2..2 + KILLS {
        let before = results(&hospital);
        let service = hospital.spec.spawn().unwrap();
        kill_with_open_transaction(service, &mut hospital, seed, before);
        // More comes in while nobody is there.
        hospital.produce(seed, 1_000, 500).unwrap();
    }
    let mut service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert!(service.sigterm().unwrap().0.success());

    let committed = count(&hospital, Isolation::ReadCommitted);
    let all = count(&hospital, Isolation::ReadUncommitted);
    assert!(all > committed, "no aborted record was seen ({all} records): the kills missed every transaction");
}

/// Kills the service while records lie in a destination whose transaction is not committed. It is frozen at some moment
/// of its work and looked at in peace: if no transaction is open, it gets more to do and another moment is tried.
///
/// `before` is what lay there before it started: it may be done with everything before it can be looked at.
fn kill_with_open_transaction(mut service: Service, hospital: &mut Hospital<'_>, seed: u64, mut before: i64) {
    service.wait_ready().unwrap();
    for attempt in 1..=ATTEMPTS {
        wait::until("progress of the service", Duration::from_secs(60), || {
            assert_eq!(service.exit_status().unwrap(), None, "the service ended by itself");
            results(hospital) > before
        })
        .unwrap();
        service.pause().unwrap();
        if has_open_transaction(hospital) {
            service.kill9().unwrap();
            return;
        }
        before = results(hospital);
        hospital.produce(seed * 1_000 + attempt, 1_000, 500).unwrap();
        service.resume().unwrap();
    }
    panic!("{ATTEMPTS} moments were tried, and in none a transaction was open");
}

/// How much lies in a destination, in open and aborted transactions too.
fn results(hospital: &Hospital<'_>) -> i64 {
    hospital.scene.end_sum(hospital.scene.kafka_topic("results")).unwrap()
}

fn has_open_transaction(hospital: &Hospital<'_>) -> bool {
    let scene = &hospital.scene;
    let kafka_topic = scene.kafka_topic("results");
    let high = scene.admin.end_offsets(kafka_topic, Isolation::ReadUncommitted).unwrap();
    let stable = scene.admin.end_offsets(kafka_topic, Isolation::ReadCommitted).unwrap();
    // Asked for later, a stable end below an earlier high one is that of an open transaction.
    stable.iter().any(|(partition, end)| *end < high[partition])
}

fn count(hospital: &Hospital<'_>, isolation: Isolation) -> usize {
    let kafka_topics = hospital.scene.destinations.iter();
    kafka_topics
        .map(|kafka_topic| read::to_end(hospital.scene.cluster, kafka_topic, isolation, THROUGH_WITHIN).unwrap().len())
        .sum()
}
