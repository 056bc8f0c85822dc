//! Where a group begins to read, and where it goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use integration_tests::kafka::shared;
use integration_tests::oracle::{History, Scope, check};
use integration_tests::reader::{self, Event, Reader, delete_before};
use integration_tests::scene::{Hospital, Scene, THROUGH_WITHIN};
use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

const WITHIN: Duration = Duration::from_secs(60);

/// A time that some events are before: an hour ago, since what is much older is soon deleted by its age.
fn turn() -> Timestamp {
    let hour_ago = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    hour_ago.round(jiff::Unit::Second).unwrap()
}

/// Produces one event to each of these partitions.
fn produce(scene: &Scene<'_>, name: &str, partitions: std::ops::Range<i32>, at_ms: i64) -> Vec<Event> {
    reader::produce(scene, name, partitions, at_ms).unwrap()
}

#[test]
fn a_new_group_starts_where_it_is_told_and_every_group_goes_on_from_what_it_committed() {
    let scene = Scene::new(shared(), 2, &["earliest", "latest", "time"]).unwrap();
    let turn = turn();
    let mut readers = [("earliest", "earliest"), ("latest", "latest"), ("time", &turn.to_string())]
        .map(|(name, start_from)| Reader::new(&scene, name, start_from));
    let turn = turn.as_millisecond();
    let old = produce(&scene, "old", 0..2, turn - 1);
    let newer = produce(&scene, "newer", 0..2, turn);
    readers[0].expects(&scene, &old);
    readers[0].expects(&scene, &newer);
    readers[2].expects(&scene, &newer);

    // Killed before the first record is committed, at least where there is none to commit: the start stays.
    for reader in &readers {
        reader.spec.start().unwrap().kill9().unwrap();
    }
    let meanwhile = produce(&scene, "meanwhile", 0..2, turn + 1);
    readers.iter_mut().for_each(|reader| reader.expects(&scene, &meanwhile));
    let mut services = readers.each_ref().map(|reader| reader.spec.start().unwrap());
    readers.iter().for_each(|reader| reader.assert_clean(&scene));

    // What lies in a partition before a group knows it counts, also for one that started with the latest.
    scene.admin.grow_kafka_topic(&scene.ingest, 4).unwrap();
    let added = produce(&scene, "added", 0..4, turn + 2);
    readers.iter_mut().for_each(|reader| reader.expects(&scene, &added));
    readers.iter().for_each(|reader| reader.assert_clean(&scene));

    for service in &mut services {
        assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
    }
    let later = produce(&scene, "later", 0..4, turn + 3);
    readers.iter_mut().for_each(|reader| reader.expects(&scene, &later));
    let _services = readers.each_ref().map(|reader| reader.spec.start().unwrap());
    readers.iter().for_each(|reader| reader.assert_clean(&scene));
}

#[test]
fn a_committed_position_that_is_gone_stops_its_partition_alone() {
    let scene = Scene::new(shared(), 2, &["earliest"]).unwrap();
    let mut reader = Reader::new(&scene, "earliest", "earliest");
    let now = Timestamp::now().as_millisecond();
    let read = produce(&scene, "read", 0..2, now);
    reader.expects(&scene, &read);
    let mut service = reader.spec.start().unwrap();
    reader.assert_clean(&scene);
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));

    let deleted = produce(&scene, "deleted", 0..1, now);
    produce(&scene, "behind", 0..1, now);
    delete_before(&scene, 0, deleted[0].1.offset + 1).unwrap();
    let other = produce(&scene, "other", 1..2, now);
    reader.expects(&scene, &other);
    let mut service = reader.spec.start().unwrap();
    let lag = |partition: &str| {
        let labels = [("kafka_topic", scene.ingest.as_str()), ("partition", partition)];
        service.metrics().ok()?.sum("fanout_consumer_lag_records", &labels)
    };
    integration_tests::wait::until("a lag of the stopped partition alone", WITHIN, || {
        lag("0").is_some_and(|lag| lag > 1.5) && lag("1") == Some(0.0)
    })
    .unwrap();
    assert!(service.log().contains("committed position no longer exists"), "the log says so");

    // The partition that is not read keeps nobody from leaving the group.
    let (status, after) = service.sigterm().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(after < Duration::from_secs(5), "it took {after:?}");
    assert_eq!(scene.admin.member_count(reader.spec.group()).unwrap(), 0, "it left the group");
    // The stopped partition is never read to its end: nothing to wait for.
    let scope = Scope { ingest: Vec::new(), ..reader.scope(&scene) };
    let mut history = History::take(scene.cluster, &scope, THROUGH_WITHIN).unwrap();
    let committed = scene.admin.committed_offsets(reader.spec.group(), &scene.ingest).unwrap();
    assert_eq!(committed[&0], read[0].1.offset + 1, "it stands where it stood");
    history.committed.extend(committed.into_iter().map(|(partition, at)| ((scene.ingest.clone(), partition), at)));
    check(reader.expected(), &history).assert_clean();
}

/// An instance that dies between the offsets and the end of its transaction leaves the group's positions pending: the
/// broker tells nobody where the group stands, and whoever takes that for "nowhere" starts from the beginning.
#[test]
fn positions_that_a_dead_instance_left_pending_are_waited_for() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.produce(1, 500, 10).unwrap();
    let mut service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));

    let scene = &hospital.scene;
    let _dead = pending_positions(scene, hospital.spec.group());
    let mut service = hospital.spec.spawn().unwrap();
    integration_tests::wait::until("a question for the positions", WITHIN, || {
        service.log().contains("start positions not known yet")
            || service.log().contains("positions of the consumer group not known yet")
    })
    .unwrap();
    // A stop is bounded also while an assignment waits for its positions.
    let begin = Instant::now();
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(15), "it took {:?}", begin.elapsed());

    let _service = hospital.spec.spawn().unwrap();
    hospital.produce(2, 200, 10).unwrap();
    hospital.verdict().unwrap().assert_clean();
}

/// Sends the group's positions in a transaction and leaves it open, as an instance does that is killed at that moment.
fn pending_positions(scene: &Scene<'_>, group: &str) -> BaseProducer {
    let mut config = scene.cluster.client();
    config.set("transactional.id", format!("{group}-dead")).set("transaction.timeout.ms", "10000");
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(WITHIN).unwrap();
    producer.begin_transaction().unwrap();
    let mut offsets = TopicPartitionList::new();
    for (partition, committed) in scene.admin.committed_offsets(group, &scene.ingest).unwrap() {
        offsets.add_partition_offset(&scene.ingest, partition, Offset::Offset(committed)).unwrap();
    }
    // Of no member: the group is empty.
    let nobody: BaseConsumer = scene.cluster.client().set("group.id", group).create().unwrap();
    producer.send_offsets_to_transaction(&offsets, &nobody.group_metadata().unwrap(), WITHIN).unwrap();
    producer
}
