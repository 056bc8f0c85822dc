//! The workloads that everything is measured with: W1, W2 (the same events, a thousand topics) and W3 (Synthea).
//!
//! ```text
//! schedule (exact shares) -> a patient and one of their resources -> its next version -> JSON, previous, envelope
//! ```
//!
//! [`Workload`] is an endless stream of records in the format `change`, keyed by the patient id. The same seed gives the
//! same bytes on every machine. What is kept are numbers of 5,000 patients and their latest resources (some megabytes),
//! however many records are made: any version's text can be made again from them, so that updates and deletes are of
//! resources that exist, and `previous` is the version that came before. [`HospitalEvents`] reads W3 from its file.

mod hospital;
mod organizations;
mod patients;
pub mod plan;
mod render;
mod resource;
mod schedule;
mod template;
#[cfg(test)]
mod tests;
mod topics;

use std::collections::VecDeque;

use fhir_fanout::domain::event::Interaction;
use fhir_fanout::domain::time::write_millis;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use hospital::HospitalEvents;
use patients::{PATIENTS, PatientRecord, Patients};
use render::Renderer;
use resource::{Resource, ResourceKind};
use schedule::{Schedule, Slot};
pub use topics::{Destination, Kind};

/// One record for the ingest Kafka topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The record key: the patient id.
    pub key: String,
    /// The record value: an event in the `change` envelope.
    pub value: String,
    /// When it happened, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// An endless stream of records; see the module.
#[derive(Debug)]
pub struct Workload {
    kind: Kind,
    rng: ChaCha8Rng,
    schedule: Schedule,
    /// Slots that came before there was any patient.
    postponed: VecDeque<Slot>,
    /// Interactions that could not be when their turn came, and wait for a create to take its place.
    owed: VecDeque<Interaction>,
    patients: Patients,
    renderer: Renderer,
    next_number: u64,
    now: i64,
}

/// 2026-03-02T06:00:00Z.
const START: i64 = 1_772_431_200_000;
/// Milliseconds between two events: 84 of them in a second, as in a hospital of 500 beds.
const GAP: std::ops::RangeInclusive<i64> = 1..=23;

/// What happened to a resource.
#[derive(Debug, Clone, Copy)]
struct Change {
    patient: usize,
    interaction: Interaction,
    /// The version after it; of a delete: the last one.
    resource: Resource,
    /// The version before an update.
    before: Option<Resource>,
}

impl Workload {
    /// The stream of this seed, from its first record on. W1 and W2 have the same records.
    #[must_use]
    pub fn new(kind: Kind, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let renderer = Renderer::new(seed);
        let patients = Patients::new(&mut rng, |number, out| renderer.write_id(number, out));
        Self {
            kind,
            rng,
            schedule: Schedule::default(),
            postponed: VecDeque::new(),
            owed: VecDeque::new(),
            patients,
            renderer,
            next_number: 2 * PATIENTS as u64,
            now: START,
        }
    }

    /// topics.yaml of this workload: see [`Kind::topics_yaml`].
    #[must_use]
    pub fn topics_yaml(&self, prefix: &str, ingest: &str, dead_letters: &str) -> String {
        self.kind.topics_yaml(prefix, ingest, dead_letters)
    }

    /// The destinations of this workload that get something: see [`Kind::destinations`].
    #[must_use]
    pub fn destinations(&self) -> Vec<Destination> {
        self.kind.destinations()
    }

    /// Writes the next record over `record`, whose memory is used again.
    pub fn write_next(&mut self, record: &mut Record) {
        self.now += self.rng.random_range(GAP);
        let slot = self.slot();
        let change = self.change(slot);
        let carries_previous = change.interaction == Interaction::Update && self.rng.random();
        let patient = &self.patients.records[change.patient];
        record.key.clone_from(&patient.id);
        record.timestamp_ms = self.now;
        let previous = change.before.filter(|_| carries_previous);
        write_envelope(&mut record.value, &mut self.renderer, patient, &change, previous, self.now);
    }

    /// The next slot that can be filled: before anybody is registered, only a registration can.
    fn slot(&mut self) -> Slot {
        if self.patients.nobody_is_present() {
            loop {
                match self.schedule.next(&mut self.rng) {
                    Slot::Patient => return Slot::Patient,
                    slot => self.postponed.push_back(slot),
                }
            }
        }
        self.postponed.pop_front().unwrap_or_else(|| self.schedule.next(&mut self.rng))
    }

    fn change(&mut self, slot: Slot) -> Change {
        match slot {
            Slot::Patient => self.register().unwrap_or_else(|| self.change_patient()),
            Slot::PatientDeleted => self.delete_patient(),
            Slot::Other(kind, Interaction::Create) => match self.owed.pop_front() {
                Some(owed) => self.change_other(kind, owed),
                None => self.create(kind),
            },
            Slot::Other(kind, interaction) => self.change_other(kind, interaction),
        }
    }

    /// Stands in for an update, which is owed then.
    fn register(&mut self) -> Option<Change> {
        let patient = self.patients.register()?;
        self.owed.push_back(Interaction::Update);
        let record = &mut self.patients.records[patient];
        let resource = match record.registration {
            Some(last) => last.next(self.now, &mut self.rng),
            None => Resource::new(ResourceKind::Patient, patient as u64, record.encounter, self.now, &mut self.rng),
        };
        record.registration = Some(resource);
        Some(Change { patient, interaction: Interaction::Create, resource, before: None })
    }

    fn change_patient(&mut self) -> Change {
        let patient = self.patients.draw(&mut self.rng);
        let registration = &mut self.patients.records[patient].registration;
        let before = registration.expect("who is there is registered");
        let resource = before.next(self.now, &mut self.rng);
        *registration = Some(resource);
        Change { patient, interaction: Interaction::Update, resource, before: Some(before) }
    }

    fn delete_patient(&mut self) -> Change {
        let patient = self.patients.withdraw(&mut self.rng);
        let resource = self.patients.records[patient].registration.expect("who is there is registered");
        Change { patient, interaction: Interaction::Delete, resource, before: None }
    }

    fn create(&mut self, kind: ResourceKind) -> Change {
        let patient = self.patients.draw(&mut self.rng);
        let record = &mut self.patients.records[patient];
        let number = self.next_number;
        self.next_number += 1;
        if kind == ResourceKind::Encounter {
            record.encounter = number;
        }
        let resource = Resource::new(kind, number, record.encounter, self.now, &mut self.rng);
        record.keep(resource);
        Change { patient, interaction: Interaction::Create, resource, before: None }
    }

    /// Updates or deletes a resource of this type; where there is none yet, creates one, and the change is owed.
    fn change_other(&mut self, kind: ResourceKind, interaction: Interaction) -> Change {
        let Some((patient, position)) = self.patients.draw_with(kind, &mut self.rng) else {
            self.owed.push_back(interaction);
            return self.create(kind);
        };
        let record = &mut self.patients.records[patient];
        if interaction == Interaction::Delete {
            return Change { patient, interaction, resource: record.remove(position), before: None };
        }
        let before = record.resource(position);
        let resource = before.next(self.now, &mut self.rng);
        if resource.is_settled() {
            record.remove(position);
        } else {
            record.replace(position, resource);
        }
        Change { patient, interaction: Interaction::Update, resource, before: Some(before) }
    }
}

impl Iterator for Workload {
    type Item = Record;

    /// Never `None`.
    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        self.write_next(&mut record);
        Some(record)
    }
}

fn write_envelope(
    out: &mut String,
    renderer: &mut Renderer,
    patient: &PatientRecord,
    change: &Change,
    previous: Option<Resource>,
    now: i64,
) {
    out.clear();
    out.extend(["{\"interaction\":\"", change.interaction.code(), "\",\"resource\":"]);
    renderer.write(&change.resource, patient, out);
    if let Some(previous) = previous {
        out.push_str(",\"previous\":");
        renderer.write(&previous, patient, out);
    }
    if change.interaction == Interaction::Delete {
        out.extend([",\"reference\":\"", change.resource.kind.name(), "/"]);
        renderer.write_id(change.resource.number, out);
        out.push('"');
    }
    out.push_str(",\"timestamp\":\"");
    assert!(write_millis(now, out), "the workload's time is within the years of FHIR");
    out.push_str("\"}");
}
