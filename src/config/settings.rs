//! Deployment settings: where Kafka is, how many tasks run, how large a batch may be.
//!
//! ```text
//! defaults  <  fhir-fanout.yaml (--config)  <  environment (FHIR_FANOUT__BATCH__MAX_RECORDS)
//!     each setting: one row of a table -> name, variable, default, unit, meaning, parse and range check
//! ```

mod layers;
mod options;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use super::diagnostic::Diagnostics;
use super::document::Sink;
use super::environment::Environment;

/// The checked deployment settings. `Debug` and every problem show no value of a librdkafka option: those hold passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The consumer group and the first part of every transactional id.
    pub application_id: String,
    /// The second part of every transactional id; `None`: the process draws a random one.
    pub instance_id: Option<String>,
    /// Tasks: threads with one consumer and one transactional producer each.
    pub tasks: NonZeroUsize,
    /// Where Kafka is and how its clients are set up.
    pub kafka: KafkaSettings,
    /// Health, metrics and status.
    pub http: HttpSettings,
    /// When a batch is full.
    pub batch: BatchSettings,
    /// Names of the ingest headers that are passed on to outputs and dead letters.
    pub forward_headers: Vec<String>,
    /// The largest message that the producer sends, in bytes.
    pub max_message_bytes: usize,
    /// The most steps that one evaluation of a criterion may take; more is an evaluation error.
    pub evaluation_steps: u64,
    /// The most memory that one evaluation may take with the trees of its event, in bytes; more is an evaluation error.
    pub evaluation_memory: u64,
    /// How long the broker lets a transaction stay open (`transaction.timeout.ms`).
    pub transaction_timeout: Duration,
    /// How long a silent consumer keeps its partitions (`session.timeout.ms`).
    pub session_timeout: Duration,
    /// Whether each task has a `group.instance.id`, so that a restart keeps its partitions. Then `instance_id` is set.
    pub static_membership: bool,
    /// How the process logs.
    pub log: LogSettings,
    /// How long a graceful stop may take before the process gives up on finishing its batches.
    pub shutdown_timeout: Duration,
    /// How often the files of the configuration are looked at; zero: only when SIGHUP asks.
    pub reload_interval: Duration,
}

/// Where Kafka is and how its clients are set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port`, comma separated.
    pub bootstrap_servers: String,
    /// librdkafka options of both clients.
    pub options: KafkaOptions,
    /// librdkafka options of the consumers; they win over `options`.
    pub consumer: KafkaOptions,
    /// librdkafka options of the producers; they win over `options`.
    pub producer: KafkaOptions,
}

impl KafkaSettings {
    /// The user's options for a consumer.
    pub fn consumer_options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.overlaid(&self.consumer)
    }

    /// The user's options for a producer.
    pub fn producer_options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.overlaid(&self.producer)
    }

    /// Whether the producers compress: then what a record takes on its way is not known beforehand.
    #[must_use]
    pub fn compresses(&self) -> bool {
        self.producer_options()
            .any(|(name, value)| matches!(name, "compression.type" | "compression.codec") && value != "none")
    }

    /// Whether the broker keeps the group's session time and assignment (`group.protocol=consumer`, KIP-848).
    #[must_use]
    pub fn broker_keeps_group(&self) -> bool {
        self.consumer_options().any(|option| option.0 == "group.protocol" && option.1.eq_ignore_ascii_case("consumer"))
    }

    /// The user's options for a client that is neither (admin).
    pub fn common_options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.options.iter()
    }
}

/// librdkafka options by their dotted names. `Debug` shows the names only, since values may be passwords and keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaOptions(BTreeMap<String, String>);

impl KafkaOptions {
    /// The options in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of an option.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn overlaid<'a>(&'a self, winner: &'a Self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter(|(name, _)| winner.get(name).is_none()).chain(winner.iter())
    }
}

impl FromIterator<(String, String)> for KafkaOptions {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(options: I) -> Self {
        Self(options.into_iter().collect())
    }
}

impl fmt::Debug for KafkaOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Health, metrics and status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Address and port to listen on.
    pub listen: SocketAddr,
}

/// When a batch is full: whichever comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchSettings {
    /// Records of one transaction.
    pub max_records: usize,
    /// Bytes of the values and keys of one transaction's ingest records.
    pub max_bytes: usize,
    /// How long a batch waits for more after its first record.
    pub linger: Duration,
}

/// How the process logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The shape of a line.
    pub format: LogFormat,
    /// A level (`info`) or directives of tracing's `EnvFilter` (`info,fhir_fanout::runtime=debug`).
    pub level: String,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people at a terminal.
    Text,
}

impl Settings {
    /// Reads the settings: defaults, then the file, then the environment. Always gives settings; where there are errors,
    /// those at fault keep what the layer below says.
    #[must_use]
    pub fn load(file: Option<&Path>, environment: &Environment) -> (Self, Diagnostics) {
        let sink = Sink::default();
        let settings = layers::load(file, environment, &sink);
        (settings, sink.into_inner().into_iter().collect())
    }
}

impl Default for Settings {
    fn default() -> Self {
        table::defaults()
    }
}

/// What the reference says about one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingDoc {
    /// The name in the file: `batch.maxRecords`.
    pub name: &'static str,
    /// The environment variable: `FHIR_FANOUT__BATCH__MAX_RECORDS`.
    pub variable: String,
    /// The default as it would be written; empty where there is none.
    pub default: &'static str,
    /// The unit, or the values that are taken.
    pub unit: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// Every setting, in the order of the reference.
#[must_use]
pub fn reference() -> Vec<SettingDoc> {
    table::reference()
}
