//! The table for people and the JSON for machines.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::broker::Contents;
use super::options::Options;
use super::run::{Figures, Subject};

/// Prints a line.
pub(super) fn say(line: &str) {
    // A closed pipe is the reader's wish, no error.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// All figures of one call.
pub(super) struct Report<'a> {
    options: &'a Options,
    runs: Vec<(Subject, Figures)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        Self { options, runs: Vec::new() }
    }

    pub(super) fn add(&mut self, subject: Subject, figures: Figures) {
        self.runs.push((subject, figures));
    }

    fn median(&self, subject: Subject, of: impl Fn(&Figures) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> =
            self.runs.iter().filter(|(who, _)| *who == subject).filter_map(|(_, figures)| of(figures)).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        match values.len() {
            0 => None,
            length if length % 2 == 1 => Some(values[middle]),
            _ => Some(f64::midpoint(values[middle - 1], values[middle])),
        }
    }

    fn line(&self, subject: Subject) -> Option<Line> {
        let events = self.options.events as f64;
        Some(Line {
            subject,
            events_per_second: self.median(subject, |run| Some(run.events_per_second))?,
            cpu_seconds: self.median(subject, |run| Some(run.usage.cpu_seconds))?,
            peak_mb: self.median(subject, |run| Some(run.usage.peak_bytes as f64 / 1e6))?,
            bytes_per_event: self.median(subject, |run| {
                let Contents { value_bytes, key_bytes, header_bytes, .. } = run.contents;
                Some((value_bytes + key_bytes + header_bytes) as f64 / events)
            })?,
            ready_seconds: self.median(subject, |run| run.ready_seconds),
            total_seconds: self.median(subject, |run| Some(run.total_seconds))?,
        })
    }

    fn lines(&self) -> Vec<Line> {
        Subject::ALL.into_iter().filter_map(|subject| self.line(subject)).collect()
    }

    /// The medians side by side, with ratios to the bare loop.
    pub(super) fn table(&self) -> String {
        let lines = self.lines();
        let bare = lines.iter().find(|line| line.subject == Subject::Bare);
        let mut text = format!(
            "\n{} events of {} bytes, {} partitions, {} tasks, median of {}; in brackets: times the bare loop\n\n",
            self.options.events,
            self.options.size,
            self.options.partitions,
            self.options.batch.tasks,
            self.options.repeats
        );
        text.push_str(
            "                            events/s          CPU s         peak MB       bytes out   ready s\n",
        );
        for line in &lines {
            let ratio = |own: f64, of: fn(&Line) -> f64| match bare {
                Some(bare) => format!("({:.2})", own / of(bare)),
                None => String::new(),
            };
            let _ = writeln!(
                text,
                "{:<26}{:>9.0} {:<7}{:>7.2} {:<7}{:>7.0} {:<7}{:>9.0}   {}",
                line.subject.name(),
                line.events_per_second,
                ratio(line.events_per_second, |line| line.events_per_second),
                line.cpu_seconds,
                ratio(line.cpu_seconds, |line| line.cpu_seconds),
                line.peak_mb,
                ratio(line.peak_mb, |line| line.peak_mb),
                line.bytes_per_event,
                line.ready_seconds.map_or("-".to_owned(), |seconds| format!("{seconds:>7.2}")),
            );
        }
        text
    }

    /// Writes medians and single runs as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&self.json())?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn json(&self) -> Value {
        let options = self.options;
        let medians: Vec<Value> = self.lines().iter().map(Line::json).collect();
        let runs: Vec<Value> = self.runs.iter().map(|(subject, figures)| run_json(*subject, figures)).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "at": jiff::Timestamp::now().to_string(),
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "events": options.events,
            "eventBytes": options.size,
            "partitions": options.partitions,
            "tasks": options.batch.tasks,
            "batch": {
                "maxRecords": options.batch.max_records,
                "maxBytes": options.batch.max_bytes,
                "lingerMs": options.batch.linger_ms,
            },
            "medians": medians,
            "runs": runs,
        })
    }
}

struct Line {
    subject: Subject,
    events_per_second: f64,
    cpu_seconds: f64,
    peak_mb: f64,
    bytes_per_event: f64,
    ready_seconds: Option<f64>,
    total_seconds: f64,
}

impl Line {
    fn json(&self) -> Value {
        json!({
            "subject": self.subject.name(),
            "eventsPerSecond": self.events_per_second,
            "cpuSeconds": self.cpu_seconds,
            "peakMegabytes": self.peak_mb,
            "bytesOutPerEvent": self.bytes_per_event,
            "readySeconds": self.ready_seconds,
            "totalSeconds": self.total_seconds,
        })
    }
}

fn run_json(subject: Subject, figures: &Figures) -> Value {
    json!({
        "subject": subject.name(),
        "eventsPerSecond": figures.events_per_second,
        "cpuSeconds": figures.usage.cpu_seconds,
        "peakMegabytes": figures.usage.peak_bytes as f64 / 1e6,
        "readySeconds": figures.ready_seconds,
        "totalSeconds": figures.total_seconds,
        "records": figures.contents.records,
    })
}
