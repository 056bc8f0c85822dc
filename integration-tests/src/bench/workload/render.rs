//! A version of a resource as FHIR JSON, from its numbers and its patient.

use std::fmt::Write as _;

use fhir_fanout::domain::time::write_millis;

use super::organizations::{self, Organization};
use super::patients::PatientRecord;
use super::resource::{Resource, ResourceKind};
use super::template::{Field, Place, Template};
use crate::events::hospitals::EncounterClass;
use crate::events::resources::lab::{PANEL, Test};
use crate::events::resources::order::{MEDICINES, Medicine};

/// Makes the texts; keeps its buffers.
#[derive(Debug)]
pub(super) struct Renderer {
    seed: u64,
    /// In the order of [`ResourceKind::ALL`].
    templates: [Template; ResourceKind::ALL.len()],
    organizations: Vec<Organization>,
    created: String,
    updated: String,
}

const PRACTITIONERS: [&str; 6] = [
    "Dr. Ada Whitlock",
    "Dr. Samuel Osei",
    "Dr. Priya Raman",
    "Dr. Lena Vogt",
    "Dr. Tomás Herrera",
    "Dr. Mei Castellan",
];
const REMARKS: [&str; 8] = [
    "Confirmed by a second measurement.",
    "Sample arrived late; the result is plausible all the same.",
    "The patient was not fasting.",
    "Please repeat within a week.",
    "No change since the last visit.",
    "Discussed with the patient and the family, who agree with the plan.",
    "Slightly haemolytic, no effect expected.",
    "See the letter of the referring physician – “stable since spring”.",
];
const COMPLAINTS: [&str; 6] = [
    "Chest pain under strain",
    "Follow-up after surgery",
    "Fever since two days",
    "Shortness of breath at night",
    "Fall at home, pain in the left hip",
    "Dizziness after standing up",
];
const SPECIMENS: [&str; 4] = ["Venous blood", "Serum, EDTA tube", "Arterial blood", "Plasma, heparin tube"];
const CLASSES: [EncounterClass; 3] = [EncounterClass::Ambulatory, EncounterClass::Emergency, EncounterClass::Inpatient];

impl Renderer {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            templates: ResourceKind::ALL.map(Template::of),
            organizations: organizations::all(),
            created: String::new(),
            updated: String::new(),
        }
    }

    /// Appends the id of the resource with this number.
    pub(super) fn write_id(&self, number: u64, out: &mut String) {
        let halves = [mix(self.seed ^ mix(number)), mix(self.seed.wrapping_add(mix(!number)))];
        let bytes = (u128::from(halves[0]) << 64 | u128::from(halves[1])).to_be_bytes();
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        out.push_str(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()));
    }

    /// Appends a version of a patient's resource.
    pub(super) fn write(&mut self, resource: &Resource, patient: &PatientRecord, out: &mut String) {
        for (text, millis) in [(&mut self.created, resource.created), (&mut self.updated, resource.updated)] {
            text.clear();
            assert!(write_millis(millis, text), "the workload's time is within the years of FHIR");
        }
        let view = View { renderer: self, resource, patient, test: &PANEL[resource.item % PANEL.len()] };
        self.templates[resource.kind as usize].write(out, |place, out| view.fill(place, out));
    }
}

/// A well-mixed number (the finalizer of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

struct View<'v> {
    renderer: &'v Renderer,
    resource: &'v Resource,
    patient: &'v PatientRecord,
    test: &'static Test,
}

impl View<'_> {
    fn fill(&self, place: Place, out: &mut String) {
        let (resource, person) = (self.resource, &self.patient.person);
        match place.field {
            Field::Id => self.renderer.write_id(resource.number, out),
            Field::Number => number(out, resource.number),
            Field::Version => number(out, u64::from(resource.version)),
            Field::Updated => out.push_str(&self.renderer.updated),
            Field::Created => out.push_str(&self.renderer.created),
            Field::Status => out.push_str(resource.status),
            Field::Organization => out.push_str(&self.organization().reference),
            Field::PlaceName => out.push_str(&self.organization().name),
            Field::Room => number(out, 1 + self.lot(place) % 60),
            Field::Patient => out.push_str(&self.patient.id),
            Field::Encounter => self.renderer.write_id(resource.encounter, out),
            Field::Name => out.extend([person.given, " ", person.family]),
            Field::Given => out.push_str(person.given),
            Field::Family => out.push_str(person.family),
            Field::Gender => out.push_str(person.gender),
            Field::BirthDate => out.push_str(&person.birth_date),
            Field::RecordNumber => out.push_str(&person.record_number),
            Field::Phone => phone(out, self.lot(place)),
            Field::HomePhone => out.push_str(&person.phone),
            Field::Street => number_and_street(out, self.lot(Place { ordinal: 0, ..place }), &person.street),
            Field::SecondStreet => out.push_str(&person.street),
            Field::PostalCode => out.push_str(&person.postal_code),
            Field::Practitioner => out.push_str(self.constant(&PRACTITIONERS)),
            Field::TestCode => out.push_str(self.test.code),
            Field::TestName => out.push_str(self.test.display),
            Field::TestShort => out.push_str(self.test.display.split(' ').next().unwrap_or_default()),
            Field::Value => out.push_str(&self.test.decimal(resource.thousandths)),
            Field::Unit => out.push_str(self.test.unit),
            Field::NormalLow => out.push_str(&self.test.decimal(self.test.normal.0)),
            Field::NormalHigh => out.push_str(&self.test.decimal(self.test.normal.1)),
            Field::Flag => out.push_str(self.flag()),
            Field::Specimen => out.push_str(self.constant(&SPECIMENS)),
            Field::Remark => out.push_str(self.drawn(place, &REMARKS)),
            Field::Class => out.push_str(self.class().code()),
            Field::ClassName => out.push_str(self.class().display()),
            Field::PeriodEnd if resource.status == "finished" => {
                out.extend([",\"end\":\"", &self.renderer.updated, "\""])
            }
            Field::PeriodEnd => {}
            Field::Complaint => out.push_str(self.constant(&COMPLAINTS)),
            Field::MedicineCode => out.push_str(self.medicine().code),
            Field::Medicine => out.push_str(self.medicine().display),
            Field::Dosage => out.push_str(self.medicine().dosage),
            Field::MedicineTaken => out.push_str(self.drawn(place, MEDICINES).display),
            Field::Digit => number(out, self.lot(place) % 10),
            Field::YesOrNo => out.push_str(if self.lot(place).is_multiple_of(2) { "true" } else { "false" }),
        }
    }

    /// A number that differs by resource, version and place.
    fn lot(&self, place: Place) -> u64 {
        mix(self.resource.number ^ u64::from(self.resource.version) << 48 ^ place.ordinal << 40)
    }

    fn drawn<T: Copy>(&self, place: Place, items: &[T]) -> T {
        items[(self.lot(place) % items.len() as u64) as usize]
    }

    /// One that is the same in all versions.
    fn constant(&self, items: &[&'static str]) -> &'static str {
        items[(mix(self.resource.number) % items.len() as u64) as usize]
    }

    fn organization(&self) -> &Organization {
        &self.renderer.organizations[self.patient.organization]
    }

    fn class(&self) -> EncounterClass {
        CLASSES[self.resource.item % CLASSES.len()]
    }

    fn medicine(&self) -> &'static Medicine {
        &MEDICINES[self.resource.item % MEDICINES.len()]
    }

    fn flag(&self) -> &'static str {
        let (low, high) = self.test.normal;
        match self.resource.thousandths {
            value if value < low => "L",
            value if value > high => "H",
            _ => "N",
        }
    }
}

fn number(out: &mut String, number: u64) {
    write!(out, "{number}").expect("a string takes everything");
}

/// A telephone number from the range that is reserved for fiction.
fn phone(out: &mut String, lot: u64) {
    write!(out, "+1-{}-555-01{:02}", 201 + lot % 700, lot / 700 % 100).expect("a string takes everything");
}

fn number_and_street(out: &mut String, lot: u64, street: &str) {
    let name = street.split_once(' ').map_or(street, |(_, name)| name);
    write!(out, "{} {name}", 1 + lot % 240).expect("a string takes everything");
}
