//! The end of a transaction was asked for, and the answer does not come, or the question comes late.
//!
//! Every fault is seen to happen: the proxy counts the requests that it met and notes what the broker said to them, the
//! service counts what it does not know.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::OnceLock;
use std::time::Duration;

use integration_tests::kafka::{ClusterOptions, KafkaCluster};
use integration_tests::proxy::{Api, Fault, Link, Watch};
use integration_tests::scene::Hospital;
use integration_tests::service::Service;
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(60);

/// `INVALID_PRODUCER_EPOCH` and `PRODUCER_FENCED`: what a broker says to a request of a former producer.
const FENCED: [i16; 2] = [47, 90];

/// A way for each test.
#[derive(Clone, Copy)]
enum Way {
    Applied,
    NotApplied,
    LateCommit,
    RepeatedCommit,
    RepeatedAbort,
    RepeatedOffsets,
}

fn cluster() -> &'static KafkaCluster {
    static CLUSTER: OnceLock<KafkaCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| KafkaCluster::start(&ClusterOptions::default().impatient().links(6)).unwrap())
}

/// A hospital whose service goes through a link of its own and soon gives up a commit.
fn hospital(way: Way) -> (Hospital<'static>, &'static Link) {
    let link = cluster().link(way as usize);
    let mut hospital = Hospital::new(cluster(), 2).unwrap();
    hospital.spec = hospital.spec.clone().through(link).setting("BATCH__MAX_RECORDS", "50");
    hospital.spec = hospital.spec.clone().setting("TRANSACTION_TIMEOUT_MS", "2000");
    (hospital, link)
}

#[test]
fn a_commit_that_is_applied_and_never_confirmed_is_read_back() {
    let (mut hospital, link) = hospital(Way::Applied);
    hospital.produce(1, 300, 100).unwrap();
    let lost = link.every(Api::CommitTxn, Fault::LoseResponse);
    let mut service = hospital.spec.start().unwrap();
    wait_for_unknown(&service);
    assert_eq!(lost.wait_answers(1, WITHIN).unwrap()[0], 0, "the broker has committed");
    lost.release();
    wait_for_outcome(&service, true);
    ends_clean(&mut hospital, &mut service);
}

#[test]
fn a_commit_that_never_arrives_is_read_back_and_its_records_are_processed_again() {
    let (mut hospital, link) = hospital(Way::NotApplied);
    hospital.produce(1, 300, 100).unwrap();
    let lost = link.every(Api::CommitTxn, Fault::LoseRequest);
    let mut service = hospital.spec.start().unwrap();
    wait_for_unknown(&service);
    assert!(lost.met() > 0);
    assert!(lost.wait_answers(1, Duration::ZERO).is_err(), "no broker has seen one");
    lost.release();
    wait_for_outcome(&service, false);
    ends_clean(&mut hospital, &mut service);
}

#[test]
fn a_commit_that_arrives_after_it_was_given_up_meets_a_closed_door() {
    let (mut hospital, link) = hospital(Way::LateCommit);
    hospital.produce(1, 300, 100).unwrap();
    let late = link.next(Api::CommitTxn, Fault::HoldRequest(Duration::MAX));
    let mut service = hospital.spec.start().unwrap();
    late.wait(1, WITHIN).unwrap();
    let next = stop_the_next_before_its_offsets(link);
    wait_for_unknown(&service);
    wait_for_outcome(&service, false);
    next.wait(1, WITHIN).unwrap();
    late.release();
    assert_is_fenced(&late);
    next.release();
    ends_clean(&mut hospital, &mut service);
}

/// The client library repeats a request whose connection broke, and says nothing of it when that succeeds. The first one
/// may still be under way; to the broker it would be the next transaction's.
#[test]
fn a_commit_that_was_repeated_and_arrives_late_does_not_meet_the_next_transaction() {
    let (mut hospital, link) = hospital(Way::RepeatedCommit);
    hospital.produce(1, 300, 100).unwrap();
    let late = link.next(Api::CommitTxn, Fault::Strand(Duration::MAX));
    let mut service = hospital.spec.start().unwrap();
    late.wait(1, WITHIN).unwrap();
    let next = stop_the_next_before_its_offsets(link);
    next.wait(1, WITHIN).unwrap();
    late.release();
    let answers = late.wait_answers(1, WITHIN).unwrap();
    // What it committed would have its outputs twice: the offsets are not in yet.
    service.kill9().unwrap();
    link.heal();
    let mut successor = hospital.spec.start().unwrap();
    ends_clean(&mut hospital, &mut successor);
    assert!(FENCED.contains(&answers[0]), "the broker said {answers:?}");
}

/// The group throws the instance out while its transaction waits for its offsets, which are refused then: an abort of a
/// producer that is in perfect health.
#[test]
fn an_abort_that_was_repeated_and_arrives_late_does_not_meet_the_next_transaction() {
    let (mut hospital, link) = hospital(Way::RepeatedAbort);
    hospital.spec = hospital.spec.clone().setting("TRANSACTION_TIMEOUT_MS", "30000");
    hospital.spec = hospital.spec.clone().setting("SESSION_TIMEOUT_MS", "2000");
    hospital.produce(1, 300, 100).unwrap();
    let mut service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
    let offsets = link.next(Api::AddOffsetsToTxn, Fault::HoldRequest(WITHIN));
    hospital.produce(2, 300, 100).unwrap();
    offsets.wait(1, WITHIN).unwrap();
    let heartbeats = link.every(Api::Heartbeat, Fault::LoseRequest);
    let members = || hospital.scene.admin.member_count(hospital.spec.group()).unwrap();
    wait::until("the group without its member", WITHIN, || members() == 0).unwrap();
    let late = link.next(Api::AbortTxn, Fault::Strand(Duration::MAX));
    heartbeats.release();
    offsets.release();
    late.wait(1, WITHIN).unwrap();
    let next = stop_the_next_before_its_offsets(link);
    next.wait(1, WITHIN).unwrap();
    late.release();
    let answers = late.wait_answers(1, WITHIN).unwrap();
    // What it aborted would be lost: the offsets go into a transaction of their own then.
    next.release();
    ends_clean(&mut hospital, &mut service);
    assert!(FENCED.contains(&answers[0]), "the broker said {answers:?}");
}

#[test]
fn offsets_that_were_repeated_and_arrive_late_do_not_turn_the_next_transaction_back() {
    let (mut hospital, link) = hospital(Way::RepeatedOffsets);
    hospital.produce(1, 300, 100).unwrap();
    let late = link.next(Api::TxnOffsetCommit, Fault::Strand(Duration::MAX));
    let mut service = hospital.spec.start().unwrap();
    late.wait(1, WITHIN).unwrap();
    // The first transaction commits; the next one stops before its end, with its own offsets in.
    let first = link.next(Api::CommitTxn, Fault::None);
    first.wait_done(1, WITHIN).unwrap();
    let second = link.next(Api::CommitTxn, Fault::HoldRequest(WITHIN));
    second.wait(1, WITHIN).unwrap();
    late.release();
    // It arrives before the commit does.
    late.wait_done(1, WITHIN).unwrap();
    let _ = late.wait_answers(1, WITHIN).unwrap();
    let third = link.next(Api::AddOffsetsToTxn, Fault::LoseRequest);
    second.release();
    third.wait(1, WITHIN).unwrap();
    service.kill9().unwrap();
    link.heal();
    let mut successor = hospital.spec.start().unwrap();
    ends_clean(&mut hospital, &mut successor);
}

/// Holds the next transaction when its outputs are delivered and its offsets are not in.
fn stop_the_next_before_its_offsets(link: &Link) -> Watch {
    link.next(Api::AddOffsetsToTxn, Fault::HoldRequest(WITHIN))
}

fn assert_is_fenced(late: &Watch) {
    let answers = late.wait_answers(1, WITHIN).unwrap();
    assert!(FENCED.contains(&answers[0]), "the broker said {answers:?}");
}

fn wait_for_unknown(service: &Service) {
    service
        .wait_metrics("a commit of unknown outcome", WITHIN, |metrics| {
            metrics.sum("fanout_commits_unknown_total", &[]) >= Some(1.0)
        })
        .unwrap();
}

/// The producer was rebuilt, and what the broker had done was read back.
fn wait_for_outcome(service: &Service, applied: bool) {
    service
        .wait_metrics("a producer that was rebuilt", WITHIN, |metrics| {
            metrics.sum("fanout_producer_rebuilds_total", &[("reason", "commit-unknown")]) >= Some(1.0)
        })
        .unwrap();
    wait::until("the outcome in the log", WITHIN, || {
        let log = service.log();
        let line = log.lines().find(|line| line.contains("outcome of the commit read back"));
        line.is_some_and(|line| {
            assert!(line.contains(&format!("\"applied\":{applied}")), "{line}");
            true
        })
    })
    .unwrap();
}

fn ends_clean(hospital: &mut Hospital<'_>, service: &mut Service) {
    hospital.produce(2, 100, 100).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(service.exit_status().unwrap(), None, "the service goes on");
}
