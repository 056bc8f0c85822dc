//! Encounter: a visit or a stay.

use jiff::Timestamp;

use super::super::chart::instant;
use super::super::json::{Json, object};
use super::{Visit, coding, concept, narrative};

pub(in super::super) fn encounter(visit: &Visit<'_>, status: &str, start: Timestamp) -> Json {
    let class = visit.department.class;
    object! {
        "resourceType": "Encounter",
        "id": visit.encounter.as_str(),
        "meta": object! {},
        "text": narrative(&format!("{} at {}, {}", class.display(), visit.hospital.name, visit.department.name)),
        "identifier": [object! {
            "system": "http://northwind.example.org/visit-number",
            "value": format!("V{}", visit.person.record_number),
        }],
        "status": status,
        "class": coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", class.code(), class.display()),
        "type": [concept("http://snomed.info/sct", "308335008", "Patient encounter procedure")],
        "subject": visit.subject(),
        "participant": [object! {
            "type": [object! {
                "coding": [coding(
                    "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "ATND", "attender",
                )],
            }],
            "individual": visit.practitioner(),
        }],
        "period": object! { "start": instant(start) },
        "serviceProvider": visit.place(),
    }
}

/// What a finished encounter has in addition.
pub(in super::super) fn finish(resource: &mut Json, start: Timestamp, end: Timestamp) {
    resource.set("status", "finished");
    resource.set("period", object! { "start": instant(start), "end": instant(end) });
    resource.set(
        "hospitalization",
        object! {
            "dischargeDisposition": concept(
                "http://terminology.hl7.org/CodeSystem/discharge-disposition", "home", "Home",
            ),
        },
    );
}
