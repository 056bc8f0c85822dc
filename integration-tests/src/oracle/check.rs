//! The comparison: expected outputs against a history. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::expected::{EventId, ExpectedOutput, Target, What};
use super::history::{History, parse_source};
use super::murmur2;
use crate::kafka::{Position, ReadRecord};

mod record;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// An expected output is not there.
    Lost,
    /// An expected output is there more than once.
    Duplicated,
    /// An output is there that nobody expects.
    Unexpected,
    /// Two outputs of one destination with one key from one ingest partition stand in the wrong order.
    Reordered,
    /// Some outputs of a record are there and others are not.
    Torn,
    /// An output is visible whose source the group has not committed.
    UncommittedSource,
    /// The group has not passed a committed ingest record.
    Unconsumed,
    /// A transaction is still open in an output Kafka topic.
    Unsettled,
    /// A key is not what it has to be, or not on the partition where Java clients put it.
    WrongKey,
    /// A header is missing, wrong or too many.
    WrongHeader,
    /// The value is not what it has to be.
    WrongContent,
    /// An output lies in another Kafka topic, or has another time.
    WrongPlace,
    /// An output does not say which event it comes from.
    Unreadable,
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// Where, and in what way.
    pub detail: String,
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The findings in the order of their kinds.
    pub findings: Vec<Finding>,
    /// How many outputs were expected.
    pub expected: usize,
    /// How many were there.
    pub observed: usize,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The kinds of what is wrong.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<FindingKind> {
        self.findings.iter().map(|finding| finding.kind).collect()
    }

    /// # Panics
    /// When something is wrong, or when nothing was expected: an empty run proves nothing.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.expected > 0, "nothing was expected: such a run proves nothing");
        assert!(self.is_clean(), "{self}");
    }
}

/// How many findings of a kind are shown.
const SHOWN: usize = 10;

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} outputs expected, {} observed", self.expected, self.observed)?;
        for kind in self.kinds() {
            let of_kind: Vec<&Finding> = self.findings.iter().filter(|finding| finding.kind == kind).collect();
            writeln!(formatter, "{kind:?}: {}", of_kind.len())?;
            for finding in of_kind.iter().take(SHOWN) {
                writeln!(formatter, "  {}", finding.detail)?;
            }
        }
        Ok(())
    }
}

/// An output as it was read, with what it says about itself.
struct Observed<'a> {
    event: EventId,
    target: Target,
    record: &'a ReadRecord,
}

type OutputId = (EventId, Target);

/// Compares.
#[must_use]
pub fn check(expected: &[ExpectedOutput], history: &History) -> Verdict {
    let mut findings = Findings::default();
    let observed = identify(history, &mut findings);
    let wanted: BTreeMap<OutputId, &ExpectedOutput> =
        expected.iter().map(|output| ((output.event.clone(), output.target()), output)).collect();
    assert_eq!(wanted.len(), expected.len(), "the test expects one output twice");
    let mut seen: BTreeMap<OutputId, Vec<&ReadRecord>> = BTreeMap::new();
    for output in &observed {
        seen.entry((output.event.clone(), output.target.clone())).or_default().push(output.record);
    }
    compare_sets(&wanted, &seen, &mut findings);
    find_torn(&wanted, &seen, &mut findings);
    find_reordered(&observed, &mut findings);
    find_uncommitted(&observed, history, &mut findings);
    for output in &observed {
        check_partition(output.record, history, &mut findings);
    }
    for position in &history.unconsumed {
        findings.add(FindingKind::Unconsumed, position.to_string());
    }
    for kafka_topic in &history.unsettled {
        findings.add(FindingKind::Unsettled, kafka_topic.clone());
    }
    let total = history.notifications.len() + history.dead_letters.len();
    findings.into_verdict(expected.len(), total)
}

#[derive(Default)]
struct Findings {
    found: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, kind: FindingKind, detail: String) {
        self.found.push(Finding { kind, detail });
    }

    fn into_verdict(mut self, expected: usize, observed: usize) -> Verdict {
        self.found.sort_by_key(|finding| finding.kind);
        Verdict { findings: self.found, expected, observed }
    }
}

/// Reads from each output's headers which event it comes from and whom it is for.
fn identify<'a>(history: &'a History, findings: &mut Findings) -> Vec<Observed<'a>> {
    let mut observed = Vec::new();
    for record in &history.notifications {
        let event = record.header("fhir-source").and_then(parse_source);
        match (event, record.header("fhir-destination")) {
            (Some(event), Some(id)) => {
                observed.push(Observed { event, target: Target::Destination(id.to_owned()), record });
            }
            _ => findings.add(FindingKind::Unreadable, record.position.to_string()),
        }
    }
    for record in &history.dead_letters {
        match dead_letter_id(record) {
            Some((event, target)) => observed.push(Observed { event, target, record }),
            None => findings.add(FindingKind::Unreadable, record.position.to_string()),
        }
    }
    observed
}

fn dead_letter_id(record: &ReadRecord) -> Option<OutputId> {
    let mut event = parse_source(record.header("fhir-dead-letter-source")?)?;
    event.index = record.header("fhir-dead-letter-event")?.parse().ok()?;
    let class = record.header("fhir-dead-letter-class")?.to_owned();
    let about = record.header("fhir-dead-letter-destination").or_else(|| record.header("fhir-dead-letter-topic"));
    Some((event, Target::DeadLetter { class, about: about.map(str::to_owned) }))
}

fn compare_sets(
    wanted: &BTreeMap<OutputId, &ExpectedOutput>,
    seen: &BTreeMap<OutputId, Vec<&ReadRecord>>,
    findings: &mut Findings,
) {
    for ((event, target), output) in wanted {
        match seen.get(&(event.clone(), target.clone())).map(Vec::as_slice) {
            None | Some([]) => findings.add(FindingKind::Lost, format!("{target} of {event}")),
            Some(records) => {
                if records.len() > 1 {
                    let places: Vec<String> = records.iter().map(|record| record.position.to_string()).collect();
                    let detail = format!("{target} of {event} lies at {}", places.join(" and "));
                    findings.add(FindingKind::Duplicated, detail);
                }
                for found in records {
                    record::compare(output, found, findings);
                }
            }
        }
    }
    for (event, target) in seen.keys().filter(|id| !wanted.contains_key(*id)) {
        findings.add(FindingKind::Unexpected, format!("{target} of {event}"));
    }
}

/// One transaction carries everything of a record: all of it is there or nothing.
fn find_torn(
    wanted: &BTreeMap<OutputId, &ExpectedOutput>,
    seen: &BTreeMap<OutputId, Vec<&ReadRecord>>,
    findings: &mut Findings,
) {
    let mut records: BTreeMap<&Position, (usize, usize)> = BTreeMap::new();
    for id in wanted.keys() {
        let (expected, found) = records.entry(&id.0.source).or_default();
        *expected += 1;
        *found += usize::from(seen.contains_key(id));
    }
    for (source, (expected, found)) in records {
        if found > 0 && found < expected {
            findings.add(FindingKind::Torn, format!("{source}: {found} of {expected} outputs are there"));
        }
    }
}

/// Per destination, key and ingest partition, offsets rise as those of the sources do. A null key promises no order.
fn find_reordered(observed: &[Observed<'_>], findings: &mut Findings) {
    let mut lanes: BTreeMap<_, Vec<&Observed<'_>>> = BTreeMap::new();
    for output in observed {
        if let (Target::Destination(id), Some(key)) = (&output.target, &output.record.key) {
            let ingest = (&output.event.source.kafka_topic, output.event.source.partition);
            let place = (&output.record.position.kafka_topic, output.record.position.partition);
            lanes.entry((id, key, ingest, place)).or_default().push(output);
        }
    }
    for lane in lanes.values_mut() {
        lane.sort_by_key(|output| output.record.position.offset);
        for pair in lane.windows(2) {
            let (first, second) = (pair[0], pair[1]);
            if first.event > second.event {
                let detail = format!("{} stands before {} at {}", first.event, second.event, second.record.position);
                findings.add(FindingKind::Reordered, detail);
            }
        }
    }
}

/// An output is visible if and only if its source offset is committed.
fn find_uncommitted(observed: &[Observed<'_>], history: &History, findings: &mut Findings) {
    for output in observed {
        let source = &output.event.source;
        let committed = history.committed.get(&(source.kafka_topic.clone(), source.partition));
        if committed.is_none_or(|committed| *committed <= source.offset) {
            let detail = format!("{} comes from {source}, committed is {committed:?}", output.record.position);
            findings.add(FindingKind::UncommittedSource, detail);
        }
    }
}

fn check_partition(record: &ReadRecord, history: &History, findings: &mut Findings) {
    let (Some(key), Some(partitions)) = (&record.key, history.partitions.get(&record.position.kafka_topic)) else {
        return;
    };
    let wanted = murmur2::partition(key, *partitions);
    if wanted != record.position.partition {
        let detail = format!("{} has a key of partition {wanted}", record.position);
        findings.add(FindingKind::WrongKey, detail);
    }
}

/// Whether an expected output is a dead letter.
fn is_dead_letter(output: &ExpectedOutput) -> bool {
    matches!(output.what, What::DeadLetter(_))
}
