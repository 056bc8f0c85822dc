//! Seeded events with known facts, and expected outputs by plain closures over the facts.
//!
//! The product decides by FHIRPath and a hierarchy; here the same is said in Rust, by whoever writes the test.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::expected::{Content, EventId, ExpectedOutput, Notification, What};
use crate::kafka::{Position, Record};

/// What is known about an event.
#[derive(Debug, Clone)]
pub struct Facts {
    /// `Observation`, `Encounter` or `QuestionnaireResponse`.
    pub resource_type: &'static str,
    /// The resource's id.
    pub id: String,
    /// The bare id of the patient.
    pub patient: String,
    /// A status of the resource type.
    pub status: &'static str,
    /// `Organization/...`, where the event names one.
    pub organization: Option<&'static str>,
    /// `create`, `update` or `delete`.
    pub interaction: &'static str,
    /// The resource's bytes: the new version, or the last known state of a delete.
    pub resource: String,
}

/// What is drawn from.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Equal seeds give equal events.
    pub seed: u64,
    /// How many events.
    pub events: usize,
    /// How many patients; records are keyed by patient, so that fewer mean more to keep in order.
    pub patients: u32,
    /// The organizations that events may name, besides none.
    pub organizations: &'static [&'static str],
    /// Bytes of text in each resource.
    pub padding: usize,
}

impl Workload {
    /// The events.
    #[must_use]
    pub fn facts(&self) -> Vec<Facts> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let text = "x".repeat(self.padding);
        (0..self.events).map(|number| self.draw(format!("r{number}"), &text, &mut random)).collect()
    }

    /// One event of a run without end: it follows from its number alone. There are a thousand resources of each type
    /// that change over and over, and the event's number is in its text.
    #[must_use]
    pub fn numbered(&self, number: u32) -> Facts {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(u64::from(number));
        let text = format!("{number:0>width$}", width = self.padding);
        self.draw(format!("r{}", random.random_range(0..1_000)), &text, &mut random)
    }

    fn draw(&self, id: String, text: &str, random: &mut ChaCha8Rng) -> Facts {
        let (resource_type, statuses): (_, &[&'static str]) = match random.random_range(0..3) {
            0 => ("Observation", &["preliminary", "final", "amended"]),
            1 => ("Encounter", &["in-progress", "finished"]),
            _ => ("QuestionnaireResponse", &["in-progress", "completed", "amended"]),
        };
        let status = statuses[random.random_range(0..statuses.len())];
        let interaction = ["create", "update", "update", "delete"][random.random_range(0..4)];
        let patient = format!("p{}", random.random_range(0..self.patients));
        let organization = match random.random_range(0..=self.organizations.len()) {
            0 => None,
            index => Some(self.organizations[index - 1]),
        };
        let meta = organization.map_or_else(String::new, |organization| {
            let url = "https://aidbox.app/tenant-organization-id";
            format!(r#","meta":{{"extension":[{{"url":"{url}","valueReference":{{"reference":"{organization}"}}}}]}}"#)
        });
        // Spelled so that a re-serialization would show: spaces, a number with a trailing zero, an unknown element.
        let resource = format!(
            r#"{{"resourceType":"{resource_type}", "id":"{id}"{meta},"status":"{status}","subject":{{"reference":"Patient/{patient}"}},"x-number":1.500,"x-text":"{text}"}}"#
        );
        Facts { resource_type, id, patient, status, organization, interaction, resource }
    }
}

impl Facts {
    /// `Type/id`
    #[must_use]
    pub fn focus(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }

    /// The record of the format `change`, keyed by patient.
    #[must_use]
    pub fn record(&self) -> Record {
        let Self { interaction, resource, patient, .. } = self;
        Record::new(format!(r#"{{"interaction":"{interaction}","resource":{resource}}}"#)).key(patient.as_str())
    }
}

/// Who has to get what, as a closure over the facts.
pub struct Rule {
    /// The destination's id.
    pub destination: &'static str,
    /// Its Kafka topic.
    pub kafka_topic: String,
    /// The topic's URL.
    pub topic: &'static str,
    /// How much it gets.
    pub content: Content,
    /// The key of its records.
    pub key: fn(&Facts) -> Option<String>,
    /// Which events it gets.
    pub gets: fn(&Facts) -> bool,
}

/// The outputs that these events have to give, from where their records came to lie.
///
/// # Panics
/// When there are not as many positions as events.
#[must_use]
pub fn expected(events: &[Facts], positions: &[Position], rules: &[Rule]) -> Vec<ExpectedOutput> {
    assert_eq!(events.len(), positions.len(), "every event was acknowledged");
    let pairs = events.iter().zip(positions);
    pairs
        .flat_map(|(facts, position)| {
            let fired = rules.iter().filter(|rule| (rule.gets)(facts));
            fired.map(|rule| output(facts, position, rule))
        })
        .collect()
}

pub(super) fn output(facts: &Facts, position: &Position, rule: &Rule) -> ExpectedOutput {
    ExpectedOutput {
        event: EventId::only(position.clone()),
        one_of_several: false,
        kafka_topic: rule.kafka_topic.clone(),
        key: (rule.key)(facts).map(String::into_bytes),
        timestamp_ms: None,
        headers: Vec::new(),
        what: What::Notification(Notification {
            destination: rule.destination.to_owned(),
            topic: rule.topic.to_owned(),
            focus: facts.focus(),
            interaction: facts.interaction.to_owned(),
            content: rule.content,
            resource: (facts.interaction != "delete").then(|| facts.resource.clone()),
        }),
    }
}
