//! The Kafka topics of a run, what the service is configured with, and the same said once more in Rust.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::options::{Assignment, GroupProtocol, Options};
use crate::kafka::{Acls, Admin, ClusterOptions, Disk, KafkaCluster, unique};
use crate::oracle::Content;
use crate::oracle::stream::Numbered;
use crate::oracle::workload::{Facts, Rule, Workload};
use crate::service::ServiceSpec;

/// Time-outs short enough for many faults, long enough for a loaded machine.
pub(super) const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a broker looks for transactions that exceed their time.
pub(super) const TRANSACTION_SCAN: Duration = Duration::from_secs(1);
/// After how long the controller takes a silent broker for dead.
pub(super) const BROKER_SESSION_TIMEOUT: Duration = Duration::from_secs(3);

const INGEST_PARTITIONS: usize = 6;
const OUTPUT_PARTITIONS: usize = 3;
const DESTINATIONS: [&str; 4] = ["results", "audit", "ids", "forms"];
/// A run that is worth brokers that take longer to start.
const LONG: Duration = Duration::from_secs(600);
/// The disks of brokers are in memory, as large as this: enough for a run of this time.
const DISK_MB: usize = 4_000;
const DISKS_FOR: Duration = Duration::from_secs(2 * 3_600);
const FORMS: &str = "http://example.org/topic/forms";
const RESULTS: &str = "http://example.org/topic/results";

/// Everything that stands still while things break.
pub(super) struct Stage {
    pub(super) cluster: Arc<KafkaCluster>,
    pub(super) ingest: String,
    pub(super) dead_letters: String,
    /// A Kafka topic that has nothing to do with the service.
    pub(super) scratch: String,
    /// Whether disks of brokers can be full here.
    pub(super) has_disks: bool,
    /// The Kafka topics of the destinations with their numbers of partitions.
    pub(super) destinations: BTreeMap<String, usize>,
    pub(super) spec: ServiceSpec,
    seed: u64,
}

impl Stage {
    pub(super) fn new(options: &Options, nodes: usize, seed: u64, time: Duration) -> anyhow::Result<Self> {
        let has_disks = Disk::is_possible() && time < DISKS_FOR;
        let wanted = cluster_options(nodes, time > LONG).links(options.instances).authorizer();
        let wanted = if has_disks { wanted.own_disk(DISK_MB) } else { wanted };
        let cluster = Arc::new(KafkaCluster::start(&wanted)?);
        let admin = Admin::new(&cluster)?;
        let names = DESTINATIONS.map(|name| (name, unique(name)));
        let (ingest, dead_letters, scratch) = (unique("changes"), unique("dead-letters"), unique("scratch"));
        admin.create_kafka_topic(&ingest, INGEST_PARTITIONS)?;
        admin.create_kafka_topic(&dead_letters, 1)?;
        admin.create_kafka_topic(&scratch, 1)?;
        for (_, kafka_topic) in &names {
            admin.create_kafka_topic(kafka_topic, OUTPUT_PARTITIONS)?;
        }
        let kafka_topic = |name: &str| names.iter().find(|(known, _)| *known == name).map_or("", |(_, topic)| topic);
        let spec = ServiceSpec::new(&cluster, &topics_yaml(&ingest, &dead_letters, &kafka_topic));
        let stage = Self {
            spec: with_settings(spec.application_id(&unique("chaos")), options).as_user(&cluster),
            destinations: names.iter().map(|(_, topic)| (topic.clone(), OUTPUT_PARTITIONS)).collect(),
            cluster,
            ingest,
            dead_letters,
            scratch,
            has_disks,
            seed,
        };
        stage.allow()?;
        Ok(stage)
    }

    fn allow(&self) -> anyhow::Result<()> {
        let outputs = self.destinations.keys().chain([&self.dead_letters]);
        Acls::new(&self.cluster).allow_service(self.spec.group(), &self.ingest, outputs)
    }

    /// Gives back whatever an interrupted fault took away.
    pub(super) fn restore(&self) -> anyhow::Result<()> {
        let admin = Admin::new(&self.cluster)?;
        for kafka_topic in self.destinations.keys() {
            match admin.partitions(kafka_topic)? {
                Some(_) => admin.alter_kafka_topic(kafka_topic, &[])?,
                None => self.create(&admin, kafka_topic)?,
            }
        }
        self.allow()
    }

    /// Makes the Kafka topic of a destination.
    pub(super) fn create(&self, admin: &Admin, kafka_topic: &str) -> anyhow::Result<()> {
        admin.create_kafka_topic(kafka_topic, self.destinations[kafka_topic])
    }

    /// The id of a destination and its Kafka topic.
    pub(super) fn destination(&self, index: usize) -> (&'static str, &str) {
        let id = DESTINATIONS[index % DESTINATIONS.len()];
        (id, self.kafka_topic(id))
    }

    pub(super) fn ingest_partitions(&self) -> usize {
        INGEST_PARTITIONS
    }

    /// Destinations and dead letters.
    pub(super) fn outputs(&self) -> BTreeMap<String, usize> {
        let mut outputs = self.destinations.clone();
        outputs.insert(self.dead_letters.clone(), 1);
        outputs
    }

    /// What is published and what has to come of it.
    pub(super) fn numbered(&self) -> Numbered {
        Numbered {
            workload: Workload {
                seed: self.seed,
                events: 0,
                patients: 2_000,
                organizations: &["Organization/a", "Organization/b", "Organization/x"],
                padding: 150,
            },
            rules: self.rules(),
            ingest: self.ingest.clone(),
            dead_letters: self.dead_letters.clone(),
        }
    }

    /// What `topics.yaml` says, said by other means.
    fn rules(&self) -> Vec<Rule> {
        let rule = |destination: &'static str, topic, content, key, gets| Rule {
            destination,
            kafka_topic: self.kafka_topic(destination).to_owned(),
            topic,
            content,
            key,
            gets,
        };
        vec![
            rule("results", RESULTS, Content::FullResource, |facts: &Facts| Some(facts.patient.clone()), is_result),
            rule("audit", RESULTS, Content::Empty, |_| None, is_result),
            rule("ids", RESULTS, Content::IdOnly, |facts| Some(facts.focus()), is_result),
            rule("forms", FORMS, Content::FullResource, |facts| Some(facts.patient.clone()), is_form),
        ]
    }

    fn kafka_topic(&self, destination: &str) -> &str {
        let is_named = |name: &&String| name.rsplit_once('-').is_some_and(|(asked, _)| asked == destination);
        self.destinations.keys().find(is_named).map_or("", String::as_str)
    }
}

fn is_result(facts: &Facts) -> bool {
    let is_valid = facts.resource_type == "Observation" && ["final", "amended"].contains(&facts.status);
    let is_over = facts.resource_type == "Encounter" && facts.interaction == "update" && facts.status == "finished";
    is_valid || is_over
}

fn is_form(facts: &Facts) -> bool {
    facts.resource_type == "QuestionnaireResponse"
        && facts.interaction != "delete"
        && ["completed", "amended"].contains(&facts.status)
        && facts.organization.is_some_and(|organization| organization != "Organization/x")
}

fn topics_yaml<'a>(ingest: &str, dead_letters: &str, kafka_topic: &impl Fn(&str) -> &'a str) -> String {
    format!(
        "fhirBaseUrl: http://aidbox-server/fhir
ingest:
  - kafkaTopic: {ingest}
    format: change
    startFrom: earliest
deadLetter: {{ kafkaTopic: {dead_letters} }}
organizations:
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
        fhirPathCriteria: status = 'final' or status = 'amended'
      - resource: Encounter
        supportedInteraction: [update]
        fhirPathCriteria: status = 'finished'
destinations:
  - {{ id: results, topic: {RESULTS}, kafkaTopic: {results}, key: patient }}
  - {{ id: audit, topic: {RESULTS}, kafkaTopic: {audit}, content: empty }}
  - {{ id: ids, topic: {RESULTS}, kafkaTopic: {ids}, content: id-only, key: resource }}
  - {{ id: forms, topic: {FORMS}, kafkaTopic: {forms} }}
",
        results = kafka_topic("results"),
        audit = kafka_topic("audit"),
        ids = kafka_topic("ids"),
        forms = kafka_topic("forms"),
    )
}

fn with_settings(spec: ServiceSpec, options: &Options) -> ServiceSpec {
    let millis = |time: Duration| time.as_millis().to_string();
    let spec = match options.assignment {
        Assignment::CooperativeSticky => spec,
        Assignment::Range => spec.setting("KAFKA__CONSUMER__PARTITION_ASSIGNMENT_STRATEGY", "range,roundrobin"),
    };
    let spec = match options.group_protocol {
        GroupProtocol::Classic => spec,
        GroupProtocol::Consumer => spec.setting("KAFKA__CONSUMER__GROUP_PROTOCOL", "consumer"),
    };
    spec.setting("TASKS", &options.tasks.to_string())
        .setting("SESSION_TIMEOUT_MS", &millis(SESSION_TIMEOUT))
        .setting("TRANSACTION_TIMEOUT_MS", &millis(TRANSACTION_TIMEOUT))
        .setting("KAFKA__CONSUMER__MAX_POLL_INTERVAL_MS", &millis(SESSION_TIMEOUT))
        // Few and larger transactions: all brokers and instances share two cores.
        .setting("BATCH__LINGER_MS", "40")
        .setting("BATCH__MAX_RECORDS", "400")
        // Everything is kept until the end.
        .setting("KAFKA__PRODUCER__COMPRESSION_TYPE", "lz4")
}

fn cluster_options(nodes: usize, for_long: bool) -> ClusterOptions {
    let base = if nodes == 1 { ClusterOptions::default() } else { ClusterOptions::three_nodes() };
    let millis = |time: Duration| time.as_millis().to_string();
    ClusterOptions { heap_mb: 512, short_lived: !for_long, ..base }
        .with("transaction.abort.timed.out.transaction.cleanup.interval.ms", &millis(TRANSACTION_SCAN))
        .with("broker.session.timeout.ms", &millis(BROKER_SESSION_TIMEOUT))
        .with("broker.heartbeat.interval.ms", "500")
        // With KIP-848 these are the broker's.
        .with("group.consumer.min.session.timeout.ms", &millis(SESSION_TIMEOUT))
        .with("group.consumer.session.timeout.ms", &millis(SESSION_TIMEOUT))
        .with("group.consumer.min.heartbeat.interval.ms", "500")
        .with("group.consumer.heartbeat.interval.ms", "1000")
        // What was ended in order is given back soon after the restart.
        .with("leader.imbalance.check.interval.seconds", "10")
}
