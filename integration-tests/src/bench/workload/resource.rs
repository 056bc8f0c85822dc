//! A resource of the workload as the few numbers that its JSON is made of, and what its changes do to them.
//!
//! The state is all that is kept: any version's JSON can be made from it again, so that `previous` is the true previous
//! version without anybody keeping texts.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::events::people::pick;
use crate::events::resources::lab::PANEL;
use crate::events::resources::order::MEDICINES;

/// The types of the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum ResourceKind {
    Observation,
    Encounter,
    QuestionnaireResponse,
    Patient,
    MedicationRequest,
}

impl ResourceKind {
    pub(super) const ALL: [Self; 5] =
        [Self::Observation, Self::Encounter, Self::QuestionnaireResponse, Self::Patient, Self::MedicationRequest];

    /// The FHIR resource type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Observation => "Observation",
            Self::Encounter => "Encounter",
            Self::QuestionnaireResponse => "QuestionnaireResponse",
            Self::Patient => "Patient",
            Self::MedicationRequest => "MedicationRequest",
        }
    }

    /// How many resources of a patient can still change; older ones stay as they are.
    pub(super) fn kept(self) -> usize {
        match self {
            Self::Observation => 6,
            Self::Encounter | Self::QuestionnaireResponse | Self::MedicationRequest => 3,
            Self::Patient => 1,
        }
    }
}

/// One version of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) kind: ResourceKind,
    /// Unlike that of every other resource; the id is made of it.
    pub(super) number: u64,
    pub(super) version: u32,
    /// Empty for a Patient.
    pub(super) status: &'static str,
    /// An Observation's test in [`PANEL`], a MedicationRequest's medicine in [`MEDICINES`], else a lot.
    pub(super) item: usize,
    /// An Observation's value in thousandths of its unit.
    pub(super) thousandths: i64,
    /// The number of the Encounter that it belongs to.
    pub(super) encounter: u64,
    /// Milliseconds since 1970 of its first version and of this one.
    pub(super) created: i64,
    pub(super) updated: i64,
}

impl Resource {
    /// A first version.
    pub(super) fn new(kind: ResourceKind, number: u64, encounter: u64, now: i64, rng: &mut ChaCha8Rng) -> Self {
        let (mut item, mut thousandths) = (rng.random_range(0..1_000), 0);
        let status = match kind {
            ResourceKind::Observation => {
                item %= PANEL.len();
                thousandths = PANEL[item].draw(rng).thousandths;
                if rng.random_ratio(17, 20) { "final" } else { "preliminary" }
            }
            ResourceKind::Encounter => pick(rng, &["planned", "arrived", "in-progress"]),
            ResourceKind::QuestionnaireResponse => {
                if rng.random_ratio(8, 10) {
                    "completed"
                } else {
                    "in-progress"
                }
            }
            ResourceKind::MedicationRequest => {
                item %= MEDICINES.len();
                if rng.random_ratio(8, 10) { "active" } else { "draft" }
            }
            ResourceKind::Patient => "",
        };
        Self { kind, number, version: 1, status, item, thousandths, encounter, created: now, updated: now }
    }

    /// The next version.
    pub(super) fn next(self, now: i64, rng: &mut ChaCha8Rng) -> Self {
        let lot = rng.random_range(0..10);
        let status = next_status(self.kind, self.status, lot);
        let thousandths = match status {
            "corrected" => PANEL[self.item].draw(rng).thousandths,
            _ => self.thousandths,
        };
        Self { version: self.version + 1, status, thousandths, updated: now, ..self }
    }

    /// Whether nobody changes it any more.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.status, "corrected" | "amended" | "finished" | "stopped")
            || (self.kind == ResourceKind::MedicationRequest && self.status == "completed")
    }
}

/// What an update makes of a status; `lot` is one of ten.
fn next_status(kind: ResourceKind, status: &'static str, lot: u32) -> &'static str {
    match (kind, status) {
        (ResourceKind::Observation, "final") if lot < 8 => "final",
        (ResourceKind::Observation, "preliminary") => "final",
        (ResourceKind::Observation, _) => "corrected",
        // Somebody moves to another bed.
        (ResourceKind::Encounter, status) if lot < 2 => status,
        (ResourceKind::Encounter, "planned") => "arrived",
        (ResourceKind::Encounter, "arrived" | "onleave") => "in-progress",
        (ResourceKind::Encounter, "in-progress") if lot < 5 => "onleave",
        (ResourceKind::Encounter, _) => "finished",
        (ResourceKind::QuestionnaireResponse, "completed") if lot < 8 => "completed",
        (ResourceKind::QuestionnaireResponse, "in-progress") => "completed",
        (ResourceKind::QuestionnaireResponse, _) => "amended",
        (ResourceKind::MedicationRequest, "draft") => "active",
        (ResourceKind::MedicationRequest, "active") if lot < 6 => "active",
        (ResourceKind::MedicationRequest, "active") if lot < 8 => "stopped",
        (ResourceKind::MedicationRequest, _) => "completed",
        (ResourceKind::Patient, status) => status,
    }
}
