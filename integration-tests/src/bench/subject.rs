//! Who is measured: how each one is started, and by which sign it says that it has its partitions.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::Value;

use super::bare;
use super::options::Batch;
use super::stage::{Names, Stage};
use super::weight::Weight;
use crate::demo::service;
use crate::kafka::artifacts::java;
use crate::process::Child;
use crate::wait;

/// A program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Subject {
    /// The service as it is built here, with its default settings.
    FhirFanout,
    /// Another build of it: `--other`.
    Other,
    /// The bare client loop.
    Bare,
    /// The Kafka Streams program with hand-coded predicates.
    HandCoded,
    /// The same with a commit and a poll every millisecond.
    HandCodedQuick,
    /// The Kafka Streams program with HAPI's FHIRPath.
    Fhirpath,
}

impl Subject {
    /// The name in the tables.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FhirFanout => "fhir-fanout",
            Self::Other => "fhir-fanout, other build",
            Self::Bare => "bare rdkafka loop",
            Self::HandCoded => "Kafka Streams, hand-coded",
            Self::HandCodedQuick => "Kafka Streams, 1 ms",
            Self::Fhirpath => "Kafka Streams, FHIRPath",
        }
    }

    /// The name in Kafka topics, groups and files.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::FhirFanout => "fhir-fanout",
            Self::Other => "other",
            Self::Bare => "bare",
            Self::HandCoded => "hand-coded",
            Self::HandCodedQuick => "hand-coded-quick",
            Self::Fhirpath => "fhirpath",
        }
    }

    /// Whether it makes notifications, which have to be those of the others.
    pub(super) fn notifies(self) -> bool {
        self != Self::Bare
    }

    /// Whether it is one of the Java programs.
    pub(super) fn is_peer(self) -> bool {
        matches!(self, Self::HandCoded | Self::HandCodedQuick | Self::Fhirpath)
    }

    /// Starts it. The bare loop needs what the service weighed.
    pub(super) fn start(self, stage: &Stage, order: &Order<'_>) -> anyhow::Result<Running> {
        let mut command = match self {
            Self::FhirFanout => self.service(&stage.programs.service, stage, order)?,
            Self::Other => {
                let program = stage.programs.other.as_deref().context("--other names the other build")?;
                self.service(program, stage, order)?
            }
            Self::Bare => bare(stage, order)?,
            Self::HandCoded | Self::HandCodedQuick | Self::Fhirpath => self.peer(stage, order)?,
        };
        let file = |kind: &str| stage.folder().join(format!("{}.{kind}", order.names.application));
        let started = Timestamp::now();
        let child = Child::spawn(&mut command, &file("out"), &file("err"))?;
        Ok(Running { subject: self, child, started, ready: None })
    }

    fn service(self, program: &Path, stage: &Stage, order: &Order<'_>) -> anyhow::Result<Command> {
        let topics = stage.folder().join(format!("{}.yaml", order.names.application));
        std::fs::write(&topics, order.topics)?;
        // Its settings are the defaults: what differs stands in FHIR_FANOUT__ variables of the one who measures.
        let (mut command, _) = service::command(program, &topics, stage.bootstrap(), &order.names.application);
        command.env("FHIR_FANOUT__TASKS", stage.tasks.to_string());
        Ok(command)
    }

    fn peer(self, stage: &Stage, order: &Order<'_>) -> anyhow::Result<Command> {
        let jar = stage.programs.peers.as_deref().context("the Kafka Streams programs were not built")?;
        let names = order.names;
        let state = stage.folder().join(format!("{}.state", names.application));
        let mut command = Command::new(java());
        command.arg(format!("-Xmx{}m", stage.peer_heap_mb)).arg("-jar").arg(jar);
        let variant = if self == Self::Fhirpath { "fhirpath" } else { "hand-coded" };
        command.args(["--variant", variant]).args(["--bootstrap", stage.bootstrap()]);
        command.args(["--ingest", &names.ingest]).args(["--prefix", &names.prefix]);
        command.args(["--application", &names.application]).args(["--dead-letters", &names.dead_letters]);
        command.args(["--threads", &stage.tasks.to_string()]).arg("--state-dir").arg(state);
        if self == Self::HandCodedQuick {
            command.args(["--commit-interval-ms", "1", "--poll-ms", "1"]);
        }
        Ok(command)
    }
}

fn bare(stage: &Stage, order: &Order<'_>) -> anyhow::Result<Command> {
    let names = order.names;
    let outputs = order.weights.iter().map(|(destination, weight)| (names.kafka_topic(destination), *weight)).collect();
    let plan = bare::Plan {
        bootstrap: stage.bootstrap().to_owned(),
        group: names.application.clone(),
        ingest: names.ingest.clone(),
        partitions: stage.partitions,
        tasks: stage.tasks,
        max_records: order.batch.max_records,
        max_bytes: order.batch.max_bytes,
        linger_ms: order.batch.linger_ms,
        forward: order.forward.map(str::to_owned),
        outputs,
    };
    let file = stage.folder().join(format!("{}.json", names.application));
    std::fs::write(&file, serde_json::to_vec(&plan)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").arg(file);
    Ok(command)
}

/// What a subject is started for.
pub(super) struct Order<'a> {
    /// Where it reads and writes.
    pub(super) names: &'a Names,
    /// The service's topics file.
    pub(super) topics: &'a str,
    /// What the bare loop writes, by destination.
    pub(super) weights: &'a [(String, Weight)],
    /// How the bare loop batches.
    pub(super) batch: &'a Batch,
    /// The ingest header that the bare loop passes on.
    pub(super) forward: Option<&'a str>,
}

/// A subject's process.
pub(super) struct Running {
    subject: Subject,
    /// The process.
    pub(super) child: Child,
    /// When it was started.
    pub(super) started: Timestamp,
    ready: Option<Timestamp>,
}

impl Running {
    /// Since when it has its partitions, if it has them: of the service the time of its own log line, of the others
    /// when they were first seen to say READY.
    pub(super) fn ready(&mut self) -> Option<Timestamp> {
        if self.ready.is_none() {
            self.ready = match self.subject {
                Subject::FhirFanout | Subject::Other => assigned(&self.child.stderr()),
                _ => self.child.stdout().lines().any(|line| line == "READY").then(Timestamp::now),
            };
        }
        self.ready
    }

    /// Waits until it has its partitions.
    pub(super) fn wait_ready(&mut self, within: Duration) -> anyhow::Result<Timestamp> {
        let what = format!("{} to be ready", self.subject.name());
        let ready = wait::until_some(&what, within, || match self.alive() {
            Ok(()) => self.ready().map(Ok),
            Err(error) => Some(Err(error)),
        });
        ready.and_then(|ready| ready).with_context(|| self.child.log_tail())
    }

    /// An error with the end of its log when it has ended by itself.
    pub(super) fn alive(&mut self) -> anyhow::Result<()> {
        let ended = self.child.exit_status()?;
        anyhow::ensure!(
            ended.is_none(),
            "the process of {} ended by itself\n{}",
            self.subject.name(),
            self.child.log_tail()
        );
        Ok(())
    }
}

/// When the service first had partitions, by its log.
fn assigned(log: &str) -> Option<Timestamp> {
    log.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let assigned = line["kind"] == "assigned" && line["partitions"].as_u64()? > 0;
        assigned.then(|| line["timestamp"].as_str()?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_of_nothing_is_no_start() {
        let log = r#"{"timestamp":"2026-01-01T00:00:00.1Z","message":"fhir-fanout started","tasks":2}
{"timestamp":"2026-01-01T00:00:00.2Z","message":"rebalanced","task":1,"kind":"assigned","partitions":0}
{"timestamp":"2026-01-01T00:00:00.3Z","message":"rebalanced","task":0,"kind":"assigned","partitions":4}
{"timestamp":"2026-01-01T00:00:00.4Z","message":"rebalanced","task":1,"kind":"assigned","partitions":2}
{"timesta"#;
        assert_eq!(assigned(log), Some("2026-01-01T00:00:00.3Z".parse().expect("a time")));
        assert_eq!(assigned(log.lines().next().expect("a line")), None);
    }
}
