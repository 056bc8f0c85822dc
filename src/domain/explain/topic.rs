//! One event and one topic: what was decided, and what its triggers, criteria and destinations say.

use super::{Came, outcome_at};
use crate::domain::decision::{Decision, Stop, prepared_for};
use crate::domain::event::ResourceEvent;
use crate::domain::fhirpath::{Budget, EvaluationError, Part, Workspace};
use crate::domain::output::DeadLetterClass;
use crate::domain::pipeline::Pipeline;
use crate::domain::plan::{ANY_RESOURCE, CriterionIndex, DestinationIndex, Plan, PreparedType, TopicIndex, Trigger};
use crate::domain::source::SourceRecord;
use crate::domain::tally::FilterReason;
use crate::domain::trigger::{Answer, Questioner, Verdict, event_text};

/// What came of an event for a topic, and why.
#[derive(Debug)]
pub struct TopicExplanation {
    /// The topic.
    pub topic: TopicIndex,
    /// What was decided.
    pub outcome: TopicOutcome,
    /// Whether its criteria were left out together with others, since the event cannot make them true.
    pub sifted: bool,
    /// Its triggers.
    pub triggers: Vec<TriggerExplanation>,
    /// Its destinations.
    pub destinations: Vec<DestinationExplanation>,
}

/// What was decided about an event and a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicOutcome {
    /// It fired.
    Fired,
    /// No trigger names the resource type.
    OtherType,
    /// It has no active destination, so that nothing could come of it.
    NoDestination,
    /// It did not fire, for this reason.
    Filtered(FilterReason),
    /// Criteria failed, which `onError: skip` passes over.
    FailedAndSkipped,
    /// It could not be decided: one dead letter.
    DeadLetter(DeadLetterClass),
    /// It could not be decided: the process stops before the record.
    Stops,
    /// The process stops before it comes to this.
    NotReached,
}

/// What a trigger says about an event.
#[derive(Debug)]
pub struct TriggerExplanation {
    /// Its position in the topic.
    pub index: usize,
    /// What it says.
    pub outcome: TriggerOutcome,
}

/// What a trigger says about an event.
#[derive(Debug)]
pub enum TriggerOutcome {
    /// It is for another resource type.
    OtherType,
    /// It is for other interactions.
    OtherInteraction,
    /// It has no criterion: it fires.
    NoCriterion,
    /// It is not asked, since the organization comes first.
    NotAsked,
    /// What its criterion says.
    Criterion(Box<CriterionExplanation>),
}

/// What a criterion says about an event.
#[derive(Debug)]
pub struct CriterionExplanation {
    /// The criterion.
    pub criterion: CriterionIndex,
    /// What it says.
    pub answer: Answer,
    /// What decides it.
    pub engine: Engine,
    /// What its parts give, by the general engine.
    pub parts: Result<Part, EvaluationError>,
}

/// What evaluates a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A program of its own.
    Program,
    /// The general engine, for this reason.
    General(&'static str),
}

/// What came of an event for a destination.
#[derive(Debug)]
pub struct DestinationExplanation {
    /// The destination.
    pub destination: DestinationIndex,
    /// What came of it.
    pub outcome: DestinationOutcome,
}

/// What came of an event for a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationOutcome {
    /// It is notified.
    Notified {
        /// The record key.
        key: Option<Vec<u8>>,
        /// The length of the notification.
        bytes: usize,
    },
    /// Its topic did not fire.
    TopicDidNotFire,
    /// The event's organization does not let it pass.
    Filtered(FilterReason),
    /// The notification becomes a dead letter.
    DeadLetter(DeadLetterClass),
    /// The process stops before the record, so that nothing of it comes out.
    HeldBack,
}

/// What is known of an event when its topics are explained.
pub(super) struct AboutEvent<'e, 'r> {
    pipeline: &'e Pipeline,
    plan: &'e Plan,
    index: u32,
    event: &'e ResourceEvent<'r>,
    record_bytes: usize,
    time: &'e str,
    came: &'e [&'e Came],
    stop: Option<Stop>,
    prepared: Option<&'e PreparedType>,
    left_out: Vec<(TopicIndex, FilterReason)>,
}

impl<'e, 'r> AboutEvent<'e, 'r> {
    #[allow(clippy::too_many_arguments, reason = "they are the event and what came of it")]
    pub(super) fn new(
        pipeline: &'e Pipeline,
        record: &SourceRecord<'_>,
        index: u32,
        event: &'e ResourceEvent<'r>,
        time: &'e str,
        came: &'e [&'e Came],
        stop: Option<Stop>,
    ) -> Self {
        let plan = &**pipeline.plan();
        let mut left_out = Vec::new();
        pipeline.decided().tell_left_out(plan, index, event, |topics, reason| {
            left_out.extend(topics.iter().map(|topic| (*topic, reason)));
        });
        // Those behind the one that stops were not judged, though they stand in the list.
        if let Some(stop) = stop.filter(|stop| stop.event_index == index) {
            left_out.retain(|(topic, _)| topic.0 < stop.topic.0);
        }
        let prepared = prepared_for(plan, event);
        let record_bytes = record.value.map_or(0, <[u8]>::len);
        Self { pipeline, plan, index, event, record_bytes, time, came, stop, prepared, left_out }
    }

    pub(super) fn topics(&self, topics: &[TopicIndex]) -> Vec<TopicExplanation> {
        let mut workspace = Workspace::new();
        let mut budget =
            Budget::of_record(self.plan.evaluation_steps, self.record_bytes).with_memory(self.plan.evaluation_memory);
        let criteria = self.prepared.map(|prepared| &prepared.criteria);
        let mut questioner = Questioner::new(self.plan, self.event, criteria, self.time, &mut workspace, &mut budget);
        topics.iter().map(|topic| self.topic(*topic, &mut questioner)).collect()
    }

    fn topic(&self, topic: TopicIndex, questioner: &mut Questioner<'_, '_>) -> TopicExplanation {
        let decision = self.pipeline.decided().decisions_of(self.index).iter().find(|decision| decision.topic == topic);
        let left_out = self.left_out.iter().find(|(left_out, _)| *left_out == topic);
        let outcome = self.outcome(topic, decision, left_out.map(|(_, reason)| *reason));
        let of_topic = &self.plan.topics[topic.0];
        let passes = self.pipeline.decided().admits_to_topic(self.plan, self.event, topic).is_ok();
        let trigger = |(index, trigger)| TriggerExplanation {
            index,
            outcome: self.trigger(trigger, passes && !of_topic.destinations.is_empty(), questioner),
        };
        let triggers = of_topic.triggers.iter().enumerate().map(trigger).collect();
        let destination = |destination: &DestinationIndex| DestinationExplanation {
            destination: *destination,
            outcome: self.destination(*destination, outcome, decision),
        };
        let destinations = of_topic.destinations.iter().map(destination).collect();
        TopicExplanation { topic, outcome, sifted: left_out.is_some(), triggers, destinations }
    }

    fn outcome(&self, topic: TopicIndex, decision: Option<&Decision>, left_out: Option<FilterReason>) -> TopicOutcome {
        let resource_type = &*self.event.identity.resource_type;
        match (decision, left_out) {
            (Some(decision), _) => match decision.verdict {
                Verdict::Fires => TopicOutcome::Fired,
                Verdict::Filtered(reason) => TopicOutcome::Filtered(reason),
                Verdict::FailedAndSkipped => TopicOutcome::FailedAndSkipped,
                Verdict::DeadLetter(class) => TopicOutcome::DeadLetter(class),
                Verdict::Stop => TopicOutcome::Stops,
            },
            (None, Some(reason)) => TopicOutcome::Filtered(reason),
            (None, None) => {
                let other = self.plan.other_interaction(resource_type, self.event.interaction);
                let mut candidates = self.plan.candidates(resource_type, self.event.interaction).iter();
                match self.stop {
                    _ if other.contains(&topic) => TopicOutcome::Filtered(FilterReason::Interaction),
                    _ if !candidates.any(|candidate| candidate.topic == topic) => TopicOutcome::OtherType,
                    _ if self.plan.topics[topic.0].destinations.is_empty() => TopicOutcome::NoDestination,
                    Some(stop) if (stop.event_index, stop.topic) == (self.index, topic) => TopicOutcome::Stops,
                    _ => TopicOutcome::NotReached,
                }
            }
        }
    }

    fn trigger(&self, trigger: &Trigger, is_asked: bool, questioner: &mut Questioner<'_, '_>) -> TriggerOutcome {
        let is_of_type = trigger.resource == ANY_RESOURCE || trigger.resource == self.event.identity.resource_type;
        match trigger.criterion {
            _ if !is_of_type => TriggerOutcome::OtherType,
            _ if !trigger.interactions.contains(&self.event.interaction) => TriggerOutcome::OtherInteraction,
            None => TriggerOutcome::NoCriterion,
            Some(_) if !is_asked => TriggerOutcome::NotAsked,
            Some(criterion) => TriggerOutcome::Criterion(Box::new(self.criterion(criterion, questioner))),
        }
    }

    fn criterion(&self, index: CriterionIndex, questioner: &mut Questioner<'_, '_>) -> CriterionExplanation {
        let plan = self.plan;
        let criterion = &plan.criteria[index.0];
        let text = event_text(plan, self.event, self.time);
        let is_compiled = self.prepared.is_some_and(|prepared| prepared.criteria.is_compiled(index.0));
        let engine = if is_compiled {
            Engine::Program
        } else {
            let refused = plan.fhirpath.not_compiled(criterion, text.release, &self.event.identity.resource_type);
            Engine::General(refused.map_or("the resource type is not known", |refused| refused.reason))
        };
        let mut budget =
            Budget::of_record(plan.evaluation_steps, self.record_bytes).with_memory(plan.evaluation_memory);
        CriterionExplanation {
            criterion: index,
            answer: questioner.ask(index),
            engine,
            parts: plan.fhirpath.parts(criterion, &text, &mut budget),
        }
    }

    fn destination(
        &self,
        index: DestinationIndex,
        topic: TopicOutcome,
        decision: Option<&Decision>,
    ) -> DestinationOutcome {
        let Some(decision) = decision.filter(|_| topic == TopicOutcome::Fired) else {
            return DestinationOutcome::TopicDidNotFire;
        };
        if let Err(reason) = self.pipeline.admits(decision, index) {
            return DestinationOutcome::Filtered(reason);
        }
        outcome_at(self.came, self.plan, index).unwrap_or(DestinationOutcome::HeldBack)
    }
}
