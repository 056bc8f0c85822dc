//! MedicationRequest: orders.

use jiff::Timestamp;

use super::super::chart::instant;
use super::super::json::{Json, object};
use super::{Visit, concept, narrative};

/// A medicine that is ordered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Medicine {
    pub(crate) code: &'static str,
    pub(crate) display: &'static str,
    pub(crate) dosage: &'static str,
}

/// Everyday orders.
pub(crate) const MEDICINES: &[Medicine] = &[
    Medicine {
        code: "860975",
        display: "24 HR Metformin hydrochloride 500 MG Oral Tablet",
        dosage: "one tablet daily",
    },
    Medicine { code: "198211", display: "Simvastatin 40 MG Oral Tablet", dosage: "one tablet in the evening" },
    Medicine { code: "313782", display: "Acetaminophen 325 MG Oral Tablet", dosage: "two tablets every six hours" },
];

/// What a critical result asks for at once.
pub(in super::super) const URGENT_MEDICINE: Medicine =
    Medicine { code: "1085996", display: "Calcium gluconate 100 MG/ML Injection", dosage: "10 mL slowly, now" };

pub(in super::super) fn request(
    visit: &Visit<'_>,
    id: &str,
    medicine: Medicine,
    priority: &str,
    at: Timestamp,
) -> Json {
    object! {
        "resourceType": "MedicationRequest",
        "id": id,
        "meta": object! {},
        "text": narrative(&format!("{}: {}", medicine.display, medicine.dosage)),
        "identifier": [object! {
            "system": "http://northwind.example.org/order",
            "value": format!("R{}", &id[..8]),
        }],
        "status": "active",
        "intent": "order",
        "category": [concept(
            "http://terminology.hl7.org/CodeSystem/medicationrequest-category", "inpatient", "Inpatient",
        )],
        "priority": priority,
        "medicationCodeableConcept": concept(
            "http://www.nlm.nih.gov/research/umls/rxnorm", medicine.code, medicine.display,
        ),
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "authoredOn": instant(at),
        "requester": visit.practitioner(),
        "dosageInstruction": [object! {
            "sequence": Json::number(1),
            "text": medicine.dosage,
            "asNeededBoolean": false,
        }],
        "dispenseRequest": object! {
            "numberOfRepeatsAllowed": Json::number(0),
            "quantity": object! { "value": Json::number(10), "unit": "dose" },
        },
    }
}
