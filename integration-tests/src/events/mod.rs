//! Sample hospital events, made from a seed.
//!
//! ```text
//! arrivals of patients -> journey (registration, encounter, labs, form, orders) -> events in order of their time
//! ```
//!
//! [`ClinicalDay`] is an endless iterator: patients arrive at the [`hospitals`], each has a journey of some hours, and
//! every change of a resource is one event in the ingest format `change`, keyed by the patient id. All of it is invented.
//!
//! Promises: the same [`DayOptions`] give the same bytes on every machine and in every build; the resources are valid
//! FHIR R4; and each event states its [`Facts`], so that a test knows what has to come out without reading the JSON.

mod chart;
mod damage;
mod day;
pub mod hospitals;
mod journey;
mod json;
pub(crate) mod people;
pub(crate) mod resources;
#[cfg(test)]
mod tests;

use fhir_fanout::domain::event::Interaction;
use jiff::Timestamp;

pub use damage::Damage;
pub use day::{ClinicalDay, padded_labs};
pub use hospitals::EncounterClass;

/// URL of the extension in `meta` that names a resource's organization.
pub const ORGANIZATION_EXTENSION: &str = "https://aidbox.app/tenant-organization-id";

/// What kind of day it is.
#[derive(Debug, Clone)]
pub struct DayOptions {
    /// Everything random comes from here.
    pub seed: u64,
    /// When the first patient arrives.
    pub start: Timestamp,
    /// How many of a hundred updates carry `previous`.
    pub previous_percent: u32,
    /// Whether some deletes name the resource only and carry no state.
    pub bare_deletes: bool,
    /// After how many good events a broken record stands; `None`: never.
    pub broken_every: Option<u32>,
}

impl Default for DayOptions {
    /// A Monday in 2026 with `previous` on half of the updates, some bare deletes and nothing broken.
    fn default() -> Self {
        Self {
            seed: 7,
            start: Timestamp::from_second(1_772_431_200).expect("2026-03-02T06:00:00Z is in range"),
            previous_percent: 50,
            bare_deletes: true,
            broken_every: None,
        }
    }
}

/// One record for the ingest Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleEvent {
    /// The record key: the patient id.
    pub key: String,
    /// The record value; `None` is Kafka's null (a broken record only).
    pub value: Option<Vec<u8>>,
    /// When it happened.
    pub at: Timestamp,
    /// What is in it.
    pub facts: Facts,
}

/// What an event says, for stating expectations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The resource's type.
    pub resource_type: &'static str,
    /// The resource's id.
    pub id: String,
    /// The patient's id.
    pub patient: String,
    /// What was done.
    pub interaction: Interaction,
    /// `meta.versionId` of the current version; of a delete: of the last one.
    pub version: u32,
    /// The event's organization, wherever it stands; `None`: the event names none.
    pub organization: Option<&'static str>,
    /// `status` of the current version; of a delete: of the last one. `None` where the type has none.
    pub status: Option<String>,
    /// `status` of the version before an update; of a delete: of the last one.
    pub previous_status: Option<String>,
    /// Whether the event carries what %previous reads: `previous`, or a delete's last state.
    pub carries_previous: bool,
    /// Whether the event carries a resource at all (a bare delete does not).
    pub carries_content: bool,
    /// What only some types have.
    pub detail: Detail,
    /// How the record is broken; then nothing above can be read from it.
    pub damage: Option<Damage>,
}

impl Facts {
    /// `Type/id`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }
}

/// What only some resource types have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Nothing more (Patient, QuestionnaireResponse).
    None,
    /// An Encounter.
    Encounter(EncounterClass),
    /// A laboratory Observation.
    Lab(LabResult),
    /// A MedicationRequest.
    Order {
        /// FHIR request-priority: `routine`, `urgent` or `stat`.
        priority: &'static str,
    },
}

/// The result of a laboratory test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabResult {
    /// LOINC code.
    pub code: &'static str,
    /// The value in thousandths of the test's unit: exact, unlike a float.
    pub thousandths: i64,
    /// How it lies in the reference range.
    pub criticality: Criticality,
}

/// How a laboratory value lies in its reference range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Criticality {
    /// Within the reference range.
    Normal,
    /// Outside of it (interpretation `L` or `H`).
    Abnormal,
    /// Dangerous (interpretation `LL` or `HH`).
    Critical,
}
