//! The records of the scripted ingest Kafka topic, and what has to come of each: the real pipeline says it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::cluster::TRANSACTION_TIMEOUT;

use crate::config::environment::Environment;
use crate::config::settings::Settings;
use crate::config::topics;
use crate::domain::fhirpath::FhirPath;
use crate::domain::limits::Limits;
use crate::domain::output::{DeadLetterClass, OutputKind, OutputRecord};
use crate::domain::pipeline::Pipeline;
use crate::domain::plan::{DestinationIndex, Plan};
use crate::domain::refusals::Refusals;
use crate::domain::source::SourceRecord;
use crate::domain::tally::Tally;

pub(crate) const INGEST: &str = "changes";
pub(crate) const PARTITIONS: i32 = 3;
const RECORDS: i64 = 14;

/// More than [`TRANSACTION_TIMEOUT`].
const TOO_LONG: Duration = Duration::from_secs(TRANSACTION_TIMEOUT.as_secs() + 1);

/// An output as it lies in its Kafka topic; two are the same when every byte is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub partition: i32,
    pub offset: i64,
    pub kafka_topic: String,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Sent {
    pub(crate) fn of(output: &OutputRecord<'_>) -> Self {
        let headers: Vec<(String, Option<Vec<u8>>)> = output
            .headers
            .iter()
            .map(|header| (header.name.clone().into_owned(), header.value.clone().map(Into::into)))
            .collect();
        let source = headers.iter().find(|(name, _)| name == "fhir-source" || name == "fhir-dead-letter-source");
        let source = source.and_then(|(_, value)| value.clone()).expect("every output names its source");
        let source = String::from_utf8(source).expect("a position");
        let mut parts = source.split(':').skip(1).map(|part| part.parse().expect("a number"));
        let (partition, offset): (i64, i64) = (parts.next().expect("two"), parts.next().expect("two"));
        Self {
            partition: i32::try_from(partition).expect("small"),
            offset,
            kafka_topic: output.kafka_topic.to_owned(),
            key: output.key.clone().map(Into::into),
            value: output.value.map(<[u8]>::to_vec),
            headers,
        }
    }
}

/// What is unusual about the records and the destinations of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unusual {
    /// The notification of this record (its partition and number) is refused for good by its first destination.
    pub guilty: Vec<(i32, usize)>,
    /// `onDestinationError: dead-letter`.
    pub dead_letters_instead: bool,
    /// This Kafka topic takes nothing for so many seconds from the start.
    pub gone: Option<(&'static str, u64)>,
    /// The criteria of these records take longer than a transaction may.
    pub costly: Vec<(i32, usize)>,
    /// After so many polls the Kafka topics take smaller batches, after as many larger ones again.
    pub limits_change_after: Option<usize>,
    /// After so many polls another plan runs, after as many the first one again.
    pub plan_changes_after: Option<usize>,
}

pub(crate) const KAFKA_TOPICS: [&str; 3] = ["all", "results", "dead-letters"];

/// One record, and the outputs that may come of it: exactly one of these lists.
#[derive(Debug)]
pub(crate) struct LoggedRecord {
    pub offset: i64,
    pub value: String,
    pub refused: Option<String>,
    pub cost: Duration,
    pub outcomes: Vec<Vec<Sent>>,
}

/// The whole ingest Kafka topic.
#[derive(Debug)]
pub(crate) struct Ingest {
    /// What runs, and what may take its place.
    pub plans: [Arc<Plan>; 2],
    pub partitions: Vec<Vec<LoggedRecord>>,
}

impl Ingest {
    pub(crate) fn new(unusual: &Unusual) -> Self {
        let plans = plans(unusual.dead_letters_instead);
        let mut pipelines = plans.each_ref().map(|plan| Pipeline::new(Arc::clone(plan), limits(false)));
        let may_run = if unusual.plan_changes_after.is_some() { 2 } else { 1 };
        let partitions = (0..PARTITIONS)
            .map(|partition| {
                let record = |number: usize| logged(&plans, &mut pipelines[..may_run], unusual, partition, number);
                (0..usize::try_from(RECORDS).expect("small")).map(record).collect()
            })
            .collect();
        Self { plans, partitions }
    }

    pub(crate) fn partition(&self, partition: i32) -> &[LoggedRecord] {
        &self.partitions[usize::try_from(partition).expect("a partition")]
    }

    /// Where a reader stands that has read all.
    pub(crate) fn end(&self, partition: i32) -> i64 {
        self.partition(partition).last().map_or(0, |record| record.offset + 1)
    }
}

/// What every output fits into; with batches that have to be smaller, too.
pub(crate) fn limits(small_batches: bool) -> Limits {
    let bytes = if small_batches { 100_000 } else { 1_000_000 };
    let by_kafka_topic = KAFKA_TOPICS.iter().map(|kafka_topic| ((*kafka_topic).to_owned(), bytes)).collect();
    Limits { max_message_bytes: 1_000_000, by_kafka_topic, compressed: false }
}

fn logged(
    plans: &[Arc<Plan>; 2],
    pipelines: &mut [Pipeline],
    unusual: &Unusual,
    partition: i32,
    number: usize,
) -> LoggedRecord {
    // Between the records stand the marks of the publisher's transactions: offsets have gaps.
    let offset = i64::try_from(number + number / 3).expect("small");
    let value = value(partition, number);
    let usual = outputs(&plans[0], &mut pipelines[0], partition, offset, &value, &Refusals::NONE);
    let first = usual.iter().find(|(kind, _)| matches!(kind, OutputKind::Notification(_)));
    let is_guilty = unusual.guilty.contains(&(partition, number));
    let refused = first.filter(|_| is_guilty).map(|(_, sent)| sent.kafka_topic.clone());
    let mut outcomes = Vec::new();
    for (plan, pipeline) in plans.iter().zip(pipelines) {
        let run = |refusals: &Refusals| outputs(plan, pipeline, partition, offset, &value, refusals);
        outcomes.extend(outcomes_of(plan, run, unusual, refused.as_deref()));
    }
    LoggedRecord {
        offset,
        value,
        cost: if unusual.costly.contains(&(partition, number)) { TOO_LONG } else { Duration::ZERO },
        refused,
        outcomes: outcomes.into_iter().map(|list| list.into_iter().map(|(_, sent)| sent).collect()).collect(),
    }
}

/// What may come of a record by one plan, where its notification to one Kafka topic is refused.
fn outcomes_of(
    plan: &Plan,
    mut run: impl FnMut(&Refusals) -> Vec<(OutputKind, Sent)>,
    unusual: &Unusual,
    refused: Option<&str>,
) -> Vec<Vec<(OutputKind, Sent)>> {
    let mut refusals = Refusals::NONE;
    for (kind, _) in run(&Refusals::NONE).iter().filter(|(_, sent)| refused == Some(sent.kafka_topic.as_str())) {
        refusals.add(*kind, 0, DeadLetterClass::TooLarge);
    }
    let mut outcomes = vec![run(&refusals)];
    if let (true, Some((gone, _))) = (unusual.dead_letters_instead, unusual.gone) {
        let gone = plan.destinations.iter().position(|destination| destination.kafka_topic == gone);
        if let Some(gone) = gone {
            refusals.add_destination(DestinationIndex(gone));
            outcomes.push(run(&refusals));
            // A guilty notification to the same Kafka topic is not found guilty while that takes nothing.
            let mut refusals = Refusals::NONE;
            refusals.add_destination(DestinationIndex(gone));
            if refused == Some(plan.destinations[gone].kafka_topic.as_str()) {
                outcomes.push(run(&refusals));
            }
        }
    }
    outcomes
}

fn outputs(
    plan: &Plan,
    pipeline: &mut Pipeline,
    partition: i32,
    offset: i64,
    value: &str,
    refusals: &Refusals,
) -> Vec<(OutputKind, Sent)> {
    let record = source(partition, offset, value);
    let mut sent = Vec::new();
    let mut take = |output: OutputRecord<'_>| {
        sent.push((output.kind, Sent::of(&output)));
        Ok::<(), std::convert::Infallible>(())
    };
    pipeline.process(&record, refusals, &mut Tally::new(plan), &mut take).expect("the plan never stops");
    sent
}

pub(crate) fn source(partition: i32, offset: i64, value: &str) -> SourceRecord<'_> {
    SourceRecord {
        kafka_topic: INGEST,
        partition,
        offset,
        timestamp_ms: Some(1_000 + offset),
        key: Some(b"key"),
        value: Some(value.as_bytes()),
        headers: Vec::new(),
    }
}

/// Two outputs, one, none, and what no codec can read.
fn value(partition: i32, number: usize) -> String {
    let resource = match (number + usize::try_from(partition).expect("small")) % 5 {
        0 => r#"{"resourceType":"Observation","id":"o","status":"final"}"#,
        1 => r#"{"resourceType":"Observation","id":"o","status":"preliminary"}"#,
        2 => r#"{"resourceType":"Patient","id":"p"}"#,
        3 => r#"{"resourceType":"Encounter","id":"e","status":"finished"}"#,
        _ => return "no JSON".to_owned(),
    };
    format!(r#"{{"interaction":"update","resource":{resource}}}"#)
}

/// Topics and destinations of the second stand the other way round, so that a number of the one is wrong in the other.
fn plans(dead_letters_instead: bool) -> [Arc<Plan>; 2] {
    static PLANS: [OnceLock<[Arc<Plan>; 2]>; 2] = [OnceLock::new(), OnceLock::new()];
    let both = PLANS[usize::from(dead_letters_instead)].get_or_init(|| {
        let on_error = if dead_letters_instead { "dead-letter" } else { "block" };
        [[&RESULTS, &ALL], [&ALL, &RESULTS]].map(|order| {
            let [topics, destinations] = [0, 1].map(|part| order.map(|pair| pair[part]).concat());
            let text = format!("{HEAD}onDestinationError: {on_error}\ntopics:\n{topics}destinations:\n{destinations}");
            let file = tempfile::NamedTempFile::with_suffix(".yaml").expect("a temporary file");
            std::fs::write(file.path(), text).expect("written");
            let fhirpath = Arc::new(FhirPath::new());
            let (loaded, _) = topics::load(file.path(), &Settings::default(), &Environment::default(), &fhirpath);
            Arc::new(loaded.expect("a plan").plan)
        })
    });
    both.each_ref().map(Arc::clone)
}

const HEAD: &str = "
fhirBaseUrl: http://fhir.example.org/fhir
ingest: [{ kafkaTopic: changes, format: change }]
deadLetter: { kafkaTopic: dead-letters }
";

/// A topic and its destination.
const RESULTS: [&str; 2] = [
    "  - url: http://example.org/topic/results
    status: active
    trigger: [{ resource: Observation, fhirPathCriteria: status = 'final' }]
",
    "  - { id: results, topic: 'http://example.org/topic/results', kafkaTopic: results }\n",
];

const ALL: [&str; 2] = [
    "  - url: http://example.org/topic/all
    status: active
    trigger: [{ resource: Observation }, { resource: Encounter }]
",
    "  - { id: all, topic: 'http://example.org/topic/all', kafkaTopic: all }\n",
];
