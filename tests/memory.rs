//! What an evaluation needs stays near the bound that the settings give it, in both engines, and what one huge event has
//! grown is given back.
//!
//! The allocator of this binary knows how much the thread of a test has at a time; nothing else of the crate is tested here.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and what was measured is shown"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use fhir_fanout::domain::event::{FhirRelease, Interaction};
use fhir_fanout::domain::fhirpath::{
    Budget, Criterion, EvaluationError, EventSubject, EventText, FhirPath, Prepared, Workspace,
};
use fhir_fanout::domain::limits::Limits;
use fhir_fanout::domain::output::OutputRecord;
use fhir_fanout::domain::pipeline::Pipeline;
use fhir_fanout::domain::refusals::Refusals;
use fhir_fanout::domain::source::SourceRecord;
use fhir_fanout::domain::tally::Tally;
use serde_json::json;

use self::plan::load;

#[path = "support/plan.rs"]
mod plan;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

struct Weighing;

fn weigh(bytes: i64) {
    // While a thread ends, its scales may be gone already.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        PEAK.try_with(|peak| peak.set(peak.get().max(live.get())))
    });
}

#[allow(unsafe_code, reason = "an allocator is unsafe by its nature; this one hands everything to the system's")]
// SAFETY: every call goes unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Weighing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        weigh(layout.size() as i64);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        weigh(-(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `dealloc`; the memory is from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while the one is copied to the other.
        weigh(size as i64);
        weigh(-(layout.size() as i64));
        // SAFETY: the caller keeps the contract of `realloc`; the memory is from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Weighing = Weighing;

/// The most memory that the thread had at a time beyond what it had before, and what it has more of afterwards.
fn weighed<T>(run: impl FnOnce() -> T) -> (T, i64, i64) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = run();
    (result, PEAK.get() - before, LIVE.get() - before)
}

/// More steps than memory allows: it is not they that end an evaluation here.
const STEPS: u64 = 1_000_000_000;

const MIB: u64 = 1024 * 1024;

fn criterion(text: &str) -> Criterion {
    let (criterion, problems) = FhirPath::new().compile_for(text, &["Patient"], &[]);
    criterion.unwrap_or_else(|| panic!("{text}: {problems:?}"))
}

fn event(text: &str) -> EventText<'_> {
    EventText {
        release: FhirRelease::R4,
        interaction: Interaction::Create,
        focus: Some(text.into()),
        previous: None,
        time: "2026-03-05T08:30:00.250Z",
    }
}

/// Evaluates in the compiled engine, or, without anything prepared, in the general one.
fn evaluate(
    criterion: &Criterion,
    prepared: Option<&Prepared>,
    text: &str,
    memory: u64,
    workspace: &mut Workspace,
) -> Result<bool, EvaluationError> {
    let mut budget = Budget::of_record(STEPS, 0).with_memory(memory);
    EventSubject::new(event(text), prepared, workspace).evaluate(0, criterion, &mut budget)
}

/// 40 kB: a text, and 500 names.
fn patient() -> String {
    let names: Vec<String> = (0..500).map(|number| format!("name {number}")).collect();
    let text = "Grüße ".repeat(4_000);
    json!({"resourceType": "Patient", "id": "p", "gender": "other", "name": [{"text": text, "given": names}]})
        .to_string()
}

/// Each step of `doubling` makes a text twice as long.
fn grows(steps: usize, doubling: &str) -> String {
    format!("name.text{}.length() > 0", doubling.repeat(steps))
}

fn growing() -> Vec<String> {
    let many = "name.given.select(%resource.name.given)";
    vec![
        grows(14, ".select($this & $this)"),
        grows(14, ".select($this + $this)"),
        "name.text.replace('', %resource.name.text).length() > 0".to_owned(),
        "name.text.replace('', 'a').replace('', 'b').replace('', 'c').replace('', 'd').replace('', 'e').replace('', 'f')\
         .replace('', 'g').replace('', 'h').replace('', 'i').length() > 0"
            .to_owned(),
        "name.text.replaceMatches('.+', '$0$0$0$0').replaceMatches('.+', '$0$0$0$0').replaceMatches('.+', '$0$0$0$0')\
         .replaceMatches('.+', '$0$0$0$0').replaceMatches('.+', '$0$0$0$0').replaceMatches('.+', '$0$0$0$0').length() > 0"
            .to_owned(),
        "name.text.replaceMatches('[a-z]', %resource.name.text).length() > 0".to_owned(),
        format!("{many}.join(',').length() > 0").replace("given)", "text)"),
        "name.given.join(%resource.name.text).length() > 0".to_owned(),
        grows(4, ".select($this & $this)").replace(".length()", ".toChars().tail().join('').length()"),
        grows(4, ".select($this & $this)").replace(".length()", ".split('').tail().join('').length()"),
        format!("{many}.sort().first() = 'name 0'"),
        format!("{many} = {many}"),
        format!("{many}.select(%resource.name.given) ~ {many}.select(%resource.name.given)"),
    ]
}

/// Of the bound: chunks and lists that double while they are copied.
const FACTOR: i64 = 4;

/// What an evaluation may take whatever the bound: what is small is not counted.
const BESIDE: i64 = 2 * MIB as i64;

#[test]
fn what_grows_stops_at_the_bound_in_both_engines() {
    let text = patient();
    let mut failures = Vec::new();
    for memory in [4 * MIB, 16 * MIB] {
        for criterion_text in growing() {
            let criterion = criterion(&criterion_text);
            let prepared =
                FhirPath::new().prepare(FhirRelease::R4, "Patient", std::slice::from_ref(&criterion), [&[0]; 3]);
            let compiled = prepared.is_compiled(0).then_some(&prepared);
            for (engine, prepared) in [("compiled", compiled), ("general", None)] {
                if engine == "compiled" && prepared.is_none() {
                    continue;
                }
                // What is made once for all criteria is no matter of this one.
                let _first = evaluate(&criterion, prepared, &text, 65_536, &mut Workspace::new());
                let mut workspace = Workspace::new();
                let (answer, peak, _) = weighed(|| evaluate(&criterion, prepared, &text, memory, &mut workspace));
                println!("{engine} {memory}: {answer:?}, at most {peak} bytes: {criterion_text:.100}");
                // Some fit into the larger one.
                let is_right = answer == Err(EvaluationError::TooLarge) || memory > 4 * MIB && answer == Ok(true);
                if !is_right || peak > FACTOR * memory as i64 + BESIDE {
                    failures.push(format!("{engine} {memory}: {answer:?}, {peak} bytes: {criterion_text}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Events of a megabyte that become as large as can be: many values of little text, names that are all different.
fn dense() -> Vec<(&'static str, String)> {
    let patient = |member: &str| format!(r#"{{"resourceType":"Patient","id":"p","active":true,{member}}}"#);
    let many = |item: &str| item.repeat(MIB as usize / item.len());
    let members: String = (0..MIB / 14).map(|number| format!(r#""m{number:08}":1,"#)).collect();
    let given = |item: &str| patient(&format!(r#""name":[{{"given":[{}"x"]}}]"#, many(item)));
    vec![
        ("texts", given(r#""x","#)),
        ("numbers", given("1,")),
        ("lists", given("[],")),
        ("objects", given("{},")),
        ("an extension", patient(&format!(r#""extension":[{}{{}}]"#, many(r#"{"url":"u","valueCode":"c"},"#)))),
        ("members", patient(&format!(r#""contact":[{{{members}"x":1}}]"#))),
        ("one text", patient(&format!(r#""name":[{{"text":"{}"}}]"#, many("x")))),
    ]
}

/// What the event itself becomes counts, too, before there is anything of it.
#[test]
fn the_trees_of_an_event_stay_within_the_bound() {
    let criterion = criterion("%resource = %current and active");
    let prepared = FhirPath::new().prepare(FhirRelease::R4, "Patient", std::slice::from_ref(&criterion), [&[0]; 3]);
    assert!(prepared.is_compiled(0));
    let mut failures = Vec::new();
    for (name, text) in dense() {
        for (engine, prepared) in [("compiled", Some(&prepared)), ("general", None)] {
            let mut answers = Vec::new();
            for memory in [MIB, 2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB, 32 * MIB, 64 * MIB, 512 * MIB] {
                let mut workspace = Workspace::new();
                let (answer, peak, _) = weighed(|| evaluate(&criterion, prepared, &text, memory, &mut workspace));
                if peak > 3 * memory as i64 + BESIDE {
                    failures.push(format!("{engine}, {name}, {memory}: {answer:?}, {peak} bytes"));
                }
                println!("{engine}, {name}, {memory}: {answer:?}, {peak} bytes");
                answers.push(answer);
            }
            if answers.last() != Some(&Ok(true)) || (answers[0] == Ok(true) && name != "one text") {
                failures.push(format!("{engine}, {name}: {answers:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_one_huge_event_has_grown_is_given_back() {
    let escapes = format!(r#"{{"resourceType":"Patient","id":"p","gender":"{}"}}"#, "\\n".repeat(200_000));
    let texts = dense();
    let texts = texts.iter().map(|(_, text)| text).chain([&escapes]);
    let criteria: Vec<Criterion> =
        ["%resource = %current", "name.given.select($this & $this).sort().first() = 'xx'", "gender = 'other'"]
            .iter()
            .map(|text| criterion(text))
            .collect();
    let prepared = FhirPath::new().prepare(FhirRelease::R4, "Patient", &criteria, [&[0, 1, 2]; 3]);
    assert!((0..3).all(|position| prepared.is_compiled(position)));
    let mut workspace = Workspace::new();
    for text in texts {
        let ((), peak, kept) = weighed(|| {
            let mut budget = Budget::of_record(STEPS, 0).with_memory(64 * MIB);
            let event =
                EventText { interaction: Interaction::Update, previous: Some(text.as_str().into()), ..event(text) };
            let mut subject = EventSubject::new(event, Some(&prepared), &mut workspace);
            let _sifted = subject.sift(&mut budget).map(<[u32]>::len);
            for (position, criterion) in criteria.iter().enumerate() {
                let _any = subject.evaluate(position, criterion, &mut budget);
            }
        });
        println!("{peak} bytes, {kept} of them kept");
        assert!(kept < 4 * MIB as i64, "{kept} of {peak} bytes");
    }
}

/// A thousand criteria that ask for one code, and an event that has it two thousand times.
#[test]
fn what_is_found_many_times_is_held_once() {
    let text = |number| format!("maritalStatus.coding.exists(code = 'x' and display != '{number}')");
    let criteria: Vec<Criterion> = (0..1_000).map(|number| criterion(&text(number))).collect();
    let all: Vec<usize> = (0..1_000).collect();
    let prepared = FhirPath::new().prepare(FhirRelease::R4, "Patient", &criteria, [&all; 3]);
    let codings = vec![r#"{"code":"x","display":"d"}"#; 2_000].join(",");
    let text = format!(r#"{{"resourceType":"Patient","id":"p","maritalStatus":{{"coding":[{codings}]}}}}"#);
    let mut workspace = Workspace::new();
    let (found, peak, _) = weighed(|| {
        let mut subject = EventSubject::new(event(&text), Some(&prepared), &mut workspace);
        subject.sift(&mut Budget::of_record(STEPS, 0)).map(<[u32]>::len)
    });
    println!("{found:?} found, {peak} bytes");
    assert_eq!(found, Some(1_000));
    assert!(peak < MIB as i64, "{peak} bytes");
}

const TOPICS: &str = "
fhirBaseUrl: http://aidbox-server/fhir
ingest: [{ kafkaTopic: changes, format: change }, { kafkaTopic: bundles, format: bundle }]
deadLetter: { kafkaTopic: dead-letters }
topics:
  - { url: 'http://example.org/a', trigger: [{ resource: Patient, fhirPathCriteria: \"gender = 'other'\" }] }
  - { url: 'http://example.org/b', trigger: [{ resource: Patient, fhirPathCriteria: \"descendants().exists()\" }] }
destinations:
  - { id: a, topic: 'http://example.org/a', kafkaTopic: to-a }
  - { id: b, topic: 'http://example.org/b', kafkaTopic: to-b }
";

/// Each task has a pipeline for as long as it runs.
#[test]
fn a_pipeline_keeps_little_of_a_huge_record() {
    let plan = Arc::new(load(TOPICS, &[("EVALUATION_MEMORY_BYTES", "67108864")]));
    let limits = Limits { max_message_bytes: usize::MAX, by_kafka_topic: HashMap::new(), compressed: false };
    let mut pipeline = Pipeline::new(Arc::clone(&plan), limits);
    let mut process = |kafka_topic: &str, value: &str| {
        let value = Some(value.as_bytes());
        let (partition, offset, timestamp_ms, key, headers) = (0, 0, Some(0), None, Vec::new());
        let record = SourceRecord { kafka_topic, partition, offset, timestamp_ms, key, value, headers };
        let mut outputs = 0;
        let mut tally = Tally::new(&plan);
        let count = &mut |_: OutputRecord<'_>| {
            outputs += 1;
            Ok::<(), Infallible>(())
        };
        pipeline.process(&record, &Refusals::NONE, &mut tally, count).unwrap();
        outputs
    };
    let change = |text: &str| format!(r#"{{"interaction":"create","resource":{text}}}"#);
    assert_eq!(process("changes", &change(&patient())), 2);

    let entry = r#"{"resource":{"resourceType":"Patient","id":"p","gender":"other"},"request":{"method":"PUT","url":"Patient/p"}}"#;
    let entries = format!(
        r#"{{"resourceType":"Bundle","type":"history","entry":[{entry}{}]}}"#,
        format!(",{entry}").repeat(29_999)
    );
    // The names of members are kept for the whole process, up to a bound that has its own test.
    let without_names = dense().into_iter().filter(|(name, _)| *name != "members");
    let records = without_names.map(|(name, text)| (name, "changes", change(&text), 1));
    for (name, kafka_topic, value, expected) in records.chain([("entries", "bundles", entries, 60_000)]) {
        let (outputs, peak, kept) = weighed(|| process(kafka_topic, &value));
        println!("{name}: {outputs} outputs, {peak} bytes, {kept} of them kept");
        assert!(outputs >= expected, "{name}: {outputs} outputs");
        assert!(kept < 3 * MIB as i64, "{name}: {kept} of {peak} bytes");
    }
}
