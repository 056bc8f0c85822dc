//! Kafka topics, their ends, and what groups have committed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use futures_executor::block_on;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::read::Isolation;
use super::{KafkaCluster, Position, read};
use crate::wait;

/// How long one question to the cluster may take, also while its nodes restart.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// An operator of a cluster.
pub struct Admin {
    client: AdminClient<DefaultClientContext>,
    config: ClientConfig,
    replicas: i32,
}

impl Admin {
    /// An operator of this cluster.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(cluster: &KafkaCluster) -> anyhow::Result<Self> {
        let config = cluster.client();
        let replicas = i32::try_from(cluster.node_count())?;
        Ok(Self { client: config.create()?, config, replicas })
    }

    /// Creates a Kafka topic with the cluster's replication and waits until every partition has its leader.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn create_kafka_topic(&self, name: &str, partitions: usize) -> anyhow::Result<()> {
        self.create_kafka_topic_with(name, partitions, &[])
    }

    /// The same with Kafka topic options such as `max.message.bytes`.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn create_kafka_topic_with(
        &self,
        name: &str,
        partitions: usize,
        options: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let partitions = i32::try_from(partitions)?;
        let mut kafka_topic = NewTopic::new(name, partitions, TopicReplication::Fixed(self.replicas));
        for (option, value) in options {
            kafka_topic = kafka_topic.set(option, value);
        }
        let results = block_on(self.client.create_topics([&kafka_topic], &admin_options()))?;
        for result in results {
            result.map_err(|(name, code)| anyhow::anyhow!("Kafka topic {name} was not created: {code}"))?;
        }
        self.wait_for_leaders(name, usize::try_from(partitions)?)
    }

    fn wait_for_leaders(&self, name: &str, partitions: usize) -> anyhow::Result<()> {
        let consumer = self.consumer(Isolation::ReadCommitted)?;
        let has_leaders = || {
            let metadata = consumer.fetch_metadata(Some(name), Duration::from_secs(5)).ok()?;
            let found = metadata.topics().first()?.partitions();
            let led = found.iter().filter(|partition| partition.leader() >= 0 && partition.error().is_none()).count();
            (led == partitions).then_some(())
        };
        wait::until_some(&format!("leaders of the Kafka topic {name}"), ANSWER_WITHIN, has_leaders)
    }

    /// Adds partitions to a Kafka topic, up to this count, and waits for their leaders.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn grow_kafka_topic(&self, name: &str, partitions: usize) -> anyhow::Result<()> {
        let results =
            block_on(self.client.create_partitions([&NewPartitions::new(name, partitions)], &admin_options()))?;
        for result in results {
            result.map_err(|(name, code)| anyhow::anyhow!("Kafka topic {name} did not grow: {code}"))?;
        }
        self.wait_for_leaders(name, partitions)
    }

    /// Deletes a Kafka topic and waits until no node knows it.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn delete_kafka_topic(&self, name: &str) -> anyhow::Result<()> {
        for result in block_on(self.client.delete_topics(&[name], &admin_options()))? {
            result.map_err(|(name, code)| anyhow::anyhow!("Kafka topic {name} was not deleted: {code}"))?;
        }
        wait::until(&format!("the end of the Kafka topic {name}"), ANSWER_WITHIN, || {
            matches!(self.partitions(name), Ok(None))
        })
    }

    /// Deletes the records before these offsets, one for each partition; what is deleted already stays so.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn delete_records_before(&self, name: &str, offsets: &[i64]) -> anyhow::Result<()> {
        let mut before = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(offsets) {
            before.add_partition_offset(name, partition, Offset::Offset(*offset))?;
        }
        let answer = block_on(self.client.delete_records(&before, &admin_options()))?;
        answer.elements().iter().try_for_each(|partition| Ok(partition.error()?))
    }

    /// Sets options of a Kafka topic; those not named go back to their defaults.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn alter_kafka_topic(&self, name: &str, options: &[(&str, &str)]) -> anyhow::Result<()> {
        let mut change = AlterConfig::new(ResourceSpecifier::Topic(name));
        for (option, value) in options {
            change = change.set(option, value);
        }
        for result in block_on(self.client.alter_configs([&change], &admin_options()))? {
            result.map_err(|(_, code)| anyhow::anyhow!("the options of {name} were not changed: {code}"))?;
        }
        Ok(())
    }

    /// The value of a Kafka topic's option.
    ///
    /// # Errors
    /// When the cluster does not answer or knows no such option.
    pub fn kafka_topic_option(&self, name: &str, option: &str) -> anyhow::Result<String> {
        let results = block_on(self.client.describe_configs([&ResourceSpecifier::Topic(name)], &admin_options()))?;
        let resource = results.into_iter().next().context("no answer")??;
        let value = resource.get(option).and_then(|entry| entry.value.clone());
        value.with_context(|| format!("the Kafka topic {name} has no option {option}"))
    }

    /// The partitions of a Kafka topic; `None` when there is no such Kafka topic.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn partitions(&self, name: &str) -> anyhow::Result<Option<Vec<i32>>> {
        let consumer = self.consumer(Isolation::ReadCommitted)?;
        let metadata = consumer.fetch_metadata(Some(name), ANSWER_WITHIN)?;
        let found = metadata.topics().first().context("metadata of one Kafka topic was asked for")?;
        match found.error().map(|code| KafkaError::MetadataFetch(code.into())) {
            None => Ok(Some(found.partitions().iter().map(|partition| partition.id()).collect())),
            Some(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition)) => Ok(None),
            Some(error) => Err(error.into()),
        }
    }

    /// The number of replicas of every partition of a Kafka topic.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn replicas(&self, name: &str) -> anyhow::Result<Vec<usize>> {
        let consumer = self.consumer(Isolation::ReadCommitted)?;
        let metadata = consumer.fetch_metadata(Some(name), ANSWER_WITHIN)?;
        let found = metadata.topics().first().context("metadata of one Kafka topic was asked for")?;
        Ok(found.partitions().iter().map(|partition| partition.replicas().len()).collect())
    }

    /// The end of every partition: the last stable offset for [`Isolation::ReadCommitted`], else the high watermark.
    ///
    /// # Errors
    /// When there is no such Kafka topic or the cluster does not answer.
    pub fn end_offsets(&self, name: &str, isolation: Isolation) -> anyhow::Result<BTreeMap<i32, i64>> {
        let consumer = self.consumer(isolation)?;
        let partitions = self.partitions(name)?.with_context(|| format!("there is no Kafka topic {name}"))?;
        let end = |partition: i32| -> anyhow::Result<(i32, i64)> {
            let (_, end) = consumer.fetch_watermarks(name, partition, ANSWER_WITHIN)?;
            Ok((partition, end))
        };
        partitions.into_iter().map(end).collect()
    }

    /// Waits until no transaction is open in a Kafka topic: the last stable offset is the high watermark.
    ///
    /// # Errors
    /// When one stays open.
    pub fn wait_settled(&self, name: &str, within: Duration) -> anyhow::Result<()> {
        wait::until_ok(&format!("the end of open transactions in the Kafka topic {name}"), within, || {
            let stable = self.end_offsets(name, Isolation::ReadCommitted)?;
            let high = self.end_offsets(name, Isolation::ReadUncommitted)?;
            anyhow::ensure!(stable == high, "stable offsets are {stable:?}, high watermarks {high:?}");
            Ok(())
        })
    }

    /// The stable committed offset of every partition for which the group has one.
    ///
    /// # Errors
    /// When there is no such Kafka topic or the cluster does not answer.
    pub fn committed_offsets(&self, group: &str, name: &str) -> anyhow::Result<BTreeMap<i32, i64>> {
        let consumer: BaseConsumer =
            self.config.clone().set("group.id", group).set("isolation.level", "read_committed").create()?;
        let partitions = self.partitions(name)?.with_context(|| format!("there is no Kafka topic {name}"))?;
        let mut asked = TopicPartitionList::new();
        for partition in partitions {
            asked.add_partition_offset(name, partition, Offset::Invalid)?;
        }
        let answer = consumer.committed_offsets(asked, ANSWER_WITHIN)?;
        let mut committed = BTreeMap::new();
        for element in answer.elements() {
            element.error()?;
            if let Offset::Offset(offset) = element.offset() {
                committed.insert(element.partition(), offset);
            }
        }
        Ok(committed)
    }

    /// The committed data records that the group has not passed yet: an offset is at the end when nothing but control
    /// records and aborted records lies at or after it. A partition without a committed offset counts from its start.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn unconsumed(&self, cluster: &KafkaCluster, group: &str, name: &str) -> anyhow::Result<Vec<Position>> {
        let committed = self.committed_offsets(group, name)?;
        let records = read::to_end_from(cluster, name, Isolation::ReadCommitted, &committed, ANSWER_WITHIN)?;
        Ok(records.into_iter().map(|record| record.position).collect())
    }

    /// Waits until the group has passed every committed data record of a Kafka topic.
    ///
    /// # Errors
    /// When it does not in time; the message says how many records were left.
    pub fn wait_consumed(
        &self,
        cluster: &KafkaCluster,
        group: &str,
        name: &str,
        within: Duration,
    ) -> anyhow::Result<()> {
        wait::until_ok(&format!("the group {group} at the end of the Kafka topic {name}"), within, || {
            let left = self.unconsumed(cluster, group, name)?;
            anyhow::ensure!(left.is_empty(), "{} records are left, first {}", left.len(), left[0]);
            Ok(())
        })
    }

    /// The cluster's id as its brokers tell it.
    ///
    /// # Errors
    /// When they do not answer.
    pub fn cluster_id(&self) -> anyhow::Result<String> {
        self.client.inner().fetch_cluster_id(ANSWER_WITHIN).context("the brokers told no cluster id")
    }

    /// How many members a group has; 0 when there is no such group.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub fn member_count(&self, group: &str) -> anyhow::Result<usize> {
        let consumer = self.consumer(Isolation::ReadCommitted)?;
        let groups = consumer.fetch_group_list(Some(group), ANSWER_WITHIN)?;
        Ok(groups.groups().first().map_or(0, |found| found.members().len()))
    }

    /// The partitions of a Kafka topic that each member of a group holds, by member id.
    ///
    /// # Errors
    /// When the cluster does not answer or an assignment cannot be read.
    pub fn assignments(&self, group: &str, name: &str) -> anyhow::Result<BTreeMap<String, Vec<i32>>> {
        let consumer = self.consumer(Isolation::ReadCommitted)?;
        let groups = consumer.fetch_group_list(Some(group), ANSWER_WITHIN)?;
        let mut assignments = BTreeMap::new();
        for member in groups.groups().first().map_or(&[][..], |found| found.members()) {
            let bytes = member.assignment().unwrap_or_default();
            let partitions = if bytes.is_empty() { Vec::new() } else { assigned_partitions(bytes, name)? };
            assignments.insert(member.id().to_owned(), partitions);
        }
        Ok(assignments)
    }

    fn consumer(&self, isolation: Isolation) -> anyhow::Result<BaseConsumer> {
        Ok(self.config.clone().set("group.id", "testkit-admin").set("isolation.level", isolation.name()).create()?)
    }
}

fn admin_options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER_WITHIN)).operation_timeout(Some(ANSWER_WITHIN))
}

/// Reads a member's assignment as Kafka's consumer protocol writes it: version, then Kafka topics with partitions.
fn assigned_partitions(bytes: &[u8], name: &str) -> anyhow::Result<Vec<i32>> {
    let mut rest = bytes;
    let mut take = |length: usize| -> anyhow::Result<&[u8]> {
        let (taken, after) = rest.split_at_checked(length).context("a member's assignment ends early")?;
        rest = after;
        Ok(taken)
    };
    take(2)?;
    let mut partitions = Vec::new();
    for _ in 0..i32::from_be_bytes(take(4)?.try_into()?) {
        let length = usize::try_from(i16::from_be_bytes(take(2)?.try_into()?))?;
        let wanted = take(length)? == name.as_bytes();
        for _ in 0..i32::from_be_bytes(take(4)?.try_into()?) {
            let partition = i32::from_be_bytes(take(4)?.try_into()?);
            if wanted {
                partitions.push(partition);
            }
        }
    }
    partitions.sort_unstable();
    Ok(partitions)
}
