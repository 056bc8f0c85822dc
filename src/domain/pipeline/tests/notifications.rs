//! The notification: shape, bytes, key, headers, times.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::domain::event::Interaction;
use crate::domain::json as slices;
use crate::domain::plan::{Content, KeySource};
use crate::domain::refusals::Refusals;
use crate::domain::source::SourceHeader;
use crate::domain::testing::{Output, Run, TestPlan, header, no_limits, record};

const TOPIC: &str = "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic";

/// Aidbox's published example, whose resource stands in it as a slice.
const AIDBOX_NOTIFICATION: &str = include_str!("aidbox-notification.json");

fn aidbox_resource() -> &'static str {
    let mut found = None;
    slices::members(AIDBOX_NOTIFICATION, |name, value| {
        if name == "entry" {
            let entry = slices::elements(value).unwrap()[1];
            slices::members(entry, |name, value| found = found.or((name == "resource").then_some(value))).unwrap();
        }
    })
    .unwrap();
    found.unwrap()
}

fn forms(content: Content, key: KeySource) -> TestPlan {
    let created_or_updated = [Interaction::Create, Interaction::Update];
    let plan = TestPlan::new().topic(TOPIC, None).trigger("QuestionnaireResponse", &created_or_updated, None);
    plan.destination("kafka-destination", content, key, None)
}

fn change(interaction: &str, resource: &str) -> String {
    format!(r#"{{"interaction":"{interaction}","timestamp":"2024-10-03T10:07:55Z","resource":{resource}}}"#)
}

fn without_id(output: &Output) -> Value {
    let mut bundle = output.json();
    let id = bundle.as_object_mut().unwrap().remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 36);
    bundle
}

#[test]
fn the_published_example_comes_out_with_the_resources_own_bytes() {
    let value = change("create", aidbox_resource());
    let run = forms(Content::FullResource, KeySource::Source).run(&record("changes", &value));
    let expected: Value = serde_json::from_str(AIDBOX_NOTIFICATION).unwrap();
    assert_eq!(without_id(run.only()), expected);
    assert!(run.only().value().contains(&format!(r#"{{"resource":{},"fullUrl":"#, aidbox_resource())));
}

#[test]
fn all_contents_as_bytes() {
    let resource = r#"{"resourceType":"QuestionnaireResponse","id":"q1","score":1.50}"#;
    let value = change("update", resource);
    let written = |content| forms(content, KeySource::Source).run(&record("changes", &value)).only().value().to_owned();
    insta::assert_snapshot!("full_resource", written(Content::FullResource));
    insta::assert_snapshot!("id_only", written(Content::IdOnly));
    insta::assert_snapshot!("empty", written(Content::Empty));
}

#[test]
fn bytes_pass_through_unchanged() {
    let resource = "{ \"id\":\"1\",\n\t\"resourceType\" : \"Patient\", \"x\":1.10e+02, \"y\":\"\\u00e9\\/é\", \"_z\" :[ ],\"x\":-0.0}";
    for (kafka_topic, value) in [
        ("changes", format!("{{\"interaction\":\"update\",\"resource\" :  {resource}\n }}")),
        ("resources", format!("\u{feff} \r\n{resource}\n")),
        (
            "bundles",
            format!(
                r#"{{"resourceType":"Bundle","type":"batch","entry":[{{"resource": {resource} ,"request":{{"method":"PUT","url":"Patient/1"}}}}]}}"#
            ),
        ),
    ] {
        let run = TestPlan::everything().run(&record(kafka_topic, &value));
        assert!(run.only().value().contains(&format!("{{\"resource\":{resource},\"fullUrl\":")), "{kafka_topic}");
    }
}

#[test]
fn requests_follow_the_interaction_and_a_delete_carries_no_resource() {
    let resource = r#"{"resourceType":"Patient","id":"p1"}"#;
    for (interaction, request, carried) in [
        ("create", json!({"method": "POST", "url": "/fhir/Patient"}), true),
        ("update", json!({"method": "PUT", "url": "/fhir/Patient/p1"}), true),
        ("delete", json!({"method": "DELETE", "url": "/fhir/Patient/p1"}), false),
    ] {
        let run = TestPlan::everything().run(&record("changes", &change(interaction, resource)));
        let entry = run.only().json()["entry"][1].clone();
        assert_eq!(entry["request"], request);
        assert_eq!(entry["fullUrl"], "http://aidbox-server/fhir/Patient/p1");
        assert_eq!(entry.get("resource").is_some(), carried, "{interaction}");
        assert_eq!(run.only().header("fhir-interaction"), Some(interaction));
    }
}

#[test]
fn configured_and_received_text_is_escaped() {
    let plan =
        TestPlan::new().topic("http://example.org/a\"b\\c\u{1}", None).trigger("Patient", &Interaction::ALL, None);
    let plan = plan.destination("d\"é", Content::FullResource, KeySource::Resource, None);
    let plan = plan.with(|plan| plan.fhir_base_url = "http://h/\"f".to_owned());
    let run = plan.run(&record("changes", &change("update", r#"{"resourceType":"Patient","id":"a\"\\b"}"#)));
    let bundle = run.only().json();
    assert_eq!(bundle["entry"][0]["resource"]["topic"], "http://example.org/a\"b\\c\u{1}");
    assert_eq!(bundle["entry"][0]["resource"]["topic-destination"]["reference"], "AidboxTopicDestination/d\"é");
    let focus = &bundle["entry"][0]["resource"]["notificationEvent"][0]["focus"]["reference"];
    assert_eq!(focus, "Patient/a\"\\b");
    assert_eq!(bundle["entry"][1]["fullUrl"], "http://h/\"f/Patient/a\"\\b");
    assert_eq!(bundle["entry"][1]["request"]["url"], "/\"f/Patient/a\"\\b");
    assert_eq!(run.only().key(), Some("Patient/a\"\\b"));
}

#[test]
fn without_a_base_url_urls_are_relative() {
    let plan = TestPlan::everything().with(|plan| plan.fhir_base_url.clear());
    let run = plan.run(&record("changes", &change("create", r#"{"resourceType":"Patient","id":"p1"}"#)));
    assert_eq!(run.only().json()["entry"][1]["fullUrl"], "Patient/p1");
    assert_eq!(run.only().json()["entry"][1]["request"]["url"], "/Patient");
}

#[test]
fn the_first_full_instant_is_the_time() {
    let time = |timestamp: &str, last_updated: &str, record_time| {
        let value = format!(
            r#"{{"interaction":"update","timestamp":{timestamp},"resource":{{"resourceType":"Patient","id":"1","meta":{{"lastUpdated":{last_updated}}}}}}}"#
        );
        let mut record = record("changes", &value);
        record.timestamp_ms = record_time;
        let run = TestPlan::everything().run(&record);
        assert_eq!(run.only().timestamp_ms, record_time);
        run.only().json().get("timestamp").map(|time| time.as_str().unwrap().to_owned())
    };
    let told = "\"2024-10-03T12:07:55.1+02:00\"";
    let updated = "\"2024-10-03T10:07:55.843374Z\"";
    let record_time = Some(1_767_225_600_000);
    assert_eq!(time(told, updated, record_time).unwrap(), "2024-10-03T12:07:55.1+02:00");
    for no_instant in ["\"2024-10-03\"", "\"2024-10-03T24:00:00Z\"", "\"2024-02-30T10:00:00Z\"", "7", "null"] {
        assert_eq!(time(no_instant, updated, record_time).unwrap(), "2024-10-03T10:07:55.843374Z");
        assert_eq!(time(no_instant, no_instant, record_time).unwrap(), "2026-01-01T00:00:00.000Z");
    }
    assert_eq!(time("null", "null", None), None);
}

#[test]
fn a_deletes_time_is_found_in_its_last_known_state() {
    let value = r#"{"interaction":"delete","previous":{"resourceType":"Patient","id":"1","meta":{"lastUpdated":"2024-10-03T10:07:55Z"}}}"#;
    let run = TestPlan::everything().run(&record("changes", value));
    assert_eq!(run.only().json()["timestamp"], "2024-10-03T10:07:55Z");
}

#[test]
fn headers_stand_in_their_order_with_the_forwarded_ones_behind() {
    let value = change("create", aidbox_resource());
    let mut record = record("changes", &value);
    record.headers = vec![
        header("correlation-id", "first"),
        header("secret", "x"),
        SourceHeader { name: "traceparent", value: None },
        SourceHeader { name: "correlation-id", value: Some(b"\xff") },
        header("Traceparent", "another name"),
    ];
    let run = forms(Content::FullResource, KeySource::Source).run(&record);
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let expected = [
        ("content-type", text("application/fhir+json")),
        ("fhir-topic", text(TOPIC)),
        ("fhir-destination", text("kafka-destination")),
        ("fhir-focus", text("QuestionnaireResponse/458e771c-0ff1-4858-ac07-93b7a10c8e3b")),
        ("fhir-interaction", text("create")),
        ("fhir-source", text("changes:1:42")),
        ("fhir-plan", text("0123456789abcdef")),
        ("correlation-id", text("first")),
        ("traceparent", None),
        ("correlation-id", Some(b"\xff".to_vec())),
    ];
    assert_eq!(run.only().headers, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(run.only().kafka_topic, "to-kafka-destination");
    assert_eq!(run.only().timestamp_ms, Some(1_767_225_600_000));

    let empty = forms(Content::Empty, KeySource::None).run(&record);
    assert_eq!(empty.only().header("fhir-focus"), None);
    assert_eq!(empty.only().headers.len(), expected_len() - 1);
    assert!(!empty.only().value().contains("458e771c-0ff1-4858-ac07-93b7a10c8e3b"));
}

fn expected_len() -> usize {
    10
}

#[test]
fn a_forwarded_header_never_stands_beside_one_of_our_own() {
    let value = change("create", aidbox_resource());
    let mut record = record("changes", &value);
    record.headers = vec![header("fhir-topic", "forged"), header("fhir-version", "4.0")];
    let forward = ["fhir-topic", "fhir-version"].map(str::to_owned).to_vec();
    let run = forms(Content::FullResource, KeySource::Source).with(|plan| plan.forward_headers = forward).run(&record);
    let topics = run.only().headers.iter().filter(|(name, _)| name == "fhir-topic").count();
    assert_eq!((topics, run.only().header("fhir-topic")), (1, Some(TOPIC)));
    assert_eq!(run.only().header("fhir-version"), Some("4.0"));
}

#[test]
fn keys() {
    let observation = r#"{"resourceType":"Observation","id":"o1","subject":{"reference":"Patient/p1"}}"#;
    let device = r#"{"resourceType":"Device","id":"d1"}"#;
    let key = |source, resource: &str, record_key: Option<&'static [u8]>| {
        let plan = TestPlan::new().topic("http://example.org/t", None).trigger("Resource", &Interaction::ALL, None);
        let value = change("update", resource);
        let mut record = record("changes", &value);
        record.key = record_key;
        let run = plan.destination("d", Content::FullResource, source, None).run(&record);
        run.only().key.clone().map(|key| String::from_utf8_lossy(&key).into_owned())
    };
    assert_eq!(key(KeySource::Source, observation, Some(b"k")).unwrap(), "k");
    assert_eq!(key(KeySource::Source, observation, Some(b"")).unwrap(), "");
    assert_eq!(key(KeySource::Source, observation, None).unwrap(), "Observation/o1");
    assert_eq!(key(KeySource::Resource, observation, Some(b"k")).unwrap(), "Observation/o1");
    assert_eq!(key(KeySource::Patient, observation, Some(b"k")).unwrap(), "p1");
    assert_eq!(key(KeySource::Patient, r#"{"resourceType":"Patient","id":"p2"}"#, None).unwrap(), "p2");
    assert_eq!(key(KeySource::Patient, device, Some(b"k")).unwrap(), "Device/d1");
    assert_eq!(key(KeySource::None, observation, Some(b"k")), None);
}

#[test]
fn a_delete_without_content_still_has_its_keys() {
    let key = |source, reference: &str| {
        let plan = TestPlan::new().topic("http://example.org/t", None).trigger("Resource", &Interaction::ALL, None);
        let value = format!(r#"{{"interaction":"delete","reference":"{reference}"}}"#);
        let run = plan.destination("d", Content::FullResource, source, None).run(&record("changes", &value));
        run.only().key().map(str::to_owned)
    };
    assert_eq!(key(KeySource::Patient, "Patient/p1").unwrap(), "p1");
    assert_eq!(key(KeySource::Patient, "Encounter/e1").unwrap(), "Encounter/e1");
    assert_eq!(key(KeySource::Resource, "http://h/fhir/Encounter/e1/_history/2").unwrap(), "Encounter/e1");
}

#[test]
fn events_of_one_record_are_numbered_only_if_they_are_several() {
    let entry = |id: &str| {
        format!(
            r#"{{"resource":{{"resourceType":"Patient","id":"{id}"}},"request":{{"method":"PUT","url":"Patient/{id}"}}}}"#
        )
    };
    let bundle =
        |entries: &[String]| format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{}]}}"#, entries.join(","));
    let two = TestPlan::everything().run(&record("bundles", &bundle(&[entry("a"), entry("b")])));
    let sources: Vec<_> = two.outputs.iter().map(|output| output.header("fhir-source").unwrap()).collect();
    assert_eq!(sources, ["bundles:1:42#0", "bundles:1:42#1"]);
    assert_eq!(two.outputs.iter().map(|output| output.event_index).collect::<Vec<_>>(), [0, 1]);
    assert_ne!(two.outputs[0].json()["id"], two.outputs[1].json()["id"]);

    let get = r#"{"resource":{"resourceType":"Patient","id":"c"},"request":{"method":"GET","url":"Patient/c"}}"#;
    let one = TestPlan::everything().run(&record("bundles", &bundle(&[get.to_owned(), entry("b")])));
    assert_eq!(one.only().header("fhir-source"), Some("bundles:1:42"));
    assert_eq!(one.only().event_index, 0);
}

#[test]
fn several_matching_triggers_give_one_notification_per_destination() {
    let plan = TestPlan::new()
        .topic("http://example.org/t", None)
        .trigger("Patient", &Interaction::ALL, None)
        .trigger("Resource", &[Interaction::Update], None)
        .destination("one", Content::FullResource, KeySource::Source, None)
        .destination("two", Content::IdOnly, KeySource::Source, None)
        .topic("http://example.org/u", None)
        .trigger("Patient", &Interaction::ALL, None)
        .destination("three", Content::Empty, KeySource::None, None);
    let run = plan.run(&record("changes", &change("update", r#"{"resourceType":"Patient","id":"p1"}"#)));
    assert_eq!(run.notified(), ["one", "two", "three"]);
    assert_eq!(run.tally.notifications, [1, 1, 1]);
    assert_eq!(run.tally.events[0], [1, 0, 0]);
}

proptest! {
    #[test]
    fn the_same_record_gives_the_same_bytes(
        kafka_topic in prop_oneof!["changes", "resources", "bundles"], value in any::<Vec<u8>>(), key in any::<Option<Vec<u8>>>(),
    ) {
        let plan = TestPlan::everything().build();
        let mut record = record(&kafka_topic, "");
        (record.value, record.key) = (Some(value.as_slice()), key.as_deref());
        let run = || Run::of(&plan, no_limits(), &Refusals::NONE, &record).unwrap().outputs;
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn a_pipeline_that_has_seen_other_records_gives_the_same_bytes() {
    let plan = TestPlan::everything().build();
    let first = change("create", aidbox_resource());
    let second = change("delete", r#"{"resourceType":"Patient","id":"p1"}"#);
    let fresh = |value: &str| Run::of(&plan, no_limits(), &Refusals::NONE, &record("changes", value)).unwrap().outputs;
    let mut pipeline = crate::domain::pipeline::Pipeline::new(std::sync::Arc::clone(&plan), no_limits());
    let mut tally = crate::domain::tally::Tally::new(&plan);
    for value in [&first, &second, &first] {
        let expected = fresh(value);
        let mut values = Vec::new();
        let processed: Result<(), crate::domain::pipeline::ProcessError<()>> =
            pipeline.process(&record("changes", value), &Refusals::NONE, &mut tally, &mut |output| {
                values.push(output.value.map(<[u8]>::to_vec));
                Ok(())
            });
        assert!(processed.is_ok());
        assert_eq!(values, expected.into_iter().map(|output| output.value).collect::<Vec<_>>());
    }
}
