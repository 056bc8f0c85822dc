//! The testkit's broken network: what tests take for granted about its faults.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use integration_tests::kafka::{Admin, ClusterOptions, Isolation, KafkaCluster, read};
use integration_tests::proxy::{Api, Direction, Fault, Link};
use integration_tests::wait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const WITHIN: Duration = Duration::from_secs(60);
/// Long enough for an answer that comes, on a machine under load; waited for whole where none does.
const A_MOMENT: Duration = Duration::from_millis(700);

fn ask(client: &BaseConsumer, within: Duration) -> bool {
    client.fetch_metadata(None, within).is_ok()
}

fn goes_on(client: &BaseConsumer) {
    wait::until("an answer through the link", WITHIN, || ask(client, Duration::from_secs(5))).unwrap();
}

#[test]
fn a_link_is_cut_slowed_reset_refused_and_healed_and_others_are_not() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().links(2)).unwrap();
    let client = |link: &Link| -> BaseConsumer { cluster.client_through(link).create().unwrap() };
    let link = cluster.link(0);
    let (through, beside) = (client(link), client(cluster.link(1)));
    let metadata = through.fetch_metadata(None, WITHIN).unwrap();
    let advertised = format!("127.0.0.1:{}", metadata.brokers()[0].port());
    assert_eq!(advertised, link.bootstrap_servers(), "the broker names the link to who comes through it");
    goes_on(&beside);

    let cuts: [&dyn Fn(); 4] = [
        &|| link.cut(),
        &|| link.cut_one_way(Direction::ToBroker),
        &|| link.cut_one_way(Direction::FromBroker),
        &|| link.refuse(),
    ];
    for cut in cuts {
        cut();
        assert!(!ask(&through, A_MOMENT));
        assert!(ask(&beside, WITHIN));
        link.heal();
        goes_on(&through);
    }

    link.delay(Duration::from_millis(200));
    let begin = Instant::now();
    assert!(ask(&through, WITHIN));
    assert!(begin.elapsed() >= Duration::from_millis(400), "it took {:?}", begin.elapsed());
    link.heal();

    link.reset();
    goes_on(&through);
    cluster.node(0).restart().unwrap();
    cluster.wait_ready(Duration::from_secs(90)).unwrap();
    goes_on(&through);
}

#[test]
fn each_of_three_nodes_has_its_own_way() {
    let cluster = KafkaCluster::start(&ClusterOptions::three_nodes().links(1)).unwrap();
    Admin::new(&cluster).unwrap().create_kafka_topic("led-by-each", 3).unwrap();
    let link = cluster.link(0);
    let client: BaseConsumer = cluster.client_through(link).create().unwrap();
    let metadata = client.fetch_metadata(Some("led-by-each"), WITHIN).unwrap();
    let leader = |partition: i32| {
        let partitions = metadata.topics()[0].partitions();
        partitions.iter().find(|found| found.id() == partition).map(|found| found.leader()).unwrap()
    };
    for partition in 0..3 {
        let node = usize::try_from(leader(partition) - 1).unwrap();
        link.node(node).cut();
        assert!(client.fetch_watermarks("led-by-each", partition, A_MOMENT).is_err(), "only its leader answers");
        link.node(node).heal();
        wait::until_ok("the leader's answer", WITHIN, || {
            Ok(client.fetch_watermarks("led-by-each", partition, WITHIN)?)
        })
        .unwrap();
    }
}

#[test]
fn requests_and_responses_are_lost_held_and_late() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().links(1)).unwrap();
    Admin::new(&cluster).unwrap().create_kafka_topic("out", 1).unwrap();
    let link = cluster.link(0);
    let producer: BaseProducer = cluster.client_through(link).set("transactional.id", "one").create().unwrap();

    let held = link.next(Api::InitProducerId, Fault::HoldRequest(Duration::MAX));
    assert!(producer.init_transactions(A_MOMENT).is_err(), "nothing arrives, and nothing is answered");
    assert_eq!(held.met(), 1);
    assert!(held.wait_answers(1, Duration::ZERO).is_err());
    held.release();
    held.wait_done(1, WITHIN).unwrap();
    producer.init_transactions(WITHIN).unwrap();

    // The client repeats what it heard nothing of.
    for (api, fault) in [
        (Api::AddPartitionsToTxn, Fault::LoseRequest),
        (Api::Produce, Fault::LoseResponse),
        (Api::CommitTxn, Fault::LoseRequest),
        (Api::CommitTxn, Fault::LoseResponse),
        (Api::CommitTxn, Fault::HoldResponse(A_MOMENT)),
    ] {
        let watch = link.next(api, fault);
        let every = link.every(api, Fault::None);
        transact(&producer, "repeated");
        watch.wait_done(1, WITHIN).unwrap();
        let held = matches!(fault, Fault::HoldResponse(_));
        assert_eq!((watch.met(), every.met()), (1, usize::from(!held)), "{api:?} {fault:?}");
        link.heal();
    }
    let records = read::to_end(&cluster, "out", Isolation::ReadCommitted, WITHIN).unwrap();
    assert_eq!(records.len(), 5, "and what it repeats is there once");
}

/// Why a producer must not go on after a commit whose first request may still arrive: the broker cannot tell it from the
/// next transaction's.
#[test]
fn a_commit_that_arrives_late_commits_the_next_transaction_of_the_same_producer() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().links(1)).unwrap();
    Admin::new(&cluster).unwrap().create_kafka_topic("out", 1).unwrap();
    let link = cluster.link(0);
    let producer: BaseProducer = cluster.client_through(link).set("transactional.id", "one").create().unwrap();
    producer.init_transactions(WITHIN).unwrap();
    let late = link.next(Api::CommitTxn, Fault::Strand(Duration::MAX));
    transact(&producer, "first");
    assert_eq!(late.met(), 1);
    producer.begin_transaction().unwrap();
    send(&producer, "second");
    late.release();
    assert_eq!(late.wait_answers(1, WITHIN).unwrap(), [0]);
    let seen = || read::to_end(&cluster, "out", Isolation::ReadCommitted, WITHIN).unwrap().len();
    wait::until("the second record, which nobody committed", WITHIN, || seen() == 2).unwrap();
}

fn transact(producer: &BaseProducer, value: &str) {
    producer.begin_transaction().unwrap();
    send(producer, value);
    producer.commit_transaction(WITHIN).unwrap();
}

fn send(producer: &BaseProducer, value: &str) {
    producer.send(BaseRecord::<(), str>::to("out").payload(value)).unwrap();
    producer.flush(WITHIN).unwrap();
}
