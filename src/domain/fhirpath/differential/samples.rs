//! Resources to ask criteria about: HL7's examples and the events of the synthetic hospital, by type.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;

use fastrand::Rng;
use ruzstd::decoding::StreamingDecoder;
use serde_json::Value;

use super::super::model::{self, Kind};
use crate::domain::event::FhirRelease;

/// The largest resource that is taken, in bytes: conversion for the general engine would take all the time.
const MAX_BYTES: usize = 16 * 1024;

/// The types that subscriptions are mostly about; asked about as often as all others together.
const EVERYDAY: [&str; 8] = [
    "Observation",
    "Patient",
    "Encounter",
    "Condition",
    "MedicationRequest",
    "DiagnosticReport",
    "ServiceRequest",
    "Bundle",
];

/// The samples of one release.
pub(super) struct Samples {
    pub(super) release: FhirRelease,
    by_type: BTreeMap<&'static str, Vec<Value>>,
}

impl Samples {
    /// Reads them from the folder that `FANOUT_FHIR_DATA` names.
    pub(super) fn read(data: &Path, release: FhirRelease, name: &str) -> Self {
        let mut samples = Self { release, by_type: BTreeMap::new() };
        let archive = data.join(format!("examples/{name}.tar.zst"));
        let mut archive = tar::Archive::new(open(&archive));
        for entry in archive.entries().expect("the examples are an archive") {
            let mut text = String::new();
            entry.expect("an entry").read_to_string(&mut text).expect("an example is text");
            // Folders are entries without content.
            if !text.is_empty() {
                samples.add(&text, Some);
            }
        }
        if release == FhirRelease::R4 {
            let events = BufReader::new(open(&data.join("events/hospital-small.ndjson.zst")));
            for line in events.lines() {
                samples.add(&line.expect("events are text"), |mut event| Some(event.get_mut("resource")?.take()));
            }
        }
        samples
    }

    fn add(&mut self, text: &str, resource: impl FnOnce(Value) -> Option<Value>) {
        if text.len() > MAX_BYTES {
            return;
        }
        let Some(resource) = serde_json::from_str(text).ok().and_then(resource) else { return };
        let name = resource["resourceType"].as_str().and_then(|name| model::model(self.release).find(name));
        if let Some((name, Kind::Resource)) = name {
            self.by_type.entry(name).or_default().push(resource);
        }
    }

    /// A type, and its samples.
    pub(super) fn pick(&self, rng: &mut Rng) -> (&'static str, &[Value]) {
        let everyday: Vec<&&str> = EVERYDAY.iter().filter(|name| self.by_type.contains_key(**name)).collect();
        let all: Vec<&&str> = self.by_type.keys().collect();
        let among = if rng.bool() { &everyday } else { &all };
        let name = rng.choice(among).map_or("Observation", |name| **name);
        (name, &self.by_type[name])
    }
}

fn open(path: &Path) -> impl Read + use<> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    StreamingDecoder::new(BufReader::new(file)).expect("the samples are compressed with zstd")
}
