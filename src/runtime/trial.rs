//! What a plan would make of records, counted and not sent: the pipeline of the service without its transactions.
//!
//! ```text
//! record --> Trial (a plan) ----> counts by topic and destination
//!       \--> Trial (another) --/        '--> Comparison: which notifications only one of them makes
//! ```
//!
//! **Promise.** The pipeline is the service's own: what is counted here is what it would deliver, where its Kafka topics
//! take it. A broker's refusals are not known here.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::domain::limits::Limits;
use crate::domain::output::{DeadLetterClass, OutputKind, OutputRecord};
use crate::domain::pipeline::{Pipeline, ProcessError};
use crate::domain::plan::Plan;
use crate::domain::refusals::Refusals;
use crate::domain::source::SourceRecord;
use crate::domain::tally::Tally;

/// Dead letters by [`DeadLetterClass::index`].
pub type ByClass = [u64; DeadLetterClass::ALL.len()];

/// What a destination would get.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Notifications.
    pub notifications: u64,
    /// The bytes of their keys, values and headers.
    pub bytes: u64,
    /// Dead letters in place of notifications.
    pub dead_letters: ByClass,
    /// Notifications by the hour of their record's time (hours since 1970 UTC).
    pub by_hour: BTreeMap<i64, u64>,
}

/// One notification, as it is compared: destination, event of the record, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Sent {
    destination: usize,
    event_index: u32,
    content: u64,
}

/// A plan that is tried on records.
#[derive(Debug)]
pub struct Trial {
    pipeline: Pipeline,
    plan: Arc<Plan>,
    /// What the service would count.
    pub tally: Tally,
    /// By the position of the destination.
    pub deliveries: Vec<Delivery>,
    /// Dead letters of events that a topic could not decide, by the position of the topic.
    pub undecided: Vec<ByClass>,
    /// Records that are no events.
    pub undecodable: u64,
    /// Records at which the service would stop (`onError: stop`).
    pub stops: u64,
    /// Where the first of them lies.
    pub first_stop: Option<String>,
    /// Of the last record.
    sent: Vec<Sent>,
}

impl Trial {
    /// A trial of this plan.
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        Self {
            pipeline: Pipeline::new(Arc::clone(&plan), limits),
            tally: Tally::new(&plan),
            deliveries: vec![Delivery::default(); plan.destinations.len()],
            undecided: vec![ByClass::default(); plan.topics.len()],
            undecodable: 0,
            stops: 0,
            first_stop: None,
            sent: Vec::new(),
            plan,
        }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Processes a record; one of a Kafka topic that is no ingest of the plan is passed over.
    pub fn process(&mut self, record: &SourceRecord<'_>) {
        self.sent.clear();
        let (plan, deliveries, undecided) = (&self.plan, &mut self.deliveries, &mut self.undecided);
        let (undecodable, sent) = (&mut self.undecodable, &mut self.sent);
        let mut count = |output: OutputRecord<'_>| -> Result<(), Infallible> {
            match output.kind {
                OutputKind::Notification(destination) => {
                    deliveries[destination.0].notified(&output);
                    let (destination, event_index) = (destination.0, output.event_index);
                    sent.push(Sent { destination, event_index, content: content_of(&output) });
                }
                OutputKind::DeadLetter(class) => match concern(plan, &output) {
                    Concern::Destination(at) => deliveries[at].dead_letters[class.index()] += 1,
                    Concern::Topic(at) => undecided[at][class.index()] += 1,
                    Concern::Record => *undecodable += 1,
                },
            }
            Ok(())
        };
        match self.pipeline.process(record, &Refusals::NONE, &mut self.tally, &mut count) {
            Ok(()) | Err(ProcessError::NotAnIngest) => {}
            Err(ProcessError::Stop { .. }) => {
                self.stops += 1;
                self.first_stop.get_or_insert_with(|| record.position());
            }
            Err(ProcessError::Output(never)) => match never {},
        }
    }
}

impl Delivery {
    fn notified(&mut self, output: &OutputRecord<'_>) {
        self.notifications += 1;
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len) as u64;
        let header = |name: &str, value: Option<&[u8]>| name.len() as u64 + length(value);
        let headers = output.headers.iter().map(|found| header(&found.name, found.value.as_deref())).sum::<u64>();
        self.bytes += length(output.key.as_deref()) + length(output.value) + headers;
        if let Some(time) = output.timestamp_ms {
            *self.by_hour.entry(time.div_euclid(HOUR_MS)).or_default() += 1;
        }
    }

    /// The most notifications of one hour.
    #[must_use]
    pub fn busiest_hour(&self) -> u64 {
        self.by_hour.values().copied().max().unwrap_or(0)
    }
}

const HOUR_MS: i64 = 3_600_000;

/// Where a dead letter is counted.
enum Concern {
    Record,
    Topic(usize),
    Destination(usize),
}

/// The dead letter's own headers tell.
fn concern(plan: &Plan, output: &OutputRecord<'_>) -> Concern {
    for header in &output.headers {
        let value = header.value.as_deref().unwrap_or_default();
        let found = match &*header.name {
            "fhir-dead-letter-topic" => {
                plan.topics.iter().position(|topic| topic.url.as_bytes() == value).map(Concern::Topic)
            }
            "fhir-dead-letter-destination" => {
                let of = |id: &str| id.as_bytes() == value;
                plan.destinations.iter().position(|destination| of(&destination.id)).map(Concern::Destination)
            }
            _ => None,
        };
        if let Some(found) = found {
            return found;
        }
    }
    Concern::Record
}

/// What a subscriber reads: headers differ between plans by the plan's hash.
fn content_of(output: &OutputRecord<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (output.kafka_topic, output.key.as_deref(), output.value).hash(&mut hasher);
    hasher.finish()
}

/// How the notifications of a destination differ between two plans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// Both make them, with the same key and content, for the same Kafka topic.
    pub same: u64,
    /// Both make them, and something of it differs.
    pub changed: u64,
    /// Only the new plan makes them.
    pub more: u64,
    /// Only the present plan makes them.
    pub fewer: u64,
}

impl Difference {
    /// Whether a subscriber sees no difference.
    #[must_use]
    pub fn is_none(&self) -> bool {
        (self.changed, self.more, self.fewer) == (0, 0, 0)
    }
}

/// The same records through a new plan and through the present one.
#[derive(Debug)]
pub struct Comparison {
    /// The new plan.
    pub new: Trial,
    /// The plan that runs.
    pub present: Trial,
    /// By the id of the destination: those of both plans.
    pub differences: BTreeMap<String, Difference>,
}

impl Comparison {
    /// Compares these two.
    #[must_use]
    pub fn new(new: Trial, present: Trial) -> Self {
        let both = new.plan.destinations.iter().chain(&present.plan.destinations);
        let differences = both.map(|destination| (destination.id.clone(), Difference::default())).collect();
        Self { new, present, differences }
    }

    /// Gives a record to both.
    pub fn process(&mut self, record: &SourceRecord<'_>) {
        self.new.process(record);
        self.present.process(record);
        for sent in &self.new.sent {
            let id = &self.new.plan.destinations[sent.destination].id;
            let Some(difference) = self.differences.get_mut(id) else { continue };
            match self.present.sent_to(id, sent.event_index) {
                Some(content) if content == sent.content => difference.same += 1,
                Some(_) => difference.changed += 1,
                None => difference.more += 1,
            }
        }
        for sent in &self.present.sent {
            let id = &self.present.plan.destinations[sent.destination].id;
            if self.new.sent_to(id, sent.event_index).is_none()
                && let Some(difference) = self.differences.get_mut(id)
            {
                difference.fewer += 1;
            }
        }
    }
}

impl Trial {
    /// What a destination got of an event of the last record.
    fn sent_to(&self, id: &str, event_index: u32) -> Option<u64> {
        let is_it = |sent: &&Sent| sent.event_index == event_index && self.plan.destinations[sent.destination].id == id;
        self.sent.iter().find(is_it).map(|sent| sent.content)
    }
}

#[cfg(test)]
mod tests;
