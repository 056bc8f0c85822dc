//! The table of latencies, and the JSON.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::figures::Percentiles;
use crate::bench::options::Latency;
use crate::bench::stage::Stage;
use crate::bench::statistics::median;
use crate::bench::subject::Subject;
use crate::bench::text::{figure, say, table};
use crate::bench::write_json;

/// One measured run.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// From the call that produced an event to its notification.
    pub(super) notified: Percentiles,
    /// From that call to the acknowledgement.
    pub(super) acknowledged: Percentiles,
    /// Outputs, those of the warm-up included.
    pub(super) outputs: usize,
    /// Hundredths of a core that the subject took, the warm-up included.
    pub(super) cpu_percent: f64,
    /// Its most memory.
    pub(super) peak_bytes: u64,
    /// By how much the worst event was sent late.
    pub(super) latest: Duration,
    /// The load average before it.
    pub(super) load: f64,
}

/// All runs.
pub(super) struct Report<'a> {
    options: &'a Latency,
    stage: &'a Stage,
    runs: Vec<(u32, Subject, Measured)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(options: &'a Latency, stage: &'a Stage) -> Self {
        Self { options, stage, runs: Vec::new() }
    }

    pub(super) fn add(&mut self, rate: u32, subject: Subject, measured: Measured) {
        self.runs.push((rate, subject, measured));
    }

    /// Prints the tables and writes the JSON.
    pub(super) fn finish(&self) -> anyhow::Result<()> {
        let options = self.options;
        for rate in &options.rate {
            let medians = if options.repeats > 1 { format!(", median of {}", options.repeats) } else { String::new() };
            say(&format!(
                "\n{} at {rate} events/s for {} s after {} s{medians}; milliseconds from produce to read_committed receipt\n",
                options.workload.name(),
                options.seconds,
                options.warm_up_seconds
            ));
            say(&self.table(*rate));
        }
        let file = options.setup.json.clone().unwrap_or_else(|| PathBuf::from("target/bench-e2e-latency.json"));
        self.write(&file)
    }

    fn median(&self, rate: u32, subject: Subject, of: impl Fn(&Measured) -> f64) -> Option<f64> {
        median(self.runs.iter().filter(|run| (run.0, run.1) == (rate, subject)).map(|run| of(&run.2)))
    }

    fn table(&self, rate: u32) -> String {
        let row = |subject: &Subject| {
            let of = |decimals, of: fn(&Measured) -> f64| figure(self.median(rate, *subject, of), decimals);
            vec![
                subject.name().to_owned(),
                of(2, |run| run.notified.p50),
                of(2, |run| run.notified.p95),
                of(2, |run| run.notified.p99),
                of(1, |run| run.notified.max),
                of(2, |run| run.acknowledged.p50),
                of(2, |run| run.acknowledged.p99),
                of(1, |run| run.cpu_percent),
                of(0, |run| run.peak_bytes as f64 / 1e6),
                of(0, |run| run.outputs as f64),
                of(1, |run| run.load),
            ]
        };
        let rows: Vec<_> = self.stage.subjects.iter().map(row).collect();
        let head = ["", "p50", "p95", "p99", "max", "ack p50", "ack p99", "CPU %", "peak MB", "outputs", "load"];
        table(&head, &rows)
    }

    fn write(&self, file: &Path) -> anyhow::Result<()> {
        let options = self.options;
        let mut about = self.stage.about();
        about["mode"] = "latency".into();
        about["workload"] = options.workload.name().into();
        about["seconds"] = options.seconds.into();
        about["warmUpSeconds"] = options.warm_up_seconds.into();
        about["runs"] = self.runs.iter().map(|(rate, subject, run)| json(*rate, *subject, run)).collect();
        write_json(file, &about)
    }
}

fn json(rate: u32, subject: Subject, run: &Measured) -> Value {
    let percentiles =
        |Percentiles { p50, p95, p99, max }: Percentiles| json!({"p50": p50, "p95": p95, "p99": p99, "max": max});
    json!({
        "eventsPerSecond": rate,
        "subject": subject.id(),
        "notifiedMs": percentiles(run.notified),
        "acknowledgedMs": percentiles(run.acknowledged),
        "outputs": run.outputs,
        "cpuPercent": run.cpu_percent,
        "peakMegabytes": run.peak_bytes as f64 / 1e6,
        "worstSendLateMs": run.latest.as_secs_f64() * 1e3,
        "loadAverage": run.load,
    })
}
