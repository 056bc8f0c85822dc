//! The hash of a plan: what decides the outputs, not how it is written.

use sha2::{Digest, Sha256};

use crate::domain::event::Interaction;
use crate::domain::plan::{CriterionIndex, Plan, Topic};
use crate::domain::words::Word as _;

/// 16 lower-case hexadecimal digits over everything in the plan but its hash, and the largest message.
pub(super) fn of(plan: &Plan, max_message_bytes: usize) -> String {
    let mut hash = Canonical(Sha256::new());
    hash.text("fhir-fanout plan 1");
    hash.text(&plan.fhir_base_url);
    hash.text(plan.fhir_release.word());
    hash.count(plan.ingest.len());
    for ingest in &plan.ingest {
        hash.text(&ingest.kafka_topic);
        hash.text(ingest.format.word());
        hash.text(&ingest.start_from.text());
        hash.text(ingest.default_interaction.code());
    }
    hash.text(&plan.dead_letter_kafka_topic);
    hash.text(plan.on_error.word());
    hash.text(plan.on_missing_state.word());
    hash.text(plan.on_destination_error.word());
    hash.text(&plan.organizations.extension_url);
    hash.count(plan.organizations.parents.len());
    for (child, parent) in &plan.organizations.parents {
        hash.text(child);
        hash.text(parent);
    }
    hash.count(plan.topics.len());
    for topic in &plan.topics {
        hash_topic(&mut hash, plan, topic);
    }
    hash.count(plan.destinations.len());
    for destination in &plan.destinations {
        hash.text(&destination.id);
        hash.count(destination.topic.0);
        hash.text(&destination.kafka_topic);
        hash.text(destination.content.word());
        hash.text(destination.key.word());
        hash.optional(destination.organization.as_deref());
    }
    hash.count(plan.forward_headers.len());
    for header in &plan.forward_headers {
        hash.text(header);
    }
    hash.text(&plan.evaluation_steps.to_string());
    hash.text(&plan.evaluation_memory.to_string());
    hash.count(max_message_bytes);
    hash.finish()
}

fn hash_topic(hash: &mut Canonical, plan: &Plan, topic: &Topic) {
    let text = |criterion: CriterionIndex| plan.criteria.get(criterion.0).map(|criterion| criterion.text());
    hash.text(&topic.url);
    hash.optional(topic.organization.as_deref());
    hash.count(topic.triggers.len());
    for trigger in &topic.triggers {
        hash.text(&trigger.resource);
        for interaction in Interaction::ALL {
            hash.count(usize::from(trigger.interactions.contains(&interaction)));
        }
        hash.optional(trigger.criterion.and_then(text));
    }
}

/// Every part goes in with its length, so that no two sequences of parts look the same.
struct Canonical(Sha256);

impl Canonical {
    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.count(usize::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    fn count(&mut self, count: usize) {
        self.0.update((count as u64).to_be_bytes());
    }

    fn finish(self) -> String {
        self.0.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}
