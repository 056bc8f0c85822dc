//! Who coordinates what, and which transactions are open: the brokers' own word, as `kafka-transactions.sh` gets it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::wire::{Body, Form, ask};
use super::{KafkaCluster, Position};
use crate::wait;

const FIND_COORDINATOR: i16 = 10;
const DESCRIBE_PRODUCERS: i16 = 61;
const LIST_TRANSACTIONS: i16 = 66;

/// A transaction that its coordinator calls ongoing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Whose it is.
    pub transactional_id: String,
    /// Its producer's id.
    pub producer_id: i64,
    /// Where the first of its records lies in each partition that was asked about: written and not committed.
    pub first_records: Vec<Position>,
}

/// The index (from 0) of the node that coordinates a group.
///
/// # Errors
/// When no broker answers, or there is no coordinator at the moment.
pub fn of_group(cluster: &KafkaCluster, group: &str) -> anyhow::Result<usize> {
    find(cluster, group, 0)
}

/// The index (from 0) of the node that coordinates a producer's transactions.
///
/// # Errors
/// When no broker answers, or there is no coordinator at the moment.
pub fn of_transactions(cluster: &KafkaCluster, transactional_id: &str) -> anyhow::Result<usize> {
    find(cluster, transactional_id, 1)
}

fn find(cluster: &KafkaCluster, key: &str, kind: i8) -> anyhow::Result<usize> {
    let mut last = anyhow::anyhow!("the cluster has no nodes");
    for server in cluster.bootstrap_servers().split(',') {
        let look = || -> anyhow::Result<usize> {
            let mut answer = ask(server, FIND_COORDINATOR, 2, Form::Plain, Body::default().string(key).int8(kind))?;
            answer.int32()?;
            let error = answer.int16()?;
            answer.string()?;
            anyhow::ensure!(error == 0, "no coordinator: error {error}");
            let node = answer.int32()?;
            usize::try_from(node - 1).context("nodes are counted from 1")
        };
        match look() {
            Ok(index) => return Ok(index),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The ongoing transactions whose transactional ids begin like this, and where their records lie in these Kafka topics.
/// Brokers that do not answer are left out.
///
/// # Errors
/// When no broker answers.
pub fn open_transactions(
    cluster: &KafkaCluster,
    prefix: &str,
    kafka_topics: &BTreeMap<String, usize>,
) -> anyhow::Result<Vec<OpenTransaction>> {
    let servers: Vec<&str> = cluster.bootstrap_servers().split(',').collect();
    let answers: Vec<_> = servers.iter().map(|server| transactions(server, &["Ongoing"])).collect();
    anyhow::ensure!(answers.iter().any(Result::is_ok), "no broker answers");
    let mut open: Vec<OpenTransaction> = answers.into_iter().flatten().flatten().collect();
    open.retain(|transaction| transaction.transactional_id.starts_with(prefix));
    if open.is_empty() {
        return Ok(open);
    }
    let mut seen = BTreeSet::new();
    for server in servers {
        for (producer_id, position) in active_producers(server, kafka_topics).unwrap_or_default() {
            let is_new = seen.insert((producer_id, position.clone()));
            let owner = open.iter_mut().find(|transaction| transaction.producer_id == producer_id);
            if let Some(transaction) = owner.filter(|_| is_new) {
                transaction.first_records.push(position);
            }
        }
    }
    Ok(open)
}

/// The transactional ids whose transactions have not come to their end: open ones, and those whose end is decided and
/// not yet written everywhere.
///
/// # Errors
/// When a broker does not answer.
pub fn unfinished(cluster: &KafkaCluster) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for server in cluster.bootstrap_servers().split(',') {
        found.extend(transactions(server, &["Ongoing", "PrepareCommit", "PrepareAbort"])?);
    }
    Ok(found.into_iter().map(|transaction| transaction.transactional_id).collect())
}

/// The transactions in one of these states that a broker coordinates.
fn transactions(server: &str, states: &[&str]) -> anyhow::Result<Vec<OpenTransaction>> {
    let mut body = Body::default().compact_length(states.len());
    for state in states {
        body = body.compact_string(state);
    }
    let body = body.compact_length(0).no_tags();
    let mut answer = ask(server, LIST_TRANSACTIONS, 0, Form::Flexible, body)?;
    answer.int32()?;
    let error = answer.int16()?;
    anyhow::ensure!(error == 0, "transactions are not listed: error {error}");
    for _ in 0..answer.compact_length()? {
        answer.compact_string()?;
    }
    let mut found = Vec::new();
    for _ in 0..answer.compact_length()? {
        let (transactional_id, producer_id) = (answer.compact_string()?, answer.int64()?);
        answer.compact_string()?;
        answer.tags()?;
        found.push(OpenTransaction { transactional_id, producer_id, first_records: Vec::new() });
    }
    Ok(found)
}

/// The producers with a transaction open in the partitions that this broker leads, and where it begins.
fn active_producers(server: &str, kafka_topics: &BTreeMap<String, usize>) -> anyhow::Result<Vec<(i64, Position)>> {
    let mut body = Body::default().compact_length(kafka_topics.len());
    for (kafka_topic, partitions) in kafka_topics {
        body = body.compact_string(kafka_topic).compact_length(*partitions);
        for partition in 0..i32::try_from(*partitions)? {
            body = body.int32(partition);
        }
        body = body.no_tags();
    }
    let mut answer = ask(server, DESCRIBE_PRODUCERS, 0, Form::Flexible, body.no_tags())?;
    answer.int32()?;
    let mut found = Vec::new();
    for _ in 0..answer.compact_length()? {
        let kafka_topic = answer.compact_string()?;
        for _ in 0..answer.compact_length()? {
            let partition = answer.int32()?;
            answer.int16()?;
            answer.compact_string()?;
            for _ in 0..answer.compact_length()? {
                let producer_id = answer.int64()?;
                answer.int32()?;
                answer.int32()?;
                answer.int64()?;
                answer.int32()?;
                let offset = answer.int64()?;
                answer.tags()?;
                if offset >= 0 {
                    found.push((producer_id, Position { kafka_topic: kafka_topic.clone(), partition, offset }));
                }
            }
            answer.tags()?;
        }
        answer.tags()?;
    }
    Ok(found)
}

/// Waits until every node is there and every replica of every partition is in sync.
///
/// # Errors
/// When that does not come to pass in time.
pub fn wait_in_sync(cluster: &KafkaCluster, within: Duration) -> anyhow::Result<()> {
    let consumer: BaseConsumer = cluster.client().set("group.id", "testkit-in-sync").create()?;
    wait::until_ok("all replicas in sync", within, || {
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(3))?;
        let nodes = metadata.brokers().len();
        anyhow::ensure!(nodes == cluster.node_count(), "{nodes} nodes are there");
        for kafka_topic in metadata.topics() {
            let partitions = kafka_topic.partitions().iter();
            let behind = partitions.filter(|found| found.leader() < 0 || found.isr().len() < found.replicas().len());
            let behind: Vec<i32> = behind.map(|found| found.id()).collect();
            anyhow::ensure!(behind.is_empty(), "{} is not in sync: {behind:?}", kafka_topic.name());
        }
        Ok(())
    })
}
