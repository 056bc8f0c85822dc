//! Why a record's events fired topics and reached destinations, or not.
//!
//! ```text
//! record -> decode -> Decider  (the service's own)  -> verdict of each topic, or why the sieve left it out
//!              |----> Pipeline (the service's own)  -> what each destination gets
//!              '----> questions to single criteria, and the values of their parts   (only shown)
//! ```
//!
//! Promise: the verdicts and outputs are those of the code that runs in service, asked here once more; nothing is decided
//! a second time. What is told beside them (a single criterion's answer, its parts) is asked of the same engines with the
//! budget of a whole record for each event.

mod organization;
mod topic;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

pub use self::organization::{ClaimSource, EventOrganization};
pub use self::topic::{
    CriterionExplanation, DestinationExplanation, DestinationOutcome, Engine, TopicExplanation, TopicOutcome,
    TriggerExplanation, TriggerOutcome,
};
use super::codec::{self, Undecodable};
use super::decision::{NO_TIME, Stop};
use super::event::{FhirRelease, Interaction, ResourceEvent};
use super::limits::Limits;
use super::output::{OutputKind, OutputRecord};
use super::pipeline::{Pipeline, ProcessError};
use super::plan::{DestinationIndex, Plan, TopicIndex};
use super::refusals::Refusals;
use super::source::SourceRecord;
use super::tally::Tally;
pub use super::trigger::Answer;

/// Explains records with one plan.
#[derive(Debug)]
pub struct Explainer {
    plan: Arc<Plan>,
    pipeline: Pipeline,
}

/// What came of a record, and why.
#[derive(Debug)]
pub struct Explanation {
    /// Its events, or why there are none: then the record is a dead letter.
    pub events: Result<Vec<EventExplanation>, Undecodable>,
    /// Whether the process would have stopped before the record (`onError: stop`): then nothing of it came out.
    pub stops: bool,
}

/// What came of an event, and why.
#[derive(Debug)]
pub struct EventExplanation {
    /// What was done.
    pub interaction: Interaction,
    /// Whether the record does not tell, so that it is the ingest's default.
    pub interaction_inferred: bool,
    /// The resource's type.
    pub resource_type: String,
    /// The resource's id.
    pub id: String,
    /// The release that criteria are evaluated with.
    pub release: FhirRelease,
    /// The event's time.
    pub time: String,
    /// Whether the event has one; else it is a fixed one.
    pub has_time: bool,
    /// Whether the record carries the resource.
    pub has_content: bool,
    /// Whether the record carries the previous version.
    pub has_previous: bool,
    /// Where the event belongs.
    pub organization: EventOrganization,
    /// All active topics that were asked for, in their order.
    pub topics: Vec<TopicExplanation>,
}

/// The record's Kafka topic is no ingest of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record's Kafka topic is no ingest of the plan")]
pub struct NotAnIngest;

/// An output, as far as it explains something.
#[derive(Debug)]
struct Came {
    event_index: u32,
    kind: OutputKind,
    /// Of a dead letter: the destination that it is about.
    destination: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
    bytes: usize,
}

impl Came {
    fn of(output: &OutputRecord<'_>) -> Self {
        let header = output.headers.iter().find(|header| header.name == "fhir-dead-letter-destination");
        Self {
            event_index: output.event_index,
            kind: output.kind,
            destination: header.and_then(|header| Some(header.value.as_deref()?.to_vec())),
            key: output.key.as_deref().map(<[u8]>::to_vec),
            bytes: output.value.map_or(0, <[u8]>::len),
        }
    }
}

impl Explainer {
    /// Prepares what is the same for all records.
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        Self { pipeline: Pipeline::new(Arc::clone(&plan), limits), plan }
    }

    /// Explains a record, to these topics alone if some are named: the others are not looked at.
    ///
    /// # Errors
    /// When the record's Kafka topic is no ingest of the plan.
    pub fn explain(
        &mut self,
        record: &SourceRecord<'_>,
        only: Option<&[TopicIndex]>,
    ) -> Result<Explanation, NotAnIngest> {
        let plan = Arc::clone(&self.plan);
        let ingest = plan.ingest_of(record.kafka_topic).ok_or(NotAnIngest)?;
        let events = match codec::decode(ingest, record) {
            Ok(events) => events,
            Err(error) => return Ok(Explanation { events: Err(error), stops: false }),
        };
        let mut came = Vec::new();
        let mut tally = Tally::new(&plan);
        let processed = self.pipeline.process::<Infallible>(record, &Refusals::NONE, &mut tally, &mut |output| {
            came.push(Came::of(&output));
            Ok(())
        });
        let stops = matches!(processed, Err(ProcessError::Stop { .. }));
        let stop = self.pipeline.decider().decide(&plan, record, &events).err();
        let all: Vec<TopicIndex> = (0..plan.topics.len()).map(TopicIndex).collect();
        let topics = only.unwrap_or(&all);
        let of_event = |(index, event)| self.event(&plan, record, index, event, topics, &came, stop);
        let events: Vec<_> = (0..).zip(&events).map(of_event).collect();
        self.pipeline.decider().trim();
        Ok(Explanation { events: Ok(events), stops })
    }

    #[allow(clippy::too_many_arguments, reason = "they are the record and what came of it")]
    fn event(
        &self,
        plan: &Plan,
        record: &SourceRecord<'_>,
        index: u32,
        event: &ResourceEvent<'_>,
        topics: &[TopicIndex],
        came: &[Came],
        stop: Option<Stop>,
    ) -> EventExplanation {
        let mut time = String::new();
        let has_time = event.write_time(record, &mut time);
        if !has_time {
            time.push_str(NO_TIME);
        }
        let came: Vec<&Came> = came.iter().filter(|came| came.event_index == index).collect();
        let about = topic::AboutEvent::new(&self.pipeline, record, index, event, &time, &came, stop);
        let topics = about.topics(topics);
        EventExplanation {
            interaction: event.interaction,
            interaction_inferred: event.interaction_inferred,
            resource_type: event.identity.resource_type.to_string(),
            id: event.identity.id.to_string(),
            release: event.fhir_release.unwrap_or(plan.fhir_release),
            has_time,
            has_content: event.focus.is_some(),
            has_previous: event.previous.is_some(),
            organization: EventOrganization::of(plan, event),
            topics,
            time,
        }
    }
}

/// What became of a destination's notification.
fn outcome_at(came: &[&Came], plan: &Plan, index: DestinationIndex) -> Option<DestinationOutcome> {
    let id = plan.destinations[index.0].id.as_bytes();
    came.iter().find_map(|came| match came.kind {
        OutputKind::Notification(destination) if destination == index => {
            Some(DestinationOutcome::Notified { key: came.key.clone(), bytes: came.bytes })
        }
        OutputKind::DeadLetter(class) if came.destination.as_deref() == Some(id) => {
            Some(DestinationOutcome::DeadLetter(class))
        }
        OutputKind::Notification(_) | OutputKind::DeadLetter(_) => None,
    })
}
