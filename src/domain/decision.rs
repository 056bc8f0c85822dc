//! Which topics an event fires, and whether its organization lets it through.
//!
//! For each topic that has a trigger for the event: the topic's organization first (it costs little, and a topic must not
//! even make dead letters of events that it must not see), then the criteria. A topic without destinations is left out:
//! nothing could come of it.

use super::event::{Interaction, ResourceEvent};
use super::fhirpath::{Budget, Workspace};
use super::organization::{OrganizationNode, Organizations, Standing};
use super::plan::{Plan, PreparedType, TopicIndex};
use super::shortlist::Open;
use super::source::SourceRecord;
use super::tally::FilterReason;
use super::trigger::{Answers, Judgement, Questioner, Verdict, judge};

/// What now() is for an event without any time: a record without timestamp is a relic of Kafka's oldest formats, and a
/// fixed time keeps the outcome the same at every replay.
pub(super) const NO_TIME: &str = "1970-01-01T00:00:00.000Z";

/// The room for decisions that is kept for the next record.
const KEPT_DECISIONS: usize = 1 << 14;

/// Decides about events; keeps its buffers.
#[derive(Debug)]
pub(crate) struct Decider {
    pub(crate) organizations: Organizations,
    /// Whether any topic or destination requires an organization.
    uses_organizations: bool,
    required_by_topic: Vec<Option<OrganizationNode>>,
    answers: Answers,
    workspace: Workspace,
    time: String,
    decisions: Vec<Decision>,
    /// The candidates of the current event that could not be left out.
    open: Open,
    /// The events of the record of which topics were left out, in their order.
    sifted: Vec<u32>,
}

/// What was decided about one event for one topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision {
    event_index: u32,
    pub(crate) topic: TopicIndex,
    pub(crate) verdict: Verdict,
    pub(crate) errors: u64,
    /// Where the event stands, for the filters of the destinations.
    standing: Standing,
}

/// A topic that cannot be decided, with `onError: stop`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    pub(crate) event_index: u32,
    pub(crate) topic: TopicIndex,
}

impl Decider {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut organizations = Organizations::new(&plan.organizations);
        let required = |organization: &Option<String>| organization.as_deref().map(|text| organizations.node(text));
        let required_by_topic: Vec<_> = plan.topics.iter().map(|topic| &topic.organization).map(required).collect();
        let by_destination = plan.destinations.iter().any(|destination| destination.organization.is_some());
        Self {
            uses_organizations: by_destination || required_by_topic.iter().any(Option::is_some),
            organizations,
            required_by_topic,
            answers: Answers::new(plan.criteria.len()),
            workspace: Workspace::new(),
            time: String::new(),
            decisions: Vec::new(),
            open: Open::default(),
            sifted: Vec::new(),
        }
    }

    /// Decides about all events of a record; see [`Decider::decisions_of`].
    pub(crate) fn decide(
        &mut self,
        plan: &Plan,
        record: &SourceRecord<'_>,
        events: &[ResourceEvent<'_>],
    ) -> Result<(), Stop> {
        self.decisions.clear();
        self.sifted.clear();
        let budget = Budget::of_record(plan.evaluation_steps, record.value.map_or(0, <[u8]>::len));
        let mut budget = budget.with_memory(plan.evaluation_memory);
        let mut decide = |(index, event)| self.decide_event(plan, record, index, event, &mut budget);
        (0..).zip(events).try_for_each(&mut decide)
    }

    /// Forgets the record, and gives back memory that one in many needs.
    pub(crate) fn trim(&mut self) {
        self.decisions.clear();
        self.decisions.shrink_to(KEPT_DECISIONS);
        self.sifted.clear();
        self.sifted.shrink_to(KEPT_DECISIONS);
    }

    /// The decisions about one event of the record, in the order of the topics.
    pub(crate) fn decisions_of(&self, event_index: u32) -> &[Decision] {
        let start = self.decisions.partition_point(|decision| decision.event_index < event_index);
        let length = self.decisions[start..].partition_point(|decision| decision.event_index == event_index);
        &self.decisions[start..start + length]
    }

    /// Tells the topics that were left out of the decisions, since the event cannot make their criteria true, and why
    /// they get nothing.
    pub(crate) fn tell_left_out(
        &self,
        plan: &Plan,
        event_index: u32,
        event: &ResourceEvent<'_>,
        tell: impl FnMut(&[TopicIndex], FilterReason),
    ) {
        if self.sifted.binary_search(&event_index).is_err() {
            return;
        }
        let prepared = prepared_for(plan, event);
        if let Some(shortlist) = prepared.and_then(|prepared| prepared.shortlist(event.interaction)) {
            let judged = self.decisions_of(event_index).iter().map(|decision| decision.topic);
            let lacks_previous = event.interaction == Interaction::Update && event.previous.is_none();
            shortlist.tell_left_out(judged, lacks_previous, tell);
        }
    }

    /// What was asked of the topic's organization, by itself: for those who explain.
    pub(crate) fn admits_to_topic(
        &self,
        plan: &Plan,
        event: &ResourceEvent<'_>,
        topic: TopicIndex,
    ) -> Result<(), FilterReason> {
        let required = self.required_by_topic[topic.0];
        required.map_or(Ok(()), |required| self.organizations.check(self.standing(plan, event), required))
    }

    /// Lets an event pass to a destination by its organization.
    pub(crate) fn admits(&self, decision: &Decision, required: Option<OrganizationNode>) -> Result<(), FilterReason> {
        required.map_or(Ok(()), |required| self.organizations.check(decision.standing, required))
    }

    fn decide_event(
        &mut self,
        plan: &Plan,
        record: &SourceRecord<'_>,
        event_index: u32,
        event: &ResourceEvent<'_>,
        budget: &mut Budget,
    ) -> Result<(), Stop> {
        let candidates = plan.candidates(&event.identity.resource_type, event.interaction);
        if candidates.is_empty() {
            return Ok(());
        }
        self.time.clear();
        let asks = candidates.iter().any(|candidate| candidate.criterion.is_some());
        if asks && !event.write_time(record, &mut self.time) {
            self.time.push_str(NO_TIME);
        }
        let standing = self.standing(plan, event);
        self.answers.forget();
        let prepared = asks.then(|| prepared_for(plan, event)).flatten();
        let criteria = prepared.map(|prepared| &prepared.criteria);
        let mut questioner = Questioner::new(plan, event, criteria, &self.time, &mut self.workspace, budget);
        let mut candidates = candidates;
        if let Some(shortlist) = prepared.and_then(|prepared| prepared.shortlist(event.interaction))
            && let Some(found) = questioner.sift()
        {
            shortlist.write_open(candidates, found, &mut self.open);
            self.sifted.push(event_index);
            candidates = &self.open.candidates;
        }
        for of_topic in candidates.chunk_by(|one, other| one.topic == other.topic) {
            let topic = of_topic[0].topic;
            if plan.topics[topic.0].destinations.is_empty() {
                continue;
            }
            let required = self.required_by_topic[topic.0];
            let Judgement { verdict, errors } =
                match required.map_or(Ok(()), |required| self.organizations.check(standing, required)) {
                    Err(reason) => Judgement { verdict: Verdict::Filtered(reason), errors: 0 },
                    Ok(()) => judge(of_topic, plan.on_error, |criterion| {
                        self.answers.get(criterion, || questioner.ask(criterion))
                    }),
                };
            if verdict == Verdict::Stop {
                return Err(Stop { event_index, topic });
            }
            self.decisions.push(Decision { event_index, topic, verdict, errors, standing });
        }
        Ok(())
    }

    fn standing(&self, plan: &Plan, event: &ResourceEvent<'_>) -> Standing {
        if !self.uses_organizations {
            return Standing::Missing;
        }
        self.organizations.standing(event.claimed_organization(&plan.organizations.extension_url).as_ref())
    }
}

pub(super) fn prepared_for<'p>(plan: &'p Plan, event: &ResourceEvent<'_>) -> Option<&'p PreparedType> {
    plan.prepared(&event.identity.resource_type, event.fhir_release.unwrap_or(plan.fhir_release))
}
