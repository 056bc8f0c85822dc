//! Records that nobody should send: each ends as notifications, as nothing matched or as dead letters, in time and memory
//! that grow with its size and no faster.

use crate::domain::event::Interaction;
use crate::domain::plan::{Content, KeySource};
use crate::domain::refusals::Refusals;
use crate::domain::source::{SourceHeader, SourceRecord};
use crate::domain::testing::{Run, TestPlan, header, no_limits, record};

/// A topic for everything that asks for the status, and one that lets everything pass, by patient.
fn plan() -> TestPlan {
    let criterion = Some("status = 'final' or %resource.id = 'x'");
    let plan =
        TestPlan::new().topic("http://example.org/final", None).trigger("Resource", &Interaction::ALL, criterion);
    let plan = plan.destination("final", Content::FullResource, KeySource::Source, None);
    let plan = plan.topic("http://example.org/all", None).trigger("Resource", &Interaction::ALL, None);
    plan.destination("all", Content::IdOnly, KeySource::Patient, None)
}

fn run(kafka_topic: &str, value: &[u8]) -> Run {
    run_record(&SourceRecord { value: Some(value), ..record(kafka_topic, "") })
}

/// Twice the same, byte for byte.
fn run_record(record: &SourceRecord<'_>) -> Run {
    let plan = plan().build();
    let run = || Run::of(&plan, no_limits(), &Refusals::NONE, record).unwrap();
    let (first, second) = (run(), run());
    assert_eq!(first.outputs, second.outputs);
    first
}

/// What came of it: the destinations notified, or the classes of the dead letters.
fn outcome(run: &Run) -> Vec<String> {
    let mut outcome: Vec<String> = run.notified().into_iter().map(str::to_owned).collect();
    outcome.extend(run.dead_letters().into_iter().map(|(class, ..)| class.to_owned()));
    outcome
}

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

fn resource(member: &str) -> String {
    format!(r#"{{"resourceType":"Basic","id":"b","status":"final",{member}}}"#)
}

/// The resource in each of the formats, with the ingest Kafka topic that has it.
fn in_every_format(resource: &str) -> [(&'static str, String); 4] {
    let entry = format!(r#"{{"resource":{resource},"request":{{"method":"PUT","url":"Basic/b"}}}}"#);
    [
        ("changes", format!(r#"{{"interaction":"update","resource":{resource}}}"#)),
        ("changes", format!(r#"{{"interaction":"update","resource":{resource},"previous":{resource}}}"#)),
        ("resources", resource.to_owned()),
        ("bundles", format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{entry}]}}"#)),
    ]
}

#[test]
fn poison_inside_of_a_resource_ends_the_same_in_every_format() {
    const BOTH: &[&str] = &["final", "all"];
    const UNDECODABLE: &[&str] = &["undecodable"];
    // A number that no floating point holds: criteria cannot be asked, the rest goes out.
    const NO_CRITERIA: &[&str] = &["all", "evaluation-error"];
    let digits = "9".repeat(10_000);
    for (member, expected) in [
        (format!(r#""x":{}"#, nested(127)), BOTH),
        (format!(r#""x":{}"#, nested(128)), UNDECODABLE),
        (format!(r#""x":{}"#, nested(100_000)), UNDECODABLE),
        (format!(r#""x":{}"#, r#"{"a":"#.repeat(100_000) + "1" + &"}".repeat(100_000)), UNDECODABLE),
        (format!(r#""x":{}"#, "[".repeat(100_000)), UNDECODABLE),
        (format!(r#""x":{digits}"#), NO_CRITERIA),
        (format!(r#""x":-{digits}"#), NO_CRITERIA),
        (format!(r#""x":0.{digits}"#), BOTH),
        (format!(r#""x":1e-{digits}"#), BOTH),
        (format!(r#""x":1e{digits}"#), NO_CRITERIA),
        (r#""x":01"#.to_owned(), UNDECODABLE),
        (r#""x":"\ud800""#.to_owned(), UNDECODABLE),
        (r#""x":"\udc00\ud800""#.to_owned(), UNDECODABLE),
        (r#""\ud800":1"#.to_owned(), UNDECODABLE),
        ("\"x\":\"\u{0}\"".to_owned(), UNDECODABLE),
        (r#""x":"\u0000""#.to_owned(), BOTH),
        (format!(r#""x":[{}1]"#, "1,".repeat(100_000)), BOTH),
        (format!(r#""x":"{}""#, "\\\\".repeat(100_000)), BOTH),
        (format!(r#""{}":1"#, "n".repeat(100_000)), BOTH),
        (r#""id":"c","id":"b""#.to_owned(), BOTH),
        (format!(r#"{}"status":"final""#, r#""status":"draft","#.repeat(10_000)), BOTH),
        (format!(r#""id":"{}","id":"b""#, "i".repeat(100_000)), BOTH),
        (format!(r#""id":"{}""#, "i".repeat(100_000)), BOTH),
    ] {
        for (kafka_topic, value) in in_every_format(&resource(&member)) {
            // The change envelope's previous version must be the same resource, which it is.
            let shown: String = member.chars().take(40).collect();
            assert_eq!(outcome(&run(kafka_topic, value.as_bytes())), expected, "{kafka_topic}: {shown}");
        }
    }
}

#[test]
fn poison_in_place_of_an_envelope_is_one_dead_letter_in_every_format() {
    let deep = nested(100_000);
    let long = "1".repeat(1_000_000);
    let members = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(100_000));
    for value in [
        b"".as_slice(),
        b" \n\t",
        b"\xef\xbb\xbf",
        b"\xff\xfe{\x00}\x00",
        b"{\"interaction\":\"create\",\"resource\":{\"resourceType\":\"Patient\",\"id\":\"\xc3\x28\"}}",
        b"null",
        b"[]",
        b"{}",
        b"{}{}",
        b"\"",
        b"{\"a",
        &[0; 100_000],
        &[b'{'; 100_000],
        &[b'"'; 100_001],
        &[b'\\'; 100_000],
        deep.as_bytes(),
        long.as_bytes(),
        members.as_bytes(),
    ] {
        for kafka_topic in ["changes", "resources", "bundles"] {
            let key = Some(b"\xff\x00".as_slice());
            let run = run_record(&SourceRecord { key, value: Some(value), ..record(kafka_topic, "") });
            assert_eq!(outcome(&run), ["undecodable"], "{kafka_topic}: {:?}", &value[..value.len().min(40)]);
            assert_eq!((run.only().key.as_deref(), run.only().value.as_deref()), (key, Some(value)));
        }
    }
}

#[test]
fn null_keys_null_values_and_strange_headers_are_no_obstacle() {
    let value = resource(r#""x":1"#);
    let strange = [
        SourceHeader { name: "interaction", value: None },
        SourceHeader { name: "", value: Some(b"") },
        SourceHeader { name: "correlation-id", value: Some(b"\xff\xfe\x00") },
        SourceHeader { name: "correlation-id", value: None },
        SourceHeader { name: "n\u{0}\u{10ffff}", value: Some(&[0xff; 10_000]) },
    ];
    let sent = SourceRecord { key: None, headers: strange.to_vec(), ..record("resources", &value) };
    let run = run_record(&sent);
    assert_eq!(outcome(&run), ["final", "all"]);
    assert_eq!(run.outputs[0].key.as_deref(), Some(b"Basic/b".as_slice()), "the focus, where the key is null");
    let passed_on = run.outputs[0].headers.iter().filter(|(name, _)| name == "correlation-id");
    let values: Vec<_> = passed_on.map(|(_, value)| value.as_deref()).collect();
    assert_eq!(values, [Some(b"\xff\xfe\x00".as_slice()), None]);

    for interaction in [b"\xff".as_slice(), b"", b"\x00", b"CREATE", &[b'c'; 100_000]] {
        let headers = vec![SourceHeader { name: "interaction", value: Some(interaction) }];
        let run = run_record(&SourceRecord { headers, ..record("resources", &value) });
        assert_eq!(outcome(&run), ["undecodable"], "{:?}", &interaction[..interaction.len().min(10)]);
    }
    for key in [None, Some(b"\xff/1".as_slice()), Some(b"Patient/"), Some(b"Patient/a\nb"), Some(b"")] {
        let tombstone = SourceRecord { key, value: None, ..record("resources", "") };
        assert_eq!(outcome(&run_record(&tombstone)), ["undecodable"], "{key:?}");
    }
    let many = vec![header("correlation-id", "c"); 10_000];
    let run = run_record(&SourceRecord { headers: many, ..record("resources", &value) });
    assert_eq!(run.outputs[0].headers.len(), 7 + 10_000);
}

fn bundle(entries: usize, entry: &dyn Fn(usize) -> String) -> (&'static str, Vec<u8>) {
    let mut value = r#"{"resourceType":"Bundle","type":"history","entry":["#.to_owned();
    for number in 0..entries {
        value.push_str(if number == 0 { "" } else { "," });
        value.push_str(&entry(number));
    }
    ("bundles", (value + "]}").into_bytes())
}

#[test]
fn every_entry_of_a_large_bundle_is_an_event() {
    let (kafka_topic, value) =
        bundle(30_000, &|number| format!(r#"{{"request":{{"method":"DELETE","url":"Basic/{number}"}}}}"#));
    let record = SourceRecord { value: Some(&value), ..record(kafka_topic, "") };
    let run = TestPlan::everything().run(&record);
    assert_eq!(run.outputs.len(), 30_000);
    assert_eq!(run.outputs[0].header("fhir-focus"), Some("Basic/29999"), "a history is newest first");
}

#[test]
fn the_dead_letters_of_one_record_do_not_multiply_its_bytes() {
    // Every entry has a number that criteria cannot be shown.
    let entry = |number: usize| {
        let resource = format!(r#"{{"resourceType":"Basic","id":"{number}","x":1e999,"y":"{}"}}"#, "y".repeat(9_900));
        format!(r#"{{"resource":{resource},"request":{{"method":"PUT","url":"Basic/{number}"}}}}"#)
    };
    let (kafka_topic, value) = bundle(100, &entry);
    let few = run(kafka_topic, &value);
    let letters =
        |run: &Run| run.outputs.iter().filter(|output| !output.is_notification()).cloned().collect::<Vec<_>>();
    let with_value = |run: &Run| letters(run).iter().filter(|output| output.value.is_some()).count();
    assert_eq!((letters(&few).len(), with_value(&few)), (100, 100 * 64 * 1024 * 1024 / 100 / value.len()));

    let (kafka_topic, value) = bundle(10, &entry);
    let none_spared = run(kafka_topic, &value);
    assert_eq!((letters(&none_spared).len(), with_value(&none_spared)), (10, 10));
    let last = letters(&few).pop().unwrap();
    assert_eq!(last.header("fhir-dead-letter-class"), Some("evaluation-error"), "class and position stay");
}
