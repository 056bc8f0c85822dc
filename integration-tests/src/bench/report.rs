//! The tables of throughput, and the JSON.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::load::Loaded;
use super::options::Throughput;
use super::source::Source;
use super::stage::Stage;
use super::statistics::median;
use super::subject::Subject;
use super::text::{figure, say, table};
use super::throughput::Figures;
use super::write_json;

/// All figures of one call.
pub(super) struct Report<'a> {
    options: &'a Throughput,
    stage: &'a Stage,
    runs: Vec<(Source, Subject, Figures)>,
    loaded: Vec<(Source, Loaded)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(options: &'a Throughput, stage: &'a Stage) -> Self {
        Self { options, stage, runs: Vec::new(), loaded: Vec::new() }
    }

    pub(super) fn add(&mut self, workload: Source, subject: Subject, figures: Figures) {
        self.runs.push((workload, subject, figures));
    }

    /// Prints the table of a workload, of which so much was loaded.
    pub(super) fn say(&mut self, workload: Source, loaded: Loaded) {
        self.loaded.push((workload, loaded));
        let medians =
            if self.options.repeats > 1 { format!(", medians of {}", self.options.repeats) } else { String::new() };
        say(&format!(
            "\n{}: {} events of {} bytes, {} partitions, {} tasks{medians}; in brackets: times fhir-fanout\n",
            workload.name(),
            loaded.events,
            loaded.bytes / loaded.events.max(1),
            self.stage.partitions,
            self.stage.tasks,
        ));
        say(&self.table(workload, loaded.events));
    }

    fn median(&self, workload: Source, subject: Subject, of: impl Fn(&Figures) -> f64) -> Option<f64> {
        median(self.runs.iter().filter(|run| (run.0, run.1) == (workload, subject)).map(|run| of(&run.2)))
    }

    fn table(&self, workload: Source, events: u64) -> String {
        let millions = events as f64 / 1e6;
        let row = |subject: &Subject| {
            let of = |decimals, of: &dyn Fn(&Figures) -> f64| figure(self.median(workload, *subject, of), decimals);
            let compared = |decimals, of: &dyn Fn(&Figures) -> f64| {
                let own = self.median(workload, Subject::FhirFanout, of);
                let ratio = self.median(workload, *subject, of).zip(own).map(|(one, own)| one / own);
                format!("{} ({})", figure(self.median(workload, *subject, of), decimals), figure(ratio, 2))
            };
            vec![
                subject.name().to_owned(),
                compared(0, &|run| run.pace),
                of(0, &|run| run.whole_pace),
                compared(1, &|run| run.usage.cpu_seconds / millions),
                compared(0, &|run| run.usage.peak_bytes as f64 / 1e6),
                of(2, &|run| run.first_commit_seconds),
                of(2, &|run| run.ready_seconds),
                of(0, &|run| records(run) as f64),
                of(0, &|run| bytes(run) as f64 / events as f64),
                of(1, &|run| run.load),
            ]
        };
        let measured = |subject: &&Subject| self.runs.iter().any(|run| (run.0, run.1) == (workload, **subject));
        let rows: Vec<_> = self.stage.subjects.iter().filter(measured).map(row).collect();
        let head = [
            "",
            "events/s",
            "from start",
            "CPU s/million",
            "peak MB",
            "first commit s",
            "ready s",
            "outputs",
            "bytes out/event",
            "load",
        ];
        table(&head, &rows)
    }

    /// Writes single runs as JSON.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let file = self.options.setup.json.clone().unwrap_or_else(|| PathBuf::from("target/bench-e2e.json"));
        let mut about = self.stage.about();
        about["mode"] = "throughput".into();
        let batch = &self.options.batch;
        about["bareBatch"] =
            json!({"maxRecords": batch.max_records, "maxBytes": batch.max_bytes, "lingerMs": batch.linger_ms});
        let workload = |(workload, loaded): &(Source, Loaded)| {
            let runs: Vec<Value> = self
                .runs
                .iter()
                .filter(|run| run.0 == *workload)
                .map(|(_, subject, figures)| run_json(*subject, figures))
                .collect();
            json!({"workload": workload.name(), "events": loaded.events, "bytes": loaded.bytes, "runs": runs})
        };
        about["workloads"] = self.loaded.iter().map(workload).collect();
        write_json(&file, &about)
    }
}

fn records(run: &Figures) -> u64 {
    run.outputs.values().map(|contents| contents.records).sum()
}

fn bytes(run: &Figures) -> u64 {
    run.outputs.values().map(super::contents::Contents::bytes).sum()
}

fn run_json(subject: Subject, run: &Figures) -> Value {
    let destinations: serde_json::Map<String, Value> =
        run.outputs.iter().map(|(id, contents)| (id.clone(), contents.records.into())).collect();
    json!({
        "subject": subject.id(),
        "eventsPerSecond": run.pace,
        "eventsPerSecondFromStart": run.whole_pace,
        "cpuSeconds": run.usage.cpu_seconds,
        "peakMegabytes": run.usage.peak_bytes as f64 / 1e6,
        "firstCommitSeconds": run.first_commit_seconds,
        "readySeconds": run.ready_seconds,
        "outputs": records(run),
        "outputBytes": bytes(run),
        "outputsByDestination": destinations,
        "loadAverage": run.load,
    })
}
