//! The report: what was done, what came of it, how long outputs took to flow again.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use super::log::Entry;
use super::nemesis::bound;
use super::options::Options;
use super::run::Outcome;
use super::stage::{BROKER_SESSION_TIMEOUT, SESSION_TIMEOUT, TRANSACTION_SCAN, TRANSACTION_TIMEOUT};
use crate::oracle::FindingKind;

/// Everything as Markdown.
pub(super) fn markdown(options: &Options, seed: u64, outcomes: &[Outcome], is_good: bool) -> String {
    let mut text = String::from("# Chaos report\n\n");
    let _ = writeln!(text, "    {}\n", options.command(seed));
    let verdict = if is_good { "Every output came exactly once." } else { "**This run failed.**" };
    let _ = writeln!(text, "{verdict} Seed {seed}.\n");
    settings(&mut text, options);
    figures(&mut text, outcomes);
    recovery(&mut text, outcomes);
    text.push_str("## Faults\n\n");
    for outcome in outcomes {
        let _ = writeln!(text, "{} node(s); seconds since the first event.\n\n```text", outcome.nodes);
        for entry in &outcome.entries {
            let _ = writeln!(text, "{:>7.1} {}", entry.at.as_secs_f64(), entry.line());
        }
        text.push_str("```\n\n");
    }
    text
}

/// What is written by hand at the end of a report; a new one keeps it.
const BY_HAND: &str = "## Found on the way";

/// A new report in place of another one.
pub(super) fn over(before: &str, report: &str) -> String {
    let by_hand = before.find(BY_HAND).map_or("", |at| &before[at..]);
    format!("{report}{by_hand}")
}

fn settings(text: &mut String, options: &Options) {
    let seconds = |time: Duration| format!("{} s", time.as_secs_f64());
    let rows = [
        ("session timeout of the service", seconds(SESSION_TIMEOUT)),
        ("transaction timeout of the service", seconds(TRANSACTION_TIMEOUT)),
        ("max.poll.interval.ms", seconds(SESSION_TIMEOUT)),
        ("broker: transaction.abort.timed.out.transaction.cleanup.interval.ms", seconds(TRANSACTION_SCAN)),
        ("broker: broker.session.timeout.ms", seconds(BROKER_SESSION_TIMEOUT)),
        ("three nodes", "replication factor 3, min.insync.replicas 2, also of the internal Kafka topics".to_owned()),
        ("instances, tasks of each", format!("{}, {}", options.instances, options.tasks)),
        ("events published per second", options.rate.to_string()),
        ("group protocol, assignment", format!("{:?}, {:?}", options.group_protocol, options.assignment)),
    ];
    text.push_str("| setting | value |\n|---|---|\n");
    for (name, value) in rows {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    text.push('\n');
}

fn figures(text: &mut String, outcomes: &[Outcome]) {
    let head: String = outcomes.iter().map(|outcome| format!(" {} node(s) |", outcome.nodes)).collect();
    let _ = writeln!(text, "| |{head}\n|---|{}", "---|".repeat(outcomes.len()));
    let mut row = |name: &str, value: &dyn Fn(&Outcome) -> String| {
        let cells: String = outcomes.iter().map(|outcome| format!(" {} |", value(outcome))).collect();
        let _ = writeln!(text, "| {name} |{cells}");
    };
    row("minutes", &|outcome| format!("{:.1}", outcome.lasted.as_secs_f64() / 60.0));
    row("events", &|outcome| outcome.events.to_string());
    row("events that their publisher aborted (never seen)", &|outcome| outcome.aborted.to_string());
    row("outputs expected", &|outcome| outcome.verdict.expected.to_string());
    row("outputs seen", &|outcome| outcome.verdict.observed.to_string());
    row("outputs deleted with their Kafka topic before they were read", &|outcome| outcome.verdict.deleted.to_string());
    for (name, kind) in [
        ("lost", FindingKind::Lost),
        ("duplicated", FindingKind::Duplicated),
        ("torn", FindingKind::Torn),
        ("reordered", FindingKind::Reordered),
        ("unexpected", FindingKind::Unexpected),
        ("of aborted events", FindingKind::Aborted),
    ] {
        row(name, &|outcome| outcome.verdict.count(kind).to_string());
    }
    row("other findings", &|outcome| {
        let counted = [
            FindingKind::Lost,
            FindingKind::Duplicated,
            FindingKind::Torn,
            FindingKind::Reordered,
            FindingKind::Unexpected,
            FindingKind::Aborted,
        ];
        let others = outcome.verdict.counts.iter().filter(|(kind, _)| !counted.contains(kind));
        others.map(|(_, count)| count).sum::<usize>().to_string()
    });
    row("faults", &|outcome| outcome.entries.len().to_string());
    row("kills with SIGKILL, of instances and brokers", &|outcome| outcome.kills().to_string());
    row("kills proven to be in mid-transaction", &|outcome| outcome.interrupted().to_string());
    row("aborted records and transaction markers in the outputs", &|outcome| outcome.invisible.to_string());
    row("transaction markers that Kafka left out (for deleted Kafka topics, and never else)", &|outcome| {
        outcome.skipped_markers.to_string()
    });
    row("disk of all brokers, MB", &|outcome| (outcome.disk_bytes / 1_000_000).to_string());
    text.push('\n');
    for problem in outcomes.iter().flat_map(|outcome| outcome.problems.iter().chain(&outcome.notes)) {
        let _ = writeln!(text, "- {problem}");
    }
    text.push('\n');
    for outcome in outcomes.iter().filter(|outcome| !outcome.verdict.is_clean()) {
        let _ = writeln!(text, "\n```text\n{}```", outcome.verdict);
    }
}

/// The times of one kind of fault.
#[derive(Default)]
struct Times {
    recoveries: Vec<Duration>,
    stops: Vec<Duration>,
    bound: Option<Duration>,
}

fn recovery(text: &mut String, outcomes: &[Outcome]) {
    let _ = writeln!(
        text,
        "## Until outputs flow again\n\n\
         As a `read_committed` reader sees it: from the fault until every ingest partition and every partition of every\n\
         destination has shown an output of an event that was published after the fault. Kills in mid-transaction stand\n\
         apart: after each, a record of the open transaction was seen uncommitted, and never committed. The bound for one\n\
         of several instances is max(session timeout, transaction timeout + scan interval) + 2 s = {} s.\n\n\
         | nodes | fault | times | min s | median s | max s | within the bound |\n|---|---|---|---|---|---|---|",
        bound().as_secs()
    );
    for ((nodes, kind), times) in by_kind(outcomes) {
        if let Some([min, median, max]) = spread(&times.recoveries) {
            let count = times.recoveries.len();
            let kept = times.bound.map_or_else(String::new, |bound| {
                let within = times.recoveries.iter().filter(|time| **time <= bound).count();
                format!("{within} of {count} ({} s)", bound.as_secs())
            });
            let _ = writeln!(text, "| {nodes} | {kind} | {count} | {min:.2} | {median:.2} | {max:.2} | {kept} |");
        }
        if let Some([min, median, max]) = spread(&times.stops) {
            let count = times.stops.len();
            let _ = writeln!(
                text,
                "| {nodes} | {kind}: until the process has ended | {count} | {min:.2} | {median:.2} | {max:.2} | |"
            );
        }
    }
    text.push('\n');
}

fn by_kind(outcomes: &[Outcome]) -> BTreeMap<(usize, String), Times> {
    let mut kinds: BTreeMap<(usize, String), Times> = BTreeMap::new();
    for entry in outcomes.iter().flat_map(|outcome| &outcome.entries) {
        let times = kinds.entry((entry.nodes, row_of(entry))).or_default();
        times.recoveries.extend(entry.recovery);
        times.stops.extend(entry.stopped_in);
        times.bound = entry.bound;
    }
    kinds
}

fn row_of(entry: &Entry) -> String {
    let place = if entry.interrupted.is_empty() { "" } else { ", in mid-transaction" };
    format!("{}{place}", entry.kind)
}

/// Minimum, median and maximum in seconds.
fn spread(times: &[Duration]) -> Option<[f64; 3]> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = |index: usize| sorted.get(index).map(Duration::as_secs_f64);
    Some([at(0)?, at(sorted.len() / 2)?, at(sorted.len().checked_sub(1)?)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_report_keeps_what_was_written_by_hand() {
        let first = over("", "# Report 1\n\n");
        let written = format!("{first}## Found on the way\n\n- a bug\n");
        assert_eq!(over(&written, "# Report 2\n\n"), "# Report 2\n\n## Found on the way\n\n- a bug\n");
    }
}
