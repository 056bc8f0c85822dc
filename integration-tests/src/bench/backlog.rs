//! Memory over a long backlog, on a bounded disk.
//!
//! ```text
//! thread: events, as long as no more than AHEAD are unread -> ingest -> service -> destinations (retention by size)
//! here:   every moment: committed offsets -> delete the records before them; memory of the service, disk of Kafka
//! ```
//!
//! The service always has more before it than it can hold, and Kafka keeps what is unread and little more. What must
//! not happen is that memory goes on growing after the events of W1.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;

use super::load::Loader;
use super::options::Throughput;
use super::process::{self, Usage};
use super::progress::Progress;
use super::source::Source;
use super::stage::{Names, Stage};
use super::subject::{Order, Running, Subject};
use super::text::{say, table};
use super::{contents, write_json};
use crate::kafka::{ClusterOptions, disk};

/// Unread events in Kafka, at most: some two gigabytes.
const AHEAD: u64 = 750_000;
/// What is known of memory from W1.
const W1: u64 = 400_000;
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(500);
/// Longest time without a commit before the run counts as stuck.
const STUCK: Duration = Duration::from_secs(60);
/// Kafka keeps whole segments: small ones are soon behind.
const SMALL_SEGMENTS: (&str, &str) = ("segment.bytes", "16777216");

/// One look.
#[derive(Debug, Clone, Copy)]
struct Sample {
    seconds: f64,
    /// Events committed.
    committed: u64,
    /// Events in Kafka that are not.
    unread: u64,
    usage: Usage,
    disk_bytes: u64,
}

/// Runs the service over the backlog and reports its memory.
pub(super) fn run(options: &Throughput) -> anyhow::Result<()> {
    let events = options.events.unwrap_or(10_000_000);
    anyhow::ensure!(events > 0, "nothing to measure");
    let workload = options.workload.first().copied().unwrap_or(Source::W1);
    let cluster = ClusterOptions::long_lived()
        .with("log.segment.delete.delay.ms", "500")
        .with("log.retention.check.interval.ms", "1000");
    let stage = Stage::start(&options.setup, &[Subject::FhirFanout], &cluster)?;
    let names = Names::of("backlog", "backlog.changes", workload.destinations());
    let partitions = usize::try_from(stage.partitions)?;
    stage.admin.create_kafka_topic_with(&names.ingest, partitions, &[SMALL_SEGMENTS])?;
    stage.open(&names, &[SMALL_SEGMENTS, ("retention.bytes", "16777216")])?;
    let backlog = Backlog { options, stage: &stage, names, workload, events };
    let samples = backlog.measure()?;
    backlog.report(&samples)
}

struct Backlog<'a> {
    options: &'a Throughput,
    stage: &'a Stage,
    names: Names,
    workload: Source,
    events: u64,
}

/// What the two threads tell each other.
#[derive(Default)]
struct Shared {
    loaded: AtomicU64,
    committed: AtomicU64,
    stop: AtomicBool,
}

impl Backlog<'_> {
    fn measure(&self) -> anyhow::Result<Vec<Sample>> {
        let shared = Shared::default();
        std::thread::scope(|scope| {
            let loading = scope.spawn(|| self.load(&shared));
            let samples = self.watch(&shared, || loading.is_finished());
            shared.stop.store(true, Ordering::Relaxed);
            let loaded = loading.join().map_err(|_| anyhow::anyhow!("the loading thread panicked"))?;
            loaded.context("the ingest was not loaded")?;
            samples
        })
    }

    /// Makes events, never too many ahead of the service.
    fn load(&self, shared: &Shared) -> anyhow::Result<()> {
        let events = self.workload.events()?.context("there are no events")?;
        let mut loader = Loader::new(self.stage.bootstrap(), &self.names.ingest)?;
        for event in events.take(usize::try_from(self.events)?) {
            while loader.loaded().events >= shared.committed.load(Ordering::Relaxed) + AHEAD {
                if shared.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            loader.send(&event?)?;
            shared.loaded.store(loader.loaded().events, Ordering::Relaxed);
        }
        loader.finish().map(drop)
    }

    /// Runs the service to the end of the backlog and looks at it.
    fn watch(&self, shared: &Shared, is_loaded: impl Fn() -> bool) -> anyhow::Result<Vec<Sample>> {
        say("loading the first events");
        let first = AHEAD.min(self.events);
        while shared.loaded.load(Ordering::Relaxed) < first && !is_loaded() {
            std::thread::sleep(LOOK);
        }
        let bootstrap = self.stage.bootstrap();
        let progress = Progress::of(bootstrap, &self.names.application, &self.names.ingest, self.stage.partitions)?;
        let order = Order {
            names: &self.names,
            topics: &self.workload.topics(&self.names),
            weights: &[],
            batch: &self.options.batch,
            forward: None,
        };
        let mut running = Subject::FhirFanout.start(self.stage, &order)?;
        let samples = self.follow(&progress, &mut running, shared).with_context(|| running.child.log_tail())?;
        running.child.kill()?;
        let dead_letters = contents::dead_letters(bootstrap, &self.names)?;
        anyhow::ensure!(dead_letters == 0, "{dead_letters} dead letters");
        Ok(samples)
    }

    fn follow(&self, progress: &Progress, running: &mut Running, shared: &Shared) -> anyhow::Result<Vec<Sample>> {
        let start = Instant::now();
        let mut moved = (Instant::now(), 0);
        let mut samples: Vec<Sample> = Vec::new();
        loop {
            running.alive()?;
            let offsets = progress.offsets()?;
            let committed = u64::try_from(offsets.iter().sum::<i64>())?;
            shared.committed.store(committed, Ordering::Relaxed);
            let loaded = shared.loaded.load(Ordering::Relaxed);
            let sample = Sample {
                seconds: start.elapsed().as_secs_f64(),
                committed,
                unread: loaded.saturating_sub(committed),
                usage: process::usage(running.child.id())?,
                disk_bytes: disk::size(self.stage.kafka_folder()),
            };
            if committed / 1_000_000 > samples.last().map_or(0, |last| last.committed / 1_000_000) {
                say(&format!("{committed} events, {:.0} MB resident", megabytes(sample.usage.resident_bytes)));
            }
            samples.push(sample);
            if committed >= self.events {
                return Ok(samples);
            }
            if committed > moved.1 {
                moved = (Instant::now(), committed);
            }
            anyhow::ensure!(moved.0.elapsed() < STUCK, "no commit for {STUCK:?} at {committed}");
            self.stage.admin.delete_records_before(&self.names.ingest, &offsets)?;
            std::thread::sleep(LOOK);
        }
    }

    fn report(&self, samples: &[Sample]) -> anyhow::Result<()> {
        let step = (self.events / 10).max(1);
        let marks: BTreeSet<u64> = (1..=10).map(|mark| mark * step).chain([W1.min(self.events)]).collect();
        let at = |mark: &u64| samples.iter().find(|sample| sample.committed >= *mark);
        let rows: Vec<_> = marks.iter().filter_map(at).map(Sample::row).collect();
        let head = ["events", "seconds", "resident MB", "peak MB", "CPU s/million", "unread", "disk MB"];
        say(&format!("\n{} of {} events, made as it goes\n", self.workload.name(), self.events));
        say(&table(&head, &rows));
        let mut about = self.stage.about();
        about["mode"] = "backlog".into();
        about["workload"] = self.workload.name().into();
        about["events"] = self.events.into();
        about["samples"] = samples.iter().map(Sample::json).collect();
        let file = self.options.setup.json.clone().unwrap_or_else(|| PathBuf::from("target/bench-e2e-backlog.json"));
        write_json(&file, &about)?;
        let peak = samples.last().map_or(0.0, |last| megabytes(last.usage.peak_bytes));
        let limit = self.options.peak_limit_mb;
        anyhow::ensure!(peak <= limit, "{peak:.0} MB at the peak are more than {limit:.0} (--peak-limit-mb)");
        Ok(())
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

impl Sample {
    fn row(&self) -> Vec<String> {
        vec![
            self.committed.to_string(),
            format!("{:.0}", self.seconds),
            format!("{:.0}", megabytes(self.usage.resident_bytes)),
            format!("{:.0}", megabytes(self.usage.peak_bytes)),
            format!("{:.1}", self.usage.cpu_seconds / self.committed as f64 * 1e6),
            self.unread.to_string(),
            format!("{:.0}", megabytes(self.disk_bytes)),
        ]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "seconds": self.seconds,
            "events": self.committed,
            "unread": self.unread,
            "residentMegabytes": megabytes(self.usage.resident_bytes),
            "peakMegabytes": megabytes(self.usage.peak_bytes),
            "cpuSeconds": self.usage.cpu_seconds,
            "diskMegabytes": megabytes(self.disk_bytes),
        })
    }
}
