//! The one table of all metrics: HELP texts, the recorder's buckets and the README's reference come from it.
//!
//! [`Metric`] is the only way to name a metric, so none can be used without its line here; the tests hold the other
//! direction: every line here is on the page from the start.

use std::fmt::Write as _;

use metrics::Unit;

/// A metric of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the meanings stand in the table below, once")]
pub enum Metric {
    Events,
    InferredInteractions,
    Notifications,
    Filtered,
    EvaluationErrors,
    DeadLetters,
    Transactions,
    BatchRecords,
    ProcessingSeconds,
    CommitSeconds,
    EndToEndSeconds,
    ConsumerLagRecords,
    ConsumerLagSeconds,
    ProducerRebuilds,
    CommitsUnknown,
    Rebalances,
    DestinationBlocked,
    Tasks,
    PlanInfo,
    ConfigReloads,
    ConfigReloadFailed,
    ConfigLoadedTimestampSeconds,
    BuildInfo,
    UptimeSeconds,
    ProcessResidentMemoryBytes,
    ProcessCpuSeconds,
}

/// Prometheus' type of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MetricKind {
    /// Only ever grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by upper bound; the bounds are part of the reference.
    Histogram(&'static [f64]),
}

impl MetricKind {
    /// The type as the page names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// What the reference says about a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricDoc {
    /// Which one.
    pub metric: Metric,
    /// Its name on the page.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// The unit of its values.
    pub unit: Unit,
    /// What it tells; one line, the HELP text.
    pub meaning: &'static str,
}

impl Metric {
    /// Its line of the reference.
    #[must_use]
    pub fn doc(self) -> &'static MetricDoc {
        &REFERENCE[self as usize]
    }

    /// Its name on the page.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.doc().name
    }
}

/// All metrics, in the order of [`Metric`].
#[must_use]
pub fn reference() -> &'static [MetricDoc] {
    &REFERENCE
}

/// The reference as a Markdown table: what the README shows between its markers.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| metric | type | labels | unit | meaning |\n|---|---|---|---|---|\n");
    for doc in reference() {
        let labels: Vec<String> = doc.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            doc.name,
            doc.kind.name(),
            labels.join(", "),
            doc.unit.as_str(),
            doc.meaning
        )
        .expect("writing to a String does not fail");
    }
    text
}

/// From one record to the largest batch that the settings' defaults allow, and beyond.
const RECORD_BUCKETS: &[f64] =
    &[1.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0, 20_000.0, 50_000.0, 100_000.0];

/// From a commit on an idle broker to the transaction timeout.
const BATCH_SECONDS_BUCKETS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// From one linger to an hour of backlog.
const END_TO_END_BUCKETS: &[f64] =
    &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0];

const fn counter(
    metric: Metric,
    name: &'static str,
    labels: &'static [&'static str],
    unit: Unit,
    meaning: &'static str,
) -> MetricDoc {
    MetricDoc { metric, name, kind: MetricKind::Counter, labels, unit, meaning }
}

const fn gauge(
    metric: Metric,
    name: &'static str,
    labels: &'static [&'static str],
    unit: Unit,
    meaning: &'static str,
) -> MetricDoc {
    MetricDoc { metric, name, kind: MetricKind::Gauge, labels, unit, meaning }
}

const fn histogram(
    metric: Metric,
    name: &'static str,
    buckets: &'static [f64],
    unit: Unit,
    meaning: &'static str,
) -> MetricDoc {
    MetricDoc { metric, name, kind: MetricKind::Histogram(buckets), labels: &[], unit, meaning }
}

static REFERENCE: [MetricDoc; 26] = [
    counter(
        Metric::Events,
        "fanout_events_total",
        &["kafka_topic", "outcome"],
        Unit::Count,
        "Events by ingest Kafka topic and how they ended: notified, unmatched or dead-lettered.",
    ),
    counter(
        Metric::InferredInteractions,
        "fanout_inferred_interactions_total",
        &["kafka_topic"],
        Unit::Count,
        "Events whose record did not name the interaction, so that it was inferred.",
    ),
    counter(
        Metric::Notifications,
        "fanout_notifications_total",
        &["destination"],
        Unit::Count,
        "Notifications committed to a destination's Kafka topic.",
    ),
    counter(
        Metric::Filtered,
        "fanout_filtered_total",
        &["topic", "destination", "reason"],
        Unit::Count,
        "Events that a topic (destination is empty) or a destination did not take: interaction, criteria, \
         organization-unrelated, organization-missing, organization-unknown or missing-state.",
    ),
    counter(
        Metric::EvaluationErrors,
        "fanout_evaluation_errors_total",
        &["topic"],
        Unit::Count,
        "Criteria that failed or gave no boolean, also where another trigger of the topic was true.",
    ),
    counter(
        Metric::DeadLetters,
        "fanout_dead_letters_total",
        &["class"],
        Unit::Count,
        "Dead letters committed, by class: undecodable, evaluation-error, missing-state, too-large or rejected.",
    ),
    counter(
        Metric::Transactions,
        "fanout_transactions_total",
        &["outcome"],
        Unit::Count,
        "Kafka transactions by outcome: committed or aborted. An aborted batch is processed again.",
    ),
    histogram(
        Metric::BatchRecords,
        "fanout_batch_records",
        RECORD_BUCKETS,
        Unit::Count,
        "Ingest records per committed transaction.",
    ),
    histogram(
        Metric::ProcessingSeconds,
        "fanout_processing_seconds",
        BATCH_SECONDS_BUCKETS,
        Unit::Seconds,
        "Time from a batch's first record in hand to its last output handed to the producer.",
    ),
    histogram(
        Metric::CommitSeconds,
        "fanout_commit_seconds",
        BATCH_SECONDS_BUCKETS,
        Unit::Seconds,
        "Time from a batch's last output to its committed transaction: deliveries, offsets and the commit.",
    ),
    histogram(
        Metric::EndToEndSeconds,
        "fanout_end_to_end_seconds",
        END_TO_END_BUCKETS,
        Unit::Seconds,
        "Time from an ingest record's timestamp to the commit of what came out of it.",
    ),
    gauge(
        Metric::ConsumerLagRecords,
        "fanout_consumer_lag_records",
        &["kafka_topic", "partition"],
        Unit::Count,
        "Records of an assigned partition that are not yet committed; 0 when caught up.",
    ),
    gauge(
        Metric::ConsumerLagSeconds,
        "fanout_consumer_lag_seconds",
        &["kafka_topic", "partition"],
        Unit::Seconds,
        "Age of the oldest record of an assigned partition that is not yet committed; 0 when caught up.",
    ),
    counter(
        Metric::ProducerRebuilds,
        "fanout_producer_rebuilds_total",
        &["reason"],
        Unit::Count,
        "Transactional producers dropped and built anew: fenced, commit-unknown, abort-failed, connection-lost, limits-changed or fatal.",
    ),
    counter(
        Metric::CommitsUnknown,
        "fanout_commits_unknown_total",
        &[],
        Unit::Count,
        "Commits whose outcome had to be read back from the broker.",
    ),
    counter(
        Metric::Rebalances,
        "fanout_rebalances_total",
        &["kind"],
        Unit::Count,
        "Rebalance callbacks of the consumers: assigned, revoked or lost.",
    ),
    gauge(
        Metric::DestinationBlocked,
        "fanout_destination_blocked",
        &["destination"],
        Unit::Count,
        "Tasks that wait because the destination's Kafka topic refuses everything; alarm on more than 0.",
    ),
    gauge(
        Metric::Tasks,
        "fanout_tasks",
        &["state"],
        Unit::Count,
        "Tasks by state: starting, joining, running, paused, blocked, stopping or stopped.",
    ),
    gauge(
        Metric::PlanInfo,
        "fanout_plan_info",
        &["hash"],
        Unit::Count,
        "1 for the active configuration, 0 for those before it; the hash is that of the header fhir-plan.",
    ),
    counter(
        Metric::ConfigReloads,
        "fanout_config_reloads_total",
        &["outcome"],
        Unit::Count,
        "Looks at a configuration that was edited, by outcome: taken-over, unchanged or refused.",
    ),
    gauge(
        Metric::ConfigReloadFailed,
        "fanout_config_reload_failed",
        &[],
        Unit::Count,
        "1 while the configuration in the files is not the one that runs, because it was refused; alarm on it.",
    ),
    gauge(
        Metric::ConfigLoadedTimestampSeconds,
        "fanout_config_loaded_timestamp_seconds",
        &[],
        Unit::Seconds,
        "When the configuration in the files was found to be the one that runs, since 1970-01-01 UTC.",
    ),
    gauge(Metric::BuildInfo, "fanout_build_info", &["version"], Unit::Count, "1 for the running version."),
    gauge(Metric::UptimeSeconds, "fanout_uptime_seconds", &[], Unit::Seconds, "Time since the process started."),
    gauge(
        Metric::ProcessResidentMemoryBytes,
        "process_resident_memory_bytes",
        &[],
        Unit::Bytes,
        "Resident memory of the process (Linux).",
    ),
    counter(
        Metric::ProcessCpuSeconds,
        "process_cpu_seconds_total",
        &[],
        Unit::Seconds,
        "User and system CPU time of the process (Linux).",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (position, doc) in reference().iter().enumerate() {
            assert_eq!(doc.metric as usize, position, "{} stands at the wrong place", doc.name);
            assert_eq!(doc.metric.name(), doc.name);
        }
        assert_eq!(reference().len(), Metric::ProcessCpuSeconds as usize + 1, "the last of the enum ends the table");
    }

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let mut names = std::collections::BTreeSet::new();
        for doc in reference() {
            assert!(names.insert(doc.name), "{} stands twice", doc.name);
            assert_eq!(doc.name.ends_with("_total"), doc.kind == MetricKind::Counter, "{}", doc.name);
            if let MetricKind::Histogram(buckets) = doc.kind {
                assert!(buckets.is_sorted() && !buckets.is_empty(), "{}", doc.name);
            }
            if doc.unit == Unit::Seconds {
                assert!(doc.name.contains("_seconds"), "{}", doc.name);
            }
            assert!(doc.meaning.ends_with('.') && !doc.meaning.contains(['\n', '|']), "{}", doc.name);
        }
    }

    #[test]
    fn the_readme_table() {
        insta::assert_snapshot!(markdown());
    }
}
