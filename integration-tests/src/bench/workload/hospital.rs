//! W3: the change events of Synthea's hospital, in the format `change`.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::Context;
use ruzstd::decoding::StreamingDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Record;

/// Where the folder of FHIR data is.
const FOLDER: &str = "FANOUT_FHIR_DATA";
const FILE: &str = "events/hospital-large.ndjson.zst";

/// The events of a file, each read when it is asked for.
///
/// The key is the patient's id (of resources that are about nobody: their own). The file has no previous versions and no
/// organizations, and neither have the records. The first of them happened before 1970.
pub struct HospitalEvents {
    lines: BufReader<StreamingDecoder<BufReader<File>, ruzstd::decoding::FrameDecoder>>,
    line: String,
}

/// A line of the file.
#[derive(Deserialize)]
struct Line<'a> {
    ts: &'a str,
    op: &'a str,
    #[serde(rename = "type")]
    resource_type: &'a str,
    id: &'a str,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

/// What may name the patient.
#[derive(Deserialize)]
struct About {
    subject: Option<Reference>,
    patient: Option<Reference>,
    beneficiary: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    reference: Option<String>,
}

impl HospitalEvents {
    /// The events in the folder that `FANOUT_FHIR_DATA` names; `None`, said loudly, where it is absent.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn open() -> anyhow::Result<Option<Self>> {
        let folder = std::env::var_os(FOLDER);
        let path = folder.as_ref().map(|folder| Path::new(folder).join(FILE)).filter(|path| path.exists());
        let Some(path) = path else {
            crate::bench::text::say(&format!("\n!!! LEFT OUT: W3; {FOLDER} names no folder with {FILE} !!!\n"));
            return Ok(None);
        };
        Self::of_file(&path).map(Some)
    }

    fn of_file(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let decoder = StreamingDecoder::new(BufReader::new(file)).context("the events are compressed with zstd")?;
        Ok(Self { lines: BufReader::with_capacity(1 << 20, decoder), line: String::new() })
    }

    fn read(&mut self) -> anyhow::Result<Option<Record>> {
        self.line.clear();
        if self.lines.read_line(&mut self.line)? == 0 {
            return Ok(None);
        }
        record(&self.line).map(Some)
    }
}

impl Iterator for HospitalEvents {
    type Item = anyhow::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn record(line: &str) -> anyhow::Result<Record> {
    let Line { ts, op, resource_type, id, resource } = serde_json::from_str(line)?;
    let timestamp: jiff::Timestamp = ts.parse()?;
    let mut value = format!("{{\"interaction\":\"{op}\"");
    match resource {
        Some(resource) => value.extend([",\"resource\":", resource.get()]),
        None => value.extend([",\"reference\":\"", resource_type, "/", id, "\""]),
    }
    value.extend([",\"timestamp\":\"", ts, "\"}"]);
    let patient = match resource {
        Some(resource) if resource_type != "Patient" => patient(resource.get())?,
        _ => None,
    };
    Ok(Record { key: patient.unwrap_or_else(|| id.to_owned()), value, timestamp_ms: timestamp.as_millisecond() })
}

fn patient(resource: &str) -> anyhow::Result<Option<String>> {
    let About { subject, patient, beneficiary } = serde_json::from_str(resource)?;
    let references = [subject, patient, beneficiary].into_iter().flatten();
    let mut ids = references.filter_map(|about| Some(about.reference?.strip_prefix("Patient/")?.to_owned()));
    Ok(ids.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_change() {
        let line = r#"{"seq":1,"ts":"2026-01-02T03:04:05.000Z","op":"update","type":"Encounter","id":"e","vid":"2","resource":{"resourceType":"Encounter","id":"e","subject":{"reference":"Patient/p"}}}"#;
        let Record { key, value, timestamp_ms } = record(line).expect("it is a line");
        assert_eq!((key.as_str(), timestamp_ms), ("p", 1_767_323_045_000));
        assert_eq!(
            value,
            r#"{"interaction":"update","resource":{"resourceType":"Encounter","id":"e","subject":{"reference":"Patient/p"}},"timestamp":"2026-01-02T03:04:05.000Z"}"#
        );
        let gone = r#"{"seq":2,"ts":"2026-01-02T03:04:05.000Z","op":"delete","type":"Observation","id":"o","vid":"3"}"#;
        let Record { key, value, .. } = record(gone).expect("it is a line");
        assert_eq!(key, "o");
        assert_eq!(
            value,
            r#"{"interaction":"delete","reference":"Observation/o","timestamp":"2026-01-02T03:04:05.000Z"}"#
        );
    }
}
