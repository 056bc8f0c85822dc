//! An explanation for programs: one JSON object in one line for each record.

use serde_json::{Value, json};

use super::{Scope, reasons};
use crate::cli::record::OwnedRecord;
use crate::domain::explain::{
    ClaimSource, CriterionExplanation, DestinationExplanation, DestinationOutcome, Engine, EventExplanation,
    EventOrganization, Explanation, TopicExplanation, TriggerExplanation, TriggerOutcome,
};
use crate::domain::fhirpath::{Part, Seen};
use crate::domain::plan::Plan;

/// The explanation of a record.
pub(super) fn render(plan: &Plan, scope: Scope, record: &OwnedRecord, explanation: &Explanation) -> String {
    let mut out = json!({ "kafkaTopic": record.kafka_topic, "stops": explanation.stops });
    match &explanation.events {
        Ok(events) => out["events"] = events.iter().map(|found| event(plan, scope, found)).collect(),
        Err(error) => out["undecodable"] = error.to_string().into(),
    }
    out.to_string()
}

fn event(plan: &Plan, scope: Scope, event: &EventExplanation) -> Value {
    json!({
        "interaction": event.interaction.code(),
        "interactionInferred": event.interaction_inferred,
        "resource": format!("{}/{}", event.resource_type, event.id),
        "fhirRelease": format!("{:?}", event.release),
        "time": event.has_time.then_some(&event.time),
        "hasContent": event.has_content,
        "hasPrevious": event.has_previous,
        "organization": organization(&event.organization),
        "topics": event.topics.iter().map(|found| topic(plan, scope, event, found)).collect::<Value>(),
    })
}

fn organization(organization: &EventOrganization) -> Value {
    let name = |source: &ClaimSource| match source {
        ClaimSource::Envelope => "envelope",
        ClaimSource::Extension => "extension",
    };
    match organization {
        EventOrganization::None => Value::Null,
        EventOrganization::Unreadable(source) => json!({ "source": name(source), "upwards": [] }),
        EventOrganization::Named { source, upwards, in_hierarchy } => {
            json!({ "source": name(source), "upwards": upwards, "inHierarchy": in_hierarchy })
        }
    }
}

fn topic(plan: &Plan, scope: Scope, event: &EventExplanation, topic: &TopicExplanation) -> Value {
    let of_plan = &plan.topics[topic.topic.0];
    let in_scope = |found: &&DestinationExplanation| scope.destination.is_none_or(|only| only == found.destination);
    let trigger = |found: &TriggerExplanation| {
        let trigger = &of_plan.triggers[found.index];
        let interactions: Vec<&str> = trigger.interactions.iter().map(|interaction| interaction.code()).collect();
        let mut out = json!({ "resource": trigger.resource, "supportedInteraction": interactions });
        match &found.outcome {
            TriggerOutcome::OtherType => out["outcome"] = "other-type".into(),
            TriggerOutcome::OtherInteraction => out["outcome"] = "other-interaction".into(),
            TriggerOutcome::NoCriterion => out["outcome"] = "no-criterion".into(),
            TriggerOutcome::NotAsked => out["outcome"] = "not-asked".into(),
            TriggerOutcome::Criterion(explained) => criterion(plan, explained, &mut out),
        }
        out
    };
    json!({
        "url": of_plan.url,
        "fired": reasons::topic_outcome(topic.outcome) == "fired",
        "outcome": reasons::topic_outcome(topic.outcome),
        "reason": reasons::topic_reason(plan, event, topic),
        "leftOutEarly": topic.sifted,
        "organization": of_plan.organization,
        "triggers": topic.triggers.iter().map(trigger).collect::<Value>(),
        "destinations":
            topic.destinations.iter().filter(in_scope).map(|found| destination(plan, event, found)).collect::<Value>(),
    })
}

fn criterion(plan: &Plan, explained: &CriterionExplanation, out: &mut Value) {
    out["outcome"] = reasons::answer(explained.answer).into();
    out["fhirPathCriteria"] = plan.criteria[explained.criterion.0].text().into();
    out["engine"] = match explained.engine {
        Engine::Program => "compiled",
        Engine::General(_) => "general",
    }
    .into();
    if let Engine::General(reason) = explained.engine {
        out["notCompiled"] = reason.into();
    }
    match &explained.parts {
        Ok(found) => out["parts"] = part(found),
        Err(error) => out["partsFailed"] = error.to_string().into(),
    }
    if let Some(note) = reasons::disagreement(explained) {
        out["note"] = note.into();
    }
}

fn part(of: &Part) -> Value {
    let mut out = json!({ "text": of.text });
    seen(&of.seen, &mut out);
    if !of.parts.is_empty() {
        out["parts"] = of.parts.iter().map(part).collect();
    }
    if !of.items.is_empty() {
        let item = |item: &crate::domain::fhirpath::Item| {
            let mut out = json!({ "index": item.index, "part": part(&item.part) });
            seen(&item.value, &mut out);
            out
        };
        out["items"] = of.items.iter().map(item).collect();
        out["moreItems"] = of.more_items.into();
    }
    out
}

fn seen(seen: &Seen, out: &mut Value) {
    match seen {
        Seen::Values { count, shown } => {
            out["count"] = (*count).into();
            out["values"] = shown.clone().into();
        }
        Seen::Failed(error) => out["failed"] = error.to_string().into(),
    }
}

fn destination(plan: &Plan, event: &EventExplanation, explained: &DestinationExplanation) -> Value {
    let destination = &plan.destinations[explained.destination.0];
    let mut out = json!({
        "id": destination.id,
        "kafkaTopic": destination.kafka_topic,
        "outcome": reasons::destination_outcome(&explained.outcome),
    });
    match &explained.outcome {
        DestinationOutcome::Notified { key, bytes } => {
            out["key"] = key.as_ref().map(|key| String::from_utf8_lossy(key).into_owned()).into();
            out["bytes"] = (*bytes).into();
        }
        DestinationOutcome::Filtered(reason) => {
            out["reason"] = reasons::organization(event, destination.organization.as_deref(), *reason).into();
        }
        DestinationOutcome::TopicDidNotFire | DestinationOutcome::DeadLetter(_) | DestinationOutcome::HeldBack => {}
    }
    out
}
