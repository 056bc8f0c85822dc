//! A run of the service over all cases: what goes in, what has to come out, and what did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use integration_tests::kafka::{Admin, Isolation, KafkaCluster, Position, Producer, ReadRecord, Record, read, unique};
use integration_tests::oracle::murmur2;
use integration_tests::service::{Service, ServiceSpec};
use integration_tests::{kafka, wait};
use serde_json::Value;

use crate::cases::{Case, Expected, Letter, Notified, TOPICS, topic_of};

pub(crate) const WITHIN: Duration = Duration::from_secs(60);
pub(crate) const PARTITIONS: usize = 3;

pub(crate) struct Run {
    pub(crate) cluster: &'static KafkaCluster,
    pub(crate) admin: Admin,
    suffix: String,
    cases: Vec<Case>,
    positions: Vec<Position>,
    spec: ServiceSpec,
    notifications: BTreeMap<(String, String), ReadRecord>,
    letters: Vec<ReadRecord>,
}

impl Run {
    pub(crate) fn new() -> Self {
        let cluster = kafka::shared();
        let suffix = unique("");
        let mut run = Self {
            cluster,
            admin: Admin::new(cluster).unwrap(),
            cases: Vec::new(),
            positions: Vec::new(),
            spec: ServiceSpec::new(cluster, &TOPICS.replace("SUFFIX", &suffix)),
            suffix,
            notifications: BTreeMap::new(),
            letters: Vec::new(),
        };
        run.spec = run.spec.clone().setting("TASKS", "2");
        for format in ["change", "fhir", "bundle"] {
            run.admin.create_kafka_topic(&run.ingest(format), PARTITIONS).unwrap();
        }
        run.admin.create_kafka_topic(&run.kafka_topic("dead"), 2).unwrap();
        for destination in destinations() {
            run.admin.create_kafka_topic(&run.kafka_topic(destination), PARTITIONS).unwrap();
        }
        run
    }

    pub(crate) fn kafka_topic(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    pub(crate) fn ingest(&self, format: &str) -> String {
        self.kafka_topic(&format!("in-{format}"))
    }

    pub(crate) fn add(&mut self, case: Case) {
        self.cases.push(case);
    }

    pub(crate) fn produce(&mut self) {
        let producer = Producer::plain(self.cluster).unwrap();
        for case in &self.cases {
            let positions = producer.send(&self.ingest(case.format), std::slice::from_ref(&case.record)).unwrap();
            self.positions.extend(positions);
        }
    }

    pub(crate) fn start(&self) -> Service {
        self.spec.start().unwrap()
    }

    pub(crate) fn read_outputs(&mut self) {
        for format in ["change", "fhir", "bundle"] {
            self.admin.wait_consumed(self.cluster, self.spec.group(), &self.ingest(format), WITHIN).unwrap();
        }
        for destination in destinations() {
            let records = self.read(destination);
            check_order(destination, &records);
            for record in records {
                let source = record.header("fhir-source").expect("a notification names its source").to_owned();
                let doubled = self.notifications.insert((source.clone(), destination.to_owned()), record);
                assert!(doubled.is_none(), "{source} came twice for {destination}");
            }
        }
        self.letters = self.read("dead");
        // A draft does not run: nobody missed the Kafka topic of its destination, and nobody made it.
        assert_eq!(self.admin.partitions(&self.kafka_topic("draft")).unwrap(), None);
    }

    fn read(&self, name: &str) -> Vec<ReadRecord> {
        read::to_end(self.cluster, &self.kafka_topic(name), Isolation::ReadCommitted, WITHIN).unwrap()
    }

    /// All differences at once: a run takes long enough.
    pub(crate) fn check_cases(&mut self) {
        let mut problems = Vec::new();
        let mut plans = BTreeSet::new();
        for index in 0..self.cases.len() {
            let (case, position) = (&self.cases[index], self.positions[index].clone());
            for expected in &case.expected {
                let problem = match expected {
                    Expected::Notified(notified) => {
                        let source = match notified.number {
                            Some(number) => format!("{position}#{number}"),
                            None => position.to_string(),
                        };
                        match self.notifications.remove(&(source.clone(), notified.destination.to_owned())) {
                            Some(record) => {
                                plans.extend(record.header("fhir-plan").map(str::to_owned));
                                compare(case, &source, notified, &record)
                            }
                            None => Err(format!("{} got nothing", notified.destination)),
                        }
                    }
                    Expected::Letter(letter) => take_letter(&mut self.letters, case, &position, letter),
                };
                if let Err(problem) = problem {
                    problems.push(format!("{}: {problem}", case.name));
                }
            }
        }
        assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
        assert_eq!(plans.len(), 1, "one configuration, one fhir-plan: {plans:?}");
    }

    pub(crate) fn check_nothing_else(&self) {
        let name_of = |source: &str| {
            let position =
                self.positions.iter().position(|position| source.split('#').next() == Some(&position.to_string()));
            position.map_or("?", |index| self.cases[index].name)
        };
        let mut left: Vec<String> = Vec::new();
        for (source, destination) in self.notifications.keys() {
            left.push(format!("{}: a notification for {destination} ({source})", name_of(source)));
        }
        for letter in &self.letters {
            let source = letter.header("fhir-dead-letter-source").unwrap_or("?");
            left.push(format!("{}: a dead letter {:?}", name_of(source), header_texts(letter)));
        }
        assert!(left.is_empty(), "nobody asked for:\n{}", left.join("\n"));
    }

    pub(crate) fn wait_caught_up(&self, service: &Service) {
        wait::until("a lag of 0", Duration::from_secs(20), || {
            let Ok(metrics) = service.metrics() else { return false };
            ["change", "fhir", "bundle"].iter().all(|format| {
                let ingest = self.ingest(format);
                ["fanout_consumer_lag_records", "fanout_consumer_lag_seconds"].iter().all(|name| {
                    let of_ingest = [("kafka_topic", ingest.as_str())];
                    let partitions: BTreeSet<&str> =
                        metrics.select(name, &of_ingest).map(|sample| sample.labels["partition"].as_str()).collect();
                    partitions == BTreeSet::from(["0", "1", "2"]) && metrics.sum(name, &of_ingest) == Some(0.0)
                })
            })
        })
        .unwrap();
    }

    pub(crate) fn check_metrics(&self, service: &Service) {
        self.wait_caught_up(service);
        let page = service.metrics().unwrap();
        let sum = |name: &str, labels: &[(&str, &str)]| page.sum(name, labels).unwrap_or_default();
        let mut problems = Vec::new();
        let mut equal = |name: &str, labels: &[(&str, &str)], wanted: usize| {
            let found = sum(name, labels);
            if (found - wanted as f64).abs() > 0.1 {
                problems.push(format!("{name} {labels:?} is {found} instead of {wanted}"));
            }
        };
        let all = || self.cases.iter().flat_map(|case| &case.expected);
        for destination in destinations() {
            let wanted = all().filter(|one| matches!(one, Expected::Notified(it) if it.destination == destination));
            equal("fanout_notifications_total", &[("destination", destination)], wanted.count());
        }
        for class in ["undecodable", "evaluation-error", "missing-state", "too-large", "rejected"] {
            let wanted = all().filter(|one| matches!(one, Expected::Letter(letter) if letter.class == class)).count();
            equal("fanout_dead_letters_total", &[("class", class)], wanted);
        }
        for format in ["change", "fhir", "bundle"] {
            let ingest = self.ingest(format);
            for (outcome, of_case) in [("notified", 0_usize), ("dead-lettered", 1), ("unmatched", 2)] {
                let of_format = self.cases.iter().filter(|case| case.format == format);
                let wanted = of_format.map(|case| case.outcomes()[of_case]).sum();
                equal("fanout_events_total", &[("kafka_topic", &ingest), ("outcome", outcome)], wanted);
            }
        }
        for (reason, wanted) in crate::organizations::FILTERED {
            let labels = [("topic", topic_of("org")), ("destination", String::new()), ("reason", (*reason).to_owned())];
            let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
            equal("fanout_filtered_total", &labels, *wanted);
        }
        for (topic, reason, wanted) in
            [("multi", "criteria", 1), ("multi", "interaction", 1), ("changed", "missing-state", 1)]
        {
            equal("fanout_filtered_total", &[("topic", &topic_of(topic)), ("reason", reason)], wanted);
        }
        equal("fanout_evaluation_errors_total", &[("topic", &topic_of("errors"))], 2);
        equal("fanout_transactions_total", &[("outcome", "aborted")], 0);
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        assert!(sum("fanout_transactions_total", &[("outcome", "committed")]) >= 1.0);
        for histogram in
            ["fanout_batch_records", "fanout_processing_seconds", "fanout_commit_seconds", "fanout_end_to_end_seconds"]
        {
            assert!(sum(&format!("{histogram}_count"), &[]) >= 1.0, "{histogram}");
            assert!(page.sum(&format!("{histogram}_bucket"), &[("le", "+Inf")]).is_some(), "{histogram}");
        }
    }

    /// Every id, name and key of the cases has "canary" in it.
    pub(crate) fn check_no_patient_data(&self, page: &str, log: &str) {
        for line in log.lines() {
            let parsed: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON line: {line}"));
            assert!(parsed["level"].is_string() && parsed["timestamp"].is_string(), "{line}");
            let mut names = BTreeSet::new();
            fhir_fanout::domain::json::members(line, |name, _| {
                assert!(names.insert(name.to_owned()), "{name} stands twice, which strict readers refuse: {line}");
            })
            .unwrap();
        }
        for (name, text) in [("log", log), ("metrics", page)] {
            assert!(!text.to_lowercase().contains("canary"), "the {name} has patient data:\n{text}");
        }
    }
}

fn destinations() -> impl Iterator<Item = &'static str> {
    TOPICS
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("- { id: ")?.split(',').next())
        .filter(|id| *id != "drafted")
}

/// For an output key, events come in the order of their ingest partition.
fn check_order(destination: &str, records: &[ReadRecord]) {
    let mut last = BTreeMap::new();
    for record in records.iter().filter(|record| record.key.is_some()) {
        let source = record.header("fhir-source").unwrap();
        let (position, number) = source.split_once('#').unwrap_or((source, "0"));
        let (partition, offset) = position.rsplit_once(':').unwrap();
        let at: (i64, u32) = (offset.parse().unwrap(), number.parse().unwrap());
        let earlier = last.insert((record.position.partition, record.key.clone(), partition.to_owned()), at);
        assert!(earlier.is_none_or(|earlier| earlier < at), "{destination}: {source} comes after {earlier:?}");
    }
}

fn header_texts(record: &ReadRecord) -> Vec<(String, String)> {
    let text = |value: &Option<Vec<u8>>| String::from_utf8_lossy(value.as_deref().unwrap_or(b"(null)")).into_owned();
    record.headers.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what} is {found:?} instead of {wanted:?}")) }
}

fn forwarded(record: &Record) -> impl Iterator<Item = (String, String)> {
    let listed = |name: &str| ["traceparent", "tracestate", "correlation-id"].contains(&name);
    let text = |value: &Option<Vec<u8>>| String::from_utf8(value.clone().unwrap_or_default()).unwrap();
    record.headers.iter().filter(move |(name, _)| listed(name)).map(move |(name, value)| (name.clone(), text(value)))
}

fn compare(case: &Case, source: &str, notified: &Notified, record: &ReadRecord) -> Result<(), String> {
    let destination = notified.destination;
    let mut headers = vec![
        pair("content-type", "application/fhir+json"),
        pair("fhir-topic", topic_of(notified.topic)),
        pair("fhir-destination", destination),
    ];
    if notified.content != "empty" {
        headers.push(pair("fhir-focus", &notified.focus));
    }
    headers.push(pair("fhir-interaction", notified.interaction));
    headers.push(pair("fhir-source", source));
    headers.push(pair("fhir-plan", record.header("fhir-plan").unwrap_or("missing")));
    headers.extend(forwarded(&case.record));
    same(&format!("{destination}: headers"), &header_texts(record), &headers)?;
    let own: Vec<_> = headers.iter().filter(|(name, _)| name != "fhir-focus").collect();
    same("patient data in headers", &own.iter().any(|(_, value)| value.contains("canary")), &false)?;

    let wanted_key = notified.key.clone();
    same(&format!("{destination}: key"), &record.key, &wanted_key)?;
    if let Some(key) = &wanted_key {
        same("partition", &record.position.partition, &murmur2::partition(key, PARTITIONS))?;
    }
    same("record timestamp", &record.timestamp_ms, &case.record.timestamp_ms)?;

    let text = String::from_utf8(record.value.clone().unwrap_or_default()).unwrap();
    let mut bundle: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let id = bundle.as_object_mut().unwrap().remove("id").ok_or("no Bundle.id")?;
    if !text.starts_with(&format!(r#"{{"resourceType":"Bundle","id":{id},"#)) {
        return Err(format!("Bundle.id does not follow resourceType: {text}"));
    }
    same("Bundle.timestamp", &instant(&bundle["timestamp"]), &instant(&notified.timestamp.clone().into()))?;
    if notified.exact_time {
        same("Bundle.timestamp", &bundle["timestamp"], &Value::from(notified.timestamp.clone()))?;
    }
    bundle["timestamp"] = Value::Null;
    same(&format!("{destination}: Bundle"), &bundle, &notified.bundle(&topic_of(notified.topic)))?;
    if let Some(resource) = notified.carried() {
        same("resource bytes unchanged", &text.contains(resource.trim()), &true)?;
    }
    Ok(())
}

fn instant(value: &Value) -> Option<jiff::Timestamp> {
    value.as_str()?.parse().ok()
}

fn take_letter(letters: &mut Vec<ReadRecord>, case: &Case, position: &Position, letter: &Letter) -> Result<(), String> {
    let mut headers = vec![
        pair("fhir-dead-letter-class", letter.class),
        pair("fhir-dead-letter-source", position.to_string()),
        pair("fhir-dead-letter-event", letter.event.to_string()),
    ];
    headers.extend(letter.topic.map(|topic| pair("fhir-dead-letter-topic", topic_of(topic))));
    headers.extend(letter.destination.map(|destination| pair("fhir-dead-letter-destination", destination)));
    headers.extend(forwarded(&case.record));
    let found = letters.iter().position(|record| header_texts(record) == headers);
    let Some(found) = found else { return Err(format!("no dead letter with {headers:?}")) };
    let record = letters.remove(found);
    same("the dead letter's key", &record.key, &case.record.key)?;
    same("the dead letter's value", &record.value, &case.record.value)?;
    same("the dead letter's time", &record.timestamp_ms, &case.record.timestamp_ms)
}
