//! The transactional producer on its own, where a whole service around it would hide how long a call takes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::time::{Duration, Instant};

use fhir_fanout::config::settings::Settings;
use fhir_fanout::domain::output::{OutputKind, OutputRecord};
use fhir_fanout::domain::plan::DestinationIndex;
use fhir_fanout::kafka::client_options::{self, ClientIdentity};
use fhir_fanout::kafka::producer::{IdleProducer, NewProducer};
use integration_tests::kafka::{Admin, ClusterOptions, Isolation, KafkaCluster, read, unique};

const WITHIN: Duration = Duration::from_secs(60);

/// How long the task gives an abort.
const ABORT_TIME: Duration = Duration::from_secs(5);

/// What a loaded machine may add.
const GRACE: Duration = Duration::from_secs(3);

#[test]
fn an_abort_with_ten_thousand_queued_outputs_and_a_dead_broker_ends_in_time() {
    let cluster = KafkaCluster::start(&ClusterOptions::default()).unwrap();
    let kafka_topic = unique("outputs");
    Admin::new(&cluster).unwrap().create_kafka_topic(&kafka_topic, 2).unwrap();
    let mut settings = Settings { transaction_timeout: Duration::from_secs(10), ..Settings::default() };
    settings.kafka.bootstrap_servers = cluster.bootstrap_servers().to_owned();
    let identity = ClientIdentity::new("app", &unique("one"), 0);
    let options = client_options::producer(&settings, &identity);
    let initialised = || initialise(NewProducer::new(&options).unwrap());

    let mut transaction = initialised().begin().unwrap();
    transaction.send(&output(&kafka_topic, 0), Instant::now() + WITHIN).unwrap();
    transaction.deliver(Instant::now() + WITHIN).unwrap();
    cluster.node(0).kill().unwrap();
    for number in 1..=10_000 {
        transaction.send(&output(&kafka_topic, number), Instant::now() + WITHIN).unwrap();
    }
    let begun = Instant::now();
    let aborted = transaction.abort(begun + ABORT_TIME);
    let took = begun.elapsed();

    assert!(aborted.is_err(), "nobody is there to confirm it");
    assert!(took < ABORT_TIME + GRACE, "giving up took {took:?}");
    cluster.node(0).start().unwrap();
    cluster.wait_ready(WITHIN).unwrap();
    let mut next = initialised().begin().unwrap();
    next.send(&output(&kafka_topic, 20_000), Instant::now() + WITHIN).unwrap();
    next.deliver(Instant::now() + WITHIN).unwrap();
    // Without offsets it could not be committed as the service does it: aborted, in the usual way.
    assert!(next.abort(Instant::now() + WITHIN).is_ok());
    let seen = read::to_end(&cluster, &kafka_topic, Isolation::ReadCommitted, WITHIN).unwrap();
    assert_eq!(seen, [], "nothing of either transaction is visible");
}

fn initialise(mut producer: NewProducer) -> IdleProducer {
    let deadline = Instant::now() + WITHIN;
    loop {
        match producer.initialise(Duration::from_secs(1)) {
            Ok(producer) => return producer,
            Err((Some(again), _)) if Instant::now() < deadline => producer = again,
            Err((_, cause)) => panic!("the transactional id could not be taken over: {cause}"),
        }
    }
}

fn output(kafka_topic: &str, number: usize) -> OutputRecord<'_> {
    OutputRecord {
        kind: OutputKind::Notification(DestinationIndex(0)),
        event_index: 0,
        kafka_topic,
        key: Some(Cow::Owned(number.to_string().into_bytes())),
        value: Some(b"{}"),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}
