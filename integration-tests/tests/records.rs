//! A task's consumer on its own: records come many at a time, by calls into the C library, and none is lost, doubled or
//! out of order, whatever becomes of the partitions, of the records and of the consumer meanwhile. Small enough for
//! `valgrind --leak-check=full`, which is how it was looked at.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fhir_fanout::config::settings::Settings;
use fhir_fanout::kafka::client_options::{self, ClientIdentity};
use fhir_fanout::kafka::consumer::{GroupEvent, Record, TaskConsumer};
use integration_tests::kafka::{Admin, KafkaCluster, Producer, Record as Produced, shared, unique};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

const WITHIN: Duration = Duration::from_secs(60);
const WAIT: Duration = Duration::from_millis(200);

#[test]
fn every_part_of_a_record_comes_as_it_was_sent() {
    let cluster = shared();
    let kafka_topic = new_kafka_topic(cluster, 1);
    let mut with_null_header =
        Produced::new("{}").key("key").header("a", "1").header("a", "").timestamp(1_700_000_000_123);
    with_null_header.headers.push(("b".to_owned(), None));
    let sent = [with_null_header, Produced::null().key(""), Produced::new(""), Produced::new(vec![0_u8, 255])];
    Producer::plain(cluster).unwrap().send(&kafka_topic, &sent).unwrap();
    let consumer = consumer(cluster, &kafka_topic);
    assign(&consumer, &kafka_topic, &[(0, 0)]);

    let records = take(&consumer, 4);

    let first = &records[0];
    assert_eq!((first.kafka_topic(), first.partition(), first.offset()), (kafka_topic.as_str(), 0, 0));
    assert_eq!((first.key(), first.value()), (Some(&b"key"[..]), Some(&b"{}"[..])));
    assert_eq!(first.timestamp_ms(), Some(1_700_000_000_123));
    let headers: Vec<_> = first.headers().collect();
    assert_eq!(headers, [("a", Some(&b"1"[..])), ("a", Some(&b""[..])), ("b", None)]);
    assert_eq!(first.headers().count(), 3, "they can be read again");
    assert_eq!(records[1].headers().count(), 0);
    let keys: Vec<_> = records[1..].iter().map(Record::key).collect();
    let values: Vec<_> = records[1..].iter().map(Record::value).collect();
    assert_eq!(keys, [Some(&b""[..]), None, None], "null and empty differ");
    assert_eq!(values, [None, Some(&b""[..]), Some(&[0, 255][..])], "null and empty differ");
}

#[test]
fn records_outlive_the_fetch_that_brought_them_and_go_in_any_order() {
    let cluster = shared();
    let kafka_topic = new_kafka_topic(cluster, 2);
    produce(cluster, &kafka_topic, 0..3_000);
    let consumer = consumer(cluster, &kafka_topic);
    assign(&consumer, &kafka_topic, &[(0, 0), (1, 0)]);

    let mut records = take(&consumer, 3_000);

    check_order(&records, &[0, 0]);
    // Some go now, the others are looked at once more, and go backwards.
    let mut kept: Vec<_> = records.drain(..).enumerate().filter(|(number, _)| number % 3 == 0).collect();
    let sum: usize = kept.iter().map(|(_, record)| record.value().unwrap().len()).sum();
    assert_eq!(sum, kept.len() * value(0).len());
    kept.reverse();
}

#[test]
fn a_partition_that_goes_takes_its_unread_records_along_and_comes_back_where_it_is_told() {
    let cluster = shared();
    let kafka_topic = new_kafka_topic(cluster, 2);
    produce(cluster, &kafka_topic, 0..2_000);
    let consumer = consumer(cluster, &kafka_topic);
    assign(&consumer, &kafka_topic, &[(0, 0), (1, 0)]);
    // More is fetched than is taken.
    let taken = take_at_most(&consumer, 100, 100);
    assert_eq!(taken.len(), 100);
    drop(taken);
    let mut all = TopicPartitionList::new();
    all.add_partition_range(&kafka_topic, 0, 1);

    for _ in 0..3 {
        consumer.release(&all).unwrap();
        expect_none(&consumer, "what is not assigned is not read");
        assign(&consumer, &kafka_topic, &[(0, 40), (1, 900)]);
        let again = take(&consumer, 960 + 100);
        check_order(&again, &[40, 900]);
    }
}

#[test]
fn what_a_partition_reports_comes_as_an_error_and_the_others_go_on() {
    let cluster = shared();
    let kafka_topic = new_kafka_topic(cluster, 2);
    produce(cluster, &kafka_topic, 0..200);
    let consumer = consumer(cluster, &kafka_topic);
    // There is no such offset.
    assign(&consumer, &kafka_topic, &[(0, 0), (1, 5_000)]);
    let (mut records, mut errors) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + WITHIN;
    while records.len() < 100 || errors.is_empty() {
        assert!(Instant::now() < deadline, "{} records and {errors:?}", records.len());
        errors.extend(consumer.poll(WAIT, 10, &mut records).err());
    }
    check_order(&records, &[0]);
    assert_eq!(errors, [KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset)]);
}

#[test]
fn a_wait_ends_with_the_record_that_comes() {
    let cluster = shared();
    let kafka_topic = new_kafka_topic(cluster, 1);
    let consumer = consumer(cluster, &kafka_topic);
    assign(&consumer, &kafka_topic, &[(0, 0)]);
    let mut records = Vec::new();
    let idle = Instant::now();
    consumer.poll(WAIT, 10, &mut records).unwrap();
    assert!(idle.elapsed() >= WAIT, "nothing there: it waits");
    let sending = std::thread::spawn({
        let kafka_topic = kafka_topic.clone();
        move || produce(cluster, &kafka_topic, 0..1)
    });
    let begun = Instant::now();
    while records.is_empty() {
        consumer.poll(WITHIN, 10, &mut records).unwrap();
    }
    assert!(begun.elapsed() < WITHIN / 2, "the wait took {:?}", begun.elapsed());
    sending.join().unwrap();
    assert_eq!(records.len(), 1);
}

#[test]
fn a_consumer_ends_with_records_that_nobody_took() {
    let cluster = shared();
    let kafka_topic = new_kafka_topic(cluster, 1);
    produce(cluster, &kafka_topic, 0..1_000);
    let consumer = consumer(cluster, &kafka_topic);
    assign(&consumer, &kafka_topic, &[(0, 0)]);
    assert_eq!(take_at_most(&consumer, 10, 10).len(), 10);
    let begun = Instant::now();
    drop(consumer);
    assert!(begun.elapsed() < Duration::from_secs(7), "it took {:?}", begun.elapsed());
}

fn new_kafka_topic(cluster: &KafkaCluster, partitions: usize) -> String {
    let kafka_topic = unique("records");
    Admin::new(cluster).unwrap().create_kafka_topic(&kafka_topic, partitions).unwrap();
    kafka_topic
}

/// A member of a group of its own, which has its partitions, and reads none of them yet.
fn consumer(cluster: &KafkaCluster, kafka_topic: &str) -> TaskConsumer {
    let mut settings = Settings { application_id: unique("group"), ..Settings::default() };
    settings.kafka.bootstrap_servers = cluster.bootstrap_servers().to_owned();
    let identity = ClientIdentity::new(&settings.application_id, "one", 0);
    let consumer = TaskConsumer::new(&client_options::consumer(&settings, &identity)).unwrap();
    consumer.subscribe(&[kafka_topic]).unwrap();
    let deadline = Instant::now() + WITHIN;
    loop {
        expect_none(&consumer, "nothing is read before it is assigned");
        match consumer.next_event() {
            Some(GroupEvent::Assigned(_)) => return consumer,
            other => assert!(other.is_none() && Instant::now() < deadline, "{other:?}"),
        }
    }
}

fn assign(consumer: &TaskConsumer, kafka_topic: &str, positions: &[(i32, i64)]) {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in positions {
        list.add_partition_offset(kafka_topic, *partition, Offset::Offset(*offset)).unwrap();
    }
    consumer.assign(&list).unwrap();
}

fn value(number: usize) -> String {
    format!("{number:0>200}")
}

/// Evenly over two partitions, or all on the only one.
fn produce(cluster: &KafkaCluster, kafka_topic: &str, numbers: std::ops::Range<usize>) {
    let partitions = Admin::new(cluster).unwrap().partitions(kafka_topic).unwrap().unwrap().len();
    let partition = |number| i32::try_from(number % partitions).unwrap();
    let records: Vec<_> = numbers.map(|number| Produced::new(value(number)).partition(partition(number))).collect();
    Producer::plain(cluster).unwrap().send(kafka_topic, &records).unwrap();
}

fn take(consumer: &TaskConsumer, count: usize) -> Vec<Record<'_>> {
    let records = take_at_most(consumer, count, 128);
    expect_none(consumer, "there are no more");
    records
}

fn expect_none(consumer: &TaskConsumer, why: &str) {
    let mut records = Vec::new();
    consumer.poll(WAIT, 10, &mut records).unwrap();
    assert!(records.is_empty(), "{why}");
}

fn take_at_most(consumer: &TaskConsumer, count: usize, at_once: usize) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    let deadline = Instant::now() + WITHIN;
    while records.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records came", records.len());
        let before = records.len();
        consumer.poll(WAIT, at_once, &mut records).unwrap();
        assert!(records.len() - before <= at_once, "no more than asked for");
    }
    records
}

/// Each partition from its first offset on, without a gap.
fn check_order(records: &[Record<'_>], first: &[i64]) {
    let mut next: BTreeMap<i32, i64> = (0..).zip(first.iter().copied()).collect();
    for record in records {
        let expected = next.get_mut(&record.partition()).unwrap();
        assert_eq!(record.offset(), *expected, "partition {}", record.partition());
        *expected += 1;
    }
}
