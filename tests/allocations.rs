//! Criteria that run compiled allocate nothing per event, once their workspace has grown to what events need.
//!
//! The allocator of this binary counts what the thread of a test allocates; nothing else of the crate is tested here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use fhir_fanout::domain::event::{FhirRelease, Interaction};
use fhir_fanout::domain::fhirpath::{Budget, Criterion, EventSubject, EventText, FhirPath, Prepared, Workspace};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // While a thread ends, its counter may be gone already.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

#[allow(unsafe_code, reason = "an allocator is unsafe by its nature; this one hands everything to the system's")]
// SAFETY: every call goes unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; the memory is from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`; the memory is from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Escapes in names and texts, a decimal that is longer than others, extensions beside values: the ways around the
/// straight one.
const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o1","status":"final","_status":{"id":"s"},
    "meta":{"lastUpdated":"2026-02-03T10:00:00Z","tag":[{"system":"urn:t","code":"a"},{"system":"urn:t","code":"b"}]},
    "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
    "code":{"coding":[{"system":"http://loinc.org","code":"4548-4","display":"H\u0062A1c"}],"text":"Hb\"A1c\""},
    "subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-02-03T10:11:12+01:00","issued":"2026-02-03T10:11:12Z",
    "valueQuantity":{"value":6.50,"unit":"%","system":"http://unitsofmeasure.org","code":"%"},
    "referenceRange":[{"low":{"value":4.0},"high":{"value":6.0}}],
    "component":[{"code":{"text":"a"},"valueInteger":1},{"code":{"text":"b"},"valueInteger":2}]}"#;

const CRITERIA: [&str; 34] = [
    "status = 'final'",
    "status != 'final'",
    "status in ('final' | 'amended')",
    "('final' | 'amended') contains status",
    "status ~ 'FINAL'",
    "%previous.status != 'final' and %current.status = 'final'",
    "%previous.empty() or %previous.status != status",
    "code.coding.where(system = 'http://loinc.org' and code = '4548-4').exists()",
    "code.coding.exists(system = 'http://loinc.org' and code = '4548-4')",
    "code.coding.all(system.exists())",
    "code.coding.display = 'HbA1c'",
    "code.text = 'Hb\"A1c\"'",
    "code.coding.code.startsWith('4548')",
    "code.coding[0].code = '4548-4'",
    "category.coding.code = 'laboratory'",
    "category.first().coding.last().code = 'laboratory'",
    "meta.tag.count() > 1",
    "meta.tag.where(code = 'b').empty()",
    "meta.lastUpdated > @2026-01-01T00:00:00Z",
    "value.value >= 6.5",
    "value >= 6.5 '%'",
    "value.ofType(Quantity).value > 6.49 and value.ofType(Quantity).code = '%'",
    "(value as Quantity).value < 100",
    "effective >= @2026-01-01",
    "effective.ofType(dateTime) < @2026-02-03T09:11:13Z",
    "effective > now() - 1 year",
    "issued <= today() + 2 days",
    "subject.reference.startsWith('Patient/')",
    "component.where(code.text = 'b').value > 1",
    "component.value.exists($this > 1)",
    "referenceRange.low.value < value.value and referenceRange.high.value < value.value",
    "value.value > %previous.value.value",
    "status.hasValue() and status.id = 's'",
    "iif(status = 'final', value.value > 6, false)",
];

fn allocations(prepared: &Prepared, position: usize, events: u64, run: impl Fn(&mut EventSubject<'_>)) -> u64 {
    assert!(prepared.is_compiled(position), "the criterion at {position}");
    let previous = OBSERVATION.replace("\"final\"", "\"preliminary\"");
    let mut workspace = Workspace::new();
    let mut before = 0;
    // The first rounds let the workspace grow.
    for round in 0..events + 3 {
        if round == 3 {
            before = ALLOCATIONS.get();
        }
        let event = EventText {
            release: FhirRelease::R4,
            interaction: Interaction::Update,
            focus: Some(OBSERVATION.into()),
            previous: Some(previous.as_str().into()),
            time: "2026-03-05T08:30:00.250Z",
        };
        run(&mut EventSubject::new(event, Some(prepared), &mut workspace));
    }
    ALLOCATIONS.get() - before
}

fn prepared(texts: &[&str]) -> (Vec<Criterion>, Prepared) {
    let fhirpath = FhirPath::new();
    let compile = |text: &&str| {
        let (criterion, problems) = fhirpath.compile_for(text, &["Observation"], &[]);
        criterion.unwrap_or_else(|| panic!("{text}: {problems:?}"))
    };
    let criteria: Vec<Criterion> = texts.iter().map(compile).collect();
    let all: Vec<usize> = (0..criteria.len()).collect();
    let prepared = fhirpath.prepare(FhirRelease::R4, "Observation", &criteria, [&all; 3]);
    (criteria, prepared)
}

#[test]
fn path_and_comparison_criteria_allocate_nothing() {
    let (criteria, prepared) = prepared(&CRITERIA);
    let mut allocating = Vec::new();
    for position in 0..criteria.len() {
        let evaluate = |subject: &mut EventSubject<'_>| {
            black_box(subject.evaluate(position, &criteria[position], &mut Budget::of_evaluation())).unwrap();
        };
        let count = allocations(&prepared, position, 100, evaluate);
        if count > 0 {
            allocating.push(format!("{count} in 100 events: {}", CRITERIA[position]));
        }
    }
    assert!(allocating.is_empty(), "{}", allocating.join("\n"));

    let together = allocations(&prepared, 0, 100, |subject| {
        black_box(subject.sift(&mut Budget::of_evaluation()));
        for (position, criterion) in criteria.iter().enumerate() {
            black_box(subject.evaluate(position, criterion, &mut Budget::of_evaluation())).unwrap();
        }
    });
    assert_eq!(together, 0, "all together");
}

#[test]
fn looking_up_limits_allocates_nothing() {
    let limit = |number: i32| [format!("value >= {number} '%'"), format!("component.exists(value > {number})")];
    let texts: Vec<String> = (0..20).flat_map(limit).collect();
    let (criteria, prepared) = prepared(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(prepared.sifted(Interaction::Update).len(), 40);
    let count = allocations(&prepared, 0, 100, |subject| {
        let mut budget = Budget::of_evaluation();
        // 0 to 6 of the one, 0 and 1 of the other.
        assert_eq!(subject.sift(&mut budget).map(<[u32]>::len), Some(9));
        for (position, criterion) in criteria.iter().enumerate() {
            black_box(subject.evaluate(position, criterion, &mut budget)).unwrap();
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn the_count_counts() {
    let before = ALLOCATIONS.get();
    drop(black_box(String::from("x").repeat(100)));
    assert!(ALLOCATIONS.get() > before);
}
