//! Latency: from the call that produces an event to its notification at a `read_committed` consumer, at an even rate.
//!
//! ```text
//! for each rate, repeat and subject: new Kafka topics -> start the subject, wait until it has its partitions
//!   -> a stream of events at the rate (warm-up, then what counts) -> every output received, matched to its event
//! ```
//!
//! All with their default settings (and the Kafka Streams program once more with a commit every millisecond). The bare
//! loop waits for nothing: it takes what is there, and has written and committed it before it looks again. Events are
//! made beforehand; the client is a process of its own, which on a machine of two cores shares them with everybody.

mod client;
mod figures;
mod report;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::options::{Batch, Latency};
use super::progress::Progress;
use super::stage::{Names, Stage};
use super::subject::{Order, Running, Subject};
use super::text::say;
use super::weight::Weight;
use super::workload::Record;
use super::{contents, machine, process};
use crate::kafka::ClusterOptions;
use crate::wait;
use client::{Receiver, Stream};
use figures::Percentiles;
use report::{Measured, Report};

/// Who is measured when nobody is named. The generic Kafka Streams program waits for the same commits as the other.
const ALL: [Subject; 5] =
    [Subject::FhirFanout, Subject::Other, Subject::Bare, Subject::HandCoded, Subject::HandCodedQuick];

/// How many different events there are; then they come again.
const DIFFERENT: usize = 20_000;

/// Measures and reports.
pub(super) fn run(options: &Latency) -> anyhow::Result<()> {
    let events = options.workload.events()?.context("there are no events")?;
    let events: Vec<Record> = events.take(DIFFERENT).collect::<anyhow::Result<_>>()?;
    anyhow::ensure!(options.seconds > 0 && options.repeats > 0 && !events.is_empty(), "nothing to measure");
    let stage = Stage::start(&options.setup, &ALL, &ClusterOptions::long_lived())?;
    let mut bench = Bench { options, stage: &stage, events, weights: Vec::new() };
    bench.warm_up()?;
    let mut report = Report::new(options, &stage);
    for rate in &options.rate {
        bench.rate(*rate, &mut report)?;
    }
    report.finish()
}

struct Bench<'a> {
    options: &'a Latency,
    stage: &'a Stage,
    events: Vec<Record>,
    weights: Vec<(String, Weight)>,
}

/// The events that made an output, by destination: who notifies has to notify of the same.
type Notified = Vec<(usize, usize)>;

impl Bench<'_> {
    /// Lets the broker compile what it runs often, and learns what the outputs weigh.
    fn warm_up(&mut self) -> anyhow::Result<()> {
        say("warming up");
        let rate = self.options.rate.iter().copied().max().context("a rate")?.max(1000);
        let stream = Stream { rate, events: rate as usize * 10 };
        let (_, run) = self.one(Subject::FhirFanout, "warm-up", stream, 0)?;
        let weigh =
            |(id, contents): (&String, &contents::Contents)| (id.clone(), contents.weight(stream.events as u64));
        self.weights = run.outputs.iter().map(weigh).collect();
        Ok(())
    }

    fn rate(&self, rate: u32, report: &mut Report<'_>) -> anyhow::Result<()> {
        anyhow::ensure!(rate > 0, "a rate of 0 never ends");
        let events = |seconds: u32| rate as usize * seconds as usize;
        let warm_up = events(self.options.warm_up_seconds);
        let stream = Stream { rate, events: warm_up + events(self.options.seconds) };
        let mut expected: Option<Notified> = None;
        for repeat in 1..=self.options.repeats {
            for subject in &self.stage.subjects {
                let run = format!("{rate}-{repeat}");
                let (measured, received) =
                    self.one(*subject, &run, stream, warm_up).with_context(|| format!("{} failed", subject.name()))?;
                if subject.notifies() {
                    let notified = notified(&received);
                    let expected = expected.get_or_insert_with(|| notified.clone());
                    anyhow::ensure!(
                        notified == *expected,
                        "{} notifies of other events than the subject before",
                        subject.name()
                    );
                }
                say(&format!(
                    "{rate}/s {repeat}/{} {:<26} p50 {:>7.2} ms  p99 {:>7.2} ms",
                    self.options.repeats,
                    subject.name(),
                    measured.notified.p50,
                    measured.notified.p99
                ));
                report.add(rate, *subject, measured);
            }
        }
        Ok(())
    }

    /// One run of one subject with Kafka topics of its own.
    fn one(
        &self,
        subject: Subject,
        run: &str,
        stream: Stream,
        warm_up: usize,
    ) -> anyhow::Result<(Measured, client::Received)> {
        let run = format!("latency-{}-{run}", subject.id());
        let names = Names::of(&run, &format!("{run}.changes"), self.options.workload.destinations());
        self.stage.admin.create_kafka_topic(&names.ingest, usize::try_from(self.stage.partitions)?)?;
        self.stage.open(&names, &[])?;
        let order = Order {
            names: &names,
            topics: &self.options.workload.topics(&names),
            weights: &self.weights,
            batch: &Batch { max_records: 10_000, max_bytes: 8 * 1024 * 1024, linger_ms: 0 },
            forward: Some(client::NUMBER),
        };
        let load = machine::load();
        let receiver = Receiver::new(self.stage.bootstrap(), &names, self.stage.partitions)?;
        let mut running = subject.start(self.stage, &order)?;
        running.wait_ready(Duration::from_secs(60))?;
        let measured = self.stream(&names, &mut running, &receiver, stream, warm_up);
        let (mut measured, received) = measured.with_context(|| running.child.log_tail())?;
        measured.load = load;
        running.child.kill()?;
        self.stage.close(&names)?;
        self.stage.admin.delete_kafka_topic(&names.ingest)?;
        Ok((measured, received))
    }

    /// Sends and receives.
    fn stream(
        &self,
        names: &Names,
        running: &mut Running,
        receiver: &Receiver,
        stream: Stream,
        warm_up: usize,
    ) -> anyhow::Result<(Measured, client::Received)> {
        let bootstrap = self.stage.bootstrap();
        let done = AtomicBool::new(false);
        let clock = Instant::now();
        let before = process::usage(running.child.id())?;
        let (sent, received) = std::thread::scope(|scope| {
            let receiving = scope.spawn(|| receiver.receive(clock, &done));
            let sent = client::send(bootstrap, &names.ingest, &self.events, stream, clock)
                .and_then(|sent| self.wait_processed(names, running, stream).map(|()| sent));
            done.store(true, Ordering::Relaxed);
            let received = receiving.join().map_err(|_| anyhow::anyhow!("the receiving thread panicked"));
            anyhow::Ok((sent?, received??))
        })?;
        let after = process::usage(running.child.id())?;
        let none = "no output came";
        let measured = Measured {
            notified: Percentiles::of(figures::notified(&sent, &received, warm_up)?).context(none)?,
            acknowledged: Percentiles::of(figures::acknowledged(&sent, warm_up)).context(none)?,
            outputs: received.receipts.len(),
            cpu_percent: (after.cpu_seconds - before.cpu_seconds) / clock.elapsed().as_secs_f64() * 100.0,
            peak_bytes: after.peak_bytes,
            latest: sent.latest,
            load: f64::NAN,
        };
        Ok((measured, received))
    }

    /// Waits until the subject has committed every event.
    fn wait_processed(&self, names: &Names, running: &mut Running, stream: Stream) -> anyhow::Result<()> {
        let progress = Progress::of(self.stage.bootstrap(), &names.application, &names.ingest, self.stage.partitions)?;
        wait::until_ok("the last commit", Duration::from_secs(60), || {
            running.alive()?;
            let committed = progress.committed()?;
            anyhow::ensure!(committed == stream.events as u64, "{committed} of {} events", stream.events);
            Ok(())
        })
    }
}

fn notified(received: &client::Received) -> Notified {
    let mut notified: Notified =
        received.receipts.iter().map(|receipt| (receipt.destination, receipt.number)).collect();
    notified.sort_unstable();
    notified
}
