//! SIGTERM while nothing answers: in every state the service ends with 0 in bounded time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;
use std::time::Duration;

use integration_tests::kafka::{ClusterOptions, KafkaCluster};
use integration_tests::scene::Hospital;
use integration_tests::service::Service;

const WITHIN: Duration = Duration::from_secs(60);

/// How long a stop may take, by contract.
const STOP_WITHIN: Duration = Duration::from_secs(15);

#[test]
fn sigterm_ends_every_state_while_the_broker_is_frozen() {
    every_state_ends(|cluster, _| cluster.node(0).pause().unwrap());
}

#[test]
fn sigterm_ends_every_state_while_the_broker_is_dead() {
    every_state_ends(|cluster, running| {
        cluster.node(0).kill().unwrap();
        // Until the loss is noticed: from then on the task waits without an open transaction.
        wait_for_state(running, "paused");
    });
}

/// Brings services into their states, takes the broker away, and tells all of them to end.
fn every_state_ends(outage: impl FnOnce(&KafkaCluster, &Service)) {
    let cluster = KafkaCluster::start(&ClusterOptions::default()).unwrap();
    let (_blocked, blocked) = blocked(&cluster);

    // A member that does not answer keeps the next one joining until its session ends.
    let joining = Hospital::new(&cluster, 2).unwrap();
    let mut frozen = joining.spec.start().unwrap();
    frozen.pause().unwrap();
    let joining = joining.spec.spawn().unwrap();
    wait_for_state(&joining, "joining");

    let rebalancing = Hospital::new(&cluster, 2).unwrap();
    let keeper = rebalancing.spec.start().unwrap();

    let mut loaded = Hospital::new(&cluster, 2).unwrap();
    loaded.produce(1, 20_000, 200).unwrap();
    loaded.spec = loaded.spec.clone().setting("BATCH__MAX_RECORDS", "100").setting("TRANSACTION_TIMEOUT_MS", "3000");
    let running = loaded.spec.start().unwrap();
    running
        .wait_metrics("a first commit", WITHIN, |metrics| {
            metrics.sum("fanout_events_total", &[]).is_some_and(|events| events > 0.0)
        })
        .unwrap();

    // Partitions begin to move now.
    let newcomer = rebalancing.spec.spawn().unwrap();
    wait_for_state(&newcomer, "joining");
    outage(&cluster, &running);
    let starting = loaded.spec.spawn().unwrap();
    wait_for_state(&starting, "starting");

    let services = [
        ("blocked", blocked),
        ("joining", joining),
        ("keeper of a rebalance", keeper),
        ("newcomer of a rebalance", newcomer),
        ("running", running),
        ("starting", starting),
    ];
    let stopping = services.map(|(state, mut service)| {
        thread::spawn(move || {
            let (status, after) = service.sigterm().unwrap();
            assert_eq!(status.code(), Some(0), "{state}: {}", service.log());
            assert!(after < STOP_WITHIN, "{state}: it took {after:?}");
        })
    });
    let failed = stopping.into_iter().map(thread::JoinHandle::join).filter(Result::is_err).count();
    assert_eq!(failed, 0, "not all of them ended in order");
}

/// A service that waits for a destination whose Kafka topic is gone.
fn blocked(cluster: &KafkaCluster) -> (Hospital<'_>, Service) {
    let mut hospital = Hospital::new(cluster, 1).unwrap();
    let service = hospital.spec.start().unwrap();
    hospital.scene.admin.delete_kafka_topic(hospital.scene.kafka_topic("audit")).unwrap();
    hospital.produce(1, 50, 10).unwrap();
    wait_for_state(&service, "blocked");
    (hospital, service)
}

fn wait_for_state(service: &Service, state: &str) {
    service
        .wait_metrics(&format!("a task that is {state}"), WITHIN, |metrics| {
            metrics.sum("fanout_tasks", &[("state", state)]).is_some_and(|tasks| tasks > 0.0)
        })
        .unwrap();
}
