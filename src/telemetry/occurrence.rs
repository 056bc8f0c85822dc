//! What can happen while the service runs: one function per occurrence, which writes the log line and counts.
//!
//! Nothing in here takes record content, keys or resource ids. `error` arguments are texts of the Kafka client or of
//! this crate's error enums, which carry none either; print a whole chain with [`super::chain`].

use std::fmt::Display;
use std::time::Duration;

use metrics::{Counter, Histogram, counter, gauge, histogram};
use tracing::{debug, error, info, warn};

use super::reference::Metric;
use super::series::LAG;
use crate::domain::plan_diff::PlanDiff;
use crate::ops::configuration::RefusedEdit;

/// Why a transactional producer is built anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebuildReason {
    /// Another producer took the transactional id.
    Fenced,
    /// The outcome of a commit is not known; a new producer settles it.
    CommitUnknown,
    /// The transaction could not be aborted in time.
    AbortFailed,
    /// A connection broke in its last transaction: requests of it may still arrive.
    ConnectionLost,
    /// The Kafka topics take batches of records of another size than before.
    LimitsChanged,
    /// Any other fatal error of the client.
    Fatal,
}

impl RebuildReason {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::Fenced, Self::CommitUnknown, Self::AbortFailed, Self::ConnectionLost, Self::LimitsChanged, Self::Fatal];

    /// The reason as the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::CommitUnknown => "commit-unknown",
            Self::AbortFailed => "abort-failed",
            Self::ConnectionLost => "connection-lost",
            Self::LimitsChanged => "limits-changed",
            Self::Fatal => "fatal",
        }
    }
}

/// What a rebalance did to a consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RebalanceKind {
    /// Partitions came (possibly none).
    Assigned,
    /// Partitions were given back in order.
    Revoked,
    /// Partitions are another member's already.
    Lost,
}

impl RebalanceKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Assigned, Self::Revoked, Self::Lost];

    /// The kind as the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Revoked => "revoked",
            Self::Lost => "lost",
        }
    }
}

/// What a committed transaction was.
#[derive(Debug, Clone, Copy)]
pub struct CommittedBatch {
    /// Its ingest records; 0 for a transaction of offsets alone.
    pub records: usize,
    /// Its output records.
    pub outputs: usize,
    /// From the first record in hand to the last output handed to the producer.
    pub processing: Duration,
    /// From there to the committed transaction.
    pub commit: Duration,
}

/// Handles of what happens once a batch: no lookup on the way of the data. One per task.
pub struct BatchMetrics {
    committed: Counter,
    records: Histogram,
    processing: Histogram,
    commit: Histogram,
}

impl BatchMetrics {
    /// Registers the series.
    #[must_use]
    pub fn new() -> Self {
        Self {
            committed: transactions("committed"),
            records: histogram!(Metric::BatchRecords.name()),
            processing: histogram!(Metric::ProcessingSeconds.name()),
            commit: histogram!(Metric::CommitSeconds.name()),
        }
    }

    /// A transaction is committed.
    pub fn transaction_committed(&self, task: usize, batch: CommittedBatch) {
        self.committed.increment(1);
        self.records.record(batch.records as f64);
        self.processing.record(batch.processing.as_secs_f64());
        self.commit.record(batch.commit.as_secs_f64());
        debug!(
            task,
            records = batch.records,
            outputs = batch.outputs,
            processing_ms = millis(batch.processing),
            commit_ms = millis(batch.commit),
            "transaction committed"
        );
    }
}

impl Default for BatchMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for BatchMetrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BatchMetrics")
    }
}

/// Makes the series whose labels are known without a configuration, at 0.
pub(super) fn register() {
    for outcome in ["committed", "aborted"] {
        transactions(outcome).increment(0);
    }
    counter!(Metric::CommitsUnknown.name()).increment(0);
    for reason in RebuildReason::ALL {
        rebuilds(reason).increment(0);
    }
    for kind in RebalanceKind::ALL {
        rebalances(kind).increment(0);
    }
    for metric in [Metric::BatchRecords, Metric::ProcessingSeconds, Metric::CommitSeconds, Metric::EndToEndSeconds] {
        // The registration is what counts: the page shows its empty buckets.
        let _ = histogram!(metric.name());
    }
    for outcome in ["taken-over", "unchanged", "refused"] {
        reloads(outcome).increment(0);
    }
    gauge!(Metric::ConfigReloadFailed.name()).set(0.0);
    gauge!(Metric::ConfigLoadedTimestampSeconds.name()).set(0.0);
    gauge!(Metric::BuildInfo.name(), "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// The process has read its configuration and starts its tasks.
pub fn process_started(plan_hash: &str, application_id: &str, instance_id: &str, tasks: usize) {
    let version = env!("CARGO_PKG_VERSION");
    configuration_loaded();
    info!(version, plan = plan_hash, application_id, instance_id, tasks, "fhir-fanout started");
}

/// A task runs another plan from its next batch on.
pub fn plan_taken_over(task: usize, old_hash: &str, new_hash: &str, took: Duration) {
    gauge!(Metric::PlanInfo.name(), "hash" => old_hash.to_owned()).set(0.0);
    gauge!(Metric::PlanInfo.name(), "hash" => new_hash.to_owned()).set(1.0);
    info!(task, plan = new_hash, took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "plan taken over");
}

/// The configuration of the start is checked, and runs.
pub fn configuration_loaded() {
    gauge!(Metric::ConfigReloadFailed.name()).set(0.0);
    gauge!(Metric::ConfigLoadedTimestampSeconds.name()).set(jiff::Timestamp::now().as_second() as f64);
}

/// An edit runs from each task's next batch on.
pub fn configuration_taken_over(diff: &PlanDiff) {
    reloads("taken-over").increment(1);
    configuration_loaded();
    info!(plan = diff.new_hash(), before = diff.old_hash(), changes = %diff, "new configuration taken over");
}

/// The files were looked at, and decide what they decided before.
pub fn configuration_unchanged() {
    reloads("unchanged").increment(1);
    configuration_loaded();
    info!("the configuration decides the same as before");
}

/// An edit was not taken over: the plan before it goes on running.
pub fn configuration_refused(refused: &RefusedEdit) {
    reloads("refused").increment(1);
    gauge!(Metric::ConfigReloadFailed.name()).set(1.0);
    for problem in &refused.problems {
        configuration_problem(problem.place.as_deref(), &problem.message, problem.hint.as_deref());
    }
    let (reason, problems) = (refused.reason.name(), refused.problems.len());
    error!(reason, problems, "the new configuration is NOT taken over, the one before goes on running");
}

/// Something is wrong with a configuration.
pub fn configuration_problem(place: Option<&str>, message: &str, hint: Option<&str>) {
    error!(place, hint, "configuration: {message}");
}

/// Something about a configuration may surprise.
pub fn configuration_warning(place: &str, message: &str, hint: Option<&str>) {
    warn!(place, hint, "configuration: {message}");
}

/// Something about the cluster may surprise.
pub fn cluster_may_surprise(problem: &dyn Display) {
    warn!(%problem, "the cluster may surprise");
}

/// The settings are others than those that the process started with.
pub fn settings_changed(invalid: bool) {
    if invalid {
        error!("the settings have changed, and the service would not start with them");
    } else {
        warn!("the settings have changed: they count from the next start");
    }
}

/// The process was told to stop, and drains.
pub fn process_stopping(signal: &str) {
    info!(signal, "stopping: the open batches are finished and committed");
}

/// The process ends because of this error.
pub fn process_failed(error: &dyn Display) {
    error!(%error, "fhir-fanout stopped by an error");
}

/// A transaction was aborted; its batch is processed again. `class` names the consequence, from a fixed set.
pub fn transaction_aborted(task: usize, class: &'static str, error: &dyn Display) {
    transactions("aborted").increment(1);
    warn!(task, class, %error, "transaction aborted, the batch is processed again");
}

/// The outcome of a commit is not known; it is read back before anything else happens.
pub fn commit_unknown(task: usize, error: &dyn Display) {
    counter!(Metric::CommitsUnknown.name()).increment(1);
    warn!(task, %error, "outcome of a commit unknown, it is read back from the broker");
}

/// A transactional producer was dropped and is built anew.
pub fn producer_rebuilt(task: usize, reason: RebuildReason) {
    rebuilds(reason).increment(1);
    warn!(task, reason = reason.name(), "transactional producer rebuilt");
}

/// A rebalance changed what a consumer is assigned; `partitions` is how many came or went.
pub fn rebalanced(task: usize, kind: RebalanceKind, partitions: usize) {
    rebalances(kind).increment(1);
    match kind {
        RebalanceKind::Assigned | RebalanceKind::Revoked => info!(task, kind = kind.name(), partitions, "rebalanced"),
        RebalanceKind::Lost => warn!(task, kind = kind.name(), partitions, "rebalanced, the open batch is forgotten"),
    }
}

/// A destination's Kafka topic refuses everything, and the task waits.
pub fn destination_blocked(task: usize, destination: &str, kafka_topic: &str, error: &dyn Display) {
    blocked(destination).increment(1.0);
    error!(task, destination, kafka_topic, %error, "destination blocked: its Kafka topic refuses every record");
}

/// A destination that was blocked takes records again.
pub fn destination_unblocked(task: usize, destination: &str, kafka_topic: &str) {
    blocked(destination).decrement(1.0);
    info!(task, destination, kafka_topic, "destination takes records again");
}

/// The brokers refuse to give what an ingest Kafka topic holds. The client does not say which one of them.
pub fn ingest_not_readable(task: usize, kafka_topics: &[&str]) {
    let kafka_topics = kafka_topics.join(", ");
    error!(task, kafka_topics, "an ingest Kafka topic may not be read (right Read): it is waited for, its lag grows");
}

/// No broker answers: the task has no open transaction, its partitions are paused, and it waits.
pub fn brokers_away(task: usize, error: &dyn Display) {
    warn!(task, %error, "brokers away, waiting without an open transaction");
}

/// Brokers answer again.
pub fn brokers_back(task: usize, away: Duration) {
    info!(task, away_ms = millis(away), "brokers back");
}

/// A partition cannot go on: the position that the group committed no longer exists.
pub fn position_gone(task: usize, kafka_topic: &str, partition: i32, committed: i64, first: i64) {
    error!(
        task,
        kafka_topic,
        partition,
        committed,
        first,
        "committed position no longer exists: events were deleted before they were read, the partition is stopped"
    );
}

/// An ingest Kafka topic was deleted and made anew: its partitions are read from where the group stands in the new one.
pub fn kafka_topic_made_anew(task: usize, kafka_topic: &str) {
    warn!(
        task,
        kafka_topic, "the Kafka topic was deleted and made anew, rejoining the group to read it from its start"
    );
}

/// A task ended with an error that ends the process.
pub fn task_failed(task: usize, error: &dyn Display) {
    error!(task, %error, "task failed");
}

/// How far behind an assigned partition is; both 0 when caught up. Shown until [`lag_forget`].
pub fn lag(kafka_topic: &str, partition: i32, records: u64, seconds: f64) {
    LAG.set(kafka_topic, partition, records, seconds);
}

/// A partition is no longer assigned here: its lag is another instance's to show.
pub fn lag_forget(kafka_topic: &str, partition: i32) {
    LAG.forget(kafka_topic, partition);
}

/// How many tasks are in each state; set when the page is read.
pub fn tasks(states: impl IntoIterator<Item = (&'static str, u32)>) {
    for (state, count) in states {
        gauge!(Metric::Tasks.name(), "state" => state).set(count);
    }
}

fn transactions(outcome: &'static str) -> Counter {
    counter!(Metric::Transactions.name(), "outcome" => outcome)
}

fn reloads(outcome: &'static str) -> Counter {
    counter!(Metric::ConfigReloads.name(), "outcome" => outcome)
}

fn rebuilds(reason: RebuildReason) -> Counter {
    counter!(Metric::ProducerRebuilds.name(), "reason" => reason.name())
}

fn rebalances(kind: RebalanceKind) -> Counter {
    counter!(Metric::Rebalances.name(), "kind" => kind.name())
}

fn blocked(destination: &str) -> metrics::Gauge {
    gauge!(Metric::DestinationBlocked.name(), "destination" => destination.to_owned())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
