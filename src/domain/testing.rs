//! What the domain's tests share: plans written in a few lines, records, and the outputs as owned values.
#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use super::event::{FhirRelease, Interaction};
use super::fhirpath::{Criterion, EVALUATION_MEMORY, EVALUATION_STEPS, FhirPath};
use super::limits::Limits;
use super::output::OutputKind;
use super::pipeline::{Pipeline, ProcessError};
use super::plan::{
    Content, CriterionIndex, Destination, DestinationIndex, Ingest, IngestFormat, KeySource, OnDestinationError,
    OnError, OnMissingState, OrganizationHierarchy, Plan, StartFrom, Topic, TopicIndex, Trigger, TriggerIndex,
};
use super::refusals::Refusals;
use super::source::{SourceHeader, SourceRecord};
use super::tally::Tally;

pub(crate) const TENANT: &str = "https://aidbox.app/tenant-organization-id";

/// A plan under construction; the Kafka topics `changes`, `resources` and `bundles` are its ingests.
pub(crate) struct TestPlan(Plan);

/// The engine is costly to make: one for all tests.
fn engine() -> Arc<FhirPath> {
    static ENGINE: OnceLock<Arc<FhirPath>> = OnceLock::new();
    Arc::clone(ENGINE.get_or_init(|| Arc::new(FhirPath::new())))
}

pub(crate) fn ingest(kafka_topic: &str, format: IngestFormat) -> Ingest {
    let (start_from, default_interaction) = (StartFrom::Earliest, Interaction::Update);
    Ingest { kafka_topic: kafka_topic.to_owned(), format, start_from, default_interaction }
}

/// `changes`, `resources` and `bundles`, in this order.
fn ingests() -> Vec<Ingest> {
    vec![
        ingest("changes", IngestFormat::Change),
        ingest("resources", IngestFormat::Fhir),
        ingest("bundles", IngestFormat::Bundle),
    ]
}

impl TestPlan {
    pub(crate) fn new() -> Self {
        Self(Plan {
            fhir_base_url: "http://aidbox-server/fhir".to_owned(),
            ingest: ingests(),
            dead_letter_kafka_topic: "dead-letters".to_owned(),
            on_error: OnError::DeadLetter,
            on_missing_state: OnMissingState::DeadLetter,
            on_destination_error: OnDestinationError::Block,
            organizations: OrganizationHierarchy { extension_url: TENANT.to_owned(), ..Default::default() },
            fhir_release: FhirRelease::R4,
            topics: Vec::new(),
            destinations: Vec::new(),
            criteria: Vec::new(),
            fhirpath: engine(),
            evaluation_steps: EVALUATION_STEPS,
            evaluation_memory: EVALUATION_MEMORY,
            forward_headers: ["traceparent", "correlation-id"].map(str::to_owned).to_vec(),
            hash: "0123456789abcdef".to_owned(),
            triggers: TriggerIndex::default(),
        })
    }

    /// Changes anything.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(&mut self.0);
        self
    }

    pub(crate) fn parent(self, child: &str, parent: &str) -> Self {
        self.with(|plan| drop(plan.organizations.parents.insert(child.to_owned(), parent.to_owned())))
    }

    /// Adds a topic; the triggers and destinations that follow are for it.
    pub(crate) fn topic(self, url: &str, organization: Option<&str>) -> Self {
        let organization = organization.map(str::to_owned);
        let topic = Topic { url: url.to_owned(), organization, destinations: Vec::new(), triggers: Vec::new() };
        self.with(|plan| plan.topics.push(topic))
    }

    pub(crate) fn trigger(self, resource: &str, interactions: &[Interaction], criterion: Option<&str>) -> Self {
        self.with(|plan| {
            let criterion = criterion.map(|text| criterion_index(plan, text));
            let trigger = Trigger { resource: resource.to_owned(), interactions: interactions.to_vec(), criterion };
            plan.topics.last_mut().unwrap().triggers.push(trigger);
        })
    }

    /// Adds a destination of the last topic; its Kafka topic is `to-<id>`.
    pub(crate) fn destination(self, id: &str, content: Content, key: KeySource, organization: Option<&str>) -> Self {
        self.with(|plan| {
            let topic = TopicIndex(plan.topics.len() - 1);
            let index = DestinationIndex(plan.destinations.len());
            plan.topics[topic.0].destinations.push(index);
            plan.destinations.push(Destination {
                id: id.to_owned(),
                topic,
                kafka_topic: format!("to-{id}"),
                content,
                key,
                organization: organization.map(str::to_owned),
            });
        })
    }

    /// One topic for all changes of everything, with one full-resource destination `all`.
    pub(crate) fn everything() -> Self {
        Self::new().topic("http://example.org/all", None).trigger("Resource", &Interaction::ALL, None).destination(
            "all",
            Content::FullResource,
            KeySource::Source,
            None,
        )
    }

    pub(crate) fn build(mut self) -> Arc<Plan> {
        self.0.triggers = TriggerIndex::new(&self.0.topics);
        Arc::new(self.0)
    }

    pub(crate) fn run(self, record: &SourceRecord<'_>) -> Run {
        Run::of(&self.build(), no_limits(), &Refusals::NONE, record).unwrap()
    }
}

fn criterion_index(plan: &mut Plan, text: &str) -> CriterionIndex {
    if let Some(known) = plan.criteria.iter().position(|criterion: &Criterion| criterion.text() == text) {
        return CriterionIndex(known);
    }
    let (criterion, problems) = plan.fhirpath.compile(text);
    plan.criteria.push(criterion.unwrap_or_else(|| panic!("{text}: {problems:?}")));
    CriterionIndex(plan.criteria.len() - 1)
}

pub(crate) fn no_limits() -> Limits {
    Limits { max_message_bytes: usize::MAX, by_kafka_topic: HashMap::new(), compressed: false }
}

/// An output record on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) kind: OutputKind,
    pub(crate) event_index: u32,
    pub(crate) kafka_topic: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp_ms: Option<i64>,
}

impl Output {
    pub(crate) fn value(&self) -> &str {
        std::str::from_utf8(self.value.as_deref().unwrap()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.value()).unwrap()
    }

    pub(crate) fn key(&self) -> Option<&str> {
        self.key.as_deref().map(|key| std::str::from_utf8(key).unwrap())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        value.as_deref().map(|value| std::str::from_utf8(value).unwrap())
    }

    pub(crate) fn is_notification(&self) -> bool {
        matches!(self.kind, OutputKind::Notification(_))
    }
}

/// What came of a record.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) outputs: Vec<Output>,
    pub(crate) tally: Tally,
}

impl Run {
    pub(crate) fn of(
        plan: &Arc<Plan>,
        limits: Limits,
        refusals: &Refusals,
        record: &SourceRecord<'_>,
    ) -> Result<Self, ProcessError<Infallible>> {
        let mut pipeline = Pipeline::new(Arc::clone(plan), limits);
        let mut run = Self { outputs: Vec::new(), tally: Tally::new(plan) };
        let outputs = &mut run.outputs;
        pipeline.process(record, refusals, &mut run.tally, &mut |output| {
            let bytes = |bytes: &Option<std::borrow::Cow<'_, [u8]>>| bytes.as_deref().map(<[u8]>::to_vec);
            outputs.push(Output {
                kind: output.kind,
                event_index: output.event_index,
                kafka_topic: output.kafka_topic.to_owned(),
                key: bytes(&output.key),
                value: output.value.map(<[u8]>::to_vec),
                headers: output.headers.iter().map(|header| (header.name.to_string(), bytes(&header.value))).collect(),
                timestamp_ms: output.timestamp_ms,
            });
            Ok(())
        })?;
        Ok(run)
    }

    /// The only output.
    pub(crate) fn only(&self) -> &Output {
        assert_eq!(self.outputs.len(), 1, "{:#?}", self.outputs);
        &self.outputs[0]
    }

    /// Class, topic and destination of the dead letters.
    pub(crate) fn dead_letters(&self) -> Vec<(&str, Option<&str>, Option<&str>)> {
        let dead_letters = self.outputs.iter().filter(|output| !output.is_notification());
        let described = dead_letters.map(|output| {
            let class = output.header("fhir-dead-letter-class").unwrap();
            (class, output.header("fhir-dead-letter-topic"), output.header("fhir-dead-letter-destination"))
        });
        described.collect()
    }

    /// The ids of the destinations that were notified.
    pub(crate) fn notified(&self) -> Vec<&str> {
        let notifications = self.outputs.iter().filter(|output| output.is_notification());
        notifications.map(|output| output.header("fhir-destination").unwrap()).collect()
    }
}

/// A record of a Kafka topic, at partition 1 and offset 42, of 2026-01-01, with the key `key`.
pub(crate) fn record<'a>(kafka_topic: &'a str, value: &'a str) -> SourceRecord<'a> {
    SourceRecord {
        kafka_topic,
        partition: 1,
        offset: 42,
        timestamp_ms: Some(1_767_225_600_000),
        key: Some(b"key"),
        value: Some(value.as_bytes()),
        headers: Vec::new(),
    }
}

pub(crate) fn header<'a>(name: &'a str, value: &'a str) -> SourceHeader<'a> {
    SourceHeader { name, value: Some(value.as_bytes()) }
}

/// A resource of this type and id whose organization is the given one.
pub(crate) fn resource_of(organization: Option<&str>) -> String {
    let extension = organization
        .map(|reference| format!(r#"{{"url":"{TENANT}","valueReference":{{"reference":"{reference}"}}}}"#))
        .unwrap_or_default();
    format!(r#"{{"resourceType":"Patient","id":"p1","meta":{{"extension":[{extension}]}}}}"#)
}
