//! The core: takes outputs one at a time, as a reader sees them, and keeps a few bytes of each.
//!
//! ```text
//! output -> which event, for whom (headers) -> what was wanted of it -> compare at once
//!             |-> one byte: seen how often (lost, duplicated, torn)
//!             |-> per destination, key and ingest partition: the last source (reordered)
//!             `-> per ingest partition: the furthest source (output without committed offset)
//! ```
//!
//! Records of one partition have to come in the order of their offsets. When sequence numbers travel in a header
//! (`fhir-sequence`), their gaps are looked for where the order is: per destination and ingest partition.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::super::expected::{EventId, ExpectedOutput, Target};
use super::super::history::parse_source;
use super::super::murmur2;
use super::counts::Counts;
use super::{FindingKind, Findings, Verdict, record};
use crate::kafka::{Position, ReadRecord};

/// What had to come of the ingest's records.
pub trait Expectations {
    /// What is wanted of this event for this target.
    fn wanted(&self, event: &EventId, target: &Target) -> Wanted<'_>;

    /// Visits every ingest record of which outputs are expected, with their number.
    fn for_each_record(&self, visit: &mut dyn FnMut(&Position, usize));

    /// Whether the output in this slot of an ingest record may be missing, because it was deleted before it was read.
    fn may_be_deleted(&self, _source: &Position, _slot: usize) -> bool {
        false
    }

    /// Names the output in this slot of an ingest record.
    fn name(&self, source: &Position, slot: usize) -> String;
}

#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made, and never stored")]
/// The answer to whether an output had to be there.
#[derive(Debug)]
pub enum Wanted<'e> {
    /// It had to be, and like this; `slot` is its place among the outputs of its ingest record.
    Output {
        /// From 0, without holes.
        slot: usize,
        /// What it has to be.
        output: Cow<'e, ExpectedOutput>,
    },
    /// It must not be.
    Nothing,
    /// It must not be: the event's publisher aborted it.
    Aborted,
}

/// What is known once nothing more can come.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// The group's committed offset by ingest Kafka topic and partition.
    pub committed: BTreeMap<(String, i32), i64>,
    /// Committed ingest records that the group has not passed.
    pub unconsumed: Vec<Position>,
    /// Kafka topics in which a transaction was still open.
    pub unsettled: Vec<String>,
}

/// Where order holds: Kafka topic and partition of the output, destination, key, Kafka topic and partition of the source.
type Lane = (u16, i32, u16, u64, u16, i32);

/// Judges outputs one at a time.
#[derive(Debug, Default)]
pub struct Judge {
    partitions: BTreeMap<String, usize>,
    counts: Counts,
    names: Names,
    lanes: HashMap<Lane, (i64, u32)>,
    /// The furthest source of each ingest partition of which an output is visible, and where that lies.
    furthest: BTreeMap<(u16, i32), (i64, Position)>,
    findings: Findings,
    observed: usize,
}

impl Judge {
    /// `partitions` is the number of partitions of every output Kafka topic.
    #[must_use]
    pub fn new(partitions: BTreeMap<String, usize>) -> Self {
        Self { partitions, ..Self::default() }
    }

    /// How many outputs were judged.
    #[must_use]
    pub fn observed(&self) -> usize {
        self.observed
    }

    /// How many findings there are so far.
    #[must_use]
    pub fn found(&self) -> usize {
        self.findings.counts.values().sum()
    }

    /// Adds what was found by other means.
    pub fn add(&mut self, kind: FindingKind, detail: String) {
        self.findings.add(kind, detail);
    }

    /// Judges a record of a destination's Kafka topic.
    pub fn notification(&mut self, expectations: &impl Expectations, record: &ReadRecord) {
        match notification_id(record) {
            Some((event, target)) => self.output(expectations, record, &event, &target),
            None => self.unreadable(record),
        }
    }

    /// Judges a record of the dead letters' Kafka topic.
    pub fn dead_letter(&mut self, expectations: &impl Expectations, record: &ReadRecord) {
        match dead_letter_id(record) {
            Some((event, target)) => self.output(expectations, record, &event, &target),
            None => self.unreadable(record),
        }
    }

    fn unreadable(&mut self, record: &ReadRecord) {
        self.observed += 1;
        self.findings.add(FindingKind::Unreadable, record.position.to_string());
    }

    fn output(&mut self, expectations: &impl Expectations, record: &ReadRecord, event: &EventId, target: &Target) {
        self.observed += 1;
        match expectations.wanted(event, target) {
            Wanted::Output { slot, output } => {
                if self.counts.add(&event.source, slot) > 1 {
                    let detail = format!("{target} of {event} lies at {} once more", record.position);
                    self.findings.add(FindingKind::Duplicated, detail);
                }
                record::compare(&output, record, &mut self.findings);
            }
            Wanted::Nothing => {
                self.findings.add(FindingKind::Unexpected, format!("{target} of {event} at {}", record.position));
            }
            Wanted::Aborted => {
                self.findings.add(FindingKind::Aborted, format!("{target} of {event} at {}", record.position));
            }
        }
        self.follow_order(record, event, target);
        self.follow_sources(record, event);
        self.check_partition(record);
    }

    /// Per destination, key and ingest partition, sources rise with the outputs' offsets. A null key promises no order.
    fn follow_order(&mut self, record: &ReadRecord, event: &EventId, target: &Target) {
        let (Target::Destination(id), Some(key)) = (target, &record.key) else { return };
        let lane = (
            self.names.id(&record.position.kafka_topic),
            record.position.partition,
            self.names.id(id),
            hash(key),
            self.names.id(&event.source.kafka_topic),
            event.source.partition,
        );
        let source = (event.source.offset, event.index);
        match self.lanes.entry(lane) {
            Entry::Vacant(entry) => {
                entry.insert(source);
            }
            Entry::Occupied(mut entry) => {
                let before = entry.insert(source);
                if before > source {
                    let detail = format!(
                        "offset {}#{} of the ingest stands before {event} at {}",
                        before.0, before.1, record.position
                    );
                    self.findings.add(FindingKind::Reordered, detail);
                }
            }
        }
    }

    fn follow_sources(&mut self, record: &ReadRecord, event: &EventId) {
        let place = (self.names.id(&event.source.kafka_topic), event.source.partition);
        let furthest = self.furthest.get(&place).map_or(-1, |(offset, _)| *offset);
        if event.source.offset > furthest {
            self.furthest.insert(place, (event.source.offset, record.position.clone()));
        }
    }

    fn check_partition(&mut self, record: &ReadRecord) {
        let Some(partitions) = self.partitions.get(&record.position.kafka_topic) else { return };
        let Some(key) = record.key.as_deref().filter(|_| *partitions > 0) else { return };
        let wanted = murmur2::partition(key, *partitions);
        if wanted != record.position.partition {
            let detail = format!("{} has a key of partition {wanted}", record.position);
            self.findings.add(FindingKind::WrongKey, detail);
        }
    }

    /// Nothing more can come: what is missing now is lost.
    #[must_use]
    pub fn finish(mut self, expectations: &impl Expectations, ending: &Ending) -> Verdict {
        let (mut expected, mut deleted) = (0, 0);
        let (counts, findings) = (&self.counts, &mut self.findings);
        expectations.for_each_record(&mut |source, slots| {
            expected += slots;
            let mut missing: Vec<usize> = (0..slots).filter(|slot| counts.get(source, *slot) == 0).collect();
            let seen = slots - missing.len();
            missing.retain(|slot| !expectations.may_be_deleted(source, *slot));
            deleted += slots - seen - missing.len();
            for slot in &missing {
                findings.add(FindingKind::Lost, expectations.name(source, *slot));
            }
            // One transaction carries everything of a record: all of it is there or nothing.
            if !missing.is_empty() && seen > 0 {
                let detail = format!("{source}: {seen} of {slots} outputs are there");
                findings.add(FindingKind::Torn, detail);
            }
        });
        self.compare_commits(ending);
        for position in &ending.unconsumed {
            self.findings.add(FindingKind::Unconsumed, position.to_string());
        }
        for kafka_topic in &ending.unsettled {
            self.findings.add(FindingKind::Unsettled, kafka_topic.clone());
        }
        Verdict { deleted, ..self.findings.into_verdict(expected, self.observed) }
    }

    /// An output is visible if and only if its source offset is committed.
    fn compare_commits(&mut self, ending: &Ending) {
        for ((kafka_topic, partition), (offset, output)) in &self.furthest {
            let source = (self.names.name(*kafka_topic).to_owned(), *partition);
            let committed = ending.committed.get(&source);
            if committed.is_none_or(|committed| committed <= offset) {
                let (kafka_topic, partition) = source;
                let detail =
                    format!("{output} comes from {kafka_topic}:{partition}:{offset}, committed is {committed:?}");
                self.findings.add(FindingKind::UncommittedSource, detail);
            }
        }
    }
}

/// Reads from a notification's headers which event it comes from and whom it is for.
fn notification_id(record: &ReadRecord) -> Option<(EventId, Target)> {
    let event = record.header("fhir-source").and_then(parse_source)?;
    Some((event, Target::Destination(record.header("fhir-destination")?.to_owned())))
}

fn dead_letter_id(record: &ReadRecord) -> Option<(EventId, Target)> {
    let mut event = parse_source(record.header("fhir-dead-letter-source")?)?;
    event.index = record.header("fhir-dead-letter-event")?.parse().ok()?;
    let class = record.header("fhir-dead-letter-class")?.to_owned();
    let about = record.header("fhir-dead-letter-destination").or_else(|| record.header("fhir-dead-letter-topic"));
    Some((event, Target::DeadLetter { class, about: about.map(str::to_owned) }))
}

/// Which event an output comes from, as its headers say.
#[must_use]
pub(in crate::oracle) fn source_of(record: &ReadRecord) -> Option<EventId> {
    notification_id(record).or_else(|| dead_letter_id(record)).map(|(event, _)| event)
}

/// 64 bits of a key: that two of a run's keys share them is less likely than a fault of the memory.
fn hash(key: &[u8]) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

/// Short numbers for the few names of a run.
#[derive(Debug, Default)]
struct Names {
    names: Vec<String>,
}

impl Names {
    fn id(&mut self, name: &str) -> u16 {
        let found = self.names.iter().position(|known| known == name);
        let index = found.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        // What outputs say about themselves is not bounded; names beyond this share a number, and were found unexpected.
        u16::try_from(index).unwrap_or(u16::MAX)
    }

    fn name(&self, id: u16) -> &str {
        self.names.get(usize::from(id)).map_or("", String::as_str)
    }
}
