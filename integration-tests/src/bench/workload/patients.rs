//! The patients and those of their resources that can still change.

use std::collections::VecDeque;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::organizations;
use super::resource::{Resource, ResourceKind};
use crate::events::people::Person;

/// How many patients there are.
pub(super) const PATIENTS: usize = 5_000;

/// A patient.
#[derive(Debug)]
pub(super) struct PatientRecord {
    pub(super) id: String,
    pub(super) person: Person,
    /// A position in [`organizations::all`].
    pub(super) organization: usize,
    /// The last version of the Patient resource; `None` before the first.
    pub(super) registration: Option<Resource>,
    /// The number of the latest Encounter; before there is one, of one that is never published.
    pub(super) encounter: u64,
    /// Resources that can still change, oldest first.
    resources: Vec<Resource>,
}

impl PatientRecord {
    /// Keeps a new resource; the oldest of its type makes room.
    pub(super) fn keep(&mut self, resource: Resource) {
        let of_kind = self.resources.iter().filter(|other| other.kind == resource.kind).count();
        if of_kind >= resource.kind.kept() {
            let oldest = self.resources.iter().position(|other| other.kind == resource.kind);
            self.resources.remove(oldest.expect("there is one of this type"));
        }
        self.resources.push(resource);
    }

    /// The position of one of the resources of a type.
    pub(super) fn draw(&self, kind: ResourceKind, rng: &mut ChaCha8Rng) -> Option<usize> {
        let of_kind = || self.resources.iter().enumerate().filter(|(_, resource)| resource.kind == kind);
        let count = of_kind().count();
        (count > 0).then(|| of_kind().nth(rng.random_range(0..count)).expect("it was counted").0)
    }

    /// How many resources are kept.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.resources.len()
    }

    pub(super) fn resource(&self, position: usize) -> Resource {
        self.resources[position]
    }

    pub(super) fn replace(&mut self, position: usize, resource: Resource) {
        self.resources[position] = resource;
    }

    pub(super) fn remove(&mut self, position: usize) -> Resource {
        self.resources.remove(position)
    }
}

/// All patients: those who wait for their registration, and those who are there.
#[derive(Debug)]
pub(super) struct Patients {
    pub(super) records: Vec<PatientRecord>,
    waiting: VecDeque<usize>,
    present: Vec<usize>,
}

impl Patients {
    /// Nobody is registered yet. `write_id` gives the id of a resource number; the patients' are the first.
    pub(super) fn new(rng: &mut ChaCha8Rng, write_id: impl Fn(u64, &mut String)) -> Self {
        let mut record = |number: usize| {
            let mut id = String::new();
            write_id(number as u64, &mut id);
            PatientRecord {
                id,
                person: Person::new(rng),
                organization: organizations::of_lot(rng.random_range(0..1_000_000)),
                registration: None,
                encounter: (PATIENTS + number) as u64,
                resources: Vec::new(),
            }
        };
        Self {
            records: (0..PATIENTS).map(&mut record).collect(),
            waiting: (0..PATIENTS).collect(),
            present: Vec::new(),
        }
    }

    pub(super) fn nobody_is_present(&self) -> bool {
        self.present.is_empty()
    }

    /// Lets the first who waits in.
    pub(super) fn register(&mut self) -> Option<usize> {
        let patient = self.waiting.pop_front()?;
        self.present.push(patient);
        Some(patient)
    }

    /// Somebody who is there. There must be one.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> usize {
        self.present[rng.random_range(0..self.present.len())]
    }

    /// Sends somebody out, who will come back. There must be one.
    pub(super) fn withdraw(&mut self, rng: &mut ChaCha8Rng) -> usize {
        let patient = self.present.swap_remove(rng.random_range(0..self.present.len()));
        self.waiting.push_back(patient);
        patient
    }

    /// Somebody who is there with a resource of this type, and its position; `None` when they are hard to find.
    pub(super) fn draw_with(&self, kind: ResourceKind, rng: &mut ChaCha8Rng) -> Option<(usize, usize)> {
        (0..32).find_map(|_| {
            let patient = self.draw(rng);
            Some((patient, self.records[patient].draw(kind, rng)?))
        })
    }
}
