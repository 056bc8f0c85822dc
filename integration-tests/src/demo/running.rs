//! The running service with a publisher in front of it and an observer behind.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::Signal;

use super::check::{self, OwnCount};
use super::metrics::Page;
use super::observe::{Observer, Sample};
use super::pretty;
use super::publish::Publisher;
use super::screen::{Look, Screen, grouped};
use super::service::{self, Listening};
use super::topics::Layout;
use crate::events::ClinicalDay;
use crate::kafka::KafkaCluster;
use crate::process::Child;

/// How often the summary is drawn anew.
const REDRAW: Duration = Duration::from_millis(500);
/// How long the service may take to finish what was published.
const CATCH_UP: Duration = Duration::from_secs(60);
/// How many lines of a notification are shown.
const SHOWN_LINES: usize = 70;

/// Everything between the ingest and the destinations.
pub(super) struct Running {
    layout: Layout,
    publisher: Publisher,
    child: Child,
    listening: Listening,
    observer: Observer,
    first_published: Option<Instant>,
    _folder: tempfile::TempDir,
}

/// What the service says at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Status {
    own: OwnCount,
    lag: u64,
    committed: u64,
    aborted: u64,
}

impl Running {
    /// Starts the service and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up, with the end of its log.
    pub(super) fn start(layout: Layout, program: &Path, topics: &Path, cluster: &KafkaCluster) -> anyhow::Result<Self> {
        let bootstrap = cluster.bootstrap_servers();
        let folder = tempfile::tempdir()?;
        let (log, errors) = (folder.path().join("fhir-fanout.log"), folder.path().join("fhir-fanout.err"));
        let (mut command, listening) = service::command(program, topics, bootstrap, "fhir-fanout-demo");
        let mut child = Child::spawn(&mut command, &log, &errors)?;
        listening.wait_ready(&mut child, Duration::from_secs(60))?;
        let kafka_topics: Vec<String> = layout.kafka_topics();
        let preferred = layout.destinations.first().map_or("", |destination| &destination.kafka_topic);
        let observer = Observer::start(bootstrap, &kafka_topics, &layout.dead_letters, preferred)?;
        let publisher = Publisher::new(bootstrap, &layout.ingest)?;
        Ok(Self { layout, publisher, child, listening, observer, first_published: None, _folder: folder })
    }

    /// Where to look while it runs.
    pub(super) fn addresses(&self, bootstrap: &str) -> String {
        format!(
            "status   {}\nmetrics  {}\nhealth   {}\nKafka    {bootstrap}",
            self.listening.url("/"),
            self.listening.url("/metrics"),
            self.listening.url("/health/ready")
        )
    }

    /// Publishes events (all that come until `stop`, or a number of them) and shows the summary until the service has
    /// finished them.
    ///
    /// # Errors
    /// When Kafka takes no events or the service ends by itself.
    pub(super) fn publish_and_watch(
        &mut self,
        screen: &mut Screen,
        day: &mut ClinicalDay,
        count: Option<usize>,
        rate: u32,
        stop: &AtomicBool,
    ) -> anyhow::Result<()> {
        self.first_published.get_or_insert_with(Instant::now);
        let (publisher, child) = (&self.publisher, &mut self.child);
        let watch = Watch { layout: &self.layout, publisher, listening: self.listening, observer: &self.observer };
        std::thread::scope(|scope| {
            let events = day.by_ref().take(count.unwrap_or(usize::MAX));
            let publishing = scope.spawn(move || publisher.publish(events, rate, stop));
            let watched = watch.until_done(screen, child, || publishing.is_finished());
            if watched.is_err() {
                // Nobody is left to consume: let the publisher end as well.
                stop.store(true, Ordering::Relaxed);
            }
            let published = publishing.join().map_err(|_| anyhow::anyhow!("the publisher panicked"))?;
            watched.and(published)
        })
    }

    /// Shows the first notification of the first destination.
    ///
    /// # Errors
    /// When none arrived.
    pub(super) fn show_one(&self, screen: &mut Screen) -> anyhow::Result<()> {
        let seen = self.observer.seen();
        let Sample { kafka_topic, key, headers, value } = seen.sample.as_ref().context("no notification arrived")?;
        screen.step(&format!("One of the notifications, as a subscriber of {kafka_topic} gets it"));
        if let (Some(first), Some(published)) = (seen.first_at, self.first_published) {
            let seconds = first.saturating_duration_since(published).as_secs_f64();
            screen.note(&format!("The first of all arrived {seconds:.1} s after the first event was published."));
        }
        let mut text = format!("key: {key}\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        screen.body(&text);
        screen.body(&shorten(&pretty::indent(&String::from_utf8_lossy(value))));
        Ok(())
    }

    /// Compares what came out with what had to come out.
    ///
    /// # Errors
    /// When something is missing, doubled or wrong.
    pub(super) fn check(&self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.step("Check: every notification once, none missing, nothing else");
        screen.note("Expected from the facts of the published events; found with read_committed, by source position.");
        let status = Status::of(self.listening)?;
        let published = self.publisher.log().records();
        let verdicts = check::check(&self.layout, &published, &self.observer.seen(), status.own);
        for verdict in &verdicts {
            screen.verdict(verdict.good, &verdict.text);
        }
        anyhow::ensure!(verdicts.iter().all(|verdict| verdict.good), "what came out is not what had to come out");
        Ok(())
    }

    /// Stops the service as an orchestrator would.
    ///
    /// # Errors
    /// When it does not stop in time or says that something went wrong.
    pub(super) fn end(mut self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.step("Stop");
        let started = Instant::now();
        self.child.signal(Signal::SIGTERM)?;
        let status = self.child.wait(Duration::from_secs(20))?;
        anyhow::ensure!(status.success(), "the service ended with {status}\n{}", self.child.log_tail());
        screen.done(started, "the service committed what it had and ended with exit code 0");
        Ok(())
    }
}

impl Status {
    fn of(listening: Listening) -> anyhow::Result<Self> {
        let page = Page::new(listening.get("/metrics")?);
        Ok(Self {
            own: OwnCount {
                events: page.count("fanout_events_total", ""),
                notifications: page.count("fanout_notifications_total", ""),
                dead_letters: page.count("fanout_dead_letters_total", ""),
            },
            lag: page.count("fanout_consumer_lag_records", ""),
            committed: page.count("fanout_transactions_total", "outcome=\"committed\""),
            aborted: page.count("fanout_transactions_total", "outcome=\"aborted\""),
        })
    }
}

/// Draws the summary until everything published is through.
struct Watch<'a> {
    layout: &'a Layout,
    publisher: &'a Publisher,
    listening: Listening,
    observer: &'a Observer,
}

impl Watch<'_> {
    fn until_done(
        &self,
        screen: &mut Screen,
        child: &mut Child,
        all_published: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let mut pace = Pace::default();
        let mut deadline = None;
        loop {
            anyhow::ensure!(child.exit_status()?.is_none(), "the service ended by itself\n{}", child.log_tail());
            let finished = all_published();
            let status = Status::of(self.listening)?;
            let done = finished && self.caught_up(status);
            self.draw(screen, status, pace.per_second(status.own.events), done);
            if done {
                screen.settle();
                return Ok(());
            }
            if finished {
                let deadline = *deadline.get_or_insert_with(|| Instant::now() + CATCH_UP);
                anyhow::ensure!(Instant::now() < deadline, "the service did not catch up within {CATCH_UP:?}");
            }
            std::thread::sleep(if finished { REDRAW / 5 } else { REDRAW });
        }
    }

    fn caught_up(&self, status: Status) -> bool {
        let seen = self.observer.seen();
        let arrived = OwnCount {
            events: self.publisher.log().count() as u64,
            notifications: self.layout.destinations.iter().map(|destination| seen.count(&destination.id)).sum(),
            dead_letters: seen.dead_letters(),
        };
        status.lag == 0 && status.own == arrived
    }

    fn draw(&self, screen: &mut Screen, status: Status, pace: f64, done: bool) {
        let seen = self.observer.seen();
        let published = self.publisher.log().count() as u64;
        let width = self.layout.destinations.iter().map(|destination| destination.id.len()).max().unwrap_or(0).max(12);
        let row = |name: &str, count: u64, remark: &str| format!("{name:<width$} {:>9}  {remark}", grouped(count));
        let mut block = vec![
            String::new(),
            row("published", published, &screen.styled(Look::Dim, &format!("to {}", self.layout.ingest))),
            row(
                "processed",
                status.own.events,
                &screen.styled(Look::Dim, &format!("{pace:.0} a second, lag {}", status.lag)),
            ),
        ];
        let mut plain = format!("published {published}, processed {}, lag {}", status.own.events, status.lag);
        for destination in &self.layout.destinations {
            let count = seen.count(&destination.id);
            let arrow = screen.styled(Look::Dim, &format!("-> {}", destination.kafka_topic));
            block.push(row(&destination.id, count, &arrow));
            plain.push_str(&format!(", {} {count}", destination.id));
        }
        let dead = seen.dead_letters();
        let arrow = screen.styled(Look::Dim, &format!("-> {}", self.layout.dead_letters));
        block.push(row("dead letters", dead, &arrow));
        let Status { committed, aborted, .. } = status;
        block.push(row("transactions", committed, &screen.styled(Look::Dim, &format!("committed, {aborted} aborted"))));
        plain.push_str(&format!(", dead letters {dead}, transactions {committed}"));
        screen.live(&block, &plain, done);
    }
}

/// Events a second over the last two seconds.
#[derive(Default)]
struct Pace {
    history: std::collections::VecDeque<(Instant, u64)>,
}

impl Pace {
    fn per_second(&mut self, events: u64) -> f64 {
        let now = Instant::now();
        self.history.push_back((now, events));
        while self.history.len() > 2 && self.history.get(1).is_some_and(|(at, _)| now - *at > Duration::from_secs(2)) {
            self.history.pop_front();
        }
        let (then, before) = self.history.front().copied().unwrap_or((now, events));
        let seconds = (now - then).as_secs_f64();
        if seconds > 0.0 { events.saturating_sub(before) as f64 / seconds } else { 0.0 }
    }
}

fn shorten(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= SHOWN_LINES {
        return text.to_owned();
    }
    format!("{}\n... {} more lines", lines[..SHOWN_LINES].join("\n"), lines.len() - SHOWN_LINES)
}
