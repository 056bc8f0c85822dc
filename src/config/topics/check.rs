//! Raw to plan: every rule that needs more than one field.

use std::sync::Arc;

use super::criteria::Criteria;
use super::organizations::Organizations;
use super::raw::{RawConfig, RawDestination, RawIngest, RawTopic, RawTrigger};
use super::shape::fields as field;
use super::{ForeignBootstrap, LoadedTopics, hash, names};
use crate::config::document::{Located, Place, Sink, nearest};
use crate::config::settings::Settings;
use crate::domain::event::Interaction;
use crate::domain::fhirpath::FhirPath;
use crate::domain::plan::{
    ANY_RESOURCE, Content, Destination, DestinationIndex, Ingest, KeySource, Plan, Topic, TopicIndex, Trigger,
    TriggerIndex,
};

/// Checks everything; gives what could be made of it. Where the sink holds an error, the result is not to be used.
pub(super) fn check(
    raw: RawConfig,
    settings: &Settings,
    fhirpath: &Arc<FhirPath>,
    sink: &Sink,
) -> Option<LoadedTopics> {
    let rules = Rules { sink };
    let fhir_base_url =
        raw.fhir_base_url.as_ref().and_then(|url| rules.named(url, names::base_url(&url.value, &url.shown)));
    let ingest = rules.ingest(&raw);
    let dead_letter = rules.dead_letter(&raw);
    let organizations = Organizations::check(raw.extension_url, raw.hierarchy, sink);
    let fhir_release = field::FHIR_RELEASE.or_default(raw.fhir_release);
    let mut criteria = Criteria::new(fhirpath, fhir_release, sink);
    let mut topics = rules.topics(&raw.topics, &organizations, &mut criteria);
    if raw.topics.is_empty() {
        sink.push(raw.place.warning("there are no topics: nothing will be sent").hint("describe them under `topics`"));
    }
    let taken = Taken { ingest: &raw.ingest, dead_letter: raw.dead_letter.as_ref() };
    let (destinations, foreign_bootstrap) =
        rules.destinations(&raw.destinations, &mut topics, &organizations, &taken, settings);
    if raw.destinations.is_empty() && !raw.topics.is_empty() {
        let problem = raw.place.warning("there are no destinations: nothing will be sent");
        sink.push(problem.hint("describe them under `destinations`"));
    }
    let topics: Vec<Topic> = topics.into_iter().filter_map(|checked| checked.topic).collect();
    let (criteria, engines) = criteria.into_used()?;
    let mut plan = Plan {
        fhir_base_url: fhir_base_url?,
        ingest,
        dead_letter_kafka_topic: dead_letter?,
        on_error: field::ON_ERROR.or_default(raw.on_error),
        on_missing_state: field::ON_MISSING_STATE.or_default(raw.on_missing_state),
        on_destination_error: field::ON_DESTINATION_ERROR.or_default(raw.on_destination_error),
        organizations: organizations.hierarchy,
        fhir_release,
        triggers: TriggerIndex::new(&topics),
        topics,
        destinations,
        criteria,
        fhirpath: Arc::clone(fhirpath),
        evaluation_steps: settings.evaluation_steps,
        evaluation_memory: settings.evaluation_memory,
        forward_headers: settings.forward_headers.clone(),
        hash: String::new(),
    };
    plan.hash = hash::of(&plan, settings.max_message_bytes);
    Some(LoadedTopics { plan, foreign_bootstrap, engines })
}

/// A topic that was checked.
struct CheckedTopic {
    url: Located<String>,
    /// `active`, `draft`, `retired` or `unknown`.
    status: String,
    /// Its position in the plan, where it runs.
    index: Option<TopicIndex>,
    /// What runs.
    topic: Option<Topic>,
    is_used: bool,
}

/// The Kafka topics that a destination must not write to.
struct Taken<'a> {
    ingest: &'a [RawIngest],
    dead_letter: Option<&'a Located<String>>,
}

struct Rules<'a> {
    sink: &'a Sink,
}

impl Rules<'_> {
    /// What a rule for single names gives; its fault is reported at the name's place.
    fn named<T>(&self, given: &Located<String>, result: Result<T, names::Fault>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(fault) => {
                self.sink.push(given.place.error(fault.message).hint(fault.hint));
                None
            }
        }
    }

    fn kafka_topic(&self, given: Option<&Located<String>>) -> Option<String> {
        let given = given?;
        self.named(given, names::kafka_topic(&given.value, &given.shown))?;
        Some(given.value.clone())
    }

    fn twice(&self, place: &Place, what: &str, first: &Place) {
        let problem = place.error(format!("{what} is given twice"));
        self.sink.push(problem.hint(format!("the first is at {}", first.short())));
    }

    fn ingest(&self, raw: &RawConfig) -> Vec<Ingest> {
        let mut seen: Vec<&Located<String>> = Vec::new();
        let mut out = Vec::new();
        for ingest in &raw.ingest {
            let Some(kafka_topic) = self.kafka_topic(ingest.kafka_topic.as_ref()) else { continue };
            if let Some(given) = &ingest.kafka_topic {
                match seen.iter().find(|earlier| earlier.value == kafka_topic) {
                    Some(first) => {
                        self.twice(&given.place, &format!("ingest Kafka topic `{}`", given.shown), &first.place)
                    }
                    None => seen.push(given),
                }
            }
            out.push(Ingest {
                kafka_topic,
                format: field::FORMAT.or_default(ingest.format),
                start_from: ingest.start_from.unwrap_or(field::START_FROM.form.default),
                default_interaction: field::DEFAULT_INTERACTION.or_default(ingest.default_interaction),
            });
        }
        out
    }

    fn dead_letter(&self, raw: &RawConfig) -> Option<String> {
        let given = raw.dead_letter.as_ref()?;
        let clash = raw
            .ingest
            .iter()
            .filter_map(|ingest| ingest.kafka_topic.as_ref())
            .find(|kafka_topic| kafka_topic.value == given.value);
        if let Some(clash) = clash {
            let message = format!("dead letters would go back into ingest Kafka topic `{}`", given.shown);
            let hint = format!("it is ingested at {}; use a Kafka topic of their own", clash.place.short());
            self.sink.push(given.place.error(message).hint(hint));
        }
        self.kafka_topic(Some(given))
    }

    fn topics(
        &self,
        raw: &[RawTopic],
        organizations: &Organizations,
        criteria: &mut Criteria<'_>,
    ) -> Vec<CheckedTopic> {
        let mut checked: Vec<CheckedTopic> = Vec::with_capacity(raw.len());
        let mut running = 0;
        for topic in raw {
            let organization = organizations.of(topic.organization.as_ref(), self.sink);
            let status = self.status(topic.status.as_ref());
            let is_active = status == "active";
            let triggers: Vec<Trigger> =
                topic.triggers.iter().filter_map(|trigger| self.trigger(trigger, is_active, criteria)).collect();
            let Some(url) = &topic.url else { continue };
            self.named(url, names::canonical(&url.value));
            if let Some(first) = checked.iter().find(|earlier| earlier.url.value == url.value) {
                self.twice(&url.place, &format!("topic `{}`", url.shown), &first.url.place);
                continue;
            }
            let runs =
                is_active.then(|| Topic { url: url.value.clone(), organization, destinations: Vec::new(), triggers });
            let index = runs.is_some().then_some(TopicIndex(running));
            running += usize::from(is_active);
            checked.push(CheckedTopic { url: url.clone(), status, index, topic: runs, is_used: false });
        }
        checked
    }

    fn status(&self, given: Option<&Located<String>>) -> String {
        given.map_or_else(|| field::STATUS.form.default.to_owned(), |given| given.value.clone())
    }

    fn trigger(&self, raw: &RawTrigger, is_active: bool, criteria: &mut Criteria<'_>) -> Option<Trigger> {
        let given = raw.resource.as_ref();
        let resource = given.and_then(|given| self.named(given, names::resource_type(&given.value, &given.shown)));
        let interactions = raw.interactions.clone().unwrap_or_else(|| Interaction::ALL.to_vec());
        if let Some(text) = &raw.criteria {
            criteria.check(text, resource.as_deref().filter(|resource| *resource != ANY_RESOURCE), &interactions);
        }
        let resource = resource?;
        let criterion = raw.criteria.as_ref().filter(|_| is_active).map(|text| {
            criteria.choose_engine(text, &resource);
            criteria.index(text)
        });
        Some(Trigger { resource, interactions, criterion })
    }

    fn destinations(
        &self,
        raw: &[RawDestination],
        topics: &mut [CheckedTopic],
        organizations: &Organizations,
        taken: &Taken<'_>,
        settings: &Settings,
    ) -> (Vec<Destination>, Vec<ForeignBootstrap>) {
        let mut ids: Vec<&Located<String>> = Vec::new();
        let (mut out, mut foreign) = (Vec::new(), Vec::new());
        for given in raw {
            let id = given.id.as_ref().filter(|id| self.destination_id(id, &mut ids)).map(|id| id.value.clone());
            let kafka_topic = self.destination_kafka_topic(given.kafka_topic.as_ref(), taken);
            let organization = organizations.of(given.organization.as_ref(), self.sink);
            let topic = given.topic.as_ref().and_then(|topic| self.topic_of(topic, topics));
            let content = field::CONTENT.or_default(given.content);
            let (Some(id), Some(kafka_topic), Some(topic), true) = (id, kafka_topic, topic, given.is_active) else {
                continue;
            };
            if let Some(servers) = foreign_servers(given, settings) {
                foreign.push(ForeignBootstrap {
                    destination: id.clone(),
                    servers: servers.value,
                    place: servers.place,
                });
            }
            let default_key = if content == Content::Empty { KeySource::None } else { field::KEY.form.default };
            if let Some(running) = topics.iter_mut().filter_map(|checked| checked.topic.as_mut()).nth(topic.0) {
                running.destinations.push(DestinationIndex(out.len()));
            }
            out.push(Destination {
                id,
                topic,
                kafka_topic,
                content,
                key: given.key.unwrap_or(default_key),
                organization,
            });
        }
        self.warn_of_unused(topics, raw);
        (out, foreign)
    }

    fn destination_id<'i>(&self, id: &'i Located<String>, ids: &mut Vec<&'i Located<String>>) -> bool {
        if !names::is_fhir_id(&id.value) {
            const HINT: &str =
                "use 1 to 64 ASCII letters, digits, `-` and `.`: notifications refer to AidboxTopicDestination/id";
            let usable = names::is_usable_id(&id.value);
            let problem = if usable {
                id.place.warning(format!("`{}` is no id by FHIR's rule: strict receivers may refuse it", id.shown))
            } else {
                id.place.error(format!("`{}` is no id", id.shown))
            };
            self.sink.push(problem.hint(HINT));
            if !usable {
                return false;
            }
        }
        if let Some(first) = ids.iter().find(|earlier| earlier.value == id.value) {
            self.twice(&id.place, &format!("destination id `{}`", id.shown), &first.place);
            return false;
        }
        ids.push(id);
        true
    }

    fn destination_kafka_topic(&self, given: Option<&Located<String>>, taken: &Taken<'_>) -> Option<String> {
        let given = given?;
        let mut ingest = taken.ingest.iter().filter_map(|ingest| ingest.kafka_topic.as_ref());
        if let Some(clash) = ingest.find(|ingest| ingest.value == given.value) {
            let problem =
                given.place.error(format!("notifications would go back into ingest Kafka topic `{}`", given.shown));
            self.sink.push(problem.hint(format!("it is ingested at {}; that would be a loop", clash.place.short())));
        }
        if let Some(clash) = taken.dead_letter.filter(|dead_letter| dead_letter.value == given.value) {
            let problem = given.place.error(format!("Kafka topic `{}` is that of the dead letters", given.shown));
            let hint =
                format!("it is named at {}; dead letters hold records of all organizations", clash.place.short());
            self.sink.push(problem.hint(hint));
        }
        self.kafka_topic(Some(given))
    }

    /// The topic's position in the plan, where it runs.
    fn topic_of(&self, given: &Located<String>, topics: &mut [CheckedTopic]) -> Option<TopicIndex> {
        let Some(found) = topics.iter_mut().find(|topic| topic.url.value == given.value) else {
            let problem = given.place.error(format!("there is no topic `{}`", given.shown));
            let urls = topics.iter().map(|topic| topic.url.shown.as_str());
            self.sink.push(match nearest(&given.value, urls) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None if (1..=5).contains(&topics.len()) => {
                    let urls: Vec<&str> = topics.iter().map(|topic| topic.url.shown.as_str()).collect();
                    problem.hint(format!("give the url of a topic; there are: {}", urls.join(", ")))
                }
                None => problem.hint("describe it under `topics`, or load its resource by `resources`"),
            });
            return None;
        };
        found.is_used = true;
        if found.index.is_none() {
            let problem = given.place.warning(format!("the topic has status {}: nothing will be sent", found.status));
            self.sink
                .push(problem.hint(format!("it is described at {}; only status active runs", found.url.place.short())));
        }
        found.index
    }

    fn warn_of_unused(&self, topics: &[CheckedTopic], destinations: &[RawDestination]) {
        for topic in topics.iter().filter(|topic| !topic.is_used && topic.topic.is_some() && !destinations.is_empty()) {
            let problem = topic.url.place.warning("no destination is for this topic: nothing will be sent");
            self.sink.push(problem.hint("describe one under `destinations`, or give the topic the status draft"));
        }
    }
}

/// The brokers of a destination, unless they are named as the service names its own.
fn foreign_servers(given: &RawDestination, settings: &Settings) -> Option<Located<String>> {
    let sorted = |servers: &str| {
        let mut servers: Vec<String> = servers.split(',').map(|server| server.trim().to_owned()).collect();
        servers.sort();
        servers
    };
    let servers = given.bootstrap_servers.clone()?;
    (sorted(&servers.value) != sorted(&settings.kafka.bootstrap_servers)).then_some(servers)
}
