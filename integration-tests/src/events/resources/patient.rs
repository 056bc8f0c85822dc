//! Patient: registration data.

use super::super::json::{Json, object};
use super::super::people::Person;
use super::{Visit, coding, narrative};

pub(in super::super) fn patient(visit: &Visit<'_>) -> Json {
    let Person { given, family, gender, birth_date, record_number, .. } = visit.person;
    object! {
        "resourceType": "Patient",
        "id": visit.patient.as_str(),
        "meta": object! {},
        "text": narrative(&format!("{given} {family}, {gender}, born {birth_date}, record number {record_number}")),
        "identifier": [object! {
            "use": "usual",
            "type": object! {
                "coding": [coding("http://terminology.hl7.org/CodeSystem/v2-0203", "MR", "Medical record number")],
            },
            "system": "http://northwind.example.org/medical-record-number",
            "value": record_number.as_str(),
        }],
        "active": true,
        "name": [object! { "use": "official", "family": *family, "given": [Json::from(*given)] }],
        "telecom": [telecom(&visit.person.phone)],
        "gender": *gender,
        "birthDate": birth_date.as_str(),
        "address": [address(visit, &visit.person.street)],
        "contact": [object! {
            "relationship": [object! {
                "coding": [coding("http://terminology.hl7.org/CodeSystem/v2-0131", "C", "Emergency Contact")],
            }],
            "name": object! { "family": *family, "text": format!("next of kin of {given}") },
        }],
        "communication": [object! {
            "language": object! { "coding": [coding("urn:ietf:bcp:47", "en", "English")] },
            "preferred": true,
        }],
        "managingOrganization": object! {
            "reference": visit.hospital.organization,
            "display": visit.hospital.name,
        },
    }
}

pub(in super::super) fn telecom(phone: &str) -> Json {
    object! { "system": "phone", "value": phone, "use": "mobile" }
}

pub(in super::super) fn address(visit: &Visit<'_>, street: &str) -> Json {
    object! {
        "use": "home",
        "line": [Json::from(street)],
        "city": visit.hospital.city,
        "postalCode": visit.person.postal_code.as_str(),
        "country": "US",
    }
}
