//! What is looked at before the first record is read: Kafka topics, their limits, and that there is one cluster.
//!
//! The answers of the cluster are gathered first; the judgement over them is pure, so that each problem has its test.

use std::collections::BTreeMap;
use std::fmt;

use super::{Admin, AdminError, Layout, Limits};
use crate::config::settings::KafkaSettings;
use crate::config::topics::ForeignBootstrap;
use crate::domain::plan::{KeySource, Plan};

/// A destination that names servers of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignServers {
    /// The destination's id.
    pub destination: String,
    /// Its `bootstrapServers`.
    pub bootstrap_servers: String,
}

impl From<ForeignBootstrap> for ForeignServers {
    fn from(foreign: ForeignBootstrap) -> Self {
        Self { destination: foreign.destination, bootstrap_servers: foreign.servers }
    }
}

/// What a Kafka topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Events are read from it.
    Ingest,
    /// A destination's notifications go to it.
    Destination,
    /// Dead letters go to it.
    DeadLetter,
}

impl Role {
    /// What `topics create` wants for Kafka topics of this role: the ingest's are the publishers' to make.
    fn creation_flag(self) -> &'static str {
        match self {
            Self::Ingest => " --with-ingest",
            Self::Destination | Self::DeadLetter => "",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Ingest => "ingest",
            Self::Destination => "destination",
            Self::DeadLetter => "dead-letter",
        })
    }
}

/// Something about the cluster that does not fit the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartProblem {
    /// A Kafka topic is missing.
    #[error(
        "{role} Kafka topic `{kafka_topic}` does not exist, or the service may not see it; create it with \
         `fhir-fanout topics create{}`", role.creation_flag()
    )]
    MissingKafkaTopic {
        /// What it is for.
        role: Role,
        /// Its name.
        kafka_topic: String,
    },
    /// An ingest Kafka topic is there, and may not be read.
    #[error("ingest Kafka topic `{kafka_topic}` may not be read by the service; give its principal the right Read")]
    IngestNotReadable {
        /// Its name.
        kafka_topic: String,
    },
    /// Records of the ingest may not fit the dead-letter Kafka topic.
    #[error(
        "dead-letter Kafka topic `{dead_letter}` takes messages of {dead_letter_bytes} bytes, ingest Kafka topic \
         `{ingest}` of {ingest_bytes}; raise its max.message.bytes, or large dead letters lose their value"
    )]
    DeadLettersTooSmall {
        /// The dead-letter Kafka topic.
        dead_letter: String,
        /// Its `max.message.bytes`.
        dead_letter_bytes: usize,
        /// The ingest Kafka topic.
        ingest: String,
        /// Its `max.message.bytes`.
        ingest_bytes: usize,
    },
    /// A compacted Kafka topic refuses records without a key.
    #[error(
        "destination `{destination}` has key `none`, and its Kafka topic `{kafka_topic}` is compacted: it refuses \
         records without a key"
    )]
    CompactedWithoutKey {
        /// The destination's id.
        destination: String,
        /// Its Kafka topic.
        kafka_topic: String,
    },
    /// Kafka topics that are written to have one replica.
    #[error(
        "Kafka topics with one replica: {}; when its broker crashes, a broker may skip the marks that end a transaction \
         (KAFKA-20734), and what was aborted can become visible: give them 3 replicas and min.insync.replicas 2",
        kafka_topics.join(", ")
    )]
    OneReplica {
        /// Their names.
        kafka_topics: Vec<String>,
    },
    /// A destination is on another cluster.
    #[error(
        "destination `{destination}`: bootstrapServers `{bootstrap_servers}` lead to the cluster {other}, and the \
         service is on {own}; a Kafka transaction is kept by the brokers of one cluster, so that notifications on \
         another one cannot commit together with the ingest's offsets: mirror the Kafka topic, or run a service there"
    )]
    ForeignCluster {
        /// The destination's id.
        destination: String,
        /// Its servers.
        bootstrap_servers: String,
        /// The service's cluster id.
        own: String,
        /// The servers' cluster id.
        other: String,
    },
    /// Nobody answers at a destination's servers, so that their cluster is not known.
    #[error(
        "destination `{destination}`: bootstrapServers `{bootstrap_servers}` do not answer, so that it cannot be told \
         whether they are the service's own cluster; the notifications go to the Kafka topic of the service's own"
    )]
    ForeignUnknown {
        /// The destination's id.
        destination: String,
        /// Its servers.
        bootstrap_servers: String,
    },
    /// The limits of a Kafka topic cannot be read.
    #[error(
        "the configuration of Kafka topic `{kafka_topic}` cannot be read (right DescribeConfigs): a record over its \
         max.message.bytes is found out only when it is refused"
    )]
    LimitsUnknown {
        /// The Kafka topic.
        kafka_topic: String,
    },
}

impl StartProblem {
    /// Whether the service must not start like this; the others are warnings.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::MissingKafkaTopic { .. } | Self::IngestNotReadable { .. } | Self::ForeignCluster { .. } => true,
            // Names that lead nowhere from here are common: the resource was written where other names hold.
            Self::ForeignUnknown { .. }
            | Self::DeadLettersTooSmall { .. }
            | Self::CompactedWithoutKey { .. }
            | Self::OneReplica { .. }
            | Self::LimitsUnknown { .. } => false,
        }
    }
}

/// What was found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartReport {
    /// The cluster's id.
    pub cluster_id: String,
    /// Partitions of the ingest Kafka topics, by name.
    pub ingest_partitions: BTreeMap<String, usize>,
    /// How the Kafka topics that the service may see are laid out, by name.
    pub layouts: BTreeMap<String, Layout>,
    /// Limits by Kafka topic: ingest, destinations, dead letters; those that cannot be read are absent.
    pub limits: BTreeMap<String, Limits>,
    /// All problems, in the order of the configuration.
    pub problems: Vec<StartProblem>,
}

impl StartReport {
    /// Whether a problem forbids the start.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.problems.iter().any(StartProblem::is_fatal)
    }
}

/// Looks at the cluster once.
///
/// # Errors
/// [`AdminError::BrokersAway`] while no broker answers: wait and check again. Problems are no errors: they are in the
/// report, all of them.
pub fn check_start(
    admin: &Admin,
    kafka: &KafkaSettings,
    plan: &Plan,
    foreign: &[ForeignServers],
) -> Result<StartReport, AdminError> {
    let layouts = admin.kafka_topics()?;
    let wanted = roles(plan);
    let there: Vec<&str> = wanted.keys().copied().filter(|name| layouts.contains_key(*name)).collect();
    let limits = admin.limits(&there)?;
    let cluster_id = admin.cluster_id().ok_or_else(no_cluster_id)?;
    let mut problems = judge_kafka_topics(plan, &layouts, &limits);
    for servers in foreign.iter().filter(|servers| servers.bootstrap_servers != kafka.bootstrap_servers) {
        let other = Admin::for_servers(&servers.bootstrap_servers, kafka)?.cluster_id();
        problems.extend(judge_cluster(servers, &cluster_id, other));
    }
    let ingest_partitions = plan
        .ingest
        .iter()
        .filter_map(|ingest| Some((ingest.kafka_topic.clone(), layouts.get(&ingest.kafka_topic)?.partitions)))
        .collect();
    Ok(StartReport { cluster_id, ingest_partitions, layouts, limits, problems })
}

/// Metadata came, and the id with it: only brokers that went away in between do not tell it.
fn no_cluster_id() -> AdminError {
    AdminError::BrokersAway(rdkafka::error::KafkaError::MetadataFetch(
        rdkafka::error::RDKafkaErrorCode::OperationTimedOut,
    ))
}

/// The Kafka topics of a plan and what they are for; one that is several things is listed as the first of them.
#[must_use]
pub fn roles(plan: &Plan) -> BTreeMap<&str, Role> {
    let mut roles = BTreeMap::new();
    for ingest in &plan.ingest {
        roles.entry(ingest.kafka_topic.as_str()).or_insert(Role::Ingest);
    }
    for destination in &plan.destinations {
        roles.entry(destination.kafka_topic.as_str()).or_insert(Role::Destination);
    }
    roles.entry(plan.dead_letter_kafka_topic.as_str()).or_insert(Role::DeadLetter);
    roles
}

fn judge_kafka_topics(
    plan: &Plan,
    layouts: &BTreeMap<String, Layout>,
    limits: &BTreeMap<String, Limits>,
) -> Vec<StartProblem> {
    let mut problems = Vec::new();
    let mut alone = Vec::new();
    for (name, role) in roles(plan) {
        let kafka_topic = name.to_owned();
        if role != Role::Ingest && layouts.get(name).is_some_and(|layout| layout.replicas == 1) {
            alone.push(name.to_owned());
        }
        if !layouts.contains_key(name) {
            problems.push(StartProblem::MissingKafkaTopic { role, kafka_topic });
        } else if !limits.contains_key(name) {
            problems.push(StartProblem::LimitsUnknown { kafka_topic });
        }
    }
    if !alone.is_empty() {
        problems.push(StartProblem::OneReplica { kafka_topics: alone });
    }
    if let Some(dead_letter) = limits.get(&plan.dead_letter_kafka_topic) {
        for ingest in &plan.ingest {
            let ingest_limits = limits.get(&ingest.kafka_topic);
            problems.extend(
                ingest_limits.filter(|limits| limits.max_message_bytes > dead_letter.max_message_bytes).map(|limits| {
                    StartProblem::DeadLettersTooSmall {
                        dead_letter: plan.dead_letter_kafka_topic.clone(),
                        dead_letter_bytes: dead_letter.max_message_bytes,
                        ingest: ingest.kafka_topic.clone(),
                        ingest_bytes: limits.max_message_bytes,
                    }
                }),
            );
        }
    }
    for destination in plan.destinations.iter().filter(|destination| destination.key == KeySource::None) {
        if limits.get(&destination.kafka_topic).is_some_and(|limits| limits.compacted) {
            problems.push(StartProblem::CompactedWithoutKey {
                destination: destination.id.clone(),
                kafka_topic: destination.kafka_topic.clone(),
            });
        }
    }
    problems
}

fn judge_cluster(servers: &ForeignServers, own: &str, other: Option<String>) -> Option<StartProblem> {
    let ForeignServers { destination, bootstrap_servers } = servers.clone();
    match other {
        Some(other) if other == own => None,
        Some(other) => {
            Some(StartProblem::ForeignCluster { destination, bootstrap_servers, own: own.to_owned(), other })
        }
        None => Some(StartProblem::ForeignUnknown { destination, bootstrap_servers }),
    }
}

#[cfg(test)]
mod tests;
