//! `fhir-fanout dry-run`: what a plan would make of the ingest's real traffic, beside what the present one makes of it.
//!
//! Reads only (see [`crate::kafka::traffic`]); prints counts, never what records say.

mod report;

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Timestamp};

use self::report::Report;
use super::args::{DryRunOptions, Files, Format};
use super::load::{self, Loaded};
use super::output::{self, line, problem};
use super::{Exit, signals};
use crate::config::settings::{LogFormat, LogSettings, Settings};
use crate::domain::plan::Plan;
use crate::domain::source::SourceRecord;
use crate::kafka::admin::Admin;
use crate::kafka::admin::start_check::roles;
use crate::kafka::traffic::{Progress, Traffic, TrafficError};
use crate::runtime::StopSignal;
use crate::runtime::limits::limits_of;
use crate::runtime::trial::{Comparison, Trial};
use crate::telemetry::{chain, logging};

/// How often progress is logged where there is no terminal.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Since when traffic is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// That long ago.
    Ago(SignedDuration),
    /// That moment.
    At(Timestamp),
}

impl Since {
    /// The moment, when it is this time.
    #[must_use]
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(time) => now.checked_sub(time).unwrap_or(Timestamp::UNIX_EPOCH),
            Self::At(time) => time,
        }
    }
}

impl std::str::FromStr for Since {
    type Err = &'static str;

    /// `45s`, `90m`, `1h`, `2d`, or a time with its zone.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "write 45s, 90m, 1h or 2d, or a time with its zone, as in 2026-01-31T06:00:00Z";
        if let Ok(time) = text.parse() {
            return Ok(Self::At(time));
        }
        let unit = text.chars().last().ok_or(WRONG)?;
        let seconds: i64 = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(WRONG),
        };
        let count = text.strip_suffix(unit).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let count: i64 = count.and_then(|digits| digits.parse().ok()).ok_or(WRONG)?;
        count.checked_mul(seconds).map(|seconds| Self::Ago(SignedDuration::from_secs(seconds))).ok_or(WRONG)
    }
}

/// Reads, counts, prints.
#[must_use]
pub fn dry_run(options: &DryRunOptions) -> Exit {
    let files = |topics: &std::path::Path| Files { topics: topics.to_owned(), config: options.files.config.clone() };
    let new = load::load(&options.files);
    let present = options.present.as_deref().map(|topics| load::load(&files(topics))).transpose();
    let (new, present) = match (new, present) {
        (Ok(new), Ok(present)) => (new, present),
        (new, present) => {
            for refused in [new.err(), present.err()].into_iter().flatten() {
                refused.print();
            }
            return Exit::InvalidConfiguration;
        }
    };
    let log = LogSettings { format: LogFormat::Text, level: "warn,fhir_fanout::cli=info".to_owned() };
    if let Err(error) = logging::install(&log) {
        problem(format_args!("warning: {}", chain(&error)));
    }
    match try_it(Side::of(new), present.map(Side::of), options) {
        Ok(report) => {
            match options.format {
                Format::Human => report.print(output::colour(&std::io::stdout())),
                Format::Json => line(report.as_json()),
            }
            Exit::Success
        }
        Err(error) => {
            problem(format_args!("error: {error:#}"));
            match error.downcast_ref::<TrafficError>() {
                Some(TrafficError::Missing(_)) => Exit::InvalidConfiguration,
                Some(TrafficError::BrokersAway(_) | TrafficError::Refused { .. }) | None => Exit::Fatal,
            }
        }
    }
}

/// A configuration that is tried.
struct Side {
    settings: Settings,
    plan: Arc<Plan>,
}

impl Side {
    fn of(loaded: Loaded) -> Self {
        Self { settings: loaded.settings, plan: Arc::new(loaded.plan) }
    }

    /// With the limits that the service would find at its start.
    fn trial(&self, admin: &Admin) -> anyhow::Result<Trial> {
        let servers = &self.settings.kafka.bootstrap_servers;
        let there = admin.kafka_topics().with_context(|| format!("cannot ask {servers} for its Kafka topics"))?;
        let wanted: Vec<&str> = roles(&self.plan).into_keys().filter(|name| there.contains_key(*name)).collect();
        let found = admin.limits(&wanted).context("cannot ask for the limits of the Kafka topics")?;
        let limits = limits_of(&self.settings.kafka, self.settings.max_message_bytes, &found);
        Ok(Trial::new(Arc::clone(&self.plan), limits))
    }
}

fn try_it(new: Side, present: Option<Side>, options: &DryRunOptions) -> anyhow::Result<Report> {
    let begun = Instant::now();
    let now = to_the_millisecond(Timestamp::now());
    let since = options.since.before(now);
    let settings = &new.settings;
    let stop = StopSignal::new();
    if options.follow {
        let stop = stop.clone();
        // SIGHUP has nothing to look at here: the files were read at the start.
        signals::watch(move |_| stop.stop(), || {}).context("cannot wait for signals")?;
    }
    let admin = Admin::new(&settings.kafka).context("cannot set up the Kafka client")?;
    let mut tried = match &present {
        None => Tried::One(Box::new(new.trial(&admin)?)),
        Some(present) => Tried::Both(Box::new(Comparison::new(new.trial(&admin)?, present.trial(&admin)?))),
    };
    let plans = [Some(&new.plan), present.as_ref().map(|present| &present.plan)].into_iter().flatten();
    let ingest = plans.flat_map(|plan| plan.ingest.iter().map(|ingest| ingest.kafka_topic.as_str()));
    let kafka_topics: BTreeSet<&str> = ingest.collect();
    let mut traffic = Traffic::open(settings, kafka_topics.iter().copied(), since, options.follow)?;
    let (mut records, mut bytes) = (0_u64, 0_u64);
    let mut shown = Shown::new();
    let mut each = |record: &SourceRecord<'_>| {
        records += 1;
        bytes += record.value.map_or(0, <[u8]>::len) as u64 + record.key.map_or(0, <[u8]>::len) as u64;
        match &mut tried {
            Tried::One(trial) => trial.process(record),
            Tried::Both(comparison) => comparison.process(record),
        }
    };
    traffic.read(&mut each, &mut |progress| {
        shown.show(progress);
        !stop.is_stopped()
    })?;
    shown.end();
    Ok(Report {
        servers: settings.kafka.bootstrap_servers.clone(),
        kafka_topics: kafka_topics.into_iter().map(str::to_owned).collect(),
        partitions: traffic.partitions(),
        since,
        until: if options.follow { to_the_millisecond(Timestamp::now()) } else { now },
        took: begun.elapsed(),
        records,
        bytes,
        tried,
    })
}

/// Kafka knows no shorter times.
fn to_the_millisecond(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// What the records go through.
enum Tried {
    One(Box<Trial>),
    Both(Box<Comparison>),
}

impl Tried {
    fn new_plan(&self) -> &Trial {
        match self {
            Self::One(trial) => trial,
            Self::Both(comparison) => &comparison.new,
        }
    }
}

/// A bar on a terminal, lines in the log elsewhere.
struct Shown {
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Shown {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) =
                ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left")
            {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, said: Instant::now() }
    }

    fn show(&mut self, progress: Progress) {
        if let Some(bar) = &self.bar {
            if let Some(all) = progress.all {
                bar.set_length(all);
            }
            bar.set_position(progress.passed);
        } else if self.said.elapsed() >= SAY_EVERY {
            self.said = Instant::now();
            tracing::info!(passed = progress.passed, all = progress.all, "reading the ingest's offsets");
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_moment_or_so_long_ago() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().expect("a time");
        let since = |text: &str| text.parse::<Since>().expect(text).before(now).to_string();
        assert_eq!(since("90m"), "2026-03-02T10:30:00Z");
        assert_eq!(since("1h"), "2026-03-02T11:00:00Z");
        assert_eq!(since("2d"), "2026-02-28T12:00:00Z");
        assert_eq!(since("45s"), "2026-03-02T11:59:15Z");
        assert_eq!(since("2026-03-01T01:00:00+01:00"), "2026-03-01T00:00:00Z");
        for wrong in ["", "h", "1w", "-1h", "1.5h", "90", "yesterday", "9223372036854775807d", "2026-03-01", "1ä"] {
            assert!(wrong.parse::<Since>().is_err(), "{wrong}");
        }
    }
}
