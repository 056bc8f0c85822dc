//! What is different between two plans, and what of it a running service could take over.
//!
//! ```text
//! Plan, Plan -> diff -> PlanDiff: [Change: subject + name, added | removed | changed, [field: old -> new, takeover]]
//! ```
//!
//! Promise: two plans of one deployment's settings have the same hash if and only if their difference is empty. Nothing here
//! reads files or logs. Topics are compared by url, destinations by id, ingests by Kafka topic, organizations by reference,
//! triggers by what they say.
//!
//! `{}` is one line that names what changed and shows no value, for a log; `{:#}` is for people, with the values.

mod text;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;

use serde::Serialize;

use super::event::Interaction;
use super::plan::{Destination, Ingest, Plan, Topic, Trigger};
use super::words::Word as _;

/// What a change means for a service that runs; in the order of what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Takeover {
    /// Of no effect where the group has positions already.
    NewGroups,
    /// From the next batch on.
    Hot,
    /// Not before the process starts anew.
    Restart,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Fields of topics.yaml that are there once.
    Options,
    /// Settings that decide outputs: they come from the deployment, not from topics.yaml.
    Settings,
    /// An ingest Kafka topic.
    Ingest,
    /// The extension and the hierarchy.
    Organizations,
    /// A topic.
    Topic,
    /// A destination.
    Destination,
}

/// What happened to the subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// The new plan has it.
    Added,
    /// The old plan had it.
    Removed,
    /// Both have it.
    Changed,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// The url, id or Kafka topic; empty where the subject is there once.
    pub name: String,
    /// What happened to it.
    #[serde(rename = "change")]
    pub kind: ChangeKind,
    /// The most that any of its fields asks for.
    pub takes_effect: Takeover,
    /// Its fields: of what is added or removed all that say something, else those that are different.
    pub fields: Vec<FieldChange>,
}

/// A field with both values, as topics.yaml has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// The field's path below its subject. The number of a trigger is that in the new plan; of one removed, in the old.
    pub field: String,
    /// What it was; `None` where it was not there.
    pub old: Option<String>,
    /// What it is; `None` where it is not there any more.
    pub new: Option<String>,
    /// What this field asks for.
    pub takes_effect: Takeover,
}

/// All differences, in the order of topics.yaml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanDiff {
    old_hash: String,
    new_hash: String,
    changes: Vec<Change>,
}

/// What is different in `new`.
#[must_use]
pub fn diff(old: &Plan, new: &Plan) -> PlanDiff {
    let changes = [options(old, new), settings(old, new)]
        .into_iter()
        .flatten()
        .chain(ingests(old, new))
        .chain(organizations(old, new))
        .chain(topics(old, new))
        .chain(destinations(old, new))
        .collect();
    PlanDiff { old_hash: old.hash.clone(), new_hash: new.hash.clone(), changes }
}

impl PlanDiff {
    /// Whether both decide the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether a running service can take over a part of it only.
    #[must_use]
    pub fn needs_restart(&self) -> bool {
        self.changes.iter().any(|change| change.takes_effect == Takeover::Restart)
    }

    /// The differences.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The hash of the old plan.
    #[must_use]
    pub fn old_hash(&self) -> &str {
        &self.old_hash
    }

    /// The hash of the new plan.
    #[must_use]
    pub fn new_hash(&self) -> &str {
        &self.new_hash
    }
}

fn options(old: &Plan, new: &Plan) -> Option<Change> {
    let mut fields = Compared::new(Takeover::Hot);
    fields.text("fhirBaseUrl", &old.fhir_base_url, &new.fhir_base_url);
    fields.text("fhirRelease", old.fhir_release.word(), new.fhir_release.word());
    fields.text("deadLetter.kafkaTopic", &old.dead_letter_kafka_topic, &new.dead_letter_kafka_topic);
    fields.text("onError", old.on_error.word(), new.on_error.word());
    fields.text("onMissingState", old.on_missing_state.word(), new.on_missing_state.word());
    fields.text("onDestinationError", old.on_destination_error.word(), new.on_destination_error.word());
    fields.order("order of ingest", &old.ingest, &new.ingest);
    fields.order("order of topics", &old.topics, &new.topics);
    fields.order("order of destinations", &old.destinations, &new.destinations);
    fields.into_changed(Subject::Options, "")
}

fn settings(old: &Plan, new: &Plan) -> Option<Change> {
    let mut fields = Compared::new(Takeover::Restart);
    fields.text("forwardHeaders", &old.forward_headers.join(", "), &new.forward_headers.join(", "));
    fields.text("evaluationSteps", &old.evaluation_steps.to_string(), &new.evaluation_steps.to_string());
    fields.text("evaluationMemoryBytes", &old.evaluation_memory.to_string(), &new.evaluation_memory.to_string());
    fields.into_changed(Subject::Settings, "")
}

fn ingests(old: &Plan, new: &Plan) -> Vec<Change> {
    let fields = |_: &Plan, ingest: &Ingest| {
        let start = ingest.start_from.text();
        vec![
            ("format", ingest.format.word().to_owned()),
            ("startFrom", start),
            ("defaultInteraction", ingest.default_interaction.word().to_owned()),
        ]
    };
    let mut changes = by_name(Subject::Ingest, (old, &old.ingest), (new, &new.ingest), Takeover::Restart, fields);
    for change in changes.iter_mut().filter(|change| change.kind == ChangeKind::Changed) {
        for field in &mut change.fields {
            field.takes_effect = if field.field == "startFrom" { Takeover::NewGroups } else { Takeover::Hot };
        }
        change.takes_effect = most(&change.fields);
    }
    changes
}

fn organizations(old: &Plan, new: &Plan) -> Option<Change> {
    let (before, now) = (&old.organizations, &new.organizations);
    let mut fields = Compared::new(Takeover::Hot);
    fields.text("extensionUrl", &before.extension_url, &now.extension_url);
    let gone = before.parents.keys().filter(|child| !now.parents.contains_key(*child));
    let mut children: Vec<&String> = now.parents.keys().chain(gone).collect();
    children.sort_unstable();
    for child in children {
        fields.value(format!("hierarchy.{child}"), before.parents.get(child).cloned(), now.parents.get(child).cloned());
    }
    fields.into_changed(Subject::Organizations, "")
}

fn topics(old: &Plan, new: &Plan) -> Vec<Change> {
    let (before, now) = (index(&old.topics), index(&new.topics));
    let mut changes = Vec::new();
    for topic in old.topics.iter().filter(|topic| !now.contains_key(topic.name())) {
        let mut fields = Compared::new(Takeover::Hot);
        fields.value("organization", topic.organization.clone(), None);
        fields.triggers(&told(old, topic), &[]);
        changes.push(fields.into_change(Subject::Topic, topic.name(), ChangeKind::Removed));
    }
    for topic in &new.topics {
        let earlier = before.get(topic.name());
        let mut fields = Compared::new(Takeover::Hot);
        fields.value(
            "organization",
            earlier.and_then(|earlier| earlier.organization.clone()),
            topic.organization.clone(),
        );
        let triggers = earlier.map(|earlier| told(old, earlier)).unwrap_or_default();
        fields.triggers(&triggers, &told(new, topic));
        changes.extend(match earlier {
            Some(_) => fields.into_changed(Subject::Topic, topic.name()),
            None => Some(fields.into_change(Subject::Topic, topic.name(), ChangeKind::Added)),
        });
    }
    changes
}

fn destinations(old: &Plan, new: &Plan) -> Vec<Change> {
    let fields = |plan: &Plan, destination: &Destination| {
        let topic = plan.topics.get(destination.topic.0).map(|topic| topic.url.clone());
        let mut fields = vec![
            ("topic", topic.unwrap_or_default()),
            ("kafkaTopic", destination.kafka_topic.clone()),
            ("content", destination.content.word().to_owned()),
            ("key", destination.key.word().to_owned()),
        ];
        fields.extend(destination.organization.clone().map(|organization| ("organization", organization)));
        fields
    };
    by_name(Subject::Destination, (old, &old.destinations), (new, &new.destinations), Takeover::Hot, fields)
}

/// What has a name that tells it from others of its sort.
trait Named {
    fn name(&self) -> &str;
}

impl Named for Ingest {
    fn name(&self) -> &str {
        &self.kafka_topic
    }
}

impl Named for Topic {
    fn name(&self) -> &str {
        &self.url
    }
}

impl Named for Destination {
    fn name(&self) -> &str {
        &self.id
    }
}

fn index<T: Named>(all: &[T]) -> HashMap<&str, &T> {
    all.iter().map(|one| (one.name(), one)).collect()
}

/// Compares what has plain fields: removed ones first, then the new plan's in its order.
fn by_name<T: Named>(
    subject: Subject,
    (old_plan, old): (&Plan, &[T]),
    (new_plan, new): (&Plan, &[T]),
    takeover: Takeover,
    fields: impl Fn(&Plan, &T) -> Vec<(&'static str, String)>,
) -> Vec<Change> {
    let (before, now) = (index(old), index(new));
    let mut changes = Vec::new();
    let compare = |before: &[(&'static str, String)], now: &[(&'static str, String)]| {
        let value = |side: &[(&'static str, String)], name| {
            side.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone())
        };
        let mut compared = Compared::new(takeover);
        let gone = before.iter().filter(|(name, _)| now.iter().all(|(other, _)| other != name));
        for (name, _) in now.iter().chain(gone) {
            compared.value(*name, value(before, *name), value(now, *name));
        }
        compared
    };
    for one in old.iter().filter(|one| !now.contains_key(one.name())) {
        let compared = compare(&fields(old_plan, one), &[]);
        changes.push(compared.into_change(subject, one.name(), ChangeKind::Removed));
    }
    for one in new {
        let now = fields(new_plan, one);
        changes.extend(match before.get(one.name()) {
            Some(earlier) => compare(&fields(old_plan, earlier), &now).into_changed(subject, one.name()),
            None => Some(compare(&[], &now).into_change(subject, one.name(), ChangeKind::Added)),
        });
    }
    changes
}

/// A trigger as topics.yaml tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ToldTrigger {
    resource: String,
    interactions: String,
    criterion: Option<String>,
}

impl fmt::Display for ToldTrigger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.resource, self.interactions)?;
        self.criterion.as_ref().map_or(Ok(()), |criterion| write!(formatter, ": {criterion}"))
    }
}

fn told(plan: &Plan, topic: &Topic) -> Vec<ToldTrigger> {
    let trigger = |trigger: &Trigger| {
        let given = Interaction::ALL.into_iter().filter(|interaction| trigger.interactions.contains(interaction));
        let criterion = trigger.criterion.and_then(|index| plan.criteria.get(index.0));
        ToldTrigger {
            resource: trigger.resource.clone(),
            interactions: given.map(Interaction::code).collect::<Vec<_>>().join(", "),
            criterion: criterion.map(|criterion| criterion.text().to_owned()),
        }
    };
    topic.triggers.iter().map(trigger).collect()
}

/// The fields of one subject that are different.
struct Compared {
    takeover: Takeover,
    fields: Vec<FieldChange>,
}

impl Compared {
    fn new(takeover: Takeover) -> Self {
        Self { takeover, fields: Vec::new() }
    }

    fn value(&mut self, field: impl Into<String>, old: Option<String>, new: Option<String>) {
        if old != new {
            self.fields.push(FieldChange { field: field.into(), old, new, takes_effect: self.takeover });
        }
    }

    fn text(&mut self, field: &str, old: &str, new: &str) {
        self.value(field, Some(old.to_owned()), Some(new.to_owned()));
    }

    /// What both have, in another order: told from the first that is elsewhere, and not at length.
    fn order<T: Named>(&mut self, field: &str, old: &[T], new: &[T]) {
        const SHOWN: usize = 3;
        let (in_old, in_new) = (index(old), index(new));
        let old: Vec<&str> = old.iter().map(Named::name).filter(|name| in_new.contains_key(name)).collect();
        let new: Vec<&str> = new.iter().map(Named::name).filter(|name| in_old.contains_key(name)).collect();
        let Some(first) = old.iter().zip(&new).position(|(old, new)| old != new) else { return };
        let shown = |names: &[&str]| {
            let more = if names.len() > first + SHOWN { ", ..." } else { "" };
            Some(format!("{}{more}", names[first..].iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ")))
        };
        self.value(field, shown(&old), shown(&new));
    }

    /// Triggers have no names: equal ones belong together, then those of one resource type, each once.
    fn triggers(&mut self, old: &[ToldTrigger], new: &[ToldTrigger]) {
        let mut partner: Vec<Option<usize>> = vec![None; new.len()];
        let mut free: BTreeSet<usize> = (0..old.len()).collect();
        pair(&mut partner, &mut free, (old, new), |trigger| trigger);
        pair(&mut partner, &mut free, (old, new), |trigger| trigger.resource.as_str());
        let without = partner.iter().filter(|partner| partner.is_none()).count();
        if free.len() == 1 && without == 1 {
            // one for one: its resource type was changed
            let last = free.pop_first();
            partner.iter_mut().filter(|partner| partner.is_none()).for_each(|partner| *partner = last);
        }
        let before = self.fields.len();
        for (position, trigger) in new.iter().enumerate() {
            match partner[position].map(|at| &old[at]) {
                Some(earlier) => self.trigger(position, earlier, trigger),
                None => self.value(format!("trigger[{position}]"), None, Some(trigger.to_string())),
            }
        }
        for at in free {
            self.value(format!("trigger[{at}]"), Some(old[at].to_string()), None);
        }
        if self.fields.len() == before && old != new {
            let tell = |all: &[ToldTrigger]| Some(all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            self.value("order of trigger", tell(old), tell(new));
        }
    }

    fn trigger(&mut self, position: usize, old: &ToldTrigger, new: &ToldTrigger) {
        self.text(&format!("trigger[{position}].resource"), &old.resource, &new.resource);
        self.text(&format!("trigger[{position}].supportedInteraction"), &old.interactions, &new.interactions);
        self.value(format!("trigger[{position}].fhirPathCriteria"), old.criterion.clone(), new.criterion.clone());
    }

    fn into_changed(self, subject: Subject, name: &str) -> Option<Change> {
        (!self.fields.is_empty()).then(|| self.into_change(subject, name, ChangeKind::Changed))
    }

    fn into_change(self, subject: Subject, name: &str, kind: ChangeKind) -> Change {
        let takes_effect = if self.fields.is_empty() { self.takeover } else { most(&self.fields) };
        Change { subject, name: name.to_owned(), kind, takes_effect, fields: self.fields }
    }
}

/// Gives each new trigger without a partner the first free old one with the same key.
fn pair<'t, K: Hash + Eq>(
    partner: &mut [Option<usize>],
    free: &mut BTreeSet<usize>,
    (old, new): (&'t [ToldTrigger], &'t [ToldTrigger]),
    key: impl Fn(&'t ToldTrigger) -> K,
) {
    let mut waiting: HashMap<K, VecDeque<usize>> = HashMap::new();
    for at in free.iter() {
        waiting.entry(key(&old[*at])).or_default().push_back(*at);
    }
    for (partner, trigger) in partner.iter_mut().zip(new).filter(|(partner, _)| partner.is_none()) {
        *partner = waiting.get_mut(&key(trigger)).and_then(VecDeque::pop_front);
        if let Some(found) = partner {
            free.remove(found);
        }
    }
}

fn most(fields: &[FieldChange]) -> Takeover {
    fields.iter().map(|field| field.takes_effect).max().unwrap_or(Takeover::Hot)
}
