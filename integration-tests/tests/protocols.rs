//! The ways in which a group can share its partitions: in all of them instances may come, go, freeze and die.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::OnceLock;
use std::time::Duration;

use integration_tests::flow::Flow;
use integration_tests::kafka::{ClusterOptions, KafkaCluster};
use integration_tests::moment::freeze;
use integration_tests::scene::Hospital;
use integration_tests::service::{Service, ServiceSpec};
use integration_tests::wait;

const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn eager_assignment_holds() {
    come_go_freeze_and_die(|spec| spec.setting("KAFKA__CONSUMER__PARTITION_ASSIGNMENT_STRATEGY", "range,roundrobin"));
}

#[test]
fn static_membership_holds() {
    come_go_freeze_and_die(|spec| spec.setting("STATIC_MEMBERSHIP", "true"));
}

#[test]
fn the_protocol_in_which_the_broker_assigns_holds() {
    come_go_freeze_and_die(|spec| spec.setting("KAFKA__CONSUMER__GROUP_PROTOCOL", "consumer"));
}

const ALL: [i32; 4] = [0, 1, 2, 3];

fn come_go_freeze_and_die(with: impl FnOnce(ServiceSpec) -> ServiceSpec) {
    let mut hospital = Hospital::new(cluster(), 4).unwrap();
    let spec = hospital.spec.clone().setting("BATCH__MAX_RECORDS", "100").setting("SESSION_TIMEOUT_MS", "3000");
    hospital.spec = with(spec.setting("TRANSACTION_TIMEOUT_MS", "3000"));
    let instance = |name: &str| hospital.spec.clone().setting("INSTANCE_ID", name);
    let (one, other) = (instance("one"), instance("other"));
    let mut keeper = one.start().unwrap();
    hospital
        .flowing(1, |flow| {
            let mut guest = other.spawn()?;
            wait_for_halves(flow, [&keeper, &guest])?;
            // It goes, and its partitions with it: a static member is waited for until its session ends.
            assert_eq!(guest.sigterm()?.0.code(), Some(0));
            wait_for_partitions(&keeper, &ALL)?;
            flow.wait_flowing(&ALL)?;

            // It freezes in the middle of a transaction, others take over, and it wakes up.
            let mut zombie = other.spawn()?;
            wait_for_halves(flow, [&keeper, &zombie])?;
            let held = partitions(&zombie)?;
            freeze(flow.scene, &mut zombie, &held, true)?;
            wait_for_partitions(&keeper, &ALL)?;
            flow.wait_flowing(&ALL)?;
            zombie.resume()?;
            wait_for_halves(flow, [&keeper, &zombie])?;

            // It dies in the middle of a transaction.
            let held = partitions(&zombie)?;
            freeze(flow.scene, &mut zombie, &held, true)?;
            zombie.kill9()?;
            wait_for_partitions(&keeper, &ALL)?;
            flow.wait_flowing(&ALL)
        })
        .unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(keeper.exit_status().unwrap(), None, "{}", keeper.log());
}

/// Waits until each of two instances reads two partitions, and all of them flow.
fn wait_for_halves(flow: &Flow<'_>, services: [&Service; 2]) -> anyhow::Result<()> {
    wait::until_ok("halves of the partitions", WITHIN, || {
        let held = [partitions(services[0])?, partitions(services[1])?];
        anyhow::ensure!(held.iter().all(|held| held.len() == 2), "they hold {held:?}");
        Ok(())
    })?;
    flow.wait_flowing(&ALL)
}

fn wait_for_partitions(service: &Service, wanted: &[i32]) -> anyhow::Result<()> {
    wait::until_ok("all partitions", WITHIN, || {
        let held = partitions(service)?;
        anyhow::ensure!(held == wanted, "it holds {held:?}");
        Ok(())
    })
}

/// The partitions that an instance reads: those whose lag it shows.
fn partitions(service: &Service) -> anyhow::Result<Vec<i32>> {
    let metrics = service.metrics()?;
    let labels = metrics.select("fanout_consumer_lag_records", &[]).filter_map(|sample| sample.labels.get("partition"));
    let mut partitions: Vec<i32> = labels.map(|partition| partition.parse()).collect::<Result<_, _>>()?;
    partitions.sort_unstable();
    Ok(partitions)
}

fn cluster() -> &'static KafkaCluster {
    static CLUSTER: OnceLock<KafkaCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let options = ClusterOptions::default()
            .with("group.min.session.timeout.ms", "1000")
            .with("group.consumer.min.session.timeout.ms", "1000")
            .with("group.consumer.session.timeout.ms", "3000")
            .with("group.consumer.min.heartbeat.interval.ms", "200")
            .with("group.consumer.heartbeat.interval.ms", "500")
            .with("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500");
        KafkaCluster::start(&options).unwrap()
    })
}
