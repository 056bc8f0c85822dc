//! One patient's journey through a hospital.
//!
//! ```text
//! Patient            created --------------- address updated (some) ---------------- deleted as duplicate (few)
//! Encounter          planned -> in-progress ------------------------------------> finished   | cancelled -> deleted
//! Observation        round 1: panel, final or preliminary -> final -> corrected; round 2 ...   | entered in error
//! QuestionnaireResponse       in-progress -> completed -> amended (some)
//! MedicationRequest           active -> completed | stopped;  stat after a critical potassium
//! ```

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::chart::{Chart, Entry, OrganizationStyle};
use super::hospitals::{EncounterClass, HOSPITALS, Hospital, UNKNOWN_ORGANIZATION};
use super::json::{Json, object};
use super::people::{self, Person, pick};
use super::resources::{Visit, encounter, form, lab, order, patient};
use super::{Criticality, DayOptions, Detail, LabResult, SampleEvent};

const PRACTITIONERS: &[&str] = &["Dr. Ada Whitlock", "Dr. Samuel Osei", "Dr. Priya Raman", "Dr. Lena Vogt"];
const POTASSIUM: &str = "6298-4";

/// All events of the patient who arrives at this time.
pub(super) fn journey(options: &DayOptions, mut rng: ChaCha8Rng, arrival: Timestamp) -> Vec<SampleEvent> {
    let style = match rng.random_range(0..100) {
        0..84 => OrganizationStyle::Meta,
        84..88 => OrganizationStyle::MetaAbsolute,
        88..92 => OrganizationStyle::EnvelopeText,
        92..96 => OrganizationStyle::EnvelopeReference,
        _ => OrganizationStyle::Absent,
    };
    let hospital = pick_hospital(&mut rng);
    let department = &hospital.departments[rng.random_range(0..hospital.departments.len())];
    let person = Person::new(&mut rng);
    let unknown = rng.random_range(0..100) < 3;
    let practitioner = pick(&mut rng, PRACTITIONERS);
    let mut chart = Chart::new(options, rng, style);
    let encounter = chart.new_id();
    let visit =
        Visit { patient: chart.patient.clone(), person: &person, hospital, department, encounter, practitioner };
    let organization = if unknown { UNKNOWN_ORGANIZATION } else { department.organization };
    Journey { chart, visit: &visit, organization, now: arrival }.run()
}

fn pick_hospital(rng: &mut ChaCha8Rng) -> &'static Hospital {
    let mut lot = rng.random_range(0..10);
    for hospital in HOSPITALS {
        if lot < hospital.share {
            return hospital;
        }
        lot -= hospital.share;
    }
    &HOSPITALS[0]
}

struct Journey<'a> {
    chart: Chart<'a>,
    visit: &'a Visit<'a>,
    organization: &'static str,
    now: Timestamp,
}

impl Journey<'_> {
    fn run(mut self) -> Vec<SampleEvent> {
        let mut registration = self.register();
        let Some((mut stay, started)) = self.admit() else { return self.chart.into_events() };
        let mut form = self.start_form();
        let rounds = if self.visit.department.class == EncounterClass::Inpatient { 3 } else { 1 };
        for _ in 0..rounds {
            self.pass(10..40);
            self.laboratory_round();
            self.order(order::MEDICINES, "routine");
        }
        self.finish_form(&mut form);
        if self.chart.chance(30) {
            self.move_house(&mut registration);
        }
        self.discharge(&mut stay, started);
        if self.chart.chance(4) {
            self.pass(5..30);
            self.chart.delete(self.now, &registration);
        }
        self.chart.into_events()
    }

    /// Lets minutes (and some seconds) go by.
    fn pass(&mut self, minutes: std::ops::Range<i64>) {
        let minutes = self.chart.rng.random_range(minutes);
        let milliseconds = self.chart.rng.random_range(0..60_000);
        self.now += SignedDuration::from_mins(minutes) + SignedDuration::from_millis(milliseconds);
    }

    fn entry(&self, resource_type: &'static str, id: &str, detail: Detail, resource: Json) -> Entry {
        Entry::new(resource_type, id, self.organization, detail, resource)
    }

    fn register(&mut self) -> Entry {
        let entry = self.entry("Patient", &self.visit.patient, Detail::None, patient::patient(self.visit));
        self.chart.create(self.now, entry)
    }

    fn move_house(&mut self, registration: &mut Entry) {
        let street = people::street(&mut self.chart.rng);
        let phone = people::phone(&mut self.chart.rng);
        self.chart.update(self.now, registration, |resource| {
            resource.set("telecom", [patient::telecom(&phone)]);
            resource.set("address", [patient::address(self.visit, &street)]);
        });
    }

    /// Opens the encounter; `None` when the patient did not come.
    fn admit(&mut self) -> Option<(Entry, Timestamp)> {
        let class = self.visit.department.class;
        let detail = Detail::Encounter(class);
        self.pass(1..5);
        let emergency = class == EncounterClass::Emergency;
        let status = if emergency { "in-progress" } else { "planned" };
        let resource = encounter::encounter(self.visit, status, self.now);
        let entry = self.entry("Encounter", &self.visit.encounter, detail, resource);
        let mut stay = self.chart.create(self.now, entry);
        if !emergency {
            self.pass(5..30);
            if self.chart.chance(8) {
                self.chart.update(self.now, &mut stay, |resource| resource.set("status", "cancelled"));
                self.pass(5..30);
                self.chart.delete(self.now, &stay);
                return None;
            }
            self.chart.update(self.now, &mut stay, |resource| resource.set("status", "in-progress"));
        }
        Some((stay, self.now))
    }

    fn discharge(&mut self, stay: &mut Entry, started: Timestamp) {
        self.pass(15..60);
        let end = self.now;
        self.chart.update(end, stay, |resource| encounter::finish(resource, started, end));
    }

    fn laboratory_round(&mut self) {
        for test in lab::PANEL {
            let result = test.draw(&mut self.chart.rng);
            let preliminary = self.chart.chance(20);
            let mut entry = self.observe(test, result, if preliminary { "preliminary" } else { "final" });
            if preliminary {
                self.pass(2..10);
                self.chart.update(self.now, &mut entry, |resource| resource.set("status", "final"));
            }
            if self.chart.chance(5) {
                self.correct(test, &mut entry);
            }
            if result.code == POTASSIUM && result.criticality == Criticality::Critical {
                self.order(&[order::URGENT_MEDICINE], "stat");
            }
            if self.chart.chance(3) {
                self.withdraw(&mut entry);
            }
        }
    }

    fn observe(&mut self, test: &lab::Test, result: LabResult, status: &str) -> Entry {
        let id = self.chart.new_id();
        let resource = lab::observation(self.visit, &id, status, test, result, self.now);
        let entry = self.entry("Observation", &id, Detail::Lab(result), resource);
        self.chart.create(self.now, entry)
    }

    fn correct(&mut self, test: &lab::Test, entry: &mut Entry) {
        self.pass(1..15);
        let result = test.draw(&mut self.chart.rng);
        entry.detail = Detail::Lab(result);
        self.chart.update(self.now, entry, |resource| {
            resource.set("status", "corrected");
            test.report(resource, result);
        });
    }

    /// The sample was somebody else's.
    fn withdraw(&mut self, entry: &mut Entry) {
        self.pass(1..15);
        self.chart.update(self.now, entry, |resource| resource.set("status", "entered-in-error"));
        self.pass(1..15);
        self.chart.delete(self.now, entry);
    }

    fn start_form(&mut self) -> Entry {
        self.pass(1..10);
        let id = self.chart.new_id();
        let resource = form::response(self.visit, &id, self.now, &mut self.chart.rng);
        let entry = self.entry("QuestionnaireResponse", &id, Detail::None, resource);
        self.chart.create(self.now, entry)
    }

    fn finish_form(&mut self, entry: &mut Entry) {
        let statuses: &[&str] = if self.chart.chance(30) { &["completed", "amended"] } else { &["completed"] };
        for status in statuses {
            self.pass(2..20);
            let (at, mut rng) = (self.now, self.chart.rng.clone());
            self.chart.update(at, entry, |resource| {
                form::answer(resource, status, at, form::QUESTION_COUNT, &mut rng);
            });
        }
    }

    fn order(&mut self, medicines: &[order::Medicine], priority: &'static str) {
        self.pass(1..10);
        let id = self.chart.new_id();
        let medicine = pick(&mut self.chart.rng, medicines);
        let resource = order::request(self.visit, &id, medicine, priority, self.now);
        let entry = self.entry("MedicationRequest", &id, Detail::Order { priority }, resource);
        let mut entry = self.chart.create(self.now, entry);
        if self.chart.chance(60) {
            self.pass(5..40);
            let status = if self.chart.chance(80) { "completed" } else { "stopped" };
            self.chart.update(self.now, &mut entry, |resource| resource.set("status", status));
        }
    }
}

/// See [`super::padded_labs`].
pub(super) fn padded_lab(options: &DayOptions, rng: ChaCha8Rng, size: usize) -> SampleEvent {
    let (person, hospital) = {
        let mut rng = rng.clone();
        (Person::new(&mut rng), pick_hospital(&mut rng))
    };
    let make = |padding: usize| {
        let mut chart = Chart::new(options, rng.clone(), OrganizationStyle::Meta);
        let encounter = chart.new_id();
        let department = &hospital.departments[0];
        let practitioner = PRACTITIONERS[0];
        let visit =
            Visit { patient: chart.patient.clone(), person: &person, hospital, department, encounter, practitioner };
        let test = &lab::PANEL[chart.rng.random_range(0..lab::PANEL.len())];
        let result = test.draw(&mut chart.rng);
        let id = chart.new_id();
        let mut resource = lab::observation(&visit, &id, "final", test, result, options.start);
        resource.set("note", [object! { "text": "x".repeat(padding) }]);
        chart.create(
            options.start,
            Entry::new("Observation", &id, department.organization, Detail::Lab(result), resource),
        );
        chart.into_events().remove(0)
    };
    let smallest = make(1);
    let needed = smallest.value.as_ref().map_or(0, Vec::len);
    if needed < size { make(1 + size - needed) } else { smallest }
}
