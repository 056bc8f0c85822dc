//! The contract as somebody outside reads it, checked through the real binary and a real Kafka.
//!
//! One service runs over three ingests, one for each format, with every case as records of its own ([`cases`]); what
//! has to come of each is written next to it. Everything that is in the destinations and the dead letters must have
//! been asked for, so that nothing can come out unseen. What needs other settings has runs of its own ([`settings`]).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bundles;
mod cases;
mod changes;
mod organizations;
mod run;
mod settings;

use std::time::Duration;

use integration_tests::kafka::{Producer, Record};

use run::Run;

#[test]
fn every_case_of_the_contract_in_one_run() {
    let mut run = Run::new();
    changes::add(&mut run);
    bundles::add(&mut run);
    organizations::add(&mut run);
    run.produce();
    let mut service = run.start();
    run.read_outputs();
    run.check_cases();
    run.check_nothing_else();
    run.check_metrics(&service);

    // Behind a publisher's control records and aborted records, caught up is still 0.
    let publisher = Producer::transactional(run.cluster, "contract-publisher").unwrap();
    let unmatched = Record::new(r#"{"interaction":"create","resource":{"resourceType":"Claim","id":"canary-c"}}"#);
    publisher.begin().unwrap();
    publisher.send(&run.ingest("change"), &[unmatched.clone().partition(0)]).unwrap();
    publisher.commit().unwrap();
    publisher.begin().unwrap();
    publisher.send(&run.ingest("change"), &[unmatched.clone().partition(0), unmatched.partition(1)]).unwrap();
    publisher.abort().unwrap();
    run.admin.wait_consumed(run.cluster, service.group(), &run.ingest("change"), Duration::from_secs(30)).unwrap();
    run.wait_caught_up(&service);

    let (_, page) = service.get("/metrics").unwrap();
    let (status, after) = service.sigterm().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(after < Duration::from_secs(15), "stopped after {after:?}");
    run.check_no_patient_data(&page, &service.log());
}
