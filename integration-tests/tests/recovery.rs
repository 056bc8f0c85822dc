//! How long outputs stand still when an instance dies, as a `read_committed` reader sees it, and how a stop ends.
//!
//! The figures are printed (`--nocapture`); the bounds are asserted. One scene at a time, so that they measure no other.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the figures are part of what these tests are for")]

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use integration_tests::flow::Flow;
use integration_tests::kafka::{ClusterOptions, Isolation, KafkaCluster, Position, read};
use integration_tests::moment::{Frozen, freeze};
use integration_tests::scene::{Hospital, Scene, THROUGH_WITHIN};
use integration_tests::service::{Service, ServiceSpec};
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(60);

const SESSION: Duration = Duration::from_secs(3);
const TRANSACTION: Duration = Duration::from_secs(3);

/// How often the broker looks for transactions that are over their time.
const SCAN: Duration = Duration::from_secs(1);

/// What detecting the loss, moving the partitions and reading the position may take beside the time-outs.
const MARGIN: Duration = Duration::from_secs(2);

/// How long an immediate restart with a stable instance id may keep outputs waiting.
const RESTART: Duration = Duration::from_secs(3);

/// How long a stop may take, and how often it is tried.
const STOP: Duration = Duration::from_secs(2);
const STOPS: u64 = 3;

#[test]
fn outputs_flow_again_soon_after_one_of_two_instances_is_killed() {
    let _alone = alone();
    let mut hospital = Hospital::new(cluster(), 4).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "100");
    hospital.spec = milliseconds(&hospital.spec, "SESSION_TIMEOUT_MS", SESSION);
    hospital.spec = milliseconds(&hospital.spec, "TRANSACTION_TIMEOUT_MS", TRANSACTION);
    let (spec, bound) = (hospital.spec.clone(), SESSION.max(TRANSACTION + SCAN) + MARGIN);
    let _survivor = instance(&spec, "survivor").start().unwrap();
    let kills = hospital.flowing(1, |flow| {
        let mut kills = Vec::new();
        for in_transaction in [true, false] {
            let mut victim = instance(&spec, "victim").start()?;
            flow.scene.wait_for_shares(spec.group(), &[2, 2], WITHIN)?;
            kills.push(kill(flow, spec.group(), &mut victim, in_transaction)?);
        }
        Ok(kills)
    });
    let kills = kills.unwrap();
    for kill in &kills {
        eprintln!(
            "killed {}: outputs of its partitions flow again after {:.1?}, those of the others stood still for {:.1?} \
             (session time-out {SESSION:?}, transaction time-out {TRANSACTION:?}, scan interval {SCAN:?}, bound {bound:?})",
            kill.moment(),
            kill.flows_after,
            kill.others_paused,
        );
    }
    for kill in &kills {
        assert!(kill.flows_after < bound, "it took {:?}", kill.flows_after);
    }
    hospital.verdict().unwrap().assert_clean();
    assert_aborted(&hospital.scene, &kills);
}

#[test]
fn a_killed_instance_that_is_started_again_at_once_goes_on_at_once() {
    let _alone = alone();
    let mut hospital = Hospital::new(cluster(), 4).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "100").setting("STATIC_MEMBERSHIP", "true");
    let spec = hospital.spec.clone();
    let _survivor = instance(&spec, "survivor").start().unwrap();
    let mut victim = instance(&spec, "victim").start().unwrap();
    hospital.wait_for_shares(&[2, 2], WITHIN).unwrap();
    let mut restarts = Vec::new();
    hospital
        .flowing(1, |flow| {
            let held = flow.scene.partitions_of(spec.group(), "victim")?;
            for in_transaction in [true, false, true] {
                flow.wait_flowing(&[0, 1, 2, 3])?;
                let frozen = freeze(flow.scene, &mut victim, &held, in_transaction)?;
                victim.kill9()?;
                let killed = Instant::now();
                victim = instance(&spec, "victim").spawn()?;
                let pause = flow.pause_since(killed, &held)?;
                restarts.push(Kill { frozen, flows_after: pause.until - killed, others_paused: Duration::ZERO });
                assert_eq!(flow.scene.partitions_of(spec.group(), "victim")?, held, "no partition has moved");
            }
            Ok(())
        })
        .unwrap();
    for restart in &restarts {
        eprintln!(
            "killed {} and started again: outputs flow again after {:.1?} (bound {RESTART:?})",
            restart.moment(),
            restart.flows_after,
        );
    }
    for restart in &restarts {
        assert!(restart.flows_after < RESTART, "it took {:?}: {}", restart.flows_after, victim.log());
    }
    hospital.verdict().unwrap().assert_clean();
    assert_aborted(&hospital.scene, &restarts);
}

#[test]
fn a_stop_under_full_load_ends_in_time_with_nothing_left_uncommitted() {
    let _alone = alone();
    let mut hospital = Hospital::new(cluster(), 4).unwrap();
    hospital.spec = hospital.spec.clone().setting("TASKS", "2");
    hospital.produce(1, 30_000, 500).unwrap();
    for stop in 1..=STOPS {
        // Far more than it can do until it is told to stop, on the fastest machine too.
        hospital.produce(1 + stop, 20_000, 500).unwrap();
        let before = outputs(&hospital.scene);
        // The first stop meets one batch of everything, and members that still join; the others a steady run.
        let spec =
            if stop == 1 { hospital.spec.clone() } else { hospital.spec.clone().setting("BATCH__MAX_RECORDS", "500") };
        let mut service = spec.start().unwrap();
        wait::until("outputs under full load", WITHIN, || {
            assert_eq!(service.exit_status().unwrap(), None);
            let committed = service.metrics().is_ok_and(|metrics| metrics.sum("fanout_events_total", &[]) > Some(0.0));
            outputs(&hospital.scene) > before && (stop == 1 || committed)
        })
        .unwrap();
        let (status, after) = service.sigterm().unwrap();
        let open: Vec<_> = hospital.scene.destinations.iter().filter(|name| is_open(&hospital.scene, name)).collect();
        let left = hospital.scene.admin.unconsumed(cluster(), hospital.spec.group(), &hospital.scene.ingest).unwrap();
        eprintln!("stop {stop} under full load: it ended after {after:.1?}, {} records were left to do", left.len());
        assert_eq!(status.code(), Some(0), "{}", service.log());
        assert!(after < STOP, "it took {after:?}: {}", service.log());
        assert_eq!(open, Vec::<&String>::new(), "transactions are open");
        assert!(left.len() > 1_000, "it was not under full load");
    }
    let _service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
}

#[test]
fn of_two_processes_with_one_static_membership_the_older_one_says_so_and_ends() {
    let _alone = alone();
    let mut hospital = Hospital::new(cluster(), 2).unwrap();
    hospital.spec = instance(&hospital.spec, "same").setting("STATIC_MEMBERSHIP", "true");
    hospital.produce(1, 500, 10).unwrap();
    let mut older = hospital.spec.start().unwrap();
    let mut newer = hospital.spec.spawn().unwrap();
    let status = older.wait(WITHIN).unwrap();
    assert_eq!(status.code(), Some(2), "a fatal error while running: {}", older.log());
    assert!(older.log().contains("instance"), "it says what to look for: {}", older.log());
    newer.wait_ready().unwrap();
    hospital.produce(2, 500, 10).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(newer.exit_status().unwrap(), None);
}

/// What became of a kill.
struct Kill {
    frozen: Frozen,
    flows_after: Duration,
    others_paused: Duration,
}

impl Kill {
    fn moment(&self) -> &'static str {
        if self.frozen.uncommitted.is_some() { "inside an open transaction" } else { "outside of a transaction" }
    }
}

/// Kills an instance while records flow and waits until the outputs of its partitions flow again.
fn kill(flow: &Flow<'_>, group: &str, victim: &mut Service, in_transaction: bool) -> anyhow::Result<Kill> {
    let held = flow.scene.partitions_of(group, "victim")?;
    let others: Vec<i32> = (0..4).filter(|partition| !held.contains(partition)).collect();
    flow.wait_flowing(&[0, 1, 2, 3])?;
    // It is silent from here on: the kill that follows the look is none that anybody could tell from one now.
    let frozen = freeze(flow.scene, victim, &held, in_transaction)?;
    victim.kill9()?;
    let pause = flow.pause_since(frozen.at, &held)?;
    let others_paused = flow.pause_since(frozen.at, &others)?.length();
    Ok(Kill { flows_after: pause.until.saturating_duration_since(frozen.at), frozen, others_paused })
}

/// What was seen uncommitted at a kill was never committed.
fn assert_aborted(scene: &Scene<'_>, kills: &[Kill]) {
    let uncommitted: Vec<&Position> = kills.iter().filter_map(|kill| kill.frozen.uncommitted.as_ref()).collect();
    assert!(!uncommitted.is_empty(), "a kill was inside a transaction");
    for position in uncommitted {
        let lies_there = |isolation| {
            let records = read::to_end(scene.cluster, &position.kafka_topic, isolation, THROUGH_WITHIN).unwrap();
            records.iter().any(|record| record.position == *position)
        };
        assert!(lies_there(Isolation::ReadUncommitted), "{position} is there");
        assert!(!lies_there(Isolation::ReadCommitted), "{position} was aborted");
    }
}

fn instance(spec: &ServiceSpec, instance_id: &str) -> ServiceSpec {
    spec.clone().setting("INSTANCE_ID", instance_id)
}

fn milliseconds(spec: &ServiceSpec, setting: &str, time: Duration) -> ServiceSpec {
    spec.clone().setting(setting, &time.as_millis().to_string())
}

/// How many outputs there are to see, committed or not.
fn outputs(scene: &Scene<'_>) -> i64 {
    scene.end_sum(scene.kafka_topic("results")).unwrap()
}

/// Whether a transaction is open in a Kafka topic at this moment.
fn is_open(scene: &Scene<'_>, kafka_topic: &str) -> bool {
    let ends = |isolation| scene.admin.end_offsets(kafka_topic, isolation).unwrap();
    ends(Isolation::ReadCommitted) != ends(Isolation::ReadUncommitted)
}

fn cluster() -> &'static KafkaCluster {
    static CLUSTER: OnceLock<KafkaCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let scan = SCAN.as_millis().to_string();
        let options = ClusterOptions::default()
            .with("group.min.session.timeout.ms", "1000")
            .with("transaction.abort.timed.out.transaction.cleanup.interval.ms", &scan);
        KafkaCluster::start(&options).unwrap()
    })
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
