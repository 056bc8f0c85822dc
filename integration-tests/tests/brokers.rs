//! Brokers of a cluster of three that are killed and restarted while records flow: nothing is lost or doubled, and how
//! long outputs stand still is printed (`--nocapture`) and bounded.
//!
//! Everything has three replicas and needs two of them, so that every partition always has a leader. That is a
//! condition of the proof: a Kafka 4 broker takes a partition that has no leader for a deleted one, and leaves it
//! without the end of a transaction that ends at that time (KAFKA-20734).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the figures are part of what these tests are for")]

use std::time::{Duration, Instant};

use integration_tests::flow::Flow;
use integration_tests::kafka::{ClusterOptions, KafkaCluster};
use integration_tests::scene::Hospital;
use integration_tests::wait;
use rdkafka::consumer::{BaseConsumer, Consumer};

const WITHIN: Duration = Duration::from_secs(90);

/// After how long the controllers take a silent broker for lost. Kafka's own nine seconds would come on top of each
/// figure; a broker that is started again within this time is let in after it.
const BROKER_SESSION: Duration = Duration::from_secs(3);

/// How long the loss of one broker may keep outputs waiting: its session, a transaction whose outputs nobody
/// acknowledges (10 s), and calls of the client that do not return (3.5 s each), on a machine under load.
const BROKER_LOST: Duration = Duration::from_secs(30);

/// How long a broker that is stopped in order may keep outputs waiting.
const BROKER_STOPPED: Duration = Duration::from_secs(20);

#[test]
fn brokers_that_die_and_restart_under_load_cost_nothing_but_time() {
    let options = ClusterOptions::three_nodes()
        .with("broker.session.timeout.ms", &BROKER_SESSION.as_millis().to_string())
        .with("broker.heartbeat.interval.ms", "500");
    let cluster = KafkaCluster::start(&options).unwrap();
    let mut hospital = Hospital::new(&cluster, 4).unwrap();
    hospital.spec = hospital.spec.clone().setting("TASKS", "2").setting("BATCH__MAX_RECORDS", "100");
    hospital.spec = hospital.spec.clone().setting("INSTANCE_ID", "only");
    let group = hospital.spec.group().to_owned();
    let transactional_id = format!("{group}-only-0");
    let mut service = hospital.spec.start().unwrap();
    let figures = hospital.flowing(1, |flow| {
        flow.wait_flowing(&ALL)?;
        let results = flow.scene.kafka_topic("results").to_owned();
        let mut figures = Vec::new();
        for (fault, kafka_topic, partition) in [
            ("leader of a destination", results.as_str(), 0),
            ("group coordinator", "__consumer_offsets", coordinator_partition(&group)),
            ("transaction coordinator", "__transaction_state", coordinator_partition(&transactional_id)),
        ] {
            let pause = kill(&cluster, flow, leader(&cluster, kafka_topic, partition)?)?;
            figures.push((format!("kill -9 and restart of the {fault}"), BROKER_LOST, pause));
        }
        figures.push(("rolling restart of all brokers".to_owned(), BROKER_STOPPED, roll(&cluster, flow)?));
        Ok(figures)
    });
    let figures = figures.unwrap();
    for (fault, bound, pause) in &figures {
        eprintln!("{fault}: outputs stood still for {pause:.1?} (bound {bound:?})");
    }
    let given_up = service.log().matches("does not come back").count();
    eprintln!("calls that the client did not return from, and that were given up: {given_up}");
    for (fault, bound, pause) in &figures {
        assert!(pause < bound, "{fault}: {pause:?}");
    }
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(service.exit_status().unwrap(), None, "{}", service.log());
}

const ALL: [i32; 4] = [0, 1, 2, 3];

/// Kills a broker, starts it again, and waits until it is back; how long outputs stood still.
fn kill(cluster: &KafkaCluster, flow: &Flow<'_>, node: usize) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    cluster.node(node).kill()?;
    cluster.node(node).start()?;
    wait_in_sync(cluster, flow)?;
    Ok(flow.pause_since(begin, &ALL)?.length())
}

/// Restarts every broker in order, one after the other.
fn roll(cluster: &KafkaCluster, flow: &Flow<'_>) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    for node in 0..cluster.node_count() {
        cluster.node(node).restart()?;
        wait_in_sync(cluster, flow)?;
    }
    Ok(flow.pause_since(begin, &ALL)?.length())
}

/// Waits until every partition has all its replicas in sync: only then the next broker may go.
fn wait_in_sync(cluster: &KafkaCluster, flow: &Flow<'_>) -> anyhow::Result<()> {
    let consumer: BaseConsumer = cluster.client().create()?;
    wait::until_ok("replicas in sync", WITHIN, || {
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(5))?;
        anyhow::ensure!(metadata.brokers().len() == cluster.node_count(), "a broker is away");
        let names: Vec<&str> = metadata.topics().iter().map(|kafka_topic| kafka_topic.name()).collect();
        anyhow::ensure!(names.contains(&flow.scene.ingest.as_str()), "not all is known: {names:?}");
        for kafka_topic in metadata.topics() {
            for partition in kafka_topic.partitions() {
                let (in_sync, all) = (partition.isr().len(), partition.replicas().len());
                anyhow::ensure!(in_sync == all, "{}-{}: {in_sync} of {all}", kafka_topic.name(), partition.id());
            }
        }
        Ok(())
    })
}

/// The node, from 0, that leads a partition.
fn leader(cluster: &KafkaCluster, kafka_topic: &str, partition: i32) -> anyhow::Result<usize> {
    let consumer: BaseConsumer = cluster.client().create()?;
    wait::until_some(&format!("the leader of {kafka_topic}-{partition}"), WITHIN, || {
        let metadata = consumer.fetch_metadata(Some(kafka_topic), Duration::from_secs(5)).ok()?;
        let partitions = metadata.topics().first()?.partitions();
        let leader = partitions.iter().find(|found| found.id() == partition)?.leader();
        // Ids are from 1.
        usize::try_from(leader).ok()?.checked_sub(1)
    })
}

/// Which of the three partitions of `__consumer_offsets` or `__transaction_state` is in charge of a group or a
/// transactional id: Java's `String.hashCode` decides.
fn coordinator_partition(key: &str) -> i32 {
    let hash = key.bytes().fold(0_i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
    (hash & i32::MAX) % 3
}
