//! Throughput: how fast and at which price a backlog is worked off.

use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::Timestamp;

use super::contents::{self, Contents, Outputs};
use super::load::{Loaded, Loader};
use super::options::Throughput;
use super::process::{self, Usage};
use super::progress::Progress;
use super::report::Report;
use super::source::Source;
use super::stage::{Names, Stage};
use super::subject::{Order, Running, Subject};
use super::text::say;
use super::weight::Weight;
use super::{backlog, machine};
use crate::kafka::ClusterOptions;

/// Who is measured when nobody is named.
const ALL: [Subject; 5] = [Subject::FhirFanout, Subject::Other, Subject::Bare, Subject::HandCoded, Subject::Fhirpath];
/// Longest time without a commit before a run counts as stuck.
const STUCK: Duration = Duration::from_secs(60);
/// How often it is looked until the first commit, whose time is a figure; and then, when it is only the end.
const LOOK_FOR_FIRST: Duration = Duration::from_millis(5);
const LOOK: Duration = Duration::from_millis(20);

/// One measured run.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    /// Events per second from the first commit to the last.
    pub(super) pace: f64,
    /// Events per second from the start of the process to the last commit.
    pub(super) whole_pace: f64,
    /// From the assignment to the first commit.
    pub(super) first_commit_seconds: f64,
    /// From the start of the process to its assignment.
    pub(super) ready_seconds: f64,
    /// CPU time and peak memory of the process at the last commit.
    pub(super) usage: Usage,
    /// What came out.
    pub(super) outputs: Outputs,
    /// The load average before.
    pub(super) load: f64,
}

/// Measures every workload and reports it.
pub(super) fn run(options: &Throughput) -> anyhow::Result<()> {
    if options.bounded_disk {
        return backlog::run(options);
    }
    anyhow::ensure!(options.repeats > 0 && !options.workload.is_empty(), "nothing to measure");
    // The Kafka topics of a run are gone from the disk soon after it.
    let cluster = ClusterOptions::long_lived().with("log.segment.delete.delay.ms", "1000");
    let stage = Stage::start(&options.setup, &ALL, &cluster)?;
    let mut report = Report::new(options, &stage);
    for workload in &options.workload {
        let Some(mut bench) = Bench::load(options, &stage, *workload)? else { continue };
        bench.measure(&mut report)?;
        stage.admin.delete_kafka_topic(&bench.ingest)?;
        report.say(*workload, bench.loaded);
    }
    report.write()
}

struct Bench<'a> {
    options: &'a Throughput,
    stage: &'a Stage,
    workload: Source,
    ingest: String,
    loaded: Loaded,
    /// What the service wrote: the bare loop has to write as much, the others the same.
    expected: Option<Outputs>,
}

impl<'a> Bench<'a> {
    fn load(options: &'a Throughput, stage: &'a Stage, workload: Source) -> anyhow::Result<Option<Self>> {
        let Some(events) = workload.events()? else { return Ok(None) };
        let ingest = format!("bench.{}.changes", workload.name());
        stage.admin.create_kafka_topic(&ingest, usize::try_from(stage.partitions)?)?;
        say(&format!("loading {}", workload.name()));
        let mut loader = Loader::new(stage.bootstrap(), &ingest)?;
        let count = options.events.unwrap_or(workload.usual_events());
        for event in events.take(usize::try_from(count)?) {
            loader.send(&event?)?;
        }
        let loaded = loader.finish()?;
        anyhow::ensure!(loaded.events > 0, "{} has no events", workload.name());
        Ok(Some(Self { options, stage, workload, ingest, loaded, expected: None }))
    }

    fn measure(&mut self, report: &mut Report<'_>) -> anyhow::Result<()> {
        let subjects: Vec<Subject> =
            self.stage.subjects.iter().copied().filter(|subject| self.workload.suits(*subject)).collect();
        if subjects.len() < self.stage.subjects.len() {
            say(&format!(
                "LEFT OUT: {} of the Kafka Streams programs, which have the topics of w1",
                self.workload.name()
            ));
        }
        // The broker compiles what it runs often: let it do so before anything counts. What a notification weighs, the
        // bare loop has to weigh too, so it is the service that warms up.
        say("warming up");
        self.one(Subject::FhirFanout, "warm-up")?;
        for repeat in 1..=self.options.repeats {
            for subject in &subjects {
                let figures = self.one(*subject, &repeat.to_string())?;
                say(&format!(
                    "{} {repeat}/{} {:<26} {:>9.0} events/s",
                    self.workload.name(),
                    self.options.repeats,
                    subject.name(),
                    figures.pace
                ));
                report.add(self.workload, *subject, figures);
            }
        }
        Ok(())
    }

    /// One run of one subject with a group and destinations of its own.
    fn one(&mut self, subject: Subject, run: &str) -> anyhow::Result<Figures> {
        let run = format!("{}-{}-{run}", self.workload.name(), subject.id());
        let names = Names::of(&run, &self.ingest, self.workload.destinations());
        self.stage.open(&names, &[])?;
        let load = machine::load();
        let figures = self.watch(subject, &names, load).with_context(|| format!("{} failed", subject.name()))?;
        self.check(subject, &figures.outputs)?;
        self.stage.close(&names)?;
        Ok(figures)
    }

    fn watch(&self, subject: Subject, names: &Names, load: f64) -> anyhow::Result<Figures> {
        let progress = Progress::of(self.stage.bootstrap(), &names.application, &self.ingest, self.stage.partitions)?;
        let order = Order {
            names,
            topics: &self.workload.topics(names),
            weights: &self.weights(),
            batch: &self.options.batch,
            forward: None,
        };
        let mut running = subject.start(self.stage, &order)?;
        let pace = self.follow(&progress, &mut running).with_context(|| running.child.log_tail())?;
        let usage = process::usage(running.child.id())?;
        let ready = running.ready().context("it committed without having said that it is ready")?;
        let started = running.started;
        running.child.kill()?;
        let outputs = contents::read(self.stage.bootstrap(), names, self.stage.partitions)?;
        let events = self.loaded.events;
        Ok(Figures {
            pace: (events - pace.first.1) as f64 / seconds(pace.first.0, pace.last),
            whole_pace: events as f64 / seconds(started, pace.last),
            first_commit_seconds: seconds(ready, pace.first.0),
            ready_seconds: seconds(started, ready),
            usage,
            outputs,
            load,
        })
    }

    /// Waits until the last event is committed.
    fn follow(&self, progress: &Progress, running: &mut Running) -> anyhow::Result<Pace> {
        let mut first = None;
        let mut moved = (Instant::now(), 0);
        loop {
            running.ready();
            let committed = progress.committed()?;
            let now = Timestamp::now();
            if committed > moved.1 {
                moved = (Instant::now(), committed);
                first.get_or_insert((now, committed));
            }
            if committed >= self.loaded.events {
                let first = first.context("something was committed")?;
                anyhow::ensure!(first.1 < committed, "one commit took everything: ask for more --events");
                return Ok(Pace { first, last: now });
            }
            running.alive()?;
            anyhow::ensure!(moved.0.elapsed() < STUCK, "no commit for {STUCK:?} at {committed}");
            std::thread::sleep(if first.is_none() { LOOK_FOR_FIRST } else { LOOK });
        }
    }

    fn weights(&self) -> Vec<(String, Weight)> {
        let outputs = self.expected.iter().flatten();
        outputs.map(|(id, contents)| (id.clone(), contents.weight(self.loaded.events))).collect()
    }

    /// What was written has to be what the service wrote first; of the bare loop, as much.
    fn check(&mut self, subject: Subject, outputs: &Outputs) -> anyhow::Result<()> {
        let expected = self.expected.get_or_insert_with(|| outputs.clone());
        let differences = if subject.notifies() {
            contents::differences(expected, outputs)
        } else {
            too_few_or_many(expected, outputs, self.stage.tasks as u64)
        };
        anyhow::ensure!(
            differences.is_empty(),
            "{} did not write what fhir-fanout wrote first\n  {}",
            subject.name(),
            differences.join("\n  ")
        );
        Ok(())
    }
}

/// When the first commit was seen, with how many events, and the last.
struct Pace {
    first: (Timestamp, u64),
    last: Timestamp,
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// Each thread of the bare loop rounds for itself, so it may be off by one a thread.
fn too_few_or_many(expected: &Outputs, found: &Outputs, off: u64) -> Vec<String> {
    let of = |outputs: &Outputs, id| outputs.get(id).map_or(0, |contents: &Contents| contents.records);
    let pairs = expected.keys().map(|id| (id, of(expected, id), of(found, id)));
    let wrong = pairs.filter(|(_, expected, found)| expected.abs_diff(*found) > off);
    wrong.map(|(id, expected, found)| format!("{id}: {found} records instead of {expected}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(records: u64) -> Outputs {
        [("labs".to_owned(), Contents { records, ..Contents::default() })].into()
    }

    #[test]
    fn the_bare_loop_may_round_and_no_more() {
        assert_eq!(too_few_or_many(&outputs(10), &outputs(12), 2), [""; 0]);
        assert_eq!(too_few_or_many(&outputs(10), &outputs(13), 2), ["labs: 13 records instead of 10"]);
        assert_eq!(too_few_or_many(&outputs(10), &outputs(7), 2), ["labs: 7 records instead of 10"]);
        assert_eq!(too_few_or_many(&outputs(10), &Outputs::new(), 2), ["labs: 0 records instead of 10"]);
    }
}
