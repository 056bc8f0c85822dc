//! The content of the resources: FHIR R4, one file per type.
//!
//! Each function gives the resource without `meta` content; the chart stamps version, time and organization.

pub(super) mod encounter;
pub(super) mod form;
pub(crate) mod lab;
pub(crate) mod order;
pub(super) mod patient;

use super::hospitals::{Department, Hospital};
use super::json::{Json, object};
use super::people::Person;

/// What the resources of one journey share.
pub(super) struct Visit<'a> {
    pub(super) patient: String,
    pub(super) person: &'a Person,
    pub(super) hospital: &'static Hospital,
    pub(super) department: &'static Department,
    pub(super) encounter: String,
    pub(super) practitioner: &'static str,
}

impl Visit<'_> {
    fn subject(&self) -> Json {
        object! { "reference": format!("Patient/{}", self.patient), "display": self.person.display() }
    }

    fn encounter(&self) -> Json {
        object! { "reference": format!("Encounter/{}", self.encounter) }
    }

    fn practitioner(&self) -> Json {
        object! {
            "identifier": object! { "system": "http://northwind.example.org/staff", "value": self.practitioner },
            "display": self.practitioner,
        }
    }

    fn place(&self) -> Json {
        object! {
            "reference": self.department.organization,
            "display": format!("{}, {}", self.hospital.name, self.department.name),
        }
    }
}

fn coding(system: &str, code: &str, display: &str) -> Json {
    object! { "system": system, "code": code, "display": display }
}

fn concept(system: &str, code: &str, display: &str) -> Json {
    object! { "coding": [coding(system, code, display)], "text": display }
}

fn narrative(text: &str) -> Json {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    object! { "status": "generated", "div": format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{escaped}</div>") }
}
