//! Retention, against where the group starts and against the times of notifications: they are those of their events, so
//! that a backlog may meet a destination's retention at once.

use std::time::Duration;

use super::super::Options;
use super::{Case, Finding, RETENTION, Severity};
use crate::domain::plan::StartFrom;

pub(super) fn judge(case: &Case<'_>, findings: &mut Vec<Finding>) {
    for ingest in &case.plan.ingest {
        findings.extend(start_is_gone(case, &ingest.kafka_topic, ingest.start_from));
    }
    let Some(oldest) = oldest_event(case) else { return };
    let mut outputs: Vec<&str> =
        case.plan.destinations.iter().map(|destination| destination.kafka_topic.as_str()).collect();
    outputs.push(&case.plan.dead_letter_kafka_topic);
    outputs.sort_unstable();
    outputs.dedup();
    for name in outputs {
        let Some(options) = case.facts.options.get(name) else { continue };
        if options.get("message.timestamp.type") == Some("LogAppendTime") {
            continue;
        }
        findings.extend(kept_for_shorter(case, name, options, oldest));
        findings.extend(refuses_the_old(case, name, options, oldest));
    }
}

fn start_is_gone(case: &Case<'_>, name: &str, start: StartFrom) -> Option<Finding> {
    let kept = case.facts.options.get(name).and_then(deletes_after)?;
    let StartFrom::Time(time) = start else { return None };
    let age = Duration::try_from(case.now.duration_since(time)).ok()?;
    let what = format!(
        "startFrom is {time}, and its records stay for {}: a new group misses what is deleted already",
        spoken(kept)
    );
    let wanted = (age + DAY).as_millis();
    let finding = Finding::new(Severity::Warning, "start-from", what).about(name);
    (age > kept).then(|| finding.remedy(case.commands.set(name, RETENTION, wanted)))
}

/// The age that an event may have when it is read: as long as the ingest keeps it.
fn oldest_event(case: &Case<'_>) -> Option<Kept> {
    let of_ingest = case.plan.ingest.iter().filter_map(|ingest| case.facts.options.get(&ingest.kafka_topic));
    of_ingest.map(|options| deletes_after(options).map_or(Kept::Always, Kept::For)).max()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    For(Duration),
    Always,
}

impl Kept {
    fn spoken(self) -> String {
        match self {
            Self::For(time) => format!("for {}", spoken(time)),
            Self::Always => "without end".to_owned(),
        }
    }

    fn milliseconds(self) -> String {
        match self {
            Self::For(time) => time.as_millis().to_string(),
            Self::Always => "-1".to_owned(),
        }
    }
}

fn kept_for_shorter(case: &Case<'_>, name: &str, options: &Options, oldest: Kept) -> Option<Finding> {
    let kept = deletes_after(options)?;
    let what = format!(
        "keeps records for {}, and the ingest {}: records have the time of their event, so that what comes of older ones \
         (a new group, a long stop) may be deleted before it is read",
        spoken(kept),
        oldest.spoken()
    );
    let finding = Finding::new(Severity::Warning, "retention", what).about(name);
    (Kept::For(kept) < oldest).then(|| finding.remedy(case.commands.set(name, RETENTION, oldest.milliseconds())))
}

fn refuses_the_old(case: &Case<'_>, name: &str, options: &Options, oldest: Kept) -> Option<Finding> {
    let taken = Duration::from_millis(u64::try_from(options.number(BEFORE_MAX)?).ok()?);
    let what = format!(
        "refuses records that are older than {}, and the ingest keeps them {}: records have the time of their event",
        spoken(taken),
        oldest.spoken()
    );
    let is_bound = options.number(BEFORE_MAX) != Some(i64::MAX);
    let finding = Finding::new(Severity::Warning, "timestamps", what).about(name);
    let wanted = if oldest == Kept::Always { i64::MAX.to_string() } else { oldest.milliseconds() };
    (is_bound && Kept::For(taken) < oldest).then(|| finding.remedy(case.commands.set(name, BEFORE_MAX, wanted)))
}

/// How long records stay, where they are deleted by their age.
fn deletes_after(options: &Options) -> Option<Duration> {
    let milliseconds = options.number(RETENTION).filter(|_| options.cleans_up_by("delete"))?;
    Some(Duration::from_millis(u64::try_from(milliseconds).ok()?))
}

/// `7d`, `36h`, `90m`, `1500ms`.
fn spoken(time: Duration) -> String {
    let milliseconds = time.as_millis();
    for (unit, of) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds >= of && milliseconds.is_multiple_of(of) {
            return format!("{}{unit}", milliseconds / of);
        }
    }
    format!("{milliseconds}ms")
}

const DAY: Duration = Duration::from_secs(86_400);

const BEFORE_MAX: &str = "message.timestamp.before.max.ms";
