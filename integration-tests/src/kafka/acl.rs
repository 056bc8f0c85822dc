//! What a user may do.
//!
//! A cluster with [`super::ClusterOptions::authorizer`] has one more listener, where clients say who they are
//! (SASL/PLAIN) and may do only what they were given; so have its links. Whoever comes by the others is nobody in
//! particular and may do everything: brokers, controllers and the testkit.
//!
//! The requests are written here byte by byte: the client library has none for them, and Kafka's own tool takes
//! seconds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::KafkaCluster;
use crate::wait;

/// The user that the service is.
pub const USER: &str = "fan-out";
/// Its password: of no secret at all.
pub const PASSWORD: &str = "of-a-test";

const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const DESCRIBE: i16 = 29;
const CREATE: i16 = 30;
const DELETE: i16 = 31;
/// The oldest that brokers take, without tagged fields.
const VERSION: i16 = 1;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const ALLOW: i8 = 3;

/// What a right is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A Kafka topic.
    KafkaTopic(&'a str),
    /// A consumer group.
    Group(&'a str),
    /// All transactional ids that begin like this.
    TransactionalIds(&'a str),
    /// The cluster itself.
    Cluster,
}

/// What may be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Kafka's own names")]
pub enum Operation {
    Read,
    Write,
    Create,
    Describe,
    DescribeConfigs,
    IdempotentWrite,
}

/// Gives rights to [`USER`] and takes them away.
#[derive(Debug, Clone, Copy)]
pub struct Acls<'c> {
    cluster: &'c KafkaCluster,
}

/// What the service may do with a Kafka topic that it reads.
pub const READS: [Operation; 3] = [Operation::Read, Operation::Describe, Operation::DescribeConfigs];
/// What it may do with one that it writes.
pub const WRITES: [Operation; 3] = [Operation::Write, Operation::Describe, Operation::DescribeConfigs];
/// What it may do with its transactional ids.
pub const TRANSACTS: [Operation; 2] = [Operation::Write, Operation::Describe];

impl<'c> Acls<'c> {
    /// The rights of this cluster.
    #[must_use]
    pub fn new(cluster: &'c KafkaCluster) -> Self {
        Self { cluster }
    }

    /// How a client says that it is [`USER`], as librdkafka's options.
    #[must_use]
    pub fn credentials() -> [(&'static str, &'static str); 4] {
        [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", USER),
            ("sasl.password", PASSWORD),
        ]
    }

    /// Gives a service with this group what the README says that it has to have, and nothing else.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn allow_service<'k>(
        &self,
        group: &str,
        ingest: &str,
        outputs: impl IntoIterator<Item = &'k String>,
    ) -> anyhow::Result<()> {
        self.allow_all(Resource::KafkaTopic(ingest), &READS)?;
        for kafka_topic in outputs {
            self.allow_all(Resource::KafkaTopic(kafka_topic), &WRITES)?;
        }
        self.allow(Resource::Group(group), Operation::Read)?;
        self.allow_all(Resource::TransactionalIds(&transactional_ids(group)), &TRANSACTS)
    }

    /// Gives several rights.
    ///
    /// # Errors
    /// When the cluster refuses one.
    pub fn allow_all(&self, resource: Resource<'_>, operations: &[Operation]) -> anyhow::Result<()> {
        operations.iter().try_for_each(|operation| self.allow(resource, *operation))
    }

    /// Takes several rights away.
    ///
    /// # Errors
    /// When the cluster refuses it, or one of them was not there.
    pub fn withdraw_all(&self, resource: Resource<'_>, operations: &[Operation]) -> anyhow::Result<()> {
        operations.iter().try_for_each(|operation| self.withdraw(resource, *operation))
    }

    /// Gives a right, and waits until every broker knows it.
    ///
    /// # Errors
    /// When the cluster refuses it.
    pub fn allow(&self, resource: Resource<'_>, operation: Operation) -> anyhow::Result<()> {
        let mut body = 1_i32.to_be_bytes().to_vec();
        put(&mut body, resource, operation);
        let answer = ask(self.first_server(), CREATE, &body)?;
        // Time throttled, number of results, then the error code of the first.
        anyhow::ensure!(
            answer.get(8..10) == Some(&[0, 0]),
            "{operation:?} was not allowed on {resource:?}: {answer:?}"
        );
        self.wait_known(resource, operation, true)
    }

    /// Takes a right away, and waits until every broker knows it.
    ///
    /// # Errors
    /// When the cluster refuses it, or there was no such right.
    pub fn withdraw(&self, resource: Resource<'_>, operation: Operation) -> anyhow::Result<()> {
        let mut body = 1_i32.to_be_bytes().to_vec();
        put(&mut body, resource, operation);
        let answer = ask(self.first_server(), DELETE, &body)?;
        anyhow::ensure!(answer.get(8..10) == Some(&[0, 0]), "{operation:?} stays on {resource:?}: {answer:?}");
        // After the first result's code and its missing text: how many rights were met.
        let met = answer.get(12..16) == Some(&[0, 0, 0, 1]);
        anyhow::ensure!(met, "there was no right to {operation:?} on {resource:?}: {answer:?}");
        self.wait_known(resource, operation, false)
    }

    /// A broker answers this from what it decides by.
    fn wait_known(&self, resource: Resource<'_>, operation: Operation, allowed: bool) -> anyhow::Result<()> {
        let mut body = Vec::new();
        put(&mut body, resource, operation);
        for server in self.cluster.bootstrap_servers().split(',') {
            wait::until_ok(&format!("{operation:?} on {resource:?} to be {allowed}"), ANSWER_WITHIN, || {
                let answer = ask(server, DESCRIBE, &body)?;
                // Time throttled, error code, its missing text, then how many resources have such a right.
                let known = answer.get(8..12).is_some_and(|count| count != [0, 0, 0, 0]);
                anyhow::ensure!(known == allowed, "{server} says otherwise: {answer:?}");
                Ok(())
            })?;
        }
        Ok(())
    }

    fn first_server(&self) -> &str {
        self.cluster.bootstrap_servers().split(',').next().unwrap_or_default()
    }
}

/// What the transactional ids of a service with this group begin with.
#[must_use]
pub fn transactional_ids(group: &str) -> String {
    format!("{group}-")
}

fn ask(server: &str, api: i16, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut request = Vec::new();
    request.extend(api.to_be_bytes());
    request.extend(VERSION.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    put_text(&mut request, "testkit");
    request.extend(body);
    let mut connection = TcpStream::connect(server)?;
    connection.set_read_timeout(Some(ANSWER_WITHIN))?;
    connection.write_all(&u32::try_from(request.len())?.to_be_bytes())?;
    connection.write_all(&request)?;
    let mut length = [0; 4];
    connection.read_exact(&mut length)?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    connection.read_exact(&mut answer)?;
    // The request's number stands in front.
    Ok(answer.split_off(4))
}

/// A right, and a filter that meets only it: both are written the same way.
fn put(into: &mut Vec<u8>, resource: Resource<'_>, operation: Operation) {
    let (kind, name, pattern) = match resource {
        Resource::KafkaTopic(name) => (2_i8, name, LITERAL),
        Resource::Group(name) => (3, name, LITERAL),
        Resource::Cluster => (4, "kafka-cluster", LITERAL),
        Resource::TransactionalIds(prefix) => (5, prefix, PREFIXED),
    };
    into.extend(kind.to_be_bytes());
    put_text(into, name);
    into.extend(pattern.to_be_bytes());
    put_text(into, &format!("User:{USER}"));
    put_text(into, "*");
    let operation = match operation {
        Operation::Read => 3_i8,
        Operation::Write => 4,
        Operation::Create => 5,
        Operation::Describe => 8,
        Operation::DescribeConfigs => 10,
        Operation::IdempotentWrite => 12,
    };
    into.extend(operation.to_be_bytes());
    into.extend(ALLOW.to_be_bytes());
}

fn put_text(into: &mut Vec<u8>, text: &str) {
    // Names of tests are short.
    into.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    into.extend(text.as_bytes());
}

/// What a broker's `server.properties` says for it; `listeners` are those that ask users who they are.
pub(super) fn properties<'l>(listeners: impl Iterator<Item = &'l str>) -> Vec<String> {
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let of_listener = |listener: &str| {
        let listener = listener.to_lowercase();
        [
            format!("listener.name.{listener}.sasl.enabled.mechanisms=PLAIN"),
            format!("listener.name.{listener}.plain.sasl.jaas.config={module} required user_{USER}=\"{PASSWORD}\";"),
        ]
    };
    let mut lines: Vec<String> = listeners.flat_map(of_listener).collect();
    lines.extend([
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
        "super.users=User:ANONYMOUS".to_owned(),
    ]);
    lines
}
