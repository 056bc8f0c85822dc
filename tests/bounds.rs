//! Time grows with the size of a record and no faster, and no criterion takes longer than its budget lets it.
//!
//! What is measured is the thread's own time on a processor, so that a machine under load changes little.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and what was measured is shown"
)]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fhir_fanout::domain::event::{FhirRelease, Interaction};
use fhir_fanout::domain::fhirpath::{Budget, EVALUATION_STEPS, EvaluationError, FhirPath};
use fhir_fanout::domain::limits::Limits;
use fhir_fanout::domain::pipeline::Pipeline;
use fhir_fanout::domain::plan::Plan;
use fhir_fanout::domain::refusals::Refusals;
use fhir_fanout::domain::source::SourceRecord;
use fhir_fanout::domain::tally::Tally;
use serde_json::{Value, json};

use self::clock::timed;
use self::plan::load;

#[path = "support/clock.rs"]
mod clock;
#[path = "support/plan.rs"]
mod plan;

/// How much slower than ten times a record of ten times the size may be: allocators and caches.
const SLACK: u32 = 4;

/// The grain of the clock.
const TICK: Duration = Duration::from_millis(5);

const TOPICS: &str = "
fhirBaseUrl: http://aidbox-server/fhir
ingest:
  - { kafkaTopic: changes, format: change }
  - { kafkaTopic: resources, format: fhir }
  - { kafkaTopic: bundles, format: bundle }
deadLetter: { kafkaTopic: dead-letters }
topics:
  - url: http://example.org/final
    status: active
    trigger: [{ resource: Resource, fhirPathCriteria: \"status = 'final' or %resource.id = 'x'\" }]
  - url: http://example.org/all
    status: active
    trigger: [{ resource: Resource }]
destinations:
  - { id: final, topic: http://example.org/final, kafkaTopic: to-final }
  - { id: all, topic: http://example.org/all, kafkaTopic: to-all, content: id-only, key: patient }
";

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

fn resource(member: &str) -> String {
    format!(r#"{{"resourceType":"Basic","id":"b","status":"final",{member}}}"#)
}

/// A record of about this many bytes, of which everything grows that can grow.
type Grows = fn(usize) -> (&'static str, Vec<u8>);

fn change(resource: String) -> (&'static str, Vec<u8>) {
    ("changes", format!(r#"{{"interaction":"create","resource":{resource}}}"#).into_bytes())
}

fn bundle(entries: usize, entry: &dyn Fn(usize) -> String) -> (&'static str, Vec<u8>) {
    let mut value = r#"{"resourceType":"Bundle","type":"history","entry":["#.to_owned();
    for number in 0..entries {
        value.push_str(if number == 0 { "" } else { "," });
        value.push_str(&entry(number));
    }
    ("bundles", (value + "]}").into_bytes())
}

const GROWING: &[(&str, Grows)] = &[
    ("a long text", |bytes| change(resource(&format!(r#""x":"{}""#, "a".repeat(bytes))))),
    ("escapes", |bytes| change(resource(&format!(r#""x":"{}""#, "\\n".repeat(bytes / 2))))),
    ("surrogate pairs", |bytes| change(resource(&format!(r#""x":"{}""#, "\\ud83d\\ude00".repeat(bytes / 12))))),
    ("numbers", |bytes| change(resource(&format!(r#""x":[{}1]"#, "1,".repeat(bytes / 2))))),
    ("one number", |bytes| change(resource(&format!(r#""x":0.{}"#, "1".repeat(bytes))))),
    ("flat arrays", |bytes| change(resource(&format!(r#""x":[{}[]]"#, "[],".repeat(bytes / 3))))),
    ("deep arrays", |bytes| change(resource(&format!(r#""x":[{}1]"#, (nested(120) + ",").repeat(bytes / 241))))),
    ("one deep array", |bytes| change(resource(&format!(r#""x":{}"#, nested(bytes / 2))))),
    ("an open array", |bytes| change(resource(&format!(r#""x":{}"#, "[".repeat(bytes))))),
    ("members", |bytes| {
        let mut members = String::new();
        (0..bytes / 16).for_each(|number| write!(members, r#""m{number:09}":1,"#).unwrap());
        change(resource(&format!(r#"{members}"x":1"#)))
    }),
    ("namesakes", |bytes| change(resource(&format!(r#"{}"x":1"#, r#""statusReason":1,"#.repeat(bytes / 17))))),
    ("ids", |bytes| change(resource(&format!(r#"{}"x":1"#, r#""id":"b","#.repeat(bytes / 9))))),
    ("a long id", |bytes| change(resource(&format!(r#""id":"{}""#, "i".repeat(bytes))))),
    ("patients", |bytes| {
        change(resource(&format!(r#""subject":[{}1]"#, r#"{"reference":"Group/g"},"#.repeat(bytes / 24))))
    }),
    ("extensions", |bytes| {
        let extensions = r#"{"url":"x"},"#.repeat(bytes / 12);
        change(resource(&format!(r#""meta":{{"extension":[{extensions}{{"url":"y"}}]}}"#)))
    }),
    ("metas", |bytes| change(resource(&format!(r#"{}"x":1"#, r#""meta":{"versionId":"1"},"#.repeat(bytes / 23))))),
    ("white space", |bytes| change(" ".repeat(bytes) + &resource(r#""x":1"#))),
    ("previous", |bytes| {
        let state = resource(&format!(r#""x":"{}""#, "a".repeat(bytes / 2)));
        ("changes", format!(r#"{{"interaction":"update","resource":{state},"previous":{state}}}"#).into_bytes())
    }),
    ("entries", |bytes| {
        bundle(bytes / 100, &|number| {
            let resource = format!(r#"{{"resourceType":"Basic","id":"{number}"}}"#);
            format!(r#"{{"resource":{resource},"request":{{"method":"PUT","url":"Basic/{number}"}}}}"#)
        })
    }),
    ("reads", |bytes| bundle(bytes / 30, &|_| r#"{"request":{"method":"GET"}}"#.to_owned())),
    ("deletes", |bytes| {
        bundle(bytes / 60, &|number| format!(r#"{{"request":{{"method":"DELETE","url":"Basic/{number}"}}}}"#))
    }),
    ("entries of an unknown kind", |bytes| bundle(bytes / 3, &|_| "{}".to_owned())),
    ("bytes that are no text", |bytes| ("changes", vec![0xff; bytes])),
    ("text that is no JSON", |bytes| ("bundles", vec![b'x'; bytes])),
    ("zeros", |bytes| ("resources", vec![0; bytes])),
];

/// The least time of some runs, and how many outputs there were.
fn process(plan: &Arc<Plan>, kafka_topic: &str, value: &[u8], runs: usize) -> (usize, Duration) {
    let limits =
        Limits { max_message_bytes: usize::MAX, by_kafka_topic: std::collections::HashMap::new(), compressed: false };
    let (key, headers) = (Some(b"key".as_slice()), Vec::new());
    let value = Some(value);
    let record = SourceRecord { kafka_topic, partition: 0, offset: 1, timestamp_ms: Some(0), key, value, headers };
    let once = |_| {
        let mut outputs = 0;
        let ((), taken) = timed(|| {
            let mut pipeline = Pipeline::new(Arc::clone(plan), limits.clone());
            let mut tally = Tally::new(plan);
            let count = &mut |_: fhir_fanout::domain::output::OutputRecord<'_>| {
                outputs += 1;
                Ok::<(), Infallible>(())
            };
            pipeline.process(&record, &Refusals::NONE, &mut tally, count).unwrap();
        });
        (outputs, taken)
    };
    (0..runs).map(once).min_by_key(|(_, taken)| *taken).unwrap()
}

#[test]
fn time_grows_with_the_size_and_no_faster() {
    let plan = Arc::new(load(TOPICS, &[]));
    let small = 50_000;
    for (name, grows) in GROWING {
        let (kafka_topic, value) = grows(small);
        let (_, one) = process(&plan, kafka_topic, &value, 4);
        let (kafka_topic, value) = grows(10 * small);
        let (outputs, ten) = process(&plan, kafka_topic, &value, 2);
        println!("{name}: {one:.2?} for 50 kB, {ten:.2?} for 500 kB, {outputs} outputs");
        assert!(ten <= one.max(TICK) * 10 * SLACK, "{name}: {one:?}, but {ten:?} for ten times");
    }
}

/// `cargo test --release --test bounds -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn a_hundred_megabytes_of_everything() {
    let plan = Arc::new(load(TOPICS, &[]));
    for (name, grows) in GROWING {
        let (kafka_topic, value) = grows(100_000_000);
        let (outputs, taken) = process(&plan, kafka_topic, &value, 1);
        println!("{name}: {taken:.2?} for {} MB, {outputs} outputs", value.len() / 1_000_000);
    }
}

/// Evaluates once, and gives the answer, the steps and the time.
fn ends(text: &str, focus: &Arc<Value>) -> (Result<bool, EvaluationError>, u64, Duration) {
    let (criterion, problems) = FhirPath::new().compile(text);
    let Some(criterion) = criterion else { panic!("{text}: {problems:?}") };
    let time = "2024-05-02T08:30:00Z";
    let subject = FhirPath::new().subject(FhirRelease::R4, Interaction::Update, Some(Arc::clone(focus)), None, time);
    let mut budget = Budget::of_evaluation();
    let (answer, taken) = timed(|| FhirPath::new().evaluate_within(&criterion, &subject, &mut budget));
    (answer, EVALUATION_STEPS - budget.left(), taken)
}

fn bundle_of(entries: usize) -> Value {
    let entry = |number: usize| {
        json!({"fullUrl": format!("http://example.org/Observation/{number}"), "resource": {
            "resourceType": "Observation", "id": number.to_string(), "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]},
            "subject": {"reference": format!("Patient/{number}")}, "valueQuantity": {"value": 6.3, "unit": "mmol/L"}}})
    };
    json!({"resourceType": "Bundle", "id": "b", "type": "collection", "entry": (0..entries).map(entry).collect::<Vec<_>>()})
}

/// A resource of about so many bytes in one of several bad shapes.
fn shapes(bytes: usize) -> Vec<(&'static str, Arc<Value>)> {
    let resource = |name: &str, value: Value| {
        let mut resource = json!({"resourceType": "Basic", "id": "b"});
        resource[name] = value;
        Arc::new(resource)
    };
    let deep = |levels: usize, text: &str| {
        (0..levels)
            .fold(json!({"url": text}), |inner, level| json!({"url": format!("{text}{level}"), "extension": [inner]}))
    };
    vec![
        ("bundle", Arc::new(bundle_of(bytes / 250))),
        ("ones", resource("extension", json!(vec![1; bytes * 2 / 5]))),
        (
            "objects",
            resource("extension", json!((0..bytes / 33).map(|n| json!({"url": n.to_string()})).collect::<Vec<_>>())),
        ),
        (
            "deep",
            resource("extension", json!((0..bytes / 2500).map(|n| deep(60, &format!("{n:020}"))).collect::<Vec<_>>())),
        ),
        ("wide", Arc::new(Value::Object((0..bytes / 20).map(|n| (format!("member{n}"), json!(n))).collect()))),
        ("text", resource("description", json!("ab".repeat(bytes / 2)))),
        (
            "texts",
            resource(
                "extension",
                json!((0..bytes / 100).map(|n| format!("{n}{}", "b".repeat(95))).collect::<Vec<_>>()),
            ),
        ),
    ]
}

const HOSTILE: &[&str] = &[
    "descendants().where(descendants().where(descendants().exists()).exists()).exists()",
    "descendants().select(%resource.descendants()).exists()",
    "descendants().select(%rootResource.descendants()).exists()",
    "descendants().select(%resource.extension).exists()",
    "descendants().select(extension | %resource.extension).exists()",
    "descendants().where(%resource.extension.exists()).exists()",
    "descendants().where(%rootResource.extension[0].exists()).exists()",
    "descendants().all(%rootResource.member7.exists())",
    "descendants().descendants().descendants().exists()",
    "repeat(extension).exists()",
    "repeat(children()).exists()",
    "repeat(descendants()).exists()",
    "descendants().repeat(descendants()).exists()",
    "descendants().distinct().exists()",
    "(descendants() | descendants() | descendants()).exists()",
    "descendants().where((%rootResource | %rootResource | %rootResource).exists()).exists()",
    "descendants().combine(descendants()).combine(descendants().combine(descendants())).combine(descendants()).isDistinct()",
    "descendants().intersect(descendants()).exists()",
    "descendants().exclude(descendants()).exists()",
    "descendants().subsetOf(descendants())",
    "descendants() = descendants()",
    "descendants() ~ descendants()",
    "descendants().where($this in %resource.descendants()).exists()",
    "descendants().where($this = %resource).exists()",
    "descendants().sort().exists()",
    "descendants().sort($this).exists()",
    "descendants().aggregate($total | $this, {}).exists()",
    "descendants().aggregate($total.combine($this), {}).exists()",
    "descendants().aggregate(%resource.descendants(), {}).exists()",
    "descendants().aggregate(iif($this.exists(), $total, $total), %resource.descendants()).exists()",
    "defineVariable('d', descendants()).select(descendants().select(%d)).exists()",
    "defineVariable('d', descendants()).descendants().where(%d.exists()).exists()",
    "descendants().ofType(string).join(',').matches('(a|b)*c')",
    "descendants().where($this.toString().matches('(?:a?){100}a{100}')).exists()",
    "description.matches('(x+x+)+y')",
    "description.matches('(?:a?){200}a{200}c')",
    "description.matches('(?:[ab]*a[ab]{100})+c')",
    "description.matchesFull('(.*a){50}b')",
    "description.replaceMatches('a', '$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0').length() > 0",
    "description.replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').length() > 0",
    "description.replace('', description).length() > 0",
    "description.toChars().select(%resource.description).exists()",
    "description.split('').aggregate($total & $this, '').exists()",
    "(description & description & description & description).length() > 0",
    "description.matches(description)",
    "description.escape('json').encode('base64').encode('hex').length() > 0",
    "description.toQuantity().exists()",
    "description.toDateTime().exists() or description.toDecimal().exists()",
    "children().children().children().exists()",
    "descendants().where($this is Reference).exists()",
    "descendants().where(%rootResource.descendants().where($this is Reference).exists()).exists()",
    "entry.resource.descendants().select(%resource.descendants()).exists()",
    "entry.select(resource.descendants().where($this = %resource.entry.resource.id)).exists()",
    "Bundle.entry.where(resource.status = 'final').where(%resource.entry.where(resource.status = 'x').exists()).exists()",
    "descendants().select(descendants().select(descendants().select('abcdefghijklmnopqrstuvwxyz'.toChars()))).exists()",
];

#[test]
fn what_is_slow_on_purpose_ends_within_its_budget() {
    for (name, focus) in shapes(20_000) {
        for text in HOSTILE {
            let (answer, steps, taken) = ends(text, &focus);
            // An unoptimised build is some twenty times slower.
            assert!(taken < Duration::from_secs(20), "{name}: {text}: {taken:?} for {steps} steps: {answer:?}");
        }
    }
}

/// `cargo test --release --test bounds -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn the_worst_criteria_on_a_megabyte() {
    for (name, focus) in shapes(1_000_000) {
        for text in HOSTILE {
            let (answer, steps, taken) = ends(text, &focus);
            println!("{taken:>10.2?} {steps:>8} {:<18} {name}: {text:.100}", format!("{answer:?}"));
        }
    }
}

/// `cargo test --release --test bounds -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn ordinary_criteria() {
    let focus = Arc::new(bundle_of(1)["entry"][0]["resource"].clone());
    for text in [
        "status = 'final'",
        "code.coding.where(system = 'http://loinc.org' and code = '2345-7').exists()",
        "(value as Quantity).value > 6 and subject.reference.startsWith('Patient/')",
        "%previous.empty() or %previous.status != status",
        "descendants().where($this is Reference).exists()",
    ] {
        let (criterion, _) = FhirPath::new().compile(text);
        let criterion = criterion.unwrap();
        let make = || FhirPath::new().subject(FhirRelease::R4, Interaction::Update, Some(focus.clone()), None, "x");
        let (_, made) = timed(|| (0..10_000).for_each(|_| drop(make())));
        let subject = make();
        let evaluate = || (0..100_000).for_each(|_| assert!(FhirPath::new().evaluate(&criterion, &subject).is_ok()));
        evaluate();
        let ((), taken) = timed(evaluate);
        println!("{:>9.2?} (and {:.2?} for the event) {text}", taken / 100_000, made / 10_000);
    }
}
