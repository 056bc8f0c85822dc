//! What only the cluster can tell about a configuration: `fhir-fanout topics check` and `validate --against-cluster`.
//!
//! ```text
//! check_start (what the service itself looks at) --.
//! options of Kafka topics and brokers, rights ------+--> ClusterFacts --judge (pure)--> findings, and what was not checked
//! ```
//!
//! **Promise.** Questions only: nothing is created, written, joined or begun. All findings at once, each with a remedy
//! where there is one. What the brokers do not tell is said to be unchecked, not taken for well.
//! **Fails** only when no broker answers.

mod brokers;
mod kafka_topics;
mod rights;
mod times;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use rdkafka::error::KafkaError;

use super::rights::{GroupRights, Rights};
use super::start_check::{ForeignServers, Role, StartProblem, StartReport, check_start, roles};
use super::{Admin, AdminError, Options};
use crate::config::settings::Settings;
use crate::domain::plan::Plan;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The service does not start, or does not do what it is configured for.
    Error,
    /// It works until something happens that happens.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// One thing about the cluster that does not fit, or may surprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Which check found it: a name that stays, for programs.
    pub check: &'static str,
    /// The Kafka topic that it is about, if it is about one.
    pub kafka_topic: Option<String>,
    /// What is the matter, and what comes of it.
    pub what: String,
    /// What to do: a command, or a setting.
    pub remedy: Option<String>,
}

impl Finding {
    fn new(severity: Severity, check: &'static str, what: impl Into<String>) -> Self {
        Self { severity, check, kafka_topic: None, what: what.into(), remedy: None }
    }

    fn about(self, kafka_topic: &str) -> Self {
        Self { kafka_topic: Some(kafka_topic.to_owned()), ..self }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// What the commands of remedies need to be run as they are printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// `bootstrap.servers`.
    pub servers: String,
    /// The files of the configuration as options: `--topics topics.yaml`.
    pub files: String,
}

impl Commands {
    fn kafka(&self, tool: &str) -> String {
        format!("{tool}.sh --bootstrap-server {}", self.servers)
    }

    fn set(&self, kafka_topic: &str, option: &str, value: impl fmt::Display) -> String {
        let tool = self.kafka("kafka-configs");
        format!("{tool} --alter --entity-type topics --entity-name {kafka_topic} --add-config {option}={value}")
    }

    fn allow(&self, operation: &str, resource: &str, name: &str) -> String {
        let tool = self.kafka("kafka-acls");
        format!("{tool} --add --allow-principal User:<the service's> --operation {operation} --{resource} {name}")
    }

    fn create(&self, role: Role) -> String {
        let flag = if role == Role::Ingest { " --with-ingest" } else { "" };
        format!("fhir-fanout topics create {}{flag}", self.files)
    }
}

/// Everything that the cluster told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFacts {
    /// What the service looks at when it starts.
    pub start: StartReport,
    /// Options of the Kafka topics that are there; those that may not be read are absent.
    pub options: BTreeMap<String, Options>,
    /// Options of the brokers; `None` where they may not be read.
    pub brokers: BTreeMap<i32, Option<Options>>,
    /// What the service may do with the Kafka topics; those of which the brokers do not tell it are absent.
    pub rights: BTreeMap<String, Rights>,
    /// What it may do with its group.
    pub group: GroupRights,
}

/// What came of the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
    /// What the brokers did not tell.
    pub not_checked: Vec<String>,
}

impl Verdict {
    /// How many findings have this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// What is judged, and by what.
#[derive(Clone, Copy)]
struct Case<'c> {
    plan: &'c Plan,
    settings: &'c Settings,
    facts: &'c ClusterFacts,
    commands: &'c Commands,
    now: Timestamp,
}

/// Asks the cluster.
///
/// # Errors
/// [`AdminError::BrokersAway`] when no broker answers.
pub fn ask(
    admin: &Admin,
    settings: &Settings,
    plan: &Plan,
    foreign: &[ForeignServers],
) -> Result<ClusterFacts, AdminError> {
    let start = check_start(admin, &settings.kafka, plan, foreign)?;
    let there: Vec<&str> = roles(plan).into_keys().filter(|name| start.layouts.contains_key(*name)).collect();
    let options = admin.kafka_topic_options(&there)?;
    let brokers = admin.broker_options()?;
    let rights = not_told(admin.rights(&there))?;
    let group = admin.group_rights(&settings.application_id);
    Ok(ClusterFacts { start, options, brokers, rights, group })
}

/// Brokers that refuse to tell something have told nothing.
fn not_told<T: Default>(answer: Result<T, AdminError>) -> Result<T, AdminError> {
    match answer {
        Err(AdminError::Refused(KafkaError::AdminOp(_))) => Ok(T::default()),
        answer => answer,
    }
}

/// Judges what the cluster told, at this time.
#[must_use]
pub fn judge(plan: &Plan, settings: &Settings, facts: &ClusterFacts, commands: &Commands, now: Timestamp) -> Verdict {
    let case = Case { plan, settings, facts, commands, now };
    let mut verdict = Verdict { findings: Vec::new(), not_checked: Vec::new() };
    verdict.findings.extend(facts.start.problems.iter().flat_map(|problem| of_start(&case, problem)));
    kafka_topics::judge(&case, &mut verdict.findings);
    times::judge(&case, &mut verdict.findings);
    rights::judge(&case, &mut verdict);
    brokers::judge(&case, &mut verdict);
    verdict.findings.sort_by_key(|finding| finding.severity);
    verdict
}

/// What the service itself would say at its start.
fn of_start(case: &Case<'_>, problem: &StartProblem) -> Vec<Finding> {
    let severity = if problem.is_fatal() { Severity::Error } else { Severity::Warning };
    let found = |check| Finding::new(severity, check, problem.to_string());
    let one = match problem {
        StartProblem::MissingKafkaTopic { role, kafka_topic } => {
            let what = format!("{role} Kafka topic does not exist, or the service may not see it (right Describe)");
            Finding::new(severity, "missing", what).about(kafka_topic).remedy(case.commands.create(*role))
        }
        StartProblem::IngestNotReadable { kafka_topic } => found("rights").about(kafka_topic),
        StartProblem::DeadLettersTooSmall { dead_letter, ingest_bytes, .. } => found("dead-letters-too-small")
            .about(dead_letter)
            .remedy(case.commands.set(dead_letter, "max.message.bytes", ingest_bytes + DEAD_LETTER_HEADROOM)),
        // The service starts, and none of the destination's notifications is ever taken.
        StartProblem::CompactedWithoutKey { kafka_topic, .. } => {
            Finding::new(Severity::Error, "compacted-without-key", problem.to_string())
                .about(kafka_topic)
                .remedy(case.commands.set(kafka_topic, "cleanup.policy", "delete") + ", or give the destination a key")
        }
        StartProblem::OneReplica { kafka_topics } => {
            return kafka_topics.iter().map(|name| one_replica(case, name)).collect();
        }
        StartProblem::ForeignCluster { .. } => found("foreign-cluster"),
        StartProblem::ForeignUnknown { .. } => found("foreign-unknown"),
        StartProblem::LimitsUnknown { kafka_topic } => {
            let what = "its options cannot be read: message size, cleanup.policy, min.insync.replicas and retention were \
                        not checked";
            let remedy = case.commands.allow("DescribeConfigs", "topic", kafka_topic);
            Finding::new(severity, "options-unknown", what).about(kafka_topic).remedy(remedy)
        }
    };
    vec![one]
}

fn one_replica(case: &Case<'_>, kafka_topic: &str) -> Finding {
    let what = "has one replica: when its broker is lost, what subscribers have not read yet is lost, and after a crash \
                aborted notifications can become visible (KAFKA-20734)";
    let tool = case.commands.kafka("kafka-reassign-partitions");
    let remedy = format!(
        "3 replicas ({tool} --execute --reassignment-json-file ..., or delete and create it anew with \
         --replication-factor 3), then {}",
        case.commands.set(kafka_topic, MIN_INSYNC, 2)
    );
    Finding::new(Severity::Warning, "one-replica", what).about(kafka_topic).remedy(remedy)
}

/// Room for the headers that a dead letter has beyond those of its ingest record.
pub const DEAD_LETTER_HEADROOM: usize = 64 * 1024;

const MIN_INSYNC: &str = "min.insync.replicas";
const RETENTION: &str = "retention.ms";

#[cfg(test)]
mod tests;
