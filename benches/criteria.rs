//! What criteria cost: compiled, beside the general engine with its conversion of the event.
//!
//! `cargo bench --bench criteria`. Every sample begins with an event as it is decoded, as the pipeline does: the text of
//! each version, checked, with the places of its members. What that costs is `the_event_is_decoded`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and prints")]

use std::fmt::Write as _;

use divan::{Bencher, black_box};
use fhir_fanout::domain::event::{FhirRelease, Interaction};
use fhir_fanout::domain::fhirpath::{Budget, Criterion, EventSubject, EventText, FhirPath, Prepared, Workspace};
use fhir_fanout::domain::json::Outline;

fn main() {
    divan::main();
}

/// Six criteria as subscribers write them, about each of two resources of a usual size.
const OBSERVATION_CRITERIA: [&str; 6] = [
    "status = 'final'",
    "code.coding.where(system = 'http://loinc.org' and code = '4548-4').exists()",
    "value.value >= 6.5",
    "effective >= @2026-01-01",
    "%previous.status != 'final' and %current.status = 'final'",
    "category.coding.code = 'laboratory' and value.unit = '%' and subject.reference.startsWith('Patient/')",
];
const PATIENT_CRITERIA: [&str; 6] = [
    "active = true",
    "name.where(use = 'official').family = 'Chalmers'",
    "birthDate < @2000-01-01",
    "%previous.address.city != %current.address.city",
    "identifier.where(system = 'urn:oid:1.2.36.146.595.217.0.1').exists()",
    "deceased.exists() and gender in ('male' | 'female')",
];

fn observation() -> String {
    let mut components = String::new();
    for number in 0..6 {
        let separator = if number == 0 { "" } else { "," };
        write!(
            components,
            r#"{separator}{{"code":{{"coding":[{{"system":"http://loinc.org","code":"848{number}-6","display":"Component {number}"}}]}},
            "valueQuantity":{{"value":{number}.25,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}}}"#
        )
        .unwrap();
    }
    format!(
        r#"{{"resourceType":"Observation","id":"o1","meta":{{"versionId":"2","lastUpdated":"2026-02-03T10:11:12Z","profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"]}},
        "text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Hemoglobin A1c: 6.5 %</p></div>"}},
        "status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"Laboratory"}}]}}],
        "code":{{"coding":[{{"system":"http://loinc.org","code":"4548-4","display":"Hemoglobin A1c/Hemoglobin.total in Blood"}}],"text":"HbA1c"}},
        "subject":{{"reference":"Patient/p1"}},"encounter":{{"reference":"Encounter/e1"}},"effectiveDateTime":"2026-02-03T10:11:12+01:00","issued":"2026-02-03T10:11:12.345+01:00",
        "performer":[{{"reference":"Practitioner/d1","display":"Dr. A. Example"}}],
        "valueQuantity":{{"value":6.50,"unit":"%","system":"http://unitsofmeasure.org","code":"%"}},"component":[{components}]}}"#
    )
}

fn patient() -> String {
    r#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"3","lastUpdated":"2026-02-03T10:11:12Z"},
    "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Peter James Chalmers</p></div>"},
    "identifier":[{"use":"usual","type":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0203","code":"MR"}]},"system":"urn:oid:1.2.36.146.595.217.0.1","value":"12345"}],
    "active":true,"name":[{"use":"official","family":"Chalmers","given":["Peter","James"]},{"use":"usual","given":["Jim"]}],
    "telecom":[{"system":"phone","value":"(03) 5555 6473","use":"work","rank":1},{"system":"email","value":"jim@example.org"}],
    "gender":"male","birthDate":"1974-12-25","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1974-12-25T14:35:45-05:00"}]},
    "deceasedBoolean":false,"address":[{"use":"home","type":"both","line":["534 Erewhon St"],"city":"PleasantVille","district":"Rainbow","state":"Vic","postalCode":"3999"}],
    "contact":[{"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0131","code":"N"}]}],"name":{"family":"du Marché"},"telecom":[{"system":"phone","value":"+33 (237) 998327"}]}],
    "managingOrganization":{"reference":"Organization/1"}}"#
        .to_owned()
}

/// Criteria of a type, and the two versions of a resource.
struct Scene {
    criteria: Vec<Criterion>,
    prepared: Prepared,
    focus: String,
    previous: String,
}

impl Scene {
    fn new(resource_type: &str, criteria: &[impl AsRef<str>]) -> Self {
        let fhirpath = FhirPath::new();
        let compile = |text: &str| fhirpath.compile_for(text, &[resource_type], &[]).0.unwrap();
        let criteria: Vec<Criterion> = criteria.iter().map(|text| compile(text.as_ref())).collect();
        let all: Vec<usize> = (0..criteria.len()).collect();
        let prepared = fhirpath.prepare(FhirRelease::R4, resource_type, &criteria, [&all; 3]);
        assert!(all.iter().all(|position| prepared.is_compiled(*position)), "the compiler takes all of them");
        let focus = if resource_type == "Patient" { patient() } else { observation() };
        let previous = focus.replace("\"final\"", "\"preliminary\"").replace("PleasantVille", "Elsewhere");
        Self { criteria, prepared, focus, previous }
    }

    fn observation() -> Self {
        Self::new("Observation", &OBSERVATION_CRITERIA)
    }

    /// The two versions as they are decoded: that costs the same whichever engine follows.
    fn states(&self) -> [Outline<'_>; 2] {
        [&self.focus, &self.previous].map(|text| Outline::read(text).unwrap())
    }

    fn event<'e>(states: &'e [Outline<'_>; 2]) -> EventText<'e> {
        EventText {
            release: FhirRelease::R4,
            interaction: Interaction::Update,
            focus: Some((&states[0]).into()),
            previous: Some((&states[1]).into()),
            time: "2026-02-03T10:11:12Z",
        }
    }

    /// Evaluates these criteria about the event from its bytes on; says how many fire.
    fn run(
        &self,
        states: &[Outline<'_>; 2],
        prepared: Option<&Prepared>,
        positions: &[usize],
        workspace: &mut Workspace,
    ) -> usize {
        let mut subject = EventSubject::new(black_box(Self::event(states)), prepared, workspace);
        let mut fires = |position: usize| {
            subject.evaluate(position, &self.criteria[position], &mut Budget::of_evaluation()).unwrap()
        };
        positions.iter().filter(|position| fires(**position)).count()
    }
}

const TYPES: [&str; 2] = ["Observation", "Patient"];

fn scene(resource_type: &str) -> Scene {
    let criteria = if resource_type == "Patient" { &PATIENT_CRITERIA } else { &OBSERVATION_CRITERIA };
    Scene::new(resource_type, criteria)
}

/// The six criteria of a type, with the reading of the event.
#[divan::bench(args = TYPES)]
fn six_criteria_compiled(bencher: Bencher<'_, '_>, resource_type: &str) {
    let scene = scene(resource_type);
    let mut workspace = Workspace::new();
    let states = scene.states();
    bencher.bench_local(|| scene.run(&states, Some(&scene.prepared), &[0, 1, 2, 3, 4, 5], &mut workspace));
}

/// The same by the general engine, with its conversion of the event.
#[divan::bench(args = TYPES)]
fn six_criteria_general(bencher: Bencher<'_, '_>, resource_type: &str) {
    let scene = scene(resource_type);
    let mut workspace = Workspace::new();
    let states = scene.states();
    bencher.bench_local(|| scene.run(&states, None, &[0, 1, 2, 3, 4, 5], &mut workspace));
}

/// What comes before both: the two versions are checked, and the places of their members found.
#[divan::bench(args = TYPES)]
fn the_event_is_decoded(bencher: Bencher<'_, '_>, resource_type: &str) {
    let scene = scene(resource_type);
    bencher.bench_local(|| black_box(&scene).states().len());
}

/// Each criterion alone, with the reading of the event.
#[divan::bench(args = 0..6)]
fn one_criterion_compiled(bencher: Bencher<'_, '_>, position: usize) {
    let scene = Scene::observation();
    let mut workspace = Workspace::new();
    let states = scene.states();
    bencher.bench_local(|| scene.run(&states, Some(&scene.prepared), &[position], &mut workspace));
}

/// The same by the general engine, with its conversion of the event.
#[divan::bench(args = 0..6)]
fn one_criterion_general(bencher: Bencher<'_, '_>, position: usize) {
    let scene = Scene::observation();
    let mut workspace = Workspace::new();
    let states = scene.states();
    bencher.bench_local(|| scene.run(&states, None, &[position], &mut workspace));
}

/// Bytes of the current and the previous version, and four criteria. To stay under 8 us.
#[divan::bench]
fn current_and_previous_and_four_criteria(bencher: Bencher<'_, '_>) {
    let scene = Scene::observation();
    let mut workspace = Workspace::new();
    bencher.bench_local(|| scene.run(&scene.states(), Some(&scene.prepared), &[0, 1, 2, 4], &mut workspace));
}

/// The topics' criteria, as the pipeline asks them: those that cannot be true are left out together.
fn bench_topics(bencher: Bencher<'_, '_>, resource_type: &str, topics: usize, criterion: impl Fn(usize) -> String) {
    let scene = Scene::new(resource_type, &(0..topics).map(criterion).collect::<Vec<_>>());
    let mut workspace = Workspace::new();
    let (mut open, all) = (Vec::new(), (0..topics as u32).collect::<Vec<_>>());
    let states = scene.states();
    bencher.bench_local(|| {
        let mut subject = EventSubject::new(black_box(Scene::event(&states)), Some(&scene.prepared), &mut workspace);
        let mut budget = Budget::of_evaluation();
        open.clear();
        open.extend_from_slice(subject.sift(&mut budget).unwrap_or(&all));
        let evaluate = |position: &u32| {
            subject.evaluate(*position as usize, &scene.criteria[*position as usize], &mut budget).unwrap()
        };
        open.iter().map(evaluate).filter(|fires| *fires).count()
    });
}

/// So many topics that differ in their code, none of which fires. 1,000 are to cost 1.5 times what 10 cost, at most.
#[divan::bench(args = [10, 100, 1_000])]
fn topics_that_differ_in_their_code(bencher: Bencher<'_, '_>, topics: usize) {
    bench_topics(bencher, "Observation", topics, |number| {
        format!("code.coding.where(system = 'http://loinc.org' and code = '{number}-0').exists()")
    });
}

/// So many topics that differ in a number, three of which fire: at most 1.5 times, too.
#[divan::bench(args = [10, 100, 1_000])]
fn topics_that_differ_in_their_limit(bencher: Bencher<'_, '_>, topics: usize) {
    bench_topics(bencher, "Observation", topics, |number| format!("value.value > {}.25", number + 4));
}

/// The same with quantities, as in `topics_that_differ_in_their_limit`.
#[divan::bench(args = [10, 100, 1_000])]
fn topics_that_differ_in_their_quantity(bencher: Bencher<'_, '_>, topics: usize) {
    bench_topics(bencher, "Observation", topics, |number| format!("value >= {}.25 '%'", number + 4));
}

/// The same with dates.
#[divan::bench(args = [10, 100, 1_000])]
fn topics_that_differ_in_their_date(bencher: Bencher<'_, '_>, topics: usize) {
    bench_topics(bencher, "Patient", topics, |number| {
        let (year, month) = (1974 - number / 12, 12 - number % 12);
        format!("birthDate < @{year}-{month:02}-28 and active = true")
    });
}

/// So many topics that cannot be left out together, and have the first half of their criteria in common.
#[divan::bench(args = [1, 10, 100])]
fn topics_that_have_a_part_in_common(bencher: Bencher<'_, '_>, topics: usize) {
    let common = "code.coding.where(system = 'http://loinc.org' and code = '4548-4').exists() and \
        component.all(value.ofType(Quantity).code = 'mm[Hg]')";
    bench_topics(bencher, "Observation", topics, |number| {
        format!("{common} and subject.reference.endsWith('/p{number}')")
    });
}
