//! The testkit's own test: what every other test takes for granted about the Kafka it starts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use integration_tests::kafka::{
    Admin, ClusterOptions, Isolation, KafkaCluster, Producer, Record, read, shared, unique,
};

const WITHIN: Duration = Duration::from_secs(30);

#[test]
fn aborted_records_are_seen_by_read_uncommitted_only() {
    let cluster = shared();
    let kafka_topic = unique("isolation");
    let admin = Admin::new(cluster).unwrap();
    admin.create_kafka_topic(&kafka_topic, 2).unwrap();
    let producer = Producer::transactional(cluster, &unique("producer")).unwrap();
    producer.begin().unwrap();
    let record = Record::new("committed").key("a").header("h", "1").partition(1).timestamp(1_700_000_000_000);
    let positions = producer.send(&kafka_topic, &[record]).unwrap();
    producer.commit().unwrap();
    producer.begin().unwrap();
    producer.send(&kafka_topic, &[Record::new("aborted").partition(1)]).unwrap();
    let open = read::to_end(cluster, &kafka_topic, Isolation::ReadCommitted, WITHIN).unwrap();
    assert_eq!(open.len(), 1);
    assert!(admin.wait_settled(&kafka_topic, Duration::ZERO).is_err(), "a transaction is open");
    producer.abort().unwrap();
    admin.wait_settled(&kafka_topic, WITHIN).unwrap();

    let committed = read::to_end(cluster, &kafka_topic, Isolation::ReadCommitted, WITHIN).unwrap();
    assert_eq!(committed.len(), 1);
    assert_eq!(committed[0].position, positions[0]);
    assert_eq!(committed[0].header("h"), Some("1"));
    assert_eq!(committed[0].key_text(), Some("a"));
    assert_eq!(committed[0].timestamp_ms, Some(1_700_000_000_000));
    let all = read::to_end(cluster, &kafka_topic, Isolation::ReadUncommitted, WITHIN).unwrap();
    assert_eq!(all.len(), 2);
    // The committed record, its marker, the aborted record, its marker.
    assert_eq!(admin.end_offsets(&kafka_topic, Isolation::ReadCommitted).unwrap()[&1], 4);
    assert_eq!(admin.unconsumed(cluster, "nobody", &kafka_topic).unwrap(), positions);
}

#[test]
fn the_broker_tells_the_cluster_id_and_refuses_unknown_kafka_topics() {
    let cluster = shared();
    let admin = Admin::new(cluster).unwrap();
    assert_eq!(admin.cluster_id().unwrap(), cluster.cluster_id());
    assert_eq!(admin.partitions(&unique("nowhere")).unwrap(), None);
}

#[test]
fn a_node_keeps_its_data_over_pause_kill_and_restart() {
    let cluster = KafkaCluster::start(&ClusterOptions::default()).unwrap();
    let admin = Admin::new(&cluster).unwrap();
    admin.create_kafka_topic("kept", 1).unwrap();
    let producer = Producer::plain(&cluster).unwrap();
    producer.send("kept", &[Record::new("one")]).unwrap();
    cluster.node(0).pause().unwrap();
    cluster.node(0).resume().unwrap();
    cluster.node(0).kill().unwrap();
    assert!(!cluster.node(0).is_running());
    cluster.node(0).start().unwrap();
    cluster.wait_ready(WITHIN).unwrap();
    cluster.node(0).restart().unwrap();
    cluster.wait_ready(WITHIN).unwrap();
    producer.send("kept", &[Record::new("two")]).unwrap();
    let records = read::to_end(&cluster, "kept", Isolation::ReadCommitted, WITHIN).unwrap();
    let values: Vec<&[u8]> = records.iter().map(|record| record.value.as_deref().unwrap()).collect();
    assert_eq!(values, [b"one", b"two"]);
    let folder = cluster.folder().to_owned();
    drop(cluster);
    assert!(!folder.exists(), "nothing is left behind");
}

#[test]
fn three_nodes_go_on_without_one() {
    let cluster = KafkaCluster::start(&ClusterOptions::three_nodes()).unwrap();
    let admin = Admin::new(&cluster).unwrap();
    admin.create_kafka_topic("replicated", 3).unwrap();
    assert_eq!(admin.replicas("replicated").unwrap(), [3, 3, 3]);
    let producer = Producer::plain(&cluster).unwrap();
    cluster.node(1).kill().unwrap();
    let records: Vec<Record> = (0..3).map(|partition| Record::new("x").partition(partition)).collect();
    producer.send("replicated", &records).unwrap();
    assert_eq!(read::to_end(&cluster, "replicated", Isolation::ReadCommitted, WITHIN).unwrap().len(), 3);
}
