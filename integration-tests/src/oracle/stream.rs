//! The checker of a run without end: outputs are judged while they are read, and only a few bytes of each are kept.
//!
//! ```text
//! number -> event (seed) -> published plainly, in a committed or in an aborted transaction
//!                                      |
//! ingest, read_committed: which number lies where (4 bytes each) --+
//!                                                                  +-> Judge -> Verdict
//! destinations and dead letters, read_committed -------------------+
//! ```
//!
//! The truth about what was said is the ingest itself, read with `read_committed`: a publisher that is killed does not
//! know it. What publishers do know (acknowledged, aborted) is compared with it at the end; a difference is no fault of
//! the service, but the run proves nothing then. An output may be read before its source: it waits for it, and with it
//! all that lies behind it in its partition.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::check::{Ending, Expectations, FindingKind, Judge, Verdict, Wanted, source_of};
use super::expected::{DeadLetter, EventId, ExpectedOutput, Target, What};
use super::intervention::{Interventions, Offsets, Span};
use super::workload::{self, Facts, Rule, Workload};
use crate::kafka::{Position, ReadRecord, Record};

/// The header of an event's number: the service passes it on.
const NUMBER: &str = "correlation-id";
/// Every so many numbers one is no event but a record that cannot be decoded.
const POISON_EVERY: u32 = 97;

/// Numbered events and what has to come of each.
pub struct Numbered {
    /// What is drawn from; its number of events does not matter.
    pub workload: Workload,
    /// Who gets what.
    pub rules: Vec<Rule>,
    /// The ingest Kafka topic.
    pub ingest: String,
    /// The Kafka topic of the dead letters.
    pub dead_letters: String,
}

/// What became of a number, as its publisher knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not given to Kafka, or its publisher was killed before it knew.
    Unknown,
    /// Acknowledged, and if it was in a transaction, that was committed.
    Committed,
    /// Its transaction was aborted, or left open by a publisher that was killed.
    Aborted,
}

/// The ingest partition and the number of the event that an output says it comes from. Not judged: for measuring.
#[must_use]
pub fn origin(record: &ReadRecord) -> Option<(i32, u32)> {
    Some((source_of(record)?.source.partition, record.header(NUMBER)?.parse().ok()?))
}

impl Numbered {
    fn is_poison(number: u32) -> bool {
        number % POISON_EVERY == POISON_EVERY - 1
    }

    /// The record to publish.
    #[must_use]
    pub fn record(&self, number: u32) -> Record {
        let facts = self.workload.numbered(number);
        let record = facts.record().header(NUMBER, number.to_string());
        if Self::is_poison(number) { Record { value: Some(Self::poison(number)), ..record } } else { record }
    }

    fn poison(number: u32) -> Vec<u8> {
        format!("{{\"number\":{number},").into_bytes()
    }

    /// The outputs of a number whose record came to lie here.
    #[must_use]
    pub fn outputs(&self, number: u32, position: &Position) -> Vec<ExpectedOutput> {
        let facts = self.workload.numbered(number);
        if Self::is_poison(number) {
            let letter = DeadLetter {
                class: "undecodable".to_owned(),
                topic: None,
                destination: None,
                value: Some(Self::poison(number)),
            };
            return vec![self.dead_letter(number, &facts, position, letter)];
        }
        let fired = self.rules.iter().filter(|rule| (rule.gets)(&facts));
        let outputs = fired.map(|rule| ExpectedOutput {
            headers: vec![(NUMBER.to_owned(), number.to_string())],
            ..workload::output(&facts, position, rule)
        });
        outputs.collect()
    }

    fn dead_letter(&self, number: u32, facts: &Facts, position: &Position, letter: DeadLetter) -> ExpectedOutput {
        ExpectedOutput {
            event: EventId::only(position.clone()),
            one_of_several: false,
            kafka_topic: self.dead_letters.clone(),
            key: Some(facts.patient.clone().into_bytes()),
            timestamp_ms: None,
            headers: vec![(NUMBER.to_owned(), number.to_string())],
            what: What::DeadLetter(letter),
        }
    }

    /// The dead letter that stands for an output which its destination does not take.
    pub(super) fn instead(&self, number: u32, output: &ExpectedOutput, class: &str) -> Option<ExpectedOutput> {
        let What::Notification(notification) = &output.what else { return None };
        let facts = self.workload.numbered(number);
        let letter = DeadLetter {
            class: class.to_owned(),
            topic: None,
            destination: Some(notification.destination.clone()),
            value: facts.record().value,
        };
        Some(self.dead_letter(number, &facts, &output.event.source, letter))
    }
}

/// One partition of the ingest, as far as it was read.
#[derive(Debug, Clone, Default)]
struct Log {
    /// By offset: the number that lies there, plus one; 0 where no committed record lies.
    numbers: Vec<u32>,
    /// Everything below is known.
    known: i64,
}

impl Log {
    fn number(&self, offset: i64) -> Option<u32> {
        self.numbers.get(usize::try_from(offset).ok()?)?.checked_sub(1)
    }
}

/// The ingest as it was read, with what has to come of it.
struct Ingest {
    numbered: Numbered,
    logs: Vec<Log>,
    interventions: Interventions,
}

impl Ingest {
    fn log(&self, source: &Position) -> Option<&Log> {
        let is_ours = source.kafka_topic == self.numbered.ingest;
        self.logs.get(usize::try_from(source.partition).ok()?).filter(|_| is_ours)
    }

    /// The number of the event at this place, and whom its output in this slot is for.
    fn target(&self, source: &Position, slot: usize) -> (u32, Option<Target>) {
        let number = self.log(source).and_then(|log| log.number(source.offset)).unwrap_or_default();
        (number, self.numbered.outputs(number, source).get(slot).map(ExpectedOutput::target))
    }

    /// What is as good as this output for this target: a dead letter in its place, where one may be.
    fn instead(&self, number: u32, output: &ExpectedOutput, target: &Target) -> Option<ExpectedOutput> {
        let Target::DeadLetter { class, about: Some(about) } = target else { return None };
        let is_its = output.target() == Target::Destination(about.clone());
        let may_be = is_its && self.interventions.may_be_dead_letter(class, about, &output.event.source);
        may_be.then(|| self.numbered.instead(number, output, class))?
    }
}

impl Expectations for Ingest {
    fn wanted(&self, event: &EventId, target: &Target) -> Wanted<'_> {
        let Some(log) = self.log(&event.source) else { return Wanted::Nothing };
        let Some(number) = log.number(event.source.offset) else {
            let is_there = (0..log.known).contains(&event.source.offset);
            return if is_there { Wanted::Aborted } else { Wanted::Nothing };
        };
        let outputs = self.numbered.outputs(number, &event.source);
        let mut slots = outputs.into_iter().enumerate().filter(|(_, output)| output.event == *event);
        let wanted = slots.find_map(|(slot, output)| {
            let output = if output.target() == *target { output } else { self.instead(number, &output, target)? };
            Some(Wanted::Output { slot, output: Cow::Owned(output) })
        });
        wanted.unwrap_or(Wanted::Nothing)
    }

    fn may_be_deleted(&self, source: &Position, slot: usize) -> bool {
        let (_, output) = self.target(source, slot);
        match output {
            Some(Target::Destination(destination)) => self.interventions.may_be_deleted(&destination, source),
            _ => false,
        }
    }

    fn for_each_record(&self, visit: &mut dyn FnMut(&Position, usize)) {
        for (partition, log) in (0..).zip(&self.logs) {
            let mut position = Position { kafka_topic: self.numbered.ingest.clone(), partition, offset: 0 };
            for (offset, number) in (0..).zip(&log.numbers) {
                if let Some(number) = number.checked_sub(1) {
                    position.offset = offset;
                    visit(&position, self.numbered.outputs(number, &position).len());
                }
            }
        }
    }

    fn name(&self, source: &Position, slot: usize) -> String {
        let (number, target) = self.target(source, slot);
        let target = target.map_or_else(String::new, |target| target.to_string());
        format!("{target} of {source} (event {number})")
    }
}

/// The checker of a run that goes on.
pub struct Stream {
    ingest: Ingest,
    judge: Judge,
    /// Outputs whose source was not read yet, and what lies behind them, by output Kafka topic and partition.
    waiting: BTreeMap<(String, i32), VecDeque<ReadRecord>>,
    /// Which numbers lie in the ingest.
    seen: Vec<bool>,
}

impl Stream {
    /// `ingest_partitions` of the ingest; `outputs` is the number of partitions of every output Kafka topic.
    #[must_use]
    pub fn new(numbered: Numbered, ingest_partitions: usize, outputs: BTreeMap<String, usize>) -> Self {
        let logs = vec![Log::default(); ingest_partitions];
        let ingest = Ingest { numbered, logs, interventions: Interventions::default() };
        Self { ingest, judge: Judge::new(outputs), waiting: BTreeMap::new(), seen: Vec::new() }
    }

    /// How many events the ingest holds, as far as it was read.
    #[must_use]
    pub fn events(&self) -> usize {
        self.seen.iter().filter(|seen| **seen).count()
    }

    /// How many outputs were judged.
    #[must_use]
    pub fn observed(&self) -> usize {
        self.judge.observed()
    }

    /// How many findings there are so far.
    #[must_use]
    pub fn found(&self) -> usize {
        self.judge.found()
    }

    /// The Kafka topic of a destination was deleted and made anew; outputs of this part of the ingest may have gone with
    /// it before they were read.
    pub fn destination_deleted(&mut self, destination: &str, unread: Span) {
        self.ingest.interventions.delete(destination, unread);
    }

    /// The Kafka topic of a destination takes only batches of so many bytes: what comes of the ingest from here on and
    /// is larger, may be a dead letter instead.
    pub fn limit_lowered(&mut self, destination: &str, bytes: usize, from: Offsets) {
        self.ingest.interventions.lower_limit(destination, bytes, from);
    }

    /// It takes larger ones again: what comes from here on has to arrive.
    pub fn limit_raised(&mut self, destination: &str, until: &Offsets) {
        self.ingest.interventions.raise_limit(destination, until);
    }

    /// Takes a record that a `read_committed` reader saw in the ingest.
    pub fn ingest(&mut self, record: &ReadRecord) {
        let Position { partition, offset, .. } = record.position;
        let log = usize::try_from(partition).ok().and_then(|index| self.ingest.logs.get_mut(index));
        let place = usize::try_from(offset).ok();
        let number = record.header(NUMBER).and_then(|text| text.parse::<u32>().ok());
        let (Some(log), Some(place), Some(number)) = (log, place, number) else {
            return self.judge.add(FindingKind::WrongSource, format!("{} has no number", record.position));
        };
        log.numbers.resize(place + 1, 0);
        log.numbers[place] = number + 1;
        log.known = offset + 1;
        let published = self.ingest.numbered.record(number);
        if published.key != record.key || published.value != record.value {
            let detail = format!("{} is not event {number} as it was published", record.position);
            self.judge.add(FindingKind::WrongSource, detail);
        }
        let index = number as usize;
        if self.seen.len() <= index {
            self.seen.resize(index + 1, false);
        }
        if std::mem::replace(&mut self.seen[index], true) {
            let detail = format!("{} is event {number} once more", record.position);
            self.judge.add(FindingKind::WrongSource, detail);
        }
        self.judge_what_waited();
    }

    /// Takes a record that a `read_committed` reader saw in a destination or the dead letters.
    pub fn output(&mut self, record: ReadRecord) {
        let place = (record.position.kafka_topic.clone(), record.position.partition);
        let is_first = self.waiting.get(&place).is_none_or(VecDeque::is_empty);
        if is_first && self.is_ready(&record) {
            self.judge(&record);
        } else {
            self.waiting.entry(place).or_default().push_back(record);
        }
    }

    fn judge_what_waited(&mut self) {
        let places: Vec<_> =
            self.waiting.iter().filter(|(_, queue)| !queue.is_empty()).map(|(place, _)| place.clone()).collect();
        for place in places {
            while let Some(record) = self.waiting[&place].front()
                && self.is_ready(record)
            {
                let record = self.waiting.get_mut(&place).and_then(VecDeque::pop_front).expect("it was looked at");
                self.judge(&record);
            }
        }
    }

    /// Whether it is known what lies at the source: also that it is unreadable or in another Kafka topic is.
    fn is_ready(&self, record: &ReadRecord) -> bool {
        let log =
            source_of(record).and_then(|event| Some((self.ingest.log(&event.source)?.known, event.source.offset)));
        log.is_none_or(|(known, offset)| offset < known)
    }

    fn judge(&mut self, record: &ReadRecord) {
        if record.position.kafka_topic == self.ingest.numbered.dead_letters {
            self.judge.dead_letter(&self.ingest, record);
        } else {
            self.judge.notification(&self.ingest, record);
            if let Some(destination) = record.header("fhir-destination") {
                self.ingest.interventions.saw(destination, record);
            }
        }
    }

    /// Nothing more can come. `high` are the ends of the ingest's partitions, aborted records included; `fates` is what
    /// publishers know of each number.
    #[must_use]
    pub fn finish(mut self, ending: &Ending, high: &BTreeMap<i32, i64>, fates: &[Fate]) -> Verdict {
        for (partition, log) in (0..).zip(&mut self.ingest.logs) {
            log.known = log.known.max(high.get(&partition).copied().unwrap_or_default());
        }
        for (_, queue) in std::mem::take(&mut self.waiting) {
            for record in queue {
                self.judge(&record);
            }
        }
        self.compare_fates(fates);
        self.judge.finish(&self.ingest, ending)
    }

    fn compare_fates(&mut self, fates: &[Fate]) {
        for (number, fate) in fates.iter().enumerate() {
            let is_there = self.seen.get(number).copied().unwrap_or_default();
            match (fate, is_there) {
                (Fate::Committed, false) => {
                    self.judge
                        .add(FindingKind::WrongSource, format!("event {number} was acknowledged and is not there"));
                }
                (Fate::Aborted, true) => {
                    self.judge.add(FindingKind::WrongSource, format!("event {number} was aborted and is there"));
                }
                _ => {}
            }
        }
    }
}
