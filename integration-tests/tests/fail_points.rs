//! Each place around a transaction where a crash or an error would hurt most, crossed by both: nothing is lost, doubled
//! or torn. `cargo test -p integration-tests --features fail-points --test fail_points`
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use integration_tests::kafka::shared;
use integration_tests::scene::Hospital;
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(60);

/// The points, in the order in which a transaction crosses them.
const POINTS: [&str; 6] =
    ["before-begin", "after-first-send", "before-send-offsets", "after-send-offsets", "before-commit", "after-commit"];

#[test]
fn a_crash_at_each_point_of_a_transaction_loses_and_doubles_nothing() {
    let mut hospital = hospital(1_000);
    for (round, point) in (0_u64..).zip(POINTS) {
        hospital.produce(100 + round, 300, 100).unwrap();
        // Not at the first transaction of the process, but in the middle of its work.
        let crashing = hospital.spec.clone().variable("FAILPOINTS", &format!("{point}=1*off->1*return(crash)"));
        let mut service = crashing.spawn().unwrap();
        wait::until(&format!("a crash at {point}"), WITHIN, || service.exit_status().unwrap().is_some()).unwrap();
        let status = service.exit_status().unwrap().unwrap();
        assert_eq!(status.signal(), Some(6), "{point}: the process ended in another way: {status}");
    }
    let _service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
}

#[test]
fn an_error_at_each_point_of_a_transaction_loses_and_doubles_nothing() {
    let mut hospital = hospital(3_000);
    // Every second time and both errors in turn, so that they meet one another on the way back too.
    let told = "1*off->1*return(abort)->2*off->1*return(rebuild)->1*off->1*return(abort)";
    let points: Vec<String> = POINTS.iter().map(|point| format!("{point}={told}")).collect();
    let service = hospital.spec.clone().variable("FAILPOINTS", &points.join(";")).start().unwrap();
    hospital.produce(2, 1_000, 100).unwrap();

    hospital.verdict().unwrap().assert_clean();

    let metrics = service.metrics().unwrap();
    let sum = |name: &str, labels: &[(&str, &str)]| metrics.sum(name, labels).unwrap_or_default();
    // Three errors after each commit; the other points give two that abort and one that breaks the producer.
    assert_eq!(sum("fanout_commits_unknown_total", &[]), 3.0);
    let unknown = sum("fanout_producer_rebuilds_total", &[("reason", "commit-unknown")]);
    assert_eq!(unknown, 3.0);
    assert!(sum("fanout_producer_rebuilds_total", &[]) >= unknown + 5.0, "each point breaks the producer once");
    assert!(sum("fanout_transactions_total", &[("outcome", "aborted")]) >= 8.0, "and lets four points abort twice");
}

/// With many small transactions ahead, and one id for all processes, so that each takes over at once.
fn hospital(events: usize) -> Hospital<'static> {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "50").setting("INSTANCE_ID", "points");
    hospital.produce(1, events, 100).unwrap();
    hospital
}
