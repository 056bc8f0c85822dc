//! Reasons in words, the same for people and for programs.

use crate::domain::explain::{
    Answer, ClaimSource, CriterionExplanation, DestinationOutcome, Engine, EventExplanation, EventOrganization,
    TopicExplanation, TopicOutcome,
};
use crate::domain::output::DeadLetterClass;
use crate::domain::plan::Plan;
use crate::domain::tally::FilterReason;

/// What was decided for a topic, in a word or two.
pub(super) fn topic_outcome(outcome: TopicOutcome) -> &'static str {
    match outcome {
        TopicOutcome::Fired => "fired",
        TopicOutcome::OtherType => "no-trigger-for-type",
        TopicOutcome::NoDestination => "no-destination",
        TopicOutcome::Filtered(reason) => reason.name(),
        TopicOutcome::FailedAndSkipped => "failed-and-skipped",
        TopicOutcome::DeadLetter(class) => class.name(),
        TopicOutcome::Stops => "stops",
        TopicOutcome::NotReached => "not-reached",
    }
}

/// Why a topic did not fire.
pub(super) fn topic_reason(plan: &Plan, event: &EventExplanation, topic: &TopicExplanation) -> Option<String> {
    let resource_type = &event.resource_type;
    Some(match topic.outcome {
        TopicOutcome::Fired => return None,
        TopicOutcome::OtherType => format!("none of its triggers is for {resource_type}"),
        TopicOutcome::NoDestination => "it has no active destination".to_owned(),
        TopicOutcome::Filtered(FilterReason::Interaction) => {
            format!("its triggers for {resource_type} are for other interactions than {}", event.interaction.code())
        }
        TopicOutcome::Filtered(FilterReason::Criteria) if topic.sifted => {
            "no criterion is true (left out early: the event lacks what each of them needs)".to_owned()
        }
        TopicOutcome::Filtered(FilterReason::Criteria) => "no criterion is true".to_owned(),
        TopicOutcome::Filtered(FilterReason::MissingState) => {
            format!("no criterion is true, and {} (onMissingState: skip)", missing_state(event))
        }
        TopicOutcome::Filtered(reason) => {
            organization(event, plan.topics[topic.topic.0].organization.as_deref(), reason)
        }
        TopicOutcome::FailedAndSkipped => "a criterion failed (onError: skip)".to_owned(),
        TopicOutcome::DeadLetter(DeadLetterClass::MissingState) => {
            format!("{} (onMissingState: dead-letter): one dead letter, missing-state", missing_state(event))
        }
        TopicOutcome::DeadLetter(class) => {
            format!("a criterion failed (onError: dead-letter): one dead letter, {}", class.name())
        }
        TopicOutcome::Stops => {
            "a criterion failed, and the process stops before this record (onError: stop)".to_owned()
        }
        TopicOutcome::NotReached => "the process stops before it comes to this (onError: stop)".to_owned(),
    })
}

fn missing_state(event: &EventExplanation) -> &'static str {
    if event.has_content {
        "a criterion reads the previous version, which the record does not carry"
    } else {
        "a criterion reads the resource, which the record of this delete does not carry"
    }
}

/// What a destination gets, in a word or two.
pub(super) fn destination_outcome(outcome: &DestinationOutcome) -> &'static str {
    match outcome {
        DestinationOutcome::Notified { .. } => "notified",
        DestinationOutcome::TopicDidNotFire => "topic-did-not-fire",
        DestinationOutcome::Filtered(reason) => reason.name(),
        DestinationOutcome::DeadLetter(class) => class.name(),
        DestinationOutcome::HeldBack => "held-back",
    }
}

/// Why an organization lets an event not pass.
pub(super) fn organization(event: &EventExplanation, required: Option<&str>, reason: FilterReason) -> String {
    let required = required.unwrap_or("another organization");
    match (reason, &event.organization) {
        (FilterReason::OrganizationMissing, _) => format!("the event names no organization; it takes {required}"),
        (_, EventOrganization::Named { upwards, .. }) if reason == FilterReason::OrganizationUnrelated => {
            let way = upwards.join(", part of ");
            format!("it takes {required} and what is part of it; the event is of {way}, which is at the top")
        }
        (_, EventOrganization::Named { upwards, .. }) => {
            let own = upwards.first().map_or("the event's", String::as_str);
            format!("it takes {required}; the hierarchy does not know {own}")
        }
        _ => format!("it takes {required}; what the event names is no reference to an Organization"),
    }
}

/// Where the event belongs.
pub(super) fn event_organization(organization: &EventOrganization) -> String {
    let source = |source: &ClaimSource| match source {
        ClaimSource::Envelope => "the envelope",
        ClaimSource::Extension => "the extension in meta",
    };
    match organization {
        EventOrganization::None => "none named".to_owned(),
        EventOrganization::Unreadable(from) => format!("no reference to an Organization, in {}", source(from)),
        EventOrganization::Named { source: from, upwards, in_hierarchy } => {
            let unknown = if *in_hierarchy { "" } else { ", not in the hierarchy" };
            format!("{} (from {}{unknown})", upwards.join(", part of "), source(from))
        }
    }
}

/// What a criterion says.
pub(super) fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::True => "true",
        Answer::False => "not true",
        Answer::Failed => "failed",
        Answer::Missing => "not asked, a state is missing",
        Answer::FalseForLackOfState => "not true, with a missing state empty",
    }
}

/// What evaluates a criterion.
pub(super) fn engine(engine: Engine) -> String {
    match engine {
        Engine::Program => "compiled".to_owned(),
        Engine::General(reason) => format!("general engine: {reason}"),
    }
}

/// Where the parts, which the general engine shows, and what decides do not agree.
pub(super) fn disagreement(explained: &CriterionExplanation) -> Option<&'static str> {
    let shown = explained.parts.as_ref().ok().map(|part| part.seen.boolean());
    let differs = match (explained.answer, shown) {
        (Answer::True, Some(shown)) => shown != Some(true),
        (Answer::False | Answer::FalseForLackOfState, Some(shown)) => shown == Some(true),
        _ => false,
    };
    differs.then_some(
        "the parts are shown by the general engine, which differs here from what decides: docs/conformance.md",
    )
}
