//! Each finding of a cluster that was made up for it, and none of one that is well.

use super::super::{Layout, Limits};
use super::*;
use crate::domain::plan::StartFrom;
use crate::telemetry::sample_plan::sample_plan;

const ALL: [&str; 4] = ["fhir.changes", "forms", "audit", "fhir.dead-letters"];

/// A cluster, and what it is to be compared with; as made, nothing is to be said of it.
struct World {
    plan: Plan,
    settings: Settings,
    facts: ClusterFacts,
}

impl World {
    fn new() -> Self {
        let mut plan = sample_plan();
        plan.destinations[1].key = crate::domain::plan::KeySource::Resource;
        let layout = Layout { partitions: 4, replicas: 3, in_sync: 3, leaderless: 0 };
        let limits = Limits { max_message_bytes: 20_000_000, compacted: false };
        let start = StartReport {
            cluster_id: "c".to_owned(),
            ingest_partitions: BTreeMap::from([("fhir.changes".to_owned(), 4)]),
            layouts: ALL.map(|name| (name.to_owned(), layout)).into(),
            limits: ALL.map(|name| (name.to_owned(), limits)).into(),
            problems: Vec::new(),
        };
        let mut world = Self {
            plan,
            settings: Settings { max_message_bytes: 20_000_000, ..Settings::default() },
            facts: ClusterFacts {
                start,
                options: BTreeMap::new(),
                brokers: BTreeMap::from([(1, Some(brokers(&[])))]),
                rights: ALL.map(|name| (name.to_owned(), Rights::ALL)).into(),
                group: GroupRights::Told(Rights::ALL),
            },
        };
        for name in ALL {
            world.set(name, &[]);
        }
        world
    }

    fn set(&mut self, name: &str, options: &[(&str, &str)]) {
        let usual = [("min.insync.replicas", "2"), ("cleanup.policy", "delete"), ("retention.ms", "604800000")];
        let usual = usual.into_iter().filter(|(usual, _)| options.iter().all(|(name, _)| name != usual));
        self.facts.options.insert(name.to_owned(), usual.chain(options.iter().copied()).collect());
    }

    fn layout(&mut self, name: &str) -> &mut Layout {
        self.facts.start.layouts.get_mut(name).expect("one of ALL")
    }

    fn limit(&mut self, name: &str, bytes: usize) {
        self.facts.start.limits.get_mut(name).expect("one of ALL").max_message_bytes = bytes;
    }

    fn verdict(&self) -> Verdict {
        let commands = Commands { servers: "kafka:9092".to_owned(), files: "--topics topics.yaml".to_owned() };
        judge(&self.plan, &self.settings, &self.facts, &commands, "2026-03-02T00:00:00Z".parse().expect("a time"))
    }

    /// Severity, check and Kafka topic of what is found.
    fn found(&self) -> Vec<(Severity, &'static str, Option<String>)> {
        let findings = self.verdict().findings.into_iter();
        findings.map(|finding| (finding.severity, finding.check, finding.kafka_topic)).collect()
    }

    fn finds(&self, severity: Severity, check: &'static str, kafka_topic: &str) {
        let kafka_topic = Some(kafka_topic.to_owned()).filter(|name| !name.is_empty());
        assert_eq!(self.found(), [(severity, check, kafka_topic)]);
    }
}

fn brokers(changed: &[(&str, &str)]) -> Options {
    let usual = [
        ("transaction.max.timeout.ms", "900000"),
        ("group.min.session.timeout.ms", "6000"),
        ("group.max.session.timeout.ms", "1800000"),
        ("transaction.state.log.replication.factor", "3"),
    ];
    usual.into_iter().chain(changed.iter().copied()).collect()
}

#[test]
fn a_cluster_that_is_well_has_no_finding() {
    let verdict = World::new().verdict();
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.not_checked.len(), 1, "of transactional ids nobody tells: {:?}", verdict.not_checked);
}

#[test]
fn replication() {
    for (needed, severity) in [("1", Severity::Warning), ("3", Severity::Warning), ("4", Severity::Error)] {
        let mut world = World::new();
        world.set("forms", &[("min.insync.replicas", needed)]);
        world.finds(severity, "min-insync", "forms");
        let remedy = world.verdict().findings.remove(0).remedy.expect("a command");
        assert_eq!(
            remedy,
            "kafka-configs.sh --bootstrap-server kafka:9092 --alter --entity-type topics --entity-name forms --add-config \
             min.insync.replicas=2"
        );
    }
    let mut world = World::new();
    world.layout("audit").in_sync = 1;
    world.finds(Severity::Error, "not-in-sync", "audit");
    let mut world = World::new();
    world.layout("fhir.changes").leaderless = 2;
    world.finds(Severity::Error, "no-leader", "fhir.changes");
    let mut world = World::new();
    world.layout("fhir.changes").replicas = 1;
    world.finds(Severity::Note, "one-replica", "fhir.changes");
}

#[test]
fn what_the_service_itself_looks_at_is_told_with_a_remedy() {
    let mut world = World::new();
    let kafka_topics = vec!["audit".to_owned(), "forms".to_owned()];
    world.facts.start.problems = vec![
        StartProblem::OneReplica { kafka_topics },
        StartProblem::MissingKafkaTopic { role: Role::Ingest, kafka_topic: "fhir.changes".to_owned() },
        StartProblem::CompactedWithoutKey { destination: "audit".to_owned(), kafka_topic: "audit".to_owned() },
    ];
    let findings = world.verdict().findings;
    let told: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.check)).collect();
    let (error, warning) = (Severity::Error, Severity::Warning);
    let wanted =
        [(error, "missing"), (error, "compacted-without-key"), (warning, "one-replica"), (warning, "one-replica")];
    assert_eq!(told, wanted, "the gravest first");
    let create = "fhir-fanout topics create --topics topics.yaml --with-ingest";
    assert_eq!(findings[0].remedy.as_deref(), Some(create));
}

#[test]
fn partitions_and_clean_up() {
    let mut world = World::new();
    world.layout("forms").partitions = 3;
    world.finds(Severity::Note, "fewer-partitions", "forms");
    let mut world = World::new();
    world.set("fhir.dead-letters", &[("cleanup.policy", "compact")]);
    world.finds(Severity::Warning, "dead-letters-compacted", "fhir.dead-letters");
    let mut world = World::new();
    world.set("forms", &[("cleanup.policy", "compact")]);
    world.finds(Severity::Note, "compacted", "forms");
}

#[test]
fn message_sizes() {
    let mut world = World::new();
    world.limit("forms", 19_999_999);
    world.finds(Severity::Warning, "message-size", "forms");
    world.settings.kafka.producer = [("compression.type".to_owned(), "lz4".to_owned())].into_iter().collect();
    assert_eq!(world.found(), [], "compressed, they are smaller");
    let mut world = World::new();
    world.limit("fhir.changes", 1_000);
    world.limit("forms", 2_000);
    world.finds(Severity::Note, "message-size", "forms");
    let mut world = World::new();
    world.settings.max_message_bytes = 10_000;
    assert_eq!(world.found().len(), 2, "both destinations: {:?}", world.found());
    assert!(world.verdict().findings[0].what.starts_with("maxMessageBytes is 10000"));
}

#[test]
fn retention_and_times() {
    let mut world = World::new();
    world.set("forms", &[("retention.ms", "3600000")]);
    world.finds(Severity::Warning, "retention", "forms");
    assert!(world.verdict().findings[0].what.contains("for 1h, and the ingest for 7d"), "{:?}", world.verdict());
    world.set("forms", &[("retention.ms", "3600000"), ("message.timestamp.type", "LogAppendTime")]);
    assert_eq!(world.found(), [], "then records have the time of their arrival");
    let mut world = World::new();
    world.set("audit", &[("message.timestamp.before.max.ms", "60000")]);
    world.finds(Severity::Warning, "timestamps", "audit");
    world.set("audit", &[("message.timestamp.before.max.ms", "9223372036854775807")]);
    assert_eq!(world.found(), []);
    let mut world = World::new();
    world.set("fhir.changes", &[("retention.ms", "-1")]);
    assert_eq!(world.found().len(), 3, "two destinations and the dead letters keep for less than ever");
    let mut world = World::new();
    let start = |time: &str| StartFrom::Time(time.parse().expect("a time"));
    world.plan.ingest[0].start_from = start("2026-02-22T00:00:00Z");
    world.finds(Severity::Warning, "start-from", "fhir.changes");
    world.plan.ingest[0].start_from = start("2026-02-24T00:00:00Z");
    assert_eq!(world.found(), []);
}

#[test]
fn rights() {
    let mut world = World::new();
    let mut reads = Rights::default();
    reads.add(super::super::rights::Operation::Read);
    world.facts.rights.insert("forms".to_owned(), reads);
    world.facts.rights.insert("fhir.changes".to_owned(), reads);
    world.finds(Severity::Error, "rights", "forms");
    let mut world = World::new();
    world.facts.group = GroupRights::Forbidden;
    world.finds(Severity::Error, "rights", "");
    let mut world = World::new();
    world.facts.group = GroupRights::Unknown;
    world.facts.rights.clear();
    assert_eq!(world.found(), []);
    assert_eq!(world.verdict().not_checked.len(), 3, "{:?}", world.verdict().not_checked);
}

#[test]
fn brokers_limits() {
    for (option, value, check) in [
        ("transaction.max.timeout.ms", "9999", "transaction-timeout"),
        ("group.min.session.timeout.ms", "10001", "session-timeout"),
        ("group.max.session.timeout.ms", "9999", "session-timeout"),
        ("inter.broker.protocol.version", "2.4-IV1", "broker-version"),
    ] {
        let mut world = World::new();
        world.facts.brokers.insert(2, Some(brokers(&[(option, value)])));
        world.finds(Severity::Error, check, "");
        assert!(world.verdict().findings[0].what.contains("roker 2"), "it says which");
    }
    let mut world = World::new();
    world.facts.brokers.insert(2, Some(brokers(&[("transaction.state.log.replication.factor", "1")])));
    world.finds(Severity::Warning, "transaction-state", "");
    let laid_out = Layout { partitions: 50, replicas: 3, in_sync: 3, leaderless: 0 };
    world.facts.start.layouts.insert("__transaction_state".to_owned(), laid_out);
    assert_eq!(world.found(), [], "what is there counts, not what would be made");
    let mut world = World::new();
    world.facts.brokers.insert(2, None);
    assert_eq!((world.found().len(), world.verdict().not_checked.len()), (0, 2));
}
