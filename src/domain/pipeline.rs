//! The way of one record through the plan.
//!
//! ```text
//! record -> decode -> events -> decide (all events) -> topic organization -> criteria --.
//!              |                                                                        v
//!              '-> undecodable: one dead letter          emit (event by event) -> destination organization
//!                                                             -> notification, or dead letter if it cannot be sent
//! ```
//!
//! Total: every record gives notifications, or counted reasons why not, or dead letters. Everything is decided before
//! anything is given out, so that `onError: stop` stops with nothing of the record out. Deterministic: the same record,
//! plan, limits and refusals give the same outputs in the same order, byte for byte.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

use super::codec;
use super::dead_letter::{Concern, DeadLetter, forwarded, header};
use super::decision::{Decider, Decision};
use super::event::{Interaction, ResourceEvent};
use super::limits::{Limits, record_size};
use super::notification::{BaseUrl, BundleIds, DestinationParts, EventParts, write_bundle};
use super::organization::OrganizationNode;
use super::output::{DeadLetterClass, OutputHeader, OutputKind, OutputRecord};
use super::plan::{Content, Destination, DestinationIndex, KeySource, Plan, TopicIndex};
use super::refusals::Refusals;
use super::resource::Resource;
use super::source::SourceRecord;
use super::tally::{EventOutcome, FilterReason, Tally};
use super::trigger::Verdict;

/// Turns records into output records. Keeps buffers between records; one per task, and a new one for a new plan.
#[derive(Debug)]
pub struct Pipeline {
    plan: Arc<Plan>,
    dead_letter_limit: usize,
    base_url: BaseUrl,
    destinations: Vec<PreparedDestination>,
    decider: Decider,
    text: EventText,
    bundle: Vec<u8>,
}

/// The room for a notification that is kept for the next record, in bytes.
const KEPT_BUNDLE: usize = 1024 * 1024;

/// Why a record could not be carried through.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError<E> {
    /// `onError: stop`: a criterion failed. Nothing of the record was given out or counted.
    #[error("event {event_index} of the record cannot be decided ({}), and onError is stop", class.name())]
    Stop {
        /// What would have been the dead letter's class.
        class: DeadLetterClass,
        /// The event's index in the record.
        event_index: u32,
        /// The topic that could not be decided.
        topic: TopicIndex,
    },
    /// The record's Kafka topic is no ingest of the plan.
    #[error("the record's Kafka topic is no ingest of the plan")]
    NotAnIngest,
    /// The receiver of the outputs failed; some of the record's outputs may have been given to it.
    #[error("an output was not taken")]
    Output(#[source] E),
}

/// Receives the outputs of a record, in their order.
pub type Outputs<'o, E> = dyn FnMut(OutputRecord<'_>) -> Result<(), E> + 'o;

#[derive(Debug)]
struct PreparedDestination {
    organization: Option<OrganizationNode>,
    limit: usize,
    parts: DestinationParts,
}

/// The record that is being processed, and where its outputs and counts go.
struct Transit<'t, 'r, 'o, E> {
    plan: &'t Plan,
    dead_letter_limit: usize,
    record: &'t SourceRecord<'r>,
    refusals: &'t Refusals,
    tally: &'t mut Tally,
    outputs: &'t mut Outputs<'o, E>,
    /// The bytes of the record's value that its dead letters carry so far.
    copied: usize,
}

/// The event whose outputs are being made.
struct Current<'c, 'a> {
    index: u32,
    event: &'c ResourceEvent<'a>,
    text: &'c EventText,
}

/// What all notifications of an event share; written over for each event that has any.
#[derive(Debug, Default)]
struct EventText {
    parts: EventParts,
    /// The header `fhir-source`.
    source: String,
    /// The event's time; empty if it has none.
    time: String,
    ids: BundleIds,
}

impl EventText {
    fn set(
        &mut self,
        base_url: &BaseUrl,
        record: &SourceRecord<'_>,
        event: &ResourceEvent<'_>,
        index: u32,
        one_of_several: bool,
    ) {
        self.parts.set(base_url, event.interaction, &event.identity);
        self.time.clear();
        event.write_time(record, &mut self.time);
        self.source.clear();
        record.write_position(&mut self.source);
        if one_of_several {
            write!(self.source, "#{index}").expect("a string takes everything");
        }
        self.ids = BundleIds::new(record, index);
    }
}

impl Pipeline {
    /// Prepares what is the same for all records.
    #[must_use]
    pub fn new(plan: Arc<Plan>, limits: Limits) -> Self {
        let mut decider = Decider::new(&plan);
        let prepare = |destination: &Destination| PreparedDestination {
            organization: destination.organization.as_deref().map(|required| decider.organizations.node(required)),
            limit: limits.of(&destination.kafka_topic),
            parts: DestinationParts::new(&plan.topics[destination.topic.0], destination),
        };
        let destinations = plan.destinations.iter().map(prepare).collect();
        Self {
            base_url: BaseUrl::new(&plan.fhir_base_url),
            destinations,
            decider,
            text: EventText::default(),
            bundle: Vec::new(),
            dead_letter_limit: limits.of(&plan.dead_letter_kafka_topic),
            plan,
        }
    }

    /// The plan that decides.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// What decides, for who asks it about a record once more.
    pub(super) fn decider(&mut self) -> &mut Decider {
        &mut self.decider
    }

    /// What was decided.
    pub(super) fn decided(&self) -> &Decider {
        &self.decider
    }

    /// Lets an event pass to a destination by its organization.
    pub(super) fn admits(&self, decision: &Decision, destination: DestinationIndex) -> Result<(), FilterReason> {
        self.decider.admits(decision, self.destinations[destination.0].organization)
    }

    /// Processes one record: gives its outputs to `outputs` in their order and counts what happened in `tally`, which
    /// must be one of this plan.
    ///
    /// # Errors
    /// See [`ProcessError`]. After an error the batch is to be aborted, and its tally dropped.
    pub fn process<E>(
        &mut self,
        record: &SourceRecord<'_>,
        refusals: &Refusals,
        tally: &mut Tally,
        outputs: &mut Outputs<'_, E>,
    ) -> Result<(), ProcessError<E>> {
        let outcome = self.carry_through(record, refusals, tally, outputs);
        if self.bundle.capacity() > KEPT_BUNDLE {
            self.bundle = Vec::new();
        }
        self.decider.trim();
        outcome
    }

    fn carry_through<E>(
        &mut self,
        record: &SourceRecord<'_>,
        refusals: &Refusals,
        tally: &mut Tally,
        outputs: &mut Outputs<'_, E>,
    ) -> Result<(), ProcessError<E>> {
        let plan = Arc::clone(&self.plan);
        let ingest = plan.ingest.iter().position(|ingest| ingest.kafka_topic == record.kafka_topic);
        let ingest = ingest.ok_or(ProcessError::NotAnIngest)?;
        let decoded = codec::decode(&plan.ingest[ingest], record);
        if let Ok(events) = &decoded {
            self.decider.decide(&plan, record, events).map_err(|stop| ProcessError::Stop {
                class: DeadLetterClass::EvaluationError,
                event_index: stop.event_index,
                topic: stop.topic,
            })?;
        }
        let dead_letter_limit = self.dead_letter_limit;
        let mut transit = Transit { plan: &plan, dead_letter_limit, record, refusals, tally, outputs, copied: 0 };
        let Ok(events) = decoded else {
            transit.tally.event(ingest, EventOutcome::DeadLettered);
            return transit.dead_letter(0, DeadLetterClass::Undecodable, Concern::Record);
        };
        for (index, event) in (0..).zip(&events) {
            let outcome = self.emit(&mut transit, index, event, events.len() > 1)?;
            transit.tally.event(ingest, outcome);
            transit.tally.inferred_interactions[ingest] += u64::from(event.interaction_inferred);
        }
        Ok(())
    }

    /// Gives out what was decided about one event, and counts it.
    fn emit<E>(
        &mut self,
        transit: &mut Transit<'_, '_, '_, E>,
        index: u32,
        event: &ResourceEvent<'_>,
        one_of_several: bool,
    ) -> Result<EventOutcome, ProcessError<E>> {
        let others = transit.plan.other_interaction(&event.identity.resource_type, event.interaction);
        transit.tally.filtered_by_topics(others, FilterReason::Interaction);
        self.decider.tell_left_out(transit.plan, index, event, |topics, reason| {
            transit.tally.filtered_by_topics(topics, reason);
        });
        let decisions = self.decider.decisions_of(index);
        if decisions.iter().any(|decision| decision.verdict == Verdict::Fires) {
            self.text.set(&self.base_url, transit.record, event, index, one_of_several);
        }
        let current = Current { index, event, text: &self.text };

        let (mut notified, mut dead_lettered) = (false, false);
        for decision in decisions {
            let topic = &transit.plan.topics[decision.topic.0];
            transit.tally.evaluation_errors[decision.topic.0] += decision.errors;
            match decision.verdict {
                Verdict::Fires => {
                    for destination in &topic.destinations {
                        let prepared = &self.destinations[destination.0];
                        if let Err(reason) = self.admits(decision, *destination) {
                            transit.tally.filtered_by_destination(*destination, reason);
                        } else if transit.notify(&current, *destination, prepared, &mut self.bundle)? {
                            notified = true;
                        } else {
                            dead_lettered = true;
                        }
                    }
                }
                Verdict::Filtered(reason) => transit.tally.filtered_by_topic(decision.topic, reason),
                Verdict::FailedAndSkipped | Verdict::Stop => {}
                Verdict::DeadLetter(class) => {
                    if class == DeadLetterClass::MissingState {
                        transit.tally.filtered_by_topic(decision.topic, FilterReason::MissingState);
                    }
                    transit.dead_letter(index, class, Concern::Topic(&topic.url))?;
                    dead_lettered = true;
                }
            }
        }
        Ok(match (notified, dead_lettered) {
            (true, _) => EventOutcome::Notified,
            (false, true) => EventOutcome::DeadLettered,
            (false, false) => EventOutcome::Unmatched,
        })
    }
}

impl<E> Transit<'_, '_, '_, E> {
    /// Gives out the notification of an event for a destination, or the dead letter in its place if it cannot be sent.
    /// Tells whether it was the notification.
    fn notify(
        &mut self,
        current: &Current<'_, '_>,
        index: DestinationIndex,
        prepared: &PreparedDestination,
        bundle: &mut Vec<u8>,
    ) -> Result<bool, ProcessError<E>> {
        let destination = &self.plan.destinations[index.0];
        let concern = Concern::Destination(&destination.id);
        if let Some(class) = self.refusals.of_notification(current.index, index) {
            self.dead_letter(current.index, class, concern)?;
            return Ok(false);
        }
        let id = current.text.ids.of(&destination.id);
        let resource = current.resource();
        let time = Some(current.text.time.as_str()).filter(|time| !time.is_empty());
        write_bundle(bundle, id, time, destination.content, &current.text.parts, &prepared.parts, resource);
        let key = output_key(self.record, current, destination.key);
        let headers = output_headers(self.plan, self.record, current, destination);
        if record_size(key.as_deref(), Some(bundle), &headers) > prepared.limit {
            self.dead_letter(current.index, DeadLetterClass::TooLarge, concern)?;
            return Ok(false);
        }
        self.tally.notification(index);
        let output = OutputRecord {
            kind: OutputKind::Notification(index),
            event_index: current.index,
            kafka_topic: &destination.kafka_topic,
            key,
            value: Some(bundle),
            headers,
            timestamp_ms: self.record.timestamp_ms,
        };
        (self.outputs)(output).map_err(ProcessError::Output)?;
        Ok(true)
    }

    fn dead_letter(
        &mut self,
        event_index: u32,
        class: DeadLetterClass,
        concern: Concern<'_>,
    ) -> Result<(), ProcessError<E>> {
        self.tally.dead_letter(class);
        let letter = DeadLetter {
            event_index,
            class,
            concern,
            without_value: self.refusals.strips_dead_letter(event_index, class) || self.copied_enough(),
        };
        let output = letter.to_output(self.plan, self.record, self.dead_letter_limit);
        self.copied += output.value.map_or(0, <[u8]>::len);
        (self.outputs)(output).map_err(ProcessError::Output)
    }
}

impl<E> Transit<'_, '_, '_, E> {
    /// Whether one more copy of the record's value would be too much. The first dead letter has its copy in any case.
    fn copied_enough(&self) -> bool {
        let value = self.record.value.map_or(0, <[u8]>::len);
        self.copied > 0 && self.copied.saturating_add(value) > MAX_COPIED_BYTES
    }
}

/// The copies of its value that the dead letters of one record carry, in bytes: a Bundle of 10 MB whose 10,000 entries
/// all fail would make 100 GB of them.
const MAX_COPIED_BYTES: usize = 64 * 1024 * 1024;

fn output_key<'k>(record: &SourceRecord<'k>, current: &'k Current<'_, '_>, source: KeySource) -> Option<Cow<'k, [u8]>> {
    let focus = Cow::Borrowed(current.text.parts.focus.as_bytes());
    match source {
        KeySource::Source => Some(record.key.map_or(focus, Cow::Borrowed)),
        KeySource::Resource => Some(focus),
        KeySource::Patient => Some(current.patient_id().map_or(focus, |id| match id {
            Cow::Borrowed(id) => Cow::Borrowed(id.as_bytes()),
            Cow::Owned(id) => Cow::Owned(id.into_bytes()),
        })),
        KeySource::None => None,
    }
}

fn output_headers<'h>(
    plan: &'h Plan,
    record: &'h SourceRecord<'_>,
    current: &'h Current<'_, '_>,
    destination: &'h Destination,
) -> Vec<OutputHeader<'h>> {
    let topic = &plan.topics[destination.topic.0];
    let mut headers = Vec::with_capacity(OWN_HEADERS.len() + 3);
    headers.push(header("content-type", "application/fhir+json"));
    headers.push(header("fhir-topic", &topic.url));
    headers.push(header("fhir-destination", &destination.id));
    if destination.content != Content::Empty {
        headers.push(header("fhir-focus", &current.text.parts.focus));
    }
    headers.push(header("fhir-interaction", current.event.interaction.code()));
    headers.push(header("fhir-source", &current.text.source));
    headers.push(header("fhir-plan", &plan.hash));
    headers.extend(forwarded(plan, record, |name| OWN_HEADERS.contains(&name)));
    headers
}

impl Current<'_, '_> {
    /// The resource that the notification carries: none for a delete.
    fn resource(&self) -> Option<&str> {
        let focus = self.event.focus.as_ref().filter(|_| self.event.interaction != Interaction::Delete);
        focus.map(Resource::json)
    }

    fn patient_id(&self) -> Option<Cow<'_, str>> {
        match &self.event.focus {
            Some(focus) => focus.patient_id(),
            None => Some(self.event.identity.id.clone()).filter(|_| self.event.identity.resource_type == "Patient"),
        }
    }
}

/// The headers that a notification sets itself.
const OWN_HEADERS: [&str; 7] =
    ["content-type", "fhir-topic", "fhir-destination", "fhir-focus", "fhir-interaction", "fhir-source", "fhir-plan"];

#[cfg(test)]
mod tests;
