//! What the testkit learns from the brokers about transactions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use integration_tests::kafka::{Admin, Producer, Record, coordinators, shared, unique};

#[test]
fn an_open_transaction_is_seen_with_its_first_records_and_a_committed_one_is_not() {
    let cluster = shared();
    let (kafka_topic, id) = (unique("open"), unique("publisher"));
    Admin::new(cluster).unwrap().create_kafka_topic(&kafka_topic, 2).unwrap();
    let asked = BTreeMap::from([(kafka_topic.clone(), 2)]);
    let open = || coordinators::open_transactions(cluster, &id, &asked).unwrap();
    assert_eq!(open(), []);

    let producer = Producer::transactional(cluster, &id).unwrap();
    producer.begin().unwrap();
    let records: Vec<Record> = (0..4).map(|number| Record::new("x").partition(number % 2)).collect();
    let mut written = producer.send(&kafka_topic, &records).unwrap();
    let seen = open();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].transactional_id, id);
    written.truncate(2);
    let mut first = seen[0].first_records.clone();
    first.sort();
    written.sort();
    assert_eq!(first, written);

    producer.commit().unwrap();
    assert_eq!(open(), []);
    assert_eq!(coordinators::of_group(cluster, "any").unwrap(), 0);
    assert_eq!(coordinators::of_transactions(cluster, &id).unwrap(), 0);
}
