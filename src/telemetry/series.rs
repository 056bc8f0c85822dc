//! The series that the exporter cannot carry, kept and rendered here and appended to its page.
//!
//! Lag: the exporter never forgets a series, and its idle timeout cannot tell an idle partition from one that moved to
//! another instance. A partition that is revoked must vanish from this page at once, or sums over instances count it
//! twice. CPU time: the exporter's counters are whole numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use super::process;
use super::reference::Metric;

/// How far behind one partition is.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Lag {
    records: u64,
    seconds: f64,
}

/// Lag of the partitions that this process is assigned, by Kafka topic and partition.
#[derive(Debug, Default)]
pub(super) struct LagTable {
    partitions: Mutex<BTreeMap<String, BTreeMap<i32, Lag>>>,
}

/// The process's table; a global like the recorder it stands beside.
pub(super) static LAG: LagTable = LagTable::new();

impl LagTable {
    const fn new() -> Self {
        Self { partitions: Mutex::new(BTreeMap::new()) }
    }

    /// Sets a partition's lag; costs no allocation once the partition is known.
    pub(super) fn set(&self, kafka_topic: &str, partition: i32, records: u64, seconds: f64) {
        let mut topics = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let lag = Lag { records, seconds };
        if let Some(partitions) = topics.get_mut(kafka_topic) {
            partitions.insert(partition, lag);
        } else {
            topics.insert(kafka_topic.to_owned(), BTreeMap::from([(partition, lag)]));
        }
    }

    /// Removes a partition that is no longer assigned here.
    pub(super) fn forget(&self, kafka_topic: &str, partition: i32) {
        let mut topics = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(partitions) = topics.get_mut(kafka_topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                topics.remove(kafka_topic);
            }
        }
    }

    /// Appends both lag gauges in the text format.
    pub(super) fn render(&self, page: &mut String) {
        let topics = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let mut family = |metric: Metric, value: fn(&Lag) -> f64| {
            heading(page, metric);
            for (kafka_topic, partitions) in topics.iter() {
                let kafka_topic = escape(kafka_topic);
                for (partition, lag) in partitions {
                    let (name, value) = (metric.name(), value(lag));
                    line(
                        page,
                        format_args!(r#"{name}{{kafka_topic="{kafka_topic}",partition="{partition}"}} {value}"#),
                    );
                }
            }
            page.push('\n');
        };
        family(Metric::ConsumerLagRecords, |lag| lag.records as f64);
        family(Metric::ConsumerLagSeconds, |lag| lag.seconds);
    }
}

/// Appends what the operating system tells about the process; nothing where it tells nothing.
pub(super) fn render_process(page: &mut String, uptime_seconds: f64) {
    let resources = process::Resources::read();
    let mut single = |metric: Metric, value: Option<f64>| {
        if let Some(value) = value {
            heading(page, metric);
            line(page, format_args!("{} {value}\n", metric.name()));
        }
    };
    single(Metric::UptimeSeconds, Some(uptime_seconds));
    single(Metric::ProcessResidentMemoryBytes, resources.resident_memory_bytes);
    single(Metric::ProcessCpuSeconds, resources.cpu_seconds);
}

fn heading(page: &mut String, metric: Metric) {
    let doc = metric.doc();
    line(page, format_args!("# HELP {} {}", doc.name, doc.meaning));
    line(page, format_args!("# TYPE {} {}", doc.name, doc.kind.name()));
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(page, "{text}").expect("writing to a String does not fail");
}

/// A label value as the text format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(table: &LagTable) -> String {
        let mut page = String::new();
        table.render(&mut page);
        page
    }

    #[test]
    fn shows_the_last_lag_of_each_partition() {
        let table = LagTable::default();
        table.set("fhir.changes", 1, 70, 2.5);
        table.set("fhir.changes", 0, 12, 1.0);
        table.set("fhir.changes", 1, 0, 0.0);
        insta::assert_snapshot!(page(&table));
    }

    #[test]
    fn a_partition_that_moved_away_vanishes() {
        let table = LagTable::default();
        table.set("fhir.changes", 0, 12, 1.0);
        table.set("fhir.changes", 1, 13, 1.0);
        table.forget("fhir.changes", 0);
        table.forget("fhir.changes", 7);
        table.forget("unknown", 0);
        assert!(!page(&table).contains(r#"partition="0""#));
        assert!(page(&table).contains(r#"fanout_consumer_lag_records{kafka_topic="fhir.changes",partition="1"} 13"#));
        table.forget("fhir.changes", 1);
        assert!(!page(&table).contains("fhir.changes"));
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(escape("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
    }
}
