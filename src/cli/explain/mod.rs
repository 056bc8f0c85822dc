//! `fhir-fanout explain`: why an event fired topics and reached destinations, or not.
//!
//! ```text
//! --event FILE | --from-kafka POSITION -> records -> Explainer (the service's own decisions) -> human | json
//! ```
//!
//! What it prints holds values of the event: that is what it was asked for. Its errors hold none.

mod human;
mod json;
mod reasons;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Exit;
use super::args::{ExplainOptions, Format};
use super::load::{self, Loaded};
use super::output::{self, line, problem};
use super::record::{self, OwnedRecord};
use crate::config::settings::{LogFormat, LogSettings, Settings};
use crate::config::{nearest, record_values};
use crate::domain::explain::Explainer;
use crate::domain::limits::Limits;
use crate::domain::plan::{DestinationIndex, Plan, TopicIndex};
use crate::kafka::one_record::{self, FetchedRecord, RecordPosition};
use crate::telemetry::{chain, logging};

/// How long the brokers may take to give a record.
const FETCHED_WITHIN: Duration = Duration::from_secs(30);

/// What is explained: all of it, or one destination and its topic.
#[derive(Debug, Clone, Copy)]
struct Scope {
    destination: Option<DestinationIndex>,
}

/// Why nothing can be explained.
struct Refused {
    exit: Exit,
    message: String,
}

/// Explains each record of the file.
#[must_use]
pub fn explain(options: &ExplainOptions) -> Exit {
    let loaded = match load::load(&options.files) {
        Ok(loaded) => loaded,
        Err(refused) => {
            refused.print();
            return Exit::InvalidConfiguration;
        }
    };
    match explain_with(loaded, options) {
        Ok(()) => Exit::Success,
        Err(Refused { exit, message }) => {
            problem(format_args!("error: {message}"));
            exit
        }
    }
}

fn explain_with(loaded: Loaded, options: &ExplainOptions) -> Result<(), Refused> {
    let plan = Arc::new(loaded.plan);
    let scope = scope(&plan, options.destination.as_deref())?;
    let records = records(&plan, &loaded.settings, options)?;
    let limits = Limits {
        max_message_bytes: loaded.settings.max_message_bytes,
        by_kafka_topic: HashMap::new(),
        compressed: false,
    };
    let mut explainer = Explainer::new(Arc::clone(&plan), limits);
    let topics: Option<[TopicIndex; 1]> = scope.destination.map(|index| [plan.destinations[index.0].topic]);
    let colour = output::colour(&std::io::stdout());
    for (number, record) in records.iter().enumerate() {
        let explained = explainer.explain(&record.source(), topics.as_ref().map(<[_; 1]>::as_slice));
        let explanation = explained.map_err(|error| usage(error.to_string()))?;
        match options.format {
            Format::Human => {
                if records.len() > 1 {
                    line(format_args!(
                        "{}record {} of {}",
                        if number > 0 { "\n" } else { "" },
                        number + 1,
                        records.len()
                    ));
                }
                line(human::render(&plan, scope, &explanation, colour));
            }
            Format::Json => line(json::render(&plan, scope, record, &explanation)),
        }
    }
    Ok(())
}

fn usage(message: String) -> Refused {
    Refused { exit: Exit::Usage, message }
}

fn scope(plan: &Plan, destination: Option<&str>) -> Result<Scope, Refused> {
    let Some(id) = destination else { return Ok(Scope { destination: None }) };
    let found = plan.destinations.iter().position(|destination| destination.id == id);
    let Some(found) = found else {
        let known = plan.destinations.iter().map(|destination| destination.id.as_str());
        let hint = nearest(id, known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        return Err(usage(format!("--destination {id}: there is no active destination of this id{hint}")));
    };
    Ok(Scope { destination: Some(DestinationIndex(found)) })
}

/// The records to explain.
fn records(plan: &Plan, settings: &Settings, options: &ExplainOptions) -> Result<Vec<OwnedRecord>, Refused> {
    let named = options.ingest.as_deref();
    match (&options.source.event, &options.source.from_kafka) {
        (_, Some(position)) => Ok(vec![from_kafka(plan, settings, position, named)?]),
        (file, None) => from_file(plan, file.as_deref().unwrap_or(Path::new("-")), named),
    }
}

/// The records of a file. One without a time of its own is of now, as if it were published.
fn from_file(plan: &Plan, file: &Path, named: Option<&str>) -> Result<Vec<OwnedRecord>, Refused> {
    let kafka_topic = ingest(plan, named)?;
    let bytes = record::read(file).map_err(|error| Refused {
        exit: Exit::InvalidConfiguration,
        message: format!("{}: the file cannot be read: {}", file.display(), error.kind()),
    })?;
    let now = Timestamp::now().as_millisecond();
    let record = |(offset, value): (i64, &[u8])| OwnedRecord {
        kafka_topic: kafka_topic.clone(),
        offset,
        timestamp_ms: Some(now),
        value: Some(value.to_vec()),
        ..OwnedRecord::default()
    };
    Ok((0..).zip(record_values(&bytes)).map(record).collect())
}

/// One record of Kafka, also one of another Kafka topic than the ingest's: that of the dead letters has copies.
fn from_kafka(
    plan: &Plan,
    settings: &Settings,
    position: &RecordPosition,
    named: Option<&str>,
) -> Result<OwnedRecord, Refused> {
    let own = plan.ingest_of(&position.kafka_topic).map(|ingest| ingest.kafka_topic.as_str());
    let kafka_topic = ingest(plan, named.or(own))?;
    // What the Kafka client finds wrong (a name, a certificate, a password) it tells the log only.
    let log = LogSettings { format: LogFormat::Text, level: "warn".to_owned() };
    if let Err(error) = logging::install(&log) {
        problem(format_args!("warning: {}", chain(&error)));
    }
    let fetched = one_record::fetch(settings, position, FETCHED_WITHIN).map_err(|error| {
        let RecordPosition { kafka_topic, partition, offset } = position;
        Refused { exit: Exit::Fatal, message: format!("{kafka_topic}:{partition}:{offset}: {}", chain(&error)) }
    })?;
    let FetchedRecord { timestamp_ms, key, value, headers } = fetched;
    let (partition, offset) = (position.partition, position.offset);
    Ok(OwnedRecord { kafka_topic, partition, offset, timestamp_ms, key, value, headers })
}

/// The ingest that is named, or the only one.
fn ingest(plan: &Plan, named: Option<&str>) -> Result<String, Refused> {
    let known: Vec<&str> = plan.ingest.iter().map(|ingest| ingest.kafka_topic.as_str()).collect();
    match (named, known.as_slice()) {
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(usage(format!("name the ingest Kafka topic with --ingest: one of {}", known.join(", ")))),
        (Some(named), known) if known.contains(&named) => Ok(named.to_owned()),
        (Some(named), known) => {
            Err(usage(format!("--ingest {named}: no such ingest Kafka topic; known are: {}", known.join(", "))))
        }
    }
}
