//! The runs: who is measured, in which order, until when.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::broker::{self, Contents, Progress};
use super::options::Options;
use super::process::{self, Usage};
use super::report::{self, Report};
use crate::demo::service::{self, Listening};
use crate::kafka::{Admin, ClusterOptions, KafkaCluster};
use crate::process::Child;

const INGEST: &str = "bench.changes";
const DEAD_LETTERS: &str = "bench.dead-letters";
/// Longest time without a commit before a run counts as stuck.
const STUCK: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The bare client loop.
    Bare,
    /// The service with one topic and destination, without a criterion.
    Service,
    /// The service with one topic and destination and a criterion that is true for every event.
    ServiceWithCriterion,
}

impl Subject {
    pub(super) const ALL: [Self; 3] = [Self::Bare, Self::Service, Self::ServiceWithCriterion];

    /// The name in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare rdkafka loop",
            Self::Service => "fhir-fanout, no criterion",
            Self::ServiceWithCriterion => "fhir-fanout, criterion",
        }
    }
}

/// One measured run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// Events per second from the first commit to the last.
    pub(super) events_per_second: f64,
    /// Seconds from the start of the process to the last commit.
    pub(super) total_seconds: f64,
    /// Seconds from the start of the process until it said that it is ready.
    pub(super) ready_seconds: Option<f64>,
    /// CPU time and peak memory of the process at the last commit.
    pub(super) usage: Usage,
    /// What came out.
    pub(super) contents: Contents,
}

/// Measures everything and reports it.
pub(super) fn run(options: &Options) -> anyhow::Result<()> {
    anyhow::ensure!(options.repeats > 0 && options.events > 0 && options.partitions > 0, "nothing to measure");
    let program = if options.bare_only { None } else { Some(service::build()?) };
    report::say("starting Apache Kafka");
    let cluster = KafkaCluster::start(&ClusterOptions::long_lived())?;
    let bench = Bench {
        options,
        bootstrap: cluster.bootstrap_servers().to_owned(),
        admin: Admin::new(&cluster)?,
        program,
        folder: tempfile::tempdir()?,
    };
    bench.prepare()?;
    let mut report = Report::new(options);
    bench.measure(&mut report)?;
    report.write(&options.json)?;
    report::say(&report.table());
    report::say(&format!("figures: {}", options.json.display()));
    Ok(())
}

struct Bench<'a> {
    options: &'a Options,
    bootstrap: String,
    admin: Admin,
    program: Option<PathBuf>,
    folder: tempfile::TempDir,
}

impl Bench<'_> {
    fn prepare(&self) -> anyhow::Result<()> {
        let Options { events, size, partitions, .. } = *self.options;
        self.admin.create_kafka_topic(INGEST, usize::try_from(partitions)?)?;
        self.admin.create_kafka_topic(DEAD_LETTERS, 1)?;
        report::say(&format!("loading {events} events of {size} bytes into {partitions} partitions"));
        broker::load(&self.bootstrap, INGEST, partitions, events, size)?;
        Ok(())
    }

    fn measure(&self, report: &mut Report) -> anyhow::Result<()> {
        // What a notification weighs, the bare loop has to weigh too: so the service comes first.
        let mut weight =
            Contents { records: 1, value_bytes: self.options.bare_output_size as u64, ..Contents::default() };
        let services: &[Subject] = match self.program {
            Some(_) => &[Subject::ServiceWithCriterion, Subject::Service],
            None => &[],
        };
        // The broker compiles what it runs often: let it do so before anything counts.
        report::say("warming up");
        self.one(Subject::Bare, "warm-up", &weight)?;
        for repeat in 1..=self.options.repeats {
            for subject in services.iter().chain(&[Subject::Bare]) {
                let figures = self.one(*subject, &repeat.to_string(), &weight)?;
                if *subject != Subject::Bare {
                    weight = figures.contents;
                }
                report::say(&format!(
                    "{repeat}/{} {:<26} {:>9.0} events/s",
                    self.options.repeats,
                    subject.name(),
                    figures.events_per_second
                ));
                report.add(*subject, figures);
            }
        }
        Ok(())
    }

    /// One run of one subject with a group and a destination of its own.
    fn one(&self, subject: Subject, run: &str, weight: &Contents) -> anyhow::Result<Figures> {
        let name = format!("bench-{subject:?}-{run}").to_lowercase();
        self.admin.create_kafka_topic(&name, usize::try_from(self.options.partitions)?)?;
        let figures = self.watch(subject, &name, weight).with_context(|| format!("{} failed", subject.name()))?;
        let events = self.options.events as u64;
        let records = figures.contents.records;
        anyhow::ensure!(records == events, "{} sent {records} records for {events} events", subject.name());
        self.admin.delete_kafka_topic(&name)?;
        Ok(figures)
    }

    fn watch(&self, subject: Subject, name: &str, weight: &Contents) -> anyhow::Result<Figures> {
        let progress = Progress::of(&self.bootstrap, name, INGEST, self.options.partitions)?;
        let log = self.folder.path().join(format!("{name}.log"));
        let started = Instant::now();
        let (mut child, ready_seconds) = match subject {
            Subject::Bare => (Child::spawn(&mut self.bare(name, weight)?, &log, &log)?, None),
            Subject::Service | Subject::ServiceWithCriterion => {
                let (mut command, listening) = self.service(subject, name)?;
                let mut child = Child::spawn(&mut command, &log, &log)?;
                listening.wait_ready(&mut child, Duration::from_secs(60))?;
                (child, Some(started.elapsed().as_secs_f64()))
            }
        };
        let pace = self.follow(&progress, &mut child)?;
        let total_seconds = started.elapsed().as_secs_f64();
        let usage = process::usage(child.id())?;
        child.kill()?;
        let contents = broker::contents(&self.bootstrap, name, self.options.partitions)?;
        Ok(Figures { events_per_second: pace, total_seconds, ready_seconds, usage, contents })
    }

    /// Waits for the last commit; the pace is that from the first commit on, so that joining a group and connecting
    /// do not count.
    fn follow(&self, progress: &Progress, child: &mut Child) -> anyhow::Result<f64> {
        let events = self.options.events as u64;
        let mut first = None;
        let mut last = (Instant::now(), 0);
        loop {
            let committed = progress.committed()?;
            let now = Instant::now();
            if committed > last.1 {
                last = (now, committed);
                first.get_or_insert(last);
            }
            if committed >= events {
                break;
            }
            anyhow::ensure!(child.exit_status()?.is_none(), "the process ended by itself\n{}", child.log_tail());
            anyhow::ensure!(now - last.0 < STUCK, "no commit for {STUCK:?} at {committed}\n{}", child.log_tail());
            std::thread::sleep(LOOK);
        }
        let (at, already) = first.context("something was committed")?;
        let seconds = (last.0 - at).as_secs_f64();
        anyhow::ensure!(seconds > 0.0, "one commit took everything: ask for more --events or smaller batches");
        Ok((events - already) as f64 / seconds)
    }

    fn bare(&self, name: &str, weight: &Contents) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        let batch = &self.options.batch;
        let records = weight.records.max(1);
        command.arg("bare");
        let mut argument = |name: &str, value: String| {
            command.arg(name).arg(value);
        };
        argument("--bootstrap", self.bootstrap.clone());
        argument("--group", name.to_owned());
        argument("--ingest", INGEST.to_owned());
        argument("--output", name.to_owned());
        argument("--ingest-partitions", self.options.partitions.to_string());
        argument("--value-bytes", (weight.value_bytes / records).to_string());
        argument("--header-bytes", (weight.header_bytes / records).to_string());
        argument("--tasks", batch.tasks.to_string());
        argument("--max-records", batch.max_records.to_string());
        argument("--max-bytes", batch.max_bytes.to_string());
        argument("--linger-ms", batch.linger_ms.to_string());
        Ok(command)
    }

    fn service(&self, subject: Subject, name: &str) -> anyhow::Result<(Command, Listening)> {
        let topics = self.folder.path().join(format!("{name}.yaml"));
        std::fs::write(&topics, self.topics(subject, name))?;
        let program = self.program.as_deref().context("the service was built")?;
        let batch = &self.options.batch;
        let (mut command, listening) = service::command(program, &topics, &self.bootstrap, name);
        command
            .env("FHIR_FANOUT__TASKS", batch.tasks.to_string())
            .env("FHIR_FANOUT__BATCH__MAX_RECORDS", batch.max_records.to_string())
            .env("FHIR_FANOUT__BATCH__MAX_BYTES", batch.max_bytes.to_string())
            .env("FHIR_FANOUT__BATCH__LINGER_MS", batch.linger_ms.to_string());
        Ok((command, listening))
    }

    fn topics(&self, subject: Subject, name: &str) -> String {
        let criterion = match subject {
            Subject::ServiceWithCriterion => {
                "        fhirPathCriteria: status = 'final' and category.coding.where(code = 'laboratory').exists()\n"
            }
            Subject::Service | Subject::Bare => "",
        };
        format!(
            "fhirBaseUrl: http://fhir.example.org/fhir
ingest:
  - kafkaTopic: {INGEST}
    format: change
    startFrom: earliest
deadLetter: {{ kafkaTopic: {DEAD_LETTERS} }}
topics:
  - url: http://example.org/SubscriptionTopic/bench
    status: active
    trigger:
      - resource: Observation
{criterion}destinations:
  - id: bench
    topic: http://example.org/SubscriptionTopic/bench
    kafkaTopic: {name}
    content: full-resource
",
        )
    }
}
