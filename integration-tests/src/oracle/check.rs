//! The comparison: expected outputs against what came out. Pure.
//!
//! One core, two ways in: [`Judge`] takes outputs one at a time and keeps a few bytes of each, so that a run of millions
//! of events fits into memory; [`check`] feeds it a whole small [`History`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::expected::{EventId, ExpectedOutput, Target, What};
use super::history::History;
use crate::kafka::{Position, ReadRecord};

mod counts;
mod judge;
mod record;

pub(super) use judge::source_of;
pub use judge::{Ending, Expectations, Judge, Wanted};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// An expected output is not there.
    Lost,
    /// An expected output is there more than once.
    Duplicated,
    /// An output is there that nobody expects.
    Unexpected,
    /// An output of an event is there whose publisher aborted it: it was never said.
    Aborted,
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
    /// The ingest does not hold what its publisher was told that it holds: then the run proves nothing.
    WrongSource,
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
    /// The findings in the order of their kinds; of a kind that is found very often only the first.
    pub findings: Vec<Finding>,
    /// How often each kind was found.
    pub counts: BTreeMap<FindingKind, usize>,
    /// How many outputs were expected.
    pub expected: usize,
    /// How many were there.
    pub observed: usize,
    /// How many may have been deleted with their Kafka topic before they were read: those are not lost.
    pub deleted: usize,
}

impl Verdict {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// The kinds of what is wrong.
    #[must_use]
    pub fn kinds(&self) -> BTreeSet<FindingKind> {
        self.counts.keys().copied().collect()
    }

    /// How often this kind was found.
    #[must_use]
    pub fn count(&self, kind: FindingKind) -> usize {
        self.counts.get(&kind).copied().unwrap_or_default()
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
/// How many findings of a kind are kept.
const KEPT: usize = 1_000;

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} outputs expected, {} observed", self.expected, self.observed)?;
        for (kind, count) in &self.counts {
            writeln!(formatter, "{kind:?}: {count}")?;
            for finding in self.findings.iter().filter(|finding| finding.kind == *kind).take(SHOWN) {
                writeln!(formatter, "  {}", finding.detail)?;
            }
        }
        Ok(())
    }
}

/// What was found so far: everything is counted, and enough of it is kept to look into.
#[derive(Debug, Default)]
struct Findings {
    found: Vec<Finding>,
    counts: BTreeMap<FindingKind, usize>,
}

impl Findings {
    fn add(&mut self, kind: FindingKind, detail: String) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= KEPT {
            self.found.push(Finding { kind, detail });
        }
    }

    fn into_verdict(mut self, expected: usize, observed: usize) -> Verdict {
        self.found.sort_by_key(|finding| finding.kind);
        Verdict { findings: self.found, counts: self.counts, expected, observed, deleted: 0 }
    }
}

/// Compares a whole history.
///
/// # Panics
/// When one output is expected twice.
#[must_use]
pub fn check(expected: &[ExpectedOutput], history: &History) -> Verdict {
    let listed = Listed::new(expected);
    let mut judge = Judge::new(history.partitions.clone());
    for record in sorted(&history.notifications) {
        judge.notification(&listed, record);
    }
    for record in sorted(&history.dead_letters) {
        judge.dead_letter(&listed, record);
    }
    let ending = Ending {
        committed: history.committed.clone(),
        unconsumed: history.unconsumed.clone(),
        unsettled: history.unsettled.clone(),
    };
    judge.finish(&listed, &ending)
}

/// The order in which a reader sees them.
fn sorted(records: &[ReadRecord]) -> Vec<&ReadRecord> {
    let mut sorted: Vec<&ReadRecord> = records.iter().collect();
    sorted.sort_by(|left, right| left.position.cmp(&right.position));
    sorted
}

/// Expectations that fit into memory as a list.
struct Listed<'a> {
    by_source: BTreeMap<&'a Position, Vec<&'a ExpectedOutput>>,
    slots: BTreeMap<(&'a EventId, Target), usize>,
}

impl<'a> Listed<'a> {
    fn new(expected: &'a [ExpectedOutput]) -> Self {
        let mut by_source: BTreeMap<&Position, Vec<&ExpectedOutput>> = BTreeMap::new();
        let mut slots = BTreeMap::new();
        for output in expected {
            let of_record = by_source.entry(&output.event.source).or_default();
            let before = slots.insert((&output.event, output.target()), of_record.len());
            assert!(before.is_none(), "the test expects one output twice");
            of_record.push(output);
        }
        Self { by_source, slots }
    }
}

impl Expectations for Listed<'_> {
    fn wanted(&self, event: &EventId, target: &Target) -> Wanted<'_> {
        match self.slots.get(&(event, target.clone())) {
            Some(slot) => Wanted::Output { slot: *slot, output: Cow::Borrowed(self.by_source[&event.source][*slot]) },
            None => Wanted::Nothing,
        }
    }

    fn for_each_record(&self, visit: &mut dyn FnMut(&Position, usize)) {
        for (position, outputs) in &self.by_source {
            visit(position, outputs.len());
        }
    }

    fn name(&self, source: &Position, slot: usize) -> String {
        let output = self.by_source[source][slot];
        format!("{} of {}", output.target(), output.event)
    }
}

/// Whether an expected output is a dead letter.
fn is_dead_letter(output: &ExpectedOutput) -> bool {
    matches!(output.what, What::DeadLetter(_))
}
