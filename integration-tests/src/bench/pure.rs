//! What the pure part costs: the bytes of a record in, the bytes of its outputs out, on one core, without Kafka.
//!
//! Workloads take turns in short rounds, so that a busy machine is unfair to all of them alike; what counts is the CPU
//! time of the thread, and of two workloads the ratio within a round.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::hint::black_box;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fhir_fanout::domain::pipeline::Pipeline;
use fhir_fanout::domain::refusals::Refusals;
use fhir_fanout::domain::tally::Tally;
use nix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use super::text::say;
use super::workload::plan::{self, INGEST};
use super::workload::{HospitalEvents, Kind, Record, Workload};

/// The seed of everything that is compared with other runs.
pub const SEED: u64 = 1;

/// Of so many events of W3's file one is taken: patients come in the order of their birth.
const W3_STEP: usize = 5;

/// Records and the pipeline that they go through.
pub struct Subject {
    name: &'static str,
    records: Vec<Record>,
    pipeline: Pipeline,
    tally: Tally,
    offset: i64,
}

/// What some events gave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// How many events.
    pub events: u64,
    /// How many outputs.
    pub outputs: u64,
    /// Bytes of their values.
    pub output_bytes: u64,
    /// CPU time of the thread.
    pub time: Duration,
}

impl Subject {
    /// The first records of a workload.
    #[must_use]
    pub fn new(name: &'static str, kind: Kind, records: Vec<Record>) -> Self {
        let plan = plan::of(kind);
        let tally = Tally::new(&plan);
        Self { name, records, pipeline: Pipeline::new(Arc::clone(&plan), plan::limits()), tally, offset: 0 }
    }

    /// W1 or W2 with so many events.
    #[must_use]
    pub fn of(kind: Kind, events: usize) -> Self {
        let name = match kind {
            Kind::W1 => "W1",
            Kind::W2 => "W2",
        };
        Self::new(name, kind, Workload::new(kind, SEED).take(events).collect())
    }

    /// Processes the records once, as one task does it.
    pub fn round(&mut self) -> Outcome {
        let before = cpu_time();
        let mut outcome = self.process(0..self.records.len());
        outcome.time = cpu_time() - before;
        outcome
    }

    /// Processes some of the records.
    pub fn process(&mut self, which: Range<usize>) -> Outcome {
        let first_offset = self.offset;
        self.offset += which.len() as i64;
        process(&self.records[which], &mut self.pipeline, &mut self.tally, first_offset)
    }
}

/// What is measured; by itself in every profile.
#[inline(never)]
fn process(records: &[Record], pipeline: &mut Pipeline, tally: &mut Tally, first_offset: i64) -> Outcome {
    let mut outcome = Outcome { events: records.len() as u64, ..Outcome::default() };
    for (offset, record) in (first_offset..).zip(records) {
        let source = black_box(record).source(INGEST, 3, offset);
        let processed = pipeline.process(&source, &Refusals::NONE, tally, &mut |output| {
            outcome.outputs += 1;
            outcome.output_bytes += output.value.map_or(0, <[u8]>::len) as u64;
            black_box(&output);
            Ok::<(), Infallible>(())
        });
        assert!(processed.is_ok(), "a record of the ingest is processed");
    }
    outcome
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Events of each workload in a round.
    pub events: usize,
    /// Rounds, after one that does not count.
    pub rounds: usize,
}

/// Measures W1, W2 and, where its file is, W3; prints a table and writes the figures as JSON.
///
/// # Errors
/// When W3 cannot be read or the figures cannot be written.
pub fn measure(effort: Effort, json: &Path) -> anyhow::Result<()> {
    let mut subjects = vec![Subject::of(Kind::W1, effort.events), Subject::of(Kind::W2, effort.events)];
    if let Some(records) = HospitalEvents::open()? {
        let records = records.step_by(W3_STEP).take(effort.events).collect::<anyhow::Result<_>>()?;
        subjects.push(Subject::new("W3", Kind::W1, records));
    }
    let mut runs: Vec<Vec<Outcome>> = subjects.iter().map(|_| Vec::with_capacity(effort.rounds)).collect();
    for round in 0..=effort.rounds {
        for (subject, runs) in subjects.iter_mut().zip(&mut runs) {
            let outcome = subject.round();
            if round > 0 {
                runs.push(outcome);
            }
        }
    }
    let lines: Vec<Line> = subjects.iter().zip(&runs).map(|(subject, runs)| Line::of(subject.name, runs)).collect();
    let ratio = median(runs[1].iter().zip(&runs[0]).map(|(w2, w1)| w2.nanoseconds() / w1.nanoseconds()));
    say(&table(&lines, ratio, effort));
    write(json, &lines, ratio)?;
    say(&format!("figures: {}", json.display()));
    Ok(())
}

impl Outcome {
    /// Per event.
    fn nanoseconds(&self) -> f64 {
        self.time.as_nanos() as f64 / self.events as f64
    }
}

struct Line {
    name: &'static str,
    nanoseconds: f64,
    best: f64,
    outputs: f64,
    output_bytes: f64,
}

impl Line {
    fn of(name: &'static str, runs: &[Outcome]) -> Self {
        let per_event = |of: fn(&Outcome) -> u64| runs.first().map_or(0.0, |run| of(run) as f64 / run.events as f64);
        Self {
            name,
            nanoseconds: median(runs.iter().map(Outcome::nanoseconds)),
            best: runs.iter().map(Outcome::nanoseconds).fold(f64::INFINITY, f64::min),
            outputs: per_event(|run| run.outputs),
            output_bytes: per_event(|run| run.output_bytes),
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] }
}

fn table(lines: &[Line], ratio: f64, effort: Effort) -> String {
    let mut text = format!(
        "\nthe pure part on one core, {} events a round, {} rounds, CPU time\n\n\
         \x20     ns/event   best   events/s   best       outputs/event   bytes out/event\n",
        effort.events, effort.rounds
    );
    for line in lines {
        let _ = writeln!(
            text,
            "{:<5} {:>8.0} {:>6.0} {:>10.0} {:>8.0} {:>15.2} {:>17.0}",
            line.name,
            line.nanoseconds,
            line.best,
            1e9 / line.nanoseconds,
            1e9 / line.best,
            line.outputs,
            line.output_bytes
        );
    }
    let _ = writeln!(text, "\nan event of W2 costs {ratio:.2} times one of W1 (median of the rounds)");
    text
}

fn write(path: &Path, lines: &[Line], ratio: f64) -> anyhow::Result<()> {
    let workloads = lines.iter().map(|line| {
        json!({
            "workload": line.name,
            "nanosecondsPerEvent": line.nanoseconds,
            "bestNanosecondsPerEvent": line.best,
            "eventsPerSecond": 1e9 / line.nanoseconds,
            "outputsPerEvent": line.outputs,
            "bytesOutPerEvent": line.output_bytes,
        })
    });
    let figures = json!({ "workloads": workloads.collect::<Vec<Value>>(), "w2PerW1": ratio });
    let text = serde_json::to_string_pretty(&figures)?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
