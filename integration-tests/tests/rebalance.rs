//! Instances that come, go and collide while records flow.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use integration_tests::kafka::shared;
use integration_tests::scene::Hospital;
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn a_second_instance_takes_its_share_and_gives_it_back() {
    let mut hospital = Hospital::new(shared(), 4).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "200");
    hospital.produce(1, 4_000, 200).unwrap();
    let mut first = hospital.spec.start().unwrap();
    let mut second = hospital.spec.spawn().unwrap();
    hospital.wait_for_shares(&[2, 2], WITHIN).unwrap();
    hospital.produce(2, 4_000, 200).unwrap();
    let (status, _) = second.sigterm().unwrap();
    assert_eq!(status.code(), Some(0));
    hospital.wait_for_shares(&[4], WITHIN).unwrap();
    hospital.produce(3, 1_000, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(first.sigterm().unwrap().0.code(), Some(0));
}

#[test]
fn an_instance_that_vanishes_leaves_nothing_undone() {
    let mut hospital = Hospital::new(shared(), 4).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "200");
    hospital.produce(1, 2_000, 200).unwrap();
    let _first = hospital.spec.start().unwrap();
    let mut second = hospital.spec.spawn().unwrap();
    hospital.wait_for_shares(&[2, 2], WITHIN).unwrap();
    hospital.produce(2, 3_000, 200).unwrap();
    second.kill9().unwrap();
    hospital.produce(3, 1_000, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
}

#[test]
fn a_frozen_instance_that_wakes_up_doubles_nothing_and_goes_on() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "100");
    hospital.produce(1, 2_000, 200).unwrap();
    let mut zombie = hospital.spec.start().unwrap();
    zombie.pause().unwrap();
    let _successor = hospital.spec.start().unwrap();
    hospital.wait_for_shares(&[2], WITHIN).unwrap();
    hospital.produce(2, 2_000, 200).unwrap();
    zombie.resume().unwrap();
    hospital.wait_for_shares(&[1, 1], WITHIN).unwrap();
    hospital.produce(3, 1_000, 200).unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(zombie.exit_status().unwrap(), None, "a woken zombie rebuilds and goes on");
}

#[test]
fn of_two_processes_with_one_instance_id_one_gives_up_and_nothing_is_doubled() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.spec = hospital.spec.clone().setting("INSTANCE_ID", "same").setting("BATCH__MAX_RECORDS", "50");
    let mut one = hospital.spec.start().unwrap();
    let mut other = hospital.spec.spawn().unwrap();
    let mut seed = 0;
    let ended = wait::until_some("the end of one of the two", WITHIN, || {
        // They fence each other only while there is something to commit.
        seed += 1;
        hospital.produce(seed, 200, 50).unwrap();
        let ended = [one.exit_status().unwrap(), other.exit_status().unwrap()];
        ended.iter().any(Option::is_some).then_some(ended)
    });
    let ended = ended.unwrap();
    let codes: Vec<i32> = ended.iter().flatten().filter_map(std::process::ExitStatus::code).collect();
    assert_eq!(codes, [2], "a fatal error while running");
    let log = if ended[0].is_some() { one.log() } else { other.log() };
    assert!(log.contains("instance"), "it says what to look for: {log}");
    hospital.verdict().unwrap().assert_clean();
}
