//! Runs cases: their records through the pipeline, what comes out as values of their own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use super::{CaseResult, SuiteResult, compare};
use crate::cli::load::Loaded;
use crate::cli::record::OwnedRecord;
use crate::config::cases::{Case, Given, Suite};
use crate::domain::limits::Limits;
use crate::domain::output::{OutputKind, OutputRecord};
use crate::domain::pipeline::{Pipeline, ProcessError};
use crate::domain::plan::Plan;
use crate::domain::refusals::Refusals;
use crate::domain::tally::Tally;

/// What came of a case's records.
pub(super) struct Came {
    pub(super) outputs: Vec<Output>,
    /// Whether the process would have stopped, and before which record of the case.
    pub(super) stopped_before: Option<usize>,
}

/// One output.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) kind: OutputKind,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Runs all cases of a file, telling each as it is done.
pub(super) fn suite(suite: &Suite, loaded: Loaded, mut tell: impl FnMut(&CaseResult)) -> SuiteResult {
    let limits = Limits {
        max_message_bytes: loaded.settings.max_message_bytes,
        by_kafka_topic: HashMap::new(),
        compressed: false,
    };
    let plan = Arc::new(loaded.plan);
    let mut pipeline = Pipeline::new(Arc::clone(&plan), limits);
    let mut run = |case: &Case| {
        let started = Instant::now();
        let came = process(&mut pipeline, &plan, case);
        let result = CaseResult {
            name: case.name.text.clone(),
            place: case.name.place.short(),
            differences: compare::compare(&plan, case, &came),
            seconds: started.elapsed().as_secs_f64(),
        };
        tell(&result);
        result
    };
    SuiteResult { file: suite.file.display().to_string(), cases: suite.cases.iter().map(&mut run).collect() }
}

fn process(pipeline: &mut Pipeline, plan: &Plan, case: &Case) -> Came {
    let mut came = Came { outputs: Vec::new(), stopped_before: None };
    let mut tally = Tally::new(plan);
    for (position, record) in records(plan, case).iter().enumerate() {
        let outputs = &mut came.outputs;
        let processed = pipeline.process::<Infallible>(&record.source(), &Refusals::NONE, &mut tally, &mut |output| {
            outputs.push(Output::of(&output));
            Ok(())
        });
        // Every record is of an ingest of the plan: the suite was checked against it.
        if let Err(ProcessError::Stop { .. }) = processed {
            came.stopped_before = Some(position);
            break;
        }
    }
    came
}

/// The records of a case, at the offsets 0, 1, 2 ... of partition 0.
fn records(plan: &Plan, case: &Case) -> Vec<OwnedRecord> {
    let only = plan.ingest.first().map(|ingest| ingest.kafka_topic.as_str()).unwrap_or_default();
    let record = |given: &Given, value: &Option<Vec<u8>>| OwnedRecord {
        kafka_topic: given.ingest.as_ref().map_or(only, |named| named.text.as_str()).to_owned(),
        partition: 0,
        offset: 0,
        timestamp_ms: given.timestamp_ms,
        key: given.key.clone().map(String::into_bytes),
        value: value.clone(),
        headers: given.headers.iter().map(|(name, value)| (name.clone(), Some(value.clone().into_bytes()))).collect(),
    };
    let of_given = case.given.iter().flat_map(|given| given.values.iter().map(move |value| record(given, value)));
    (0..).zip(of_given).map(|(offset, record)| OwnedRecord { offset, ..record }).collect()
}

impl Output {
    fn of(output: &OutputRecord<'_>) -> Self {
        let header = |header: &crate::domain::output::OutputHeader<'_>| {
            (header.name.to_string(), header.value.as_deref().map(<[u8]>::to_vec))
        };
        Self {
            kind: output.kind,
            key: output.key.as_deref().map(<[u8]>::to_vec),
            value: output.value.map(<[u8]>::to_vec),
            headers: output.headers.iter().map(header).collect(),
        }
    }

    /// A header's value as text; `None` where the output has no such header.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        Some(String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned())
    }

    pub(super) fn key(&self) -> Option<String> {
        self.key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned())
    }
}
