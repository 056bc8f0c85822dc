//! The stage of an end-to-end test: an ingest, destinations and dead letters of its own on a cluster.

use std::time::Duration;

use anyhow::Context;

use crate::kafka::{Admin, Isolation, KafkaCluster, Position, Producer, ReadRecord, Record, read, unique};
use crate::oracle::workload::{Facts, Rule, Workload, expected};
use crate::oracle::{Content, ExpectedOutput, History, Scope};
use crate::service::ServiceSpec;
use crate::wait;

/// How long a run may take until everything is through, on a machine under load.
pub const THROUGH_WITHIN: Duration = Duration::from_secs(90);

/// Kafka topics with names of their own.
pub struct Scene<'c> {
    /// The cluster.
    pub cluster: &'c KafkaCluster,
    /// Its operator.
    pub admin: Admin,
    /// The ingest Kafka topic.
    pub ingest: String,
    /// The Kafka topic of the dead letters.
    pub dead_letters: String,
    /// The Kafka topics of the destinations.
    pub destinations: Vec<String>,
}

impl<'c> Scene<'c> {
    /// An ingest with this many partitions and one Kafka topic of two partitions for each destination.
    ///
    /// # Errors
    /// When the Kafka topics cannot be created.
    pub fn new(cluster: &'c KafkaCluster, partitions: usize, destinations: &[&str]) -> anyhow::Result<Self> {
        let admin = Admin::new(cluster)?;
        let scene = Self {
            cluster,
            ingest: unique("changes"),
            dead_letters: unique("dead-letters"),
            destinations: destinations.iter().map(|name| unique(name)).collect(),
            admin,
        };
        scene.admin.create_kafka_topic(&scene.ingest, partitions)?;
        scene.admin.create_kafka_topic(&scene.dead_letters, 1)?;
        for kafka_topic in &scene.destinations {
            scene.admin.create_kafka_topic(kafka_topic, 2)?;
        }
        Ok(scene)
    }

    /// The Kafka topic of a destination by the name that it was asked for with.
    ///
    /// # Panics
    /// When none was asked for by this name.
    #[must_use]
    pub fn kafka_topic(&self, name: &str) -> &str {
        let is_named = |kafka_topic: &&String| kafka_topic.rsplit_once('-').is_some_and(|(asked, _)| asked == name);
        self.destinations.iter().find(is_named).expect("the scene has this Kafka topic")
    }

    /// The head of a `topics.yaml`: base URL, ingest, dead letters.
    #[must_use]
    pub fn head(&self, format: &str) -> String {
        let (ingest, dead_letters) = (&self.ingest, &self.dead_letters);
        format!(
            "fhirBaseUrl: http://aidbox-server/fhir\n\
             ingest:\n  - kafkaTopic: {ingest}\n    format: {format}\n    startFrom: earliest\n\
             deadLetter: {{ kafkaTopic: {dead_letters} }}\n"
        )
    }

    /// Which Kafka topics belong to a run of this group.
    #[must_use]
    pub fn scope(&self, group: &str) -> Scope {
        Scope {
            group: group.to_owned(),
            ingest: vec![self.ingest.clone()],
            destinations: self.destinations.clone(),
            dead_letters: self.dead_letters.clone(),
        }
    }

    /// Waits until the group is through and gives everything that came out.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub fn history(&self, group: &str) -> anyhow::Result<History> {
        History::take(self.cluster, &self.scope(group), THROUGH_WITHIN)
    }

    /// Produces records to the ingest.
    ///
    /// # Errors
    /// When one is not acknowledged.
    pub fn produce(&self, records: &[Record]) -> anyhow::Result<Vec<Position>> {
        Producer::plain(self.cluster)?.send(&self.ingest, records)
    }

    /// Waits until the group is through, then reads a destination's Kafka topic.
    ///
    /// # Errors
    /// When the group does not get through in time.
    pub fn arrived(&self, group: &str, kafka_topic: &str) -> anyhow::Result<Vec<ReadRecord>> {
        self.admin.wait_consumed(self.cluster, group, &self.ingest, THROUGH_WITHIN)?;
        read::to_end(self.cluster, kafka_topic, Isolation::ReadCommitted, THROUGH_WITHIN)
    }

    /// Waits until the members of a group hold these numbers of the ingest's partitions.
    ///
    /// # Errors
    /// When they do not in time.
    pub fn wait_for_shares(&self, group: &str, shares: &[usize], within: Duration) -> anyhow::Result<()> {
        wait::until_ok(&format!("shares of {shares:?} partitions"), within, || {
            let assignments = self.admin.assignments(group, &self.ingest)?;
            let mut held: Vec<usize> = assignments.values().map(Vec::len).collect();
            held.sort_unstable();
            anyhow::ensure!(held == shares, "the shares are {held:?}");
            Ok(())
        })
    }

    /// The partitions of the ingest that an instance of a group holds.
    ///
    /// # Errors
    /// When the group cannot be asked, or the instance holds none.
    pub fn partitions_of(&self, group: &str, instance_id: &str) -> anyhow::Result<Vec<i32>> {
        let prefix = format!("{group}-{instance_id}-");
        let assignments = self.admin.assignments(group, &self.ingest)?;
        let of_instance = assignments.iter().filter(|(member, _)| member.starts_with(&prefix));
        let held: Vec<i32> = of_instance.flat_map(|(_, held)| held).copied().collect();
        anyhow::ensure!(!held.is_empty(), "{instance_id} holds no partition: {assignments:?}");
        Ok(held)
    }

    /// How many records of a Kafka topic's partitions are there to see, committed or not.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub fn end_sum(&self, kafka_topic: &str) -> anyhow::Result<i64> {
        Ok(self.admin.end_offsets(kafka_topic, Isolation::ReadUncommitted)?.values().sum())
    }
}

/// A hospital group with two topics and four destinations, and the same said once more in Rust.
///
/// Organization b is part of a; x belongs to nobody.
pub struct Hospital<'c> {
    /// Its Kafka topics.
    pub scene: Scene<'c>,
    /// What it runs with.
    pub spec: ServiceSpec,
    pub(crate) rules: Vec<Rule>,
    pub(crate) expected: Vec<ExpectedOutput>,
}

/// Produces that many events of a hospital; gives where they lie and what has to come of them.
pub(crate) fn publish(
    scene: &Scene<'_>,
    rules: &[Rule],
    producer: &Producer,
    seed: u64,
    events: usize,
    padding: usize,
) -> anyhow::Result<(Vec<Position>, Vec<ExpectedOutput>)> {
    let workload = Workload { seed, events, patients: 40, organizations: ORGANIZATIONS, padding };
    let facts = workload.facts();
    let records: Vec<Record> = facts.iter().map(Facts::record).collect();
    let positions = producer.send(&scene.ingest, &records).context("the workload was not produced")?;
    let expected = expected(&facts, &positions, rules);
    Ok((positions, expected))
}

/// The organizations that the hospital's events name.
const ORGANIZATIONS: &[&str] = &["Organization/a", "Organization/b", "Organization/x"];

impl<'c> Hospital<'c> {
    /// Its Kafka topics, the ingest with this many partitions.
    ///
    /// # Errors
    /// When they cannot be created.
    pub fn new(cluster: &'c KafkaCluster, partitions: usize) -> anyhow::Result<Self> {
        let scene = Scene::new(cluster, partitions, &["forms", "forms-b", "results", "audit"])?;
        let spec = ServiceSpec::new(cluster, &hospital_topics(&scene));
        let rules = hospital_rules(&scene);
        Ok(Self { scene, spec, rules, expected: Vec::new() })
    }

    /// Produces that many events more and notes what has to come of them.
    ///
    /// # Errors
    /// When one is not acknowledged.
    pub fn produce(&mut self, seed: u64, events: usize, padding: usize) -> anyhow::Result<()> {
        let producer = Producer::plain(self.scene.cluster)?;
        self.produce_with(&producer, seed, events, padding).map(drop)
    }

    /// The same with a producer that is there already; gives where the events lie.
    ///
    /// # Errors
    /// When one is not acknowledged.
    pub fn produce_with(
        &mut self,
        producer: &Producer,
        seed: u64,
        events: usize,
        padding: usize,
    ) -> anyhow::Result<Vec<Position>> {
        let (positions, expected) = publish(&self.scene, &self.rules, producer, seed, events, padding)?;
        self.expected.extend(expected);
        Ok(positions)
    }

    /// As [`Scene::wait_for_shares`], for the hospital's group.
    ///
    /// # Errors
    /// When they do not in time.
    pub fn wait_for_shares(&self, shares: &[usize], within: Duration) -> anyhow::Result<()> {
        self.scene.wait_for_shares(self.spec.group(), shares, within)
    }

    /// Its `topics.yaml`.
    #[must_use]
    pub fn topics_yaml(&self) -> String {
        hospital_topics(&self.scene)
    }

    /// Its spec with more at the end of `topics.yaml`.
    #[must_use]
    pub fn spec_with(&self, yaml: &str) -> ServiceSpec {
        self.spec.clone().topics_yaml(&self.topics_with(yaml))
    }

    /// Its `topics.yaml` with more at the end: further destinations.
    #[must_use]
    pub fn topics_with(&self, yaml: &str) -> String {
        hospital_topics(&self.scene) + yaml
    }

    /// What has to come of all events produced so far.
    #[must_use]
    pub fn expected(&self) -> &[ExpectedOutput] {
        &self.expected
    }

    /// Waits until everything is through, and compares.
    ///
    /// # Errors
    /// When Kafka does not answer.
    pub fn verdict(&self) -> anyhow::Result<crate::oracle::Verdict> {
        let history = self.scene.history(self.spec.group())?;
        Ok(crate::oracle::check(&self.expected, &history))
    }
}

const FORMS: &str = "http://example.org/topic/forms";
const RESULTS: &str = "http://example.org/topic/results";

fn hospital_topics(scene: &Scene<'_>) -> String {
    let name = |name| scene.kafka_topic(name);
    format!(
        "{head}organizations:
  hierarchy: {{ Organization/b: Organization/a }}
topics:
  - url: {FORMS}
    status: active
    organization: Organization/a
    trigger:
      - resource: QuestionnaireResponse
        supportedInteraction: [create, update]
        fhirPathCriteria: status = 'completed' or status = 'amended'
  - url: {RESULTS}
    status: active
    trigger:
      - resource: Observation
        fhirPathCriteria: status = 'final'
      - resource: Encounter
        supportedInteraction: [update]
        fhirPathCriteria: status = 'finished'
destinations:
  - {{ id: forms, topic: {FORMS}, kafkaTopic: {forms} }}
  - {{ id: forms-b, topic: {FORMS}, kafkaTopic: {forms_b}, content: id-only, key: resource, organization: Organization/b }}
  - {{ id: results, topic: {RESULTS}, kafkaTopic: {results}, key: patient }}
  - {{ id: audit, topic: {RESULTS}, kafkaTopic: {audit}, content: empty }}
",
        head = scene.head("change"),
        forms = name("forms"),
        forms_b = name("forms-b"),
        results = name("results"),
        audit = name("audit"),
    )
}

/// What the YAML above says, said by other means.
fn hospital_rules(scene: &Scene<'_>) -> Vec<Rule> {
    fn is_form(facts: &Facts) -> bool {
        facts.resource_type == "QuestionnaireResponse"
            && facts.interaction != "delete"
            && ["completed", "amended"].contains(&facts.status)
            && facts.organization.is_some_and(|organization| organization != "Organization/x")
    }
    fn is_result(facts: &Facts) -> bool {
        let is_final = facts.resource_type == "Observation" && facts.status == "final";
        let is_over = facts.resource_type == "Encounter" && facts.interaction == "update" && facts.status == "finished";
        is_final || is_over
    }
    let rule = |destination, topic, content, key, gets| Rule {
        destination,
        kafka_topic: scene.kafka_topic(destination).to_owned(),
        topic,
        content,
        key,
        gets,
    };
    vec![
        rule("forms", FORMS, Content::FullResource, |facts: &Facts| Some(facts.patient.clone()), is_form),
        rule(
            "forms-b",
            FORMS,
            Content::IdOnly,
            |facts| Some(facts.focus()),
            |facts| is_form(facts) && facts.organization == Some("Organization/b"),
        ),
        rule("results", RESULTS, Content::FullResource, |facts| Some(facts.patient.clone()), is_result),
        rule("audit", RESULTS, Content::Empty, |_| None, is_result),
    ]
}
