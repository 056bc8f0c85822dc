//! A group that loses its position, or is given another one: nothing is skipped silently.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use integration_tests::kafka::{ClusterOptions, Isolation, KafkaCluster, shared, unique};
use integration_tests::proxy::{Api, Fault};
use integration_tests::reader::{self, Event, Reader, delete_before, delete_group, set_positions};
use integration_tests::scene::{Hospital, Scene};
use integration_tests::service::Service;
use integration_tests::wait;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

const WITHIN: Duration = Duration::from_secs(60);

#[test]
fn an_empty_group_goes_on_where_an_operator_sets_its_positions() {
    let scene = Scene::new(shared(), 2, &["all"]).unwrap();
    let reader = Reader::new(&scene, "all", "earliest");
    let (group, now) = (reader.spec.group(), now());
    let read = produce(&scene, "read", now);
    let again = produce(&scene, "again", now);
    let mut service = reader.spec.start().unwrap();
    assert_eq!(reader.copies(&scene).unwrap(), copies(&[(1, &read), (1, &again)]));
    // A group with members is not the operator's to move: the broker refuses it, and the service goes on.
    set_positions(&scene, group, &[(0, 0), (1, 0)]).unwrap_err();
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));

    let skipped = produce(&scene, "skipped", now);
    set_positions(&scene, group, &[(0, skipped[0].1.offset + 1), (1, skipped[1].1.offset + 1)]).unwrap();
    let mut service = reader.spec.start().unwrap();
    let later = produce(&scene, "later", now);
    let forward = copies(&[(1, &read), (1, &again), (1, &later)]);
    assert_eq!(reader.copies(&scene).unwrap(), forward, "forward: what the operator skips stays out");
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));

    set_positions(&scene, group, &[(0, again[0].1.offset), (1, again[1].1.offset)]).unwrap();
    let _service = reader.spec.start().unwrap();
    let back = copies(&[(1, &read), (2, &again), (1, &skipped), (2, &later)]);
    assert_eq!(reader.copies(&scene).unwrap(), back, "back: the same bytes come again");
}

#[test]
fn a_group_that_was_deleted_starts_as_a_new_one() {
    let scene = Scene::new(shared(), 2, &["earliest", "latest"]).unwrap();
    let readers = ["earliest", "latest"].map(|start_from| Reader::new(&scene, start_from, start_from));
    let now = now();
    let old = produce(&scene, "old", now);
    for reader in &readers {
        let mut service = reader.spec.start().unwrap();
        reader.copies(&scene).unwrap();
        assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
        delete_group(&scene, reader.spec.group()).unwrap();
    }
    let meanwhile = produce(&scene, "meanwhile", now);
    let _services = readers.each_ref().map(|reader| reader.spec.start().unwrap());
    let later = produce(&scene, "later", now);
    assert_eq!(readers[0].copies(&scene).unwrap(), copies(&[(2, &old), (1, &meanwhile), (1, &later)]));
    assert_eq!(readers[1].copies(&scene).unwrap(), copies(&[(1, &later)]));
}

#[test]
fn positions_of_a_stopped_group_expire_and_those_of_a_running_one_stay() {
    // A minute is the shortest that Kafka takes.
    let options = ClusterOptions::default()
        .with("offsets.retention.minutes", "1")
        .with("offsets.retention.check.interval.ms", "500");
    let cluster = KafkaCluster::start(&options).unwrap();
    let scene = Scene::new(&cluster, 2, &["running", "stopped"]).unwrap();
    let readers = ["running", "stopped"].map(|name| Reader::new(&scene, name, "earliest"));
    let now = now();
    let old = produce(&scene, "old", now);
    let mut services = readers.each_ref().map(|reader| reader.spec.start().unwrap());
    readers.iter().for_each(|reader| drop(reader.copies(&scene).unwrap()));
    assert_eq!(services[1].sigterm().unwrap().0.code(), Some(0));
    wait::until("the positions of the stopped group to expire", Duration::from_secs(100), || {
        let committed = scene.admin.committed_offsets(readers[1].spec.group(), &scene.ingest);
        committed.is_ok_and(|committed| committed.is_empty())
    })
    .unwrap();
    let committed = scene.admin.committed_offsets(readers[0].spec.group(), &scene.ingest).unwrap();
    assert_eq!(committed.len(), 2, "the running group was idle for as long");
    services[0].kill9().unwrap();
    let later = produce(&scene, "later", now);
    let _services = readers.each_ref().map(|reader| reader.spec.start().unwrap());
    assert_eq!(readers[0].copies(&scene).unwrap(), copies(&[(1, &old), (1, &later)]));
    assert_eq!(readers[1].copies(&scene).unwrap(), copies(&[(2, &old), (1, &later)]), "as a new group: startFrom");
}

#[test]
fn records_deleted_before_a_running_reader_gets_to_them_stop_their_partition_until_the_operator_decides() {
    let scene = Scene::new(shared(), 2, &["all"]).unwrap();
    let reader = Reader::new(&scene, "all", "earliest");
    let (group, now) = (reader.spec.group(), now());
    let read = produce(&scene, "read", now);
    let mut service = reader.spec.start().unwrap();
    reader.copies(&scene).unwrap();
    // What it has fetched ahead is not lost: it is frozen before the records come that are deleted, and the request that
    // already waits for them at the broker has been answered without them.
    service.pause().unwrap();
    thread::sleep(2 * FETCH_WAIT);
    let deleted = produce(&scene, "deleted", now);
    let left = produce(&scene, "left", now);
    delete_before(&scene, 0, deleted[0].1.offset + 1).unwrap();
    service.resume().unwrap();
    wait_for_stopped(&mut service, &scene, "0");
    let other =
        [&[deleted[1].clone(), left[1].clone()][..], &reader::produce(&scene, "other", 1..2, now).unwrap()].concat();
    wait::until("the other partition's outputs", WITHIN, || {
        reader.copies_so_far(&scene).unwrap() == copies(&[(1, &read), (1, &other)])
    })
    .unwrap();
    assert_eq!(scene.admin.committed_offsets(group, &scene.ingest).unwrap()[&0], read[0].1.offset + 1, "it stands");

    // The operator accepts the loss: stop, go to the first record that is there, start.
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
    set_positions(&scene, group, &[(0, left[0].1.offset)]).unwrap();
    let _service = reader.spec.start().unwrap();
    assert_eq!(reader.copies(&scene).unwrap(), copies(&[(1, &read), (1, &other), (1, &left[..1])]));
}

#[test]
fn a_position_beyond_the_end_stops_its_partition() {
    let scene = Scene::new(shared(), 2, &["all"]).unwrap();
    let reader = Reader::new(&scene, "all", "earliest");
    let now = now();
    let read = produce(&scene, "read", now);
    set_positions(&scene, reader.spec.group(), &[(0, 1_000), (1, 0)]).unwrap();
    let mut service = reader.spec.start().unwrap();
    wait_for_stopped(&mut service, &scene, "0");
    wait::until("the other partition's output", WITHIN, || {
        reader.copies_so_far(&scene).unwrap() == copies(&[(1, &read[1..])])
    })
    .unwrap();
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
    set_positions(&scene, reader.spec.group(), &[(0, 0)]).unwrap();
    let _service = reader.spec.start().unwrap();
    assert_eq!(reader.copies(&scene).unwrap(), copies(&[(1, &read)]));
}

/// No end of a transaction gets through, so that the group's first one stays open until the service is killed.
#[test]
fn a_group_whose_first_transaction_was_cut_off_begins_with_the_first_record() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().links(1)).unwrap();
    let link = cluster.link(0);
    let mut hospital = Hospital::new(&cluster, 1).unwrap();
    hospital.spec = hospital.spec.clone().through(link).setting("INSTANCE_ID", "first");
    hospital.produce(1, 3_000, 200).unwrap();
    let commit = link.every(Api::CommitTxn, Fault::LoseRequest);
    let mut service = hospital.spec.start().unwrap();
    commit.wait(1, WITHIN).unwrap();
    let results = hospital.scene.kafka_topic("results");
    let seen = |isolation| -> i64 { hospital.scene.admin.end_offsets(results, isolation).unwrap().values().sum() };
    assert!(seen(Isolation::ReadUncommitted) > 0, "outputs lie there");
    assert_eq!(seen(Isolation::ReadCommitted), 0, "and nothing before them is committed");
    service.kill9().unwrap();
    link.heal();
    // Of the same instance id: what the dead one left open ends at once.
    let _service = hospital.spec.start().unwrap();
    hospital.produce(2, 100, 10).unwrap();
    hospital.verdict().unwrap().assert_clean();
}

#[test]
fn a_group_whose_first_batch_was_refused_begins_with_the_first_record() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    let forms = hospital.scene.kafka_topic("forms").to_owned();
    let mut service = hospital.spec.start().unwrap();
    hospital.scene.admin.delete_kafka_topic(&forms).unwrap();
    hospital.produce(1, 200, 10).unwrap();
    service
        .wait_metrics("a blocked destination", WITHIN, |metrics| {
            metrics.sum("fanout_destination_blocked", &[("destination", "forms")]) == Some(1.0)
        })
        .unwrap();
    service.kill9().unwrap();
    let committed = hospital.scene.admin.committed_offsets(hospital.spec.group(), &hospital.scene.ingest).unwrap();
    assert_eq!(committed, BTreeMap::from([(0, 0)]), "nothing but the start is committed");
    hospital.scene.admin.create_kafka_topic(&forms, 2).unwrap();
    let _service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
}

#[test]
fn an_ingest_that_is_made_anew_while_the_service_runs_is_read_from_its_beginning() {
    recreated(|_| {}, |_, _, _| {});
}

#[test]
fn an_ingest_that_is_made_anew_while_the_service_is_frozen_is_read_from_its_beginning() {
    recreated(
        |service| {
            service.pause().unwrap();
        },
        |_, _, _| {},
    );
}

#[test]
fn an_old_position_that_comes_late_into_an_ingest_made_anew_skips_nothing() {
    recreated(
        |service| {
            service.pause().unwrap();
        },
        commit_late,
    );
}

#[test]
fn an_old_position_that_comes_late_while_nobody_runs_skips_nothing() {
    recreated(
        |service| {
            assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
        },
        commit_late,
    );
}

#[test]
fn an_ingest_that_is_made_anew_while_nobody_runs_is_read_from_its_beginning() {
    recreated(
        |service| {
            assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
        },
        |_, _, _| {},
    );
}

/// Deletes the ingest and makes it anew, with more records in it than were read before: whoever went on at the old
/// position would skip some of them, and nothing would look wrong.
fn recreated(before: impl FnOnce(&mut Service), after: impl FnOnce(&Scene<'_>, &str, &TopicPartitionList)) {
    let scene = Scene::new(shared(), 2, &["all"]).unwrap();
    let mut reader = Reader::new(&scene, "all", "earliest");
    // A frozen service is still a member when it wakes.
    reader.spec = reader.spec.clone().setting("SESSION_TIMEOUT_MS", "45000");
    let now = now();
    let old: Vec<Event> = (0..3).flat_map(|number| produce(&scene, &format!("old{number}"), now)).collect();
    let mut service = reader.spec.start().unwrap();
    assert_eq!(reader.copies(&scene).unwrap(), copies(&[(1, &old)]));
    let positions = positions(&scene, reader.spec.group());
    before(&mut service);
    scene.admin.delete_kafka_topic(&scene.ingest).unwrap();
    scene.admin.create_kafka_topic(&scene.ingest, 2).unwrap();
    let new: Vec<Event> = (0..9).flat_map(|number| produce(&scene, &format!("new{number}"), now)).collect();
    after(&scene, reader.spec.group(), &positions);
    if service.exit_status().unwrap().is_some() {
        service = reader.spec.start().unwrap();
    } else {
        service.resume().unwrap();
    }
    let wanted = copies(&[(1, &old), (1, &new)]);
    let all = wait::until("all records of the new Kafka topic", WITHIN, || {
        assert_eq!(service.exit_status().unwrap(), None, "{}", service.log());
        reader.copies_so_far(&scene).unwrap() == wanted
    });
    let found = reader.copies_so_far(&scene).unwrap();
    let log = service.log();
    all.unwrap_or_else(|_| panic!("out came {found:?}\n{log}"));
}

/// What the group has committed, with the metadata that names the Kafka topic by its id.
fn positions(scene: &Scene<'_>, group: &str) -> TopicPartitionList {
    let nobody: BaseConsumer = scene.cluster.client().set("group.id", group).create().unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_range(&scene.ingest, 0, 1);
    let committed = nobody.committed_offsets(partitions, WITHIN).unwrap();
    assert_eq!(committed.count(), 2);
    for element in committed.elements() {
        assert_eq!(element.offset(), Offset::Offset(3));
        assert!(element.metadata().starts_with("topic-id="), "{}", element.metadata());
    }
    committed
}

/// Commits the positions that the group had in the old ingest, as a commit does that was under way when it went: a
/// transaction's offsets are taken although no member sends them.
fn commit_late(scene: &Scene<'_>, group: &str, positions: &TopicPartitionList) {
    let cluster = scene.cluster;
    let nobody: BaseConsumer = cluster.client().set("group.id", group).create().unwrap();
    let producer: BaseProducer = cluster.client().set("transactional.id", unique("late")).create().unwrap();
    producer.init_transactions(WITHIN).unwrap();
    producer.begin_transaction().unwrap();
    producer.send_offsets_to_transaction(positions, &nobody.group_metadata().unwrap(), WITHIN).unwrap();
    producer.commit_transaction(WITHIN).unwrap();
}

/// How long a broker holds a request for records that are not there yet (`fetch.wait.max.ms`).
const FETCH_WAIT: Duration = Duration::from_millis(500);

/// Waits until a partition of the ingest, and no other, stands still with a lag, and the log has said why.
fn wait_for_stopped(service: &mut Service, scene: &Scene<'_>, partition: &str) {
    let lag = |service: &Service, partition: &str| {
        let labels = [("kafka_topic", scene.ingest.as_str()), ("partition", partition)];
        service.metrics().ok()?.sum("fanout_consumer_lag_records", &labels)
    };
    wait::until("a partition that stands still", WITHIN, || {
        service.log().contains("committed position no longer exists")
            && lag(service, partition).is_some_and(|lag| lag > 0.0)
    })
    .unwrap();
    assert_eq!(service.exit_status().unwrap(), None);
}

/// Produces one event to each of the two partitions.
fn produce(scene: &Scene<'_>, name: &str, at_ms: i64) -> Vec<Event> {
    reader::produce(scene, name, 0..2, at_ms).unwrap()
}

fn copies(of: &[(usize, &[Event])]) -> BTreeMap<String, usize> {
    of.iter().flat_map(|(copies, events)| events.iter().map(move |(id, _)| (id.clone(), *copies))).collect()
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
