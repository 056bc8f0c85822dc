//! A group that reads a scene's ingest into one destination that takes everything: each record has one output, so that
//! what was read, skipped or read again shows record by record.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use futures_executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::{Isolation, Position, Record, read};
use crate::oracle::expected::What;
use crate::oracle::{Content, EventId, ExpectedOutput, History, Notification, Scope, check};
use crate::scene::{Scene, THROUGH_WITHIN};
use crate::service::ServiceSpec;

/// The group, and what it has to say.
pub struct Reader {
    /// The name of its destination's Kafka topic in the scene.
    pub name: &'static str,
    /// What it runs with.
    pub spec: ServiceSpec,
    expected: Vec<ExpectedOutput>,
}

/// An event: the resource's id, and where its record lies.
pub type Event = (String, Position);

impl Reader {
    /// A new group that starts there (`startFrom`).
    #[must_use]
    pub fn new(scene: &Scene<'_>, name: &'static str, start_from: &str) -> Self {
        let head = scene.head("change").replace("startFrom: earliest", &format!("startFrom: {start_from}"));
        let topics_yaml = format!(
            "{head}topics:\n  - url: http://example.org/all\n    status: active\n    trigger: [ {{ resource: Observation }} ]\n\
             destinations:\n  - {{ id: all, topic: http://example.org/all, kafkaTopic: {}, key: resource }}\n",
            scene.kafka_topic(name)
        );
        // Partitions that are added are found soon.
        let spec = ServiceSpec::new(scene.cluster, &topics_yaml)
            .setting("KAFKA__CONSUMER__TOPIC_METADATA_REFRESH_INTERVAL_MS", "500");
        Self { name, spec, expected: Vec::new() }
    }

    /// Notes that these events have to come out.
    pub fn expects(&mut self, scene: &Scene<'_>, events: &[Event]) {
        let kafka_topic = scene.kafka_topic(self.name);
        self.expected.extend(events.iter().map(|(id, position)| output(kafka_topic, id, position)));
    }

    /// What has to come out.
    #[must_use]
    pub fn expected(&self) -> &[ExpectedOutput] {
        &self.expected
    }

    /// Waits until the group is through, and compares.
    ///
    /// # Panics
    /// When something is wrong.
    pub fn assert_clean(&self, scene: &Scene<'_>) {
        let history = History::take(scene.cluster, &self.scope(scene), THROUGH_WITHIN).expect("Kafka answers");
        check(&self.expected, &history).assert_clean();
    }

    /// The Kafka topics of the group.
    #[must_use]
    pub fn scope(&self, scene: &Scene<'_>) -> Scope {
        let destinations = vec![scene.kafka_topic(self.name).to_owned()];
        Scope { destinations, ..scene.scope(self.spec.group()) }
    }

    /// How often each event has come out, by resource id, after the group is through. Copies must be equal byte by byte.
    ///
    /// # Errors
    /// When the group does not get through, or two copies differ.
    pub fn copies(&self, scene: &Scene<'_>) -> anyhow::Result<BTreeMap<String, usize>> {
        scene.admin.wait_consumed(scene.cluster, self.spec.group(), &scene.ingest, THROUGH_WITHIN)?;
        self.copies_so_far(scene)
    }

    /// The same without waiting for anything.
    ///
    /// # Errors
    /// When two copies differ.
    pub fn copies_so_far(&self, scene: &Scene<'_>) -> anyhow::Result<BTreeMap<String, usize>> {
        let kafka_topic = scene.kafka_topic(self.name);
        let mut copies = BTreeMap::new();
        let mut values = BTreeMap::new();
        for record in read::to_end(scene.cluster, kafka_topic, Isolation::ReadCommitted, THROUGH_WITHIN)? {
            let focus = record.header("fhir-focus").unwrap_or_default();
            let id = focus.rsplit_once('/').map_or(focus, |(_, id)| id).to_owned();
            *copies.entry(id.clone()).or_insert(0) += 1;
            let first = values.entry(id.clone()).or_insert_with(|| record.value.clone());
            anyhow::ensure!(*first == record.value, "the copies of {id} differ");
        }
        Ok(copies)
    }
}

/// Produces one event to each of these partitions; their ids are `<name>-<partition>`.
///
/// # Errors
/// When one is not acknowledged.
pub fn produce(scene: &Scene<'_>, name: &str, partitions: Range<i32>, at_ms: i64) -> anyhow::Result<Vec<Event>> {
    let events: Vec<(String, Record)> = partitions
        .map(|partition| {
            let id = format!("{name}-{partition}");
            let value = format!(r#"{{"interaction":"create","resource":{}}}"#, resource(&id));
            (id, Record::new(value).key("k").partition(partition).timestamp(at_ms))
        })
        .collect();
    let records: Vec<Record> = events.iter().map(|(_, record)| record.clone()).collect();
    let positions = scene.produce(&records)?;
    Ok(events.into_iter().map(|(id, _)| id).zip(positions).collect())
}

/// Deletes the records of a partition of the ingest before an offset.
///
/// # Errors
/// When the cluster refuses it.
pub fn delete_before(scene: &Scene<'_>, partition: i32, offset: i64) -> anyhow::Result<()> {
    let client: AdminClient<DefaultClientContext> = scene.cluster.client().create()?;
    let before = offsets(scene, &[(partition, offset)])?;
    for element in block_on(client.delete_records(&before, &AdminOptions::new()))?.elements() {
        element.error()?;
    }
    Ok(())
}

/// Sets the positions of a group by hand, as `kafka-consumer-groups.sh --reset-offsets` does: from outside the group.
///
/// # Errors
/// When the broker refuses them, for example because the group has members.
pub fn set_positions(scene: &Scene<'_>, group: &str, positions: &[(i32, i64)]) -> anyhow::Result<()> {
    let nobody: BaseConsumer = scene.cluster.client().set("group.id", group).create()?;
    Ok(nobody.commit(&offsets(scene, positions)?, CommitMode::Sync)?)
}

/// Deletes a group with its positions, as `kafka-consumer-groups.sh --delete` does.
///
/// # Errors
/// When the broker refuses it.
pub fn delete_group(scene: &Scene<'_>, group: &str) -> anyhow::Result<()> {
    let client: AdminClient<DefaultClientContext> = scene.cluster.client().create()?;
    let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(30)));
    for deleted in block_on(client.delete_groups(&[group], &options))? {
        deleted.map_err(|(name, code)| anyhow::anyhow!("the group {name} was not deleted: {code}"))?;
    }
    Ok(())
}

fn offsets(scene: &Scene<'_>, positions: &[(i32, i64)]) -> anyhow::Result<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in positions {
        list.add_partition_offset(&scene.ingest, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

fn resource(id: &str) -> String {
    format!(r#"{{"resourceType":"Observation","id":"{id}","status":"final"}}"#)
}

fn output(kafka_topic: &str, id: &str, position: &Position) -> ExpectedOutput {
    ExpectedOutput {
        event: EventId::only(position.clone()),
        one_of_several: false,
        kafka_topic: kafka_topic.to_owned(),
        key: Some(format!("Observation/{id}").into_bytes()),
        timestamp_ms: None,
        headers: Vec::new(),
        what: What::Notification(Notification {
            destination: "all".to_owned(),
            topic: "http://example.org/all".to_owned(),
            focus: format!("Observation/{id}"),
            interaction: "create".to_owned(),
            content: Content::FullResource,
            resource: Some(resource(id)),
        }),
    }
}
