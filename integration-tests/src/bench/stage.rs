//! What every measurement stands on: a Kafka, the programs, and the Kafka topics of one run.

use std::path::{Path, PathBuf};

use super::options::Setup;
use super::subject::Subject;
use super::text::say;
use super::{machine, peers};
use crate::demo::service;
use crate::kafka::{Admin, ClusterOptions, KafkaCluster};

/// The programs that are measured.
pub(super) struct Programs {
    /// The service, built by Cargo.
    pub(super) service: PathBuf,
    /// Another build of it.
    pub(super) other: Option<PathBuf>,
    /// The jar of the Kafka Streams programs.
    pub(super) peers: Option<PathBuf>,
}

/// A running Kafka and what is measured on it.
pub(super) struct Stage {
    cluster: KafkaCluster,
    /// Makes and deletes Kafka topics.
    pub(super) admin: Admin,
    /// What is measured.
    pub(super) programs: Programs,
    /// Who is measured, in this order.
    pub(super) subjects: Vec<Subject>,
    /// Partitions of every Kafka topic.
    pub(super) partitions: i32,
    /// Tasks or threads of every subject.
    pub(super) tasks: usize,
    /// Heap of the Java programs.
    pub(super) peer_heap_mb: usize,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Builds what is measured and starts a Kafka. `all` are the subjects that are meant when none are named.
    pub(super) fn start(setup: &Setup, all: &[Subject], cluster: &ClusterOptions) -> anyhow::Result<Self> {
        anyhow::ensure!(setup.partitions > 0 && setup.tasks > 0, "nothing to measure");
        let mut subjects = if setup.subjects.is_empty() { all.to_vec() } else { setup.subjects.clone() };
        if setup.other.is_none() {
            subjects.retain(|subject| *subject != Subject::Other);
        }
        let peers = if subjects.iter().any(|subject| subject.is_peer()) { peers::build()? } else { None };
        if peers.is_none() {
            subjects.retain(|subject| !subject.is_peer());
        }
        let programs = Programs { service: service::build()?, other: setup.other.clone(), peers };
        say("starting Apache Kafka");
        let cluster = KafkaCluster::start(cluster)?;
        Ok(Self {
            admin: Admin::new(&cluster)?,
            cluster,
            programs,
            subjects,
            partitions: setup.partitions,
            tasks: setup.tasks,
            peer_heap_mb: setup.peer_heap_mb,
            folder: tempfile::tempdir()?,
        })
    }

    /// Where Kafka is.
    pub(super) fn bootstrap(&self) -> &str {
        self.cluster.bootstrap_servers()
    }

    /// Where Kafka has its data.
    pub(super) fn kafka_folder(&self) -> &Path {
        self.cluster.folder()
    }

    /// For files of the runs.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the Kafka topics that a run writes to, with these options.
    pub(super) fn open(&self, names: &Names, options: &[(&str, &str)]) -> anyhow::Result<()> {
        let partitions = usize::try_from(self.partitions)?;
        for kafka_topic in names.outputs() {
            self.admin.create_kafka_topic_with(&kafka_topic, partitions, options)?;
        }
        self.admin.create_kafka_topic(&names.dead_letters, 1)
    }

    /// Deletes them.
    pub(super) fn close(&self, names: &Names) -> anyhow::Result<()> {
        for kafka_topic in names.outputs() {
            self.admin.delete_kafka_topic(&kafka_topic)?;
        }
        self.admin.delete_kafka_topic(&names.dead_letters)
    }

    /// What the JSON says about machine and versions.
    pub(super) fn about(&self) -> serde_json::Value {
        let mut about = machine::about();
        about["partitions"] = self.partitions.into();
        about["tasks"] = self.tasks.into();
        if self.programs.peers.is_some() {
            about["java"] = machine::java().into();
            about["peerHeapMegabytes"] = self.peer_heap_mb.into();
        }
        about
    }
}

/// The Kafka topics and the group of one run.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// The consumer group.
    pub(super) application: String,
    /// Where events come from.
    pub(super) ingest: String,
    /// What the destinations' Kafka topics begin with.
    pub(super) prefix: String,
    /// Where dead letters go.
    pub(super) dead_letters: String,
    /// Ids of the destinations.
    pub(super) destinations: Vec<String>,
}

impl Names {
    /// Of a run of this name.
    pub(super) fn of(run: &str, ingest: &str, destinations: Vec<String>) -> Self {
        Self {
            application: run.to_owned(),
            ingest: ingest.to_owned(),
            prefix: run.to_owned(),
            dead_letters: format!("{run}.dead-letters"),
            destinations,
        }
    }

    /// The Kafka topic of a destination.
    pub(super) fn kafka_topic(&self, destination: &str) -> String {
        format!("{}.{destination}", self.prefix)
    }

    /// The Kafka topics of all destinations.
    pub(super) fn outputs(&self) -> impl Iterator<Item = String> {
        self.destinations.iter().map(|destination| self.kafka_topic(destination))
    }
}
