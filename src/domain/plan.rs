//! The compiled configuration: what runs. Immutable; made by `config`, read by the pipeline and the runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::event::{FhirRelease, Interaction};
use super::fhirpath::{self, Criterion, FhirPath, Prepared};
use super::shortlist::Shortlist;

/// Position of a topic in [`Plan::topics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicIndex(pub usize);

/// Position of a destination in [`Plan::destinations`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DestinationIndex(pub usize);

/// Position of a criterion in [`Plan::criteria`]; equal texts share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CriterionIndex(pub usize);

/// Everything that decides what comes out of a record.
#[derive(Debug)]
pub struct Plan {
    /// `fhirBaseUrl`, without a trailing slash; empty when none is configured (then `fullUrl` is relative).
    pub fhir_base_url: String,
    /// The ingest Kafka topics.
    pub ingest: Vec<Ingest>,
    /// The Kafka topic of the dead letters.
    pub dead_letter_kafka_topic: String,
    /// What an evaluation error does.
    pub on_error: OnError,
    /// What a criterion does that needs a state which the event does not carry.
    pub on_missing_state: OnMissingState,
    /// What a destination does that refuses everything.
    pub on_destination_error: OnDestinationError,
    /// The organization hierarchy.
    pub organizations: OrganizationHierarchy,
    /// The release that criteria are evaluated with when an event names none.
    pub fhir_release: FhirRelease,
    /// The active topics.
    pub topics: Vec<Topic>,
    /// The destinations of the active topics.
    pub destinations: Vec<Destination>,
    /// The criteria, each text once.
    pub criteria: Vec<Criterion>,
    /// The engine that evaluates the criteria.
    pub fhirpath: Arc<FhirPath>,
    /// The most steps that one evaluation of a criterion may take.
    pub evaluation_steps: u64,
    /// The most memory that one evaluation may take with the trees of its event, in bytes.
    pub evaluation_memory: u64,
    /// Names of the ingest headers that are passed on to outputs and dead letters.
    pub forward_headers: Vec<String>,
    /// Hash of all of the above, 16 lower-case hexadecimal digits: the header `fhir-plan`.
    pub hash: String,
    /// Triggers by resource type; see [`Plan::candidates`].
    pub triggers: TriggerIndex,
}

impl Plan {
    /// The triggers that this resource type and interaction could fire, in the order of their topics.
    pub fn candidates(&self, resource_type: &str, interaction: Interaction) -> &[Candidate] {
        self.triggers.candidates(resource_type, interaction)
    }

    /// What [`Plan::candidates`] is about, prepared for events of this resource type in this release at the first of
    /// them. `None` for what is no FHIR resource type.
    pub(crate) fn prepared(&self, resource_type: &str, release: FhirRelease) -> Option<&PreparedType> {
        let position = fhirpath::resource_types().binary_search(&resource_type).ok()?;
        let slot = &self.triggers.prepared.get(position)?[release as usize];
        Some(slot.get_or_init(|| {
            let asked = Interaction::ALL.map(|interaction| {
                let candidates = self.candidates(resource_type, interaction).iter();
                candidates.filter_map(|candidate| Some(candidate.criterion?.0)).collect::<Vec<_>>()
            });
            let asked = asked.each_ref().map(Vec::as_slice);
            let criteria = self.fhirpath.prepare(release, resource_type, &self.criteria, asked);
            let shortlists = Interaction::ALL.map(|interaction| {
                let candidates = self.candidates(resource_type, interaction);
                let reads_previous = |criterion: u32| self.criteria[criterion as usize].reads_previous();
                Shortlist::new(&self.topics, candidates, criteria.sifted(interaction), reads_previous)
            });
            PreparedType { criteria, shortlists }
        }))
    }

    /// Prepares what is prepared in another plan, so that nobody has to wait for it who takes this one in its place.
    pub fn prepare_as(&self, other: &Self) {
        for (position, releases) in other.triggers.prepared.iter().enumerate() {
            for release in FhirRelease::ALL {
                if releases[release as usize].get().is_some()
                    && let Some(resource_type) = fhirpath::resource_types().get(position)
                {
                    self.prepared(resource_type, release);
                }
            }
        }
    }

    /// The topics with a trigger for this resource type, but none for this interaction, in their order.
    pub fn other_interaction(&self, resource_type: &str, interaction: Interaction) -> &[TopicIndex] {
        &self.triggers.of_type(resource_type).other_interaction[interaction.index()]
    }

    /// The ingest with this Kafka topic.
    #[must_use]
    pub fn ingest_of(&self, kafka_topic: &str) -> Option<&Ingest> {
        self.ingest.iter().find(|ingest| ingest.kafka_topic == kafka_topic)
    }
}

/// One ingest Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingest {
    /// The Kafka topic.
    pub kafka_topic: String,
    /// How its records are read.
    pub format: IngestFormat,
    /// Where a group without committed offsets starts.
    pub start_from: StartFrom,
    /// The interaction of a `fhir` record that does not tell its own.
    pub default_interaction: Interaction,
}

/// How the records of an ingest Kafka topic are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestFormat {
    /// The change envelope `{interaction, resource, previous, ...}`.
    Change,
    /// A bare FHIR resource.
    Fhir,
    /// A FHIR Bundle, one event per entry.
    Bundle,
}

/// Where a consumer group without committed offsets starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartFrom {
    /// At the first record that is still there.
    Earliest,
    /// At the end: only what comes after the first start.
    Latest,
    /// At the first record of this time or later.
    Time(Timestamp),
}

/// What an evaluation error does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// One dead letter per (event, topic).
    DeadLetter,
    /// Counted only.
    Skip,
    /// The process stops before the record.
    Stop,
}

/// What a criterion does that needs a state which the event does not carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMissingState {
    /// One dead letter per (event, topic).
    DeadLetter,
    /// The criterion is evaluated with the state empty.
    Skip,
}

/// What a destination does whose Kafka topic refuses everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDestinationError {
    /// Processing waits, with an alarm, until the destination takes records again.
    Block,
    /// Its notifications become dead letters.
    DeadLetter,
}

/// An active subscription topic.
#[derive(Debug, Clone)]
pub struct Topic {
    /// Canonical URL.
    pub url: String,
    /// `Organization/id`, where the topic belongs to one.
    pub organization: Option<String>,
    /// Its destinations.
    pub destinations: Vec<DestinationIndex>,
    /// Its triggers, OR-ed.
    pub triggers: Vec<Trigger>,
}

/// One trigger of a topic.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// Resource type name, or `Resource` for any.
    pub resource: String,
    /// The interactions that fire it.
    pub interactions: Vec<Interaction>,
    /// Its criterion, if it has one.
    pub criterion: Option<CriterionIndex>,
}

/// One destination of a topic.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The destination's id.
    pub id: String,
    /// The topic it is for.
    pub topic: TopicIndex,
    /// The Kafka topic that gets the notifications.
    pub kafka_topic: String,
    /// How much of the resource a notification carries.
    pub content: Content,
    /// What the record key is.
    pub key: KeySource,
    /// `Organization/id`, where the destination belongs to one.
    pub organization: Option<String>,
}

/// FHIR subscription-payload-content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// The focus and the resource itself.
    FullResource,
    /// The focus and the entry without the resource.
    IdOnly,
    /// Only that something happened.
    Empty,
}

/// What the key of an output record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// The ingest record's key; null: the focus reference.
    Source,
    /// `Type/id`.
    Resource,
    /// The bare patient id; none: the focus reference.
    Patient,
    /// Null.
    None,
}

/// A trigger that could fire for a resource type and interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The trigger's topic.
    pub topic: TopicIndex,
    /// Its criterion, if it has one.
    pub criterion: Option<CriterionIndex>,
}

/// Candidates by resource type and interaction, so that matching costs what could fire, not what is configured.
#[derive(Debug, Default)]
pub struct TriggerIndex {
    /// By resource type name, in its order; the triggers for `Resource` are merged into each.
    by_type: Vec<(String, TypeTriggers)>,
    /// For the types that no trigger names: the triggers for `Resource` alone.
    any_type: TypeTriggers,
    /// By the position in [`fhirpath::resource_types`] and the release.
    prepared: Vec<[OnceLock<PreparedType>; FhirRelease::COUNT]>,
}

/// What the topics want of one resource type in one release, prepared for its events.
#[derive(Debug)]
pub(crate) struct PreparedType {
    pub(crate) criteria: Prepared,
    /// By [`Interaction::index`].
    shortlists: [Shortlist; 3],
}

impl PreparedType {
    /// How topics can be left out at once, if any can.
    pub(crate) fn shortlist(&self, interaction: Interaction) -> Option<&Shortlist> {
        Some(&self.shortlists[interaction.index()]).filter(|shortlist| !shortlist.is_empty())
    }
}

/// What the topics want of one resource type; tables by [`Interaction::index`], in the order of the topics.
#[derive(Debug, Default, Clone)]
struct TypeTriggers {
    /// The triggers that the interaction could fire.
    candidates: [Vec<Candidate>; 3],
    /// The topics that want the type, but with other interactions only.
    other_interaction: [Vec<TopicIndex>; 3],
}

impl TriggerIndex {
    /// Sorts the triggers of the topics into the index.
    #[must_use]
    pub fn new(topics: &[Topic]) -> Self {
        let prepared = fhirpath::resource_types().iter().map(|_| Default::default()).collect();
        let mut index = Self { prepared, ..Self::default() };
        let named = topics.iter().flat_map(|topic| &topic.triggers).map(|trigger| trigger.resource.as_str());
        let names: BTreeSet<&str> = named.filter(|name| *name != ANY_RESOURCE).collect();
        index.by_type = names.into_iter().map(|name| (name.to_owned(), TypeTriggers::default())).collect();
        for (position, topic) in topics.iter().enumerate() {
            for (name, triggers) in &mut index.by_type {
                triggers.add(TopicIndex(position), topic, name);
            }
            index.any_type.add(TopicIndex(position), topic, ANY_RESOURCE);
        }
        index
    }

    /// See [`Plan::candidates`].
    fn candidates(&self, resource_type: &str, interaction: Interaction) -> &[Candidate] {
        &self.of_type(resource_type).candidates[interaction.index()]
    }

    fn of_type(&self, resource_type: &str) -> &TypeTriggers {
        let position = self.by_type.binary_search_by(|(name, _)| name.as_str().cmp(resource_type));
        position.map_or(&self.any_type, |position| &self.by_type[position].1)
    }
}

impl TypeTriggers {
    fn add(&mut self, index: TopicIndex, topic: &Topic, resource_type: &str) {
        let for_type = |trigger: &&Trigger| trigger.resource == resource_type || trigger.resource == ANY_RESOURCE;
        let triggers: Vec<_> = topic.triggers.iter().filter(for_type).collect();
        if triggers.is_empty() {
            return;
        }
        for interaction in Interaction::ALL {
            let fires = triggers.iter().filter(|trigger| trigger.interactions.contains(&interaction));
            let candidates = &mut self.candidates[interaction.index()];
            let before = candidates.len();
            candidates.extend(fires.map(|trigger| Candidate { topic: index, criterion: trigger.criterion }));
            if candidates.len() == before {
                self.other_interaction[interaction.index()].push(index);
            }
        }
    }
}

/// The trigger resource that stands for any type.
pub const ANY_RESOURCE: &str = "Resource";

/// Which organization is part of which.
#[derive(Debug, Clone, Default)]
pub struct OrganizationHierarchy {
    /// URL of the extension in `meta` that names a resource's organization.
    pub extension_url: String,
    /// Child to parent, both `Organization/id`. Free of cycles: `config` refuses them.
    pub parents: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(triggers: &[(&str, &[Interaction])]) -> Topic {
        let trigger = |(resource, interactions): &(&str, &[Interaction])| Trigger {
            resource: (*resource).to_owned(),
            interactions: interactions.to_vec(),
            criterion: None,
        };
        let triggers = triggers.iter().map(trigger).collect();
        Topic { url: "http://example.org/topic".to_owned(), organization: None, destinations: Vec::new(), triggers }
    }

    #[test]
    fn triggers_are_found_by_type_and_interaction_and_any_type_is_merged() {
        use Interaction::{Create, Delete, Update};
        let index = TriggerIndex::new(&[
            topic(&[("Patient", &[Create]), ("Patient", &[Create, Update])]),
            topic(&[(ANY_RESOURCE, &[Update])]),
            topic(&[("Encounter", &Interaction::ALL)]),
        ]);
        let topics = |resource_type, interaction| -> Vec<_> {
            index.candidates(resource_type, interaction).iter().map(|candidate| candidate.topic.0).collect()
        };
        let others = |resource_type, interaction: Interaction| -> Vec<_> {
            index.of_type(resource_type).other_interaction[interaction.index()].iter().map(|topic| topic.0).collect()
        };
        assert_eq!(topics("Patient", Create), [0, 0]);
        assert_eq!(topics("Patient", Update), [0, 1]);
        assert_eq!(topics("Encounter", Update), [1, 2]);
        assert_eq!(topics("Device", Update), [1]);
        assert!(topics("Device", Create).is_empty());
        assert_eq!(others("Patient", Create), [1]);
        assert_eq!(others("Patient", Delete), [0, 1]);
        assert_eq!(others("Encounter", Create), [1]);
        assert_eq!(others("Device", Delete), [1]);
        assert!(others("Device", Update).is_empty());
    }
}
