//! Organization filtering end to end: topic first, then destination, and closed where something is unknown.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use integration_tests::kafka::{Record, shared};
use integration_tests::scene::Scene;
use integration_tests::service::ServiceSpec;

/// Runs one topic and one destination over events of several organizations; gives the ids that arrived.
fn arrived(topic: Option<&str>, destination: Option<&str>, hierarchy: &str) -> Vec<String> {
    let scene = Scene::new(shared(), 1, &["out"]).unwrap();
    let line = |organization: Option<&str>| organization.map_or_else(String::new, |id| format!("organization: {id}"));
    let topics_yaml = format!(
        "{head}organizations:
  hierarchy: {hierarchy}
topics:
  - url: http://example.org/t
    status: active
    {topic}
    trigger: [ {{ resource: Observation }} ]
destinations:
  - id: out
    topic: http://example.org/t
    kafkaTopic: {out}
    key: resource
    {destination}
",
        head = scene.head("change"),
        topic = line(topic),
        destination = line(destination),
        out = scene.kafka_topic("out"),
    );
    let spec = ServiceSpec::new(scene.cluster, &topics_yaml);
    let events = [("a", Some("a")), ("b", Some("b")), ("other", Some("other")), ("none", None)];
    let records: Vec<Record> = events.iter().map(|(id, organization)| event(id, *organization)).collect();
    scene.produce(&records).unwrap();
    let _service = spec.start().unwrap();
    let records = scene.arrived(spec.group(), scene.kafka_topic("out")).unwrap();
    let mut ids: Vec<String> =
        records.iter().map(|record| record.key_text().unwrap().trim_start_matches("Observation/").to_owned()).collect();
    ids.sort_unstable();
    ids
}

fn event(id: &str, organization: Option<&str>) -> Record {
    let meta = organization.map_or_else(String::new, |organization| {
        let url = "https://aidbox.app/tenant-organization-id";
        let reference = format!(r#"{{"reference":"Organization/{organization}"}}"#);
        format!(r#","meta":{{"extension":[{{"url":"{url}","valueReference":{reference}}}]}}"#)
    });
    Record::new(format!(
        r#"{{"interaction":"create","resource":{{"resourceType":"Observation","id":"{id}"{meta},"status":"final"}}}}"#
    ))
}

#[test]
fn example_1_a_topic_of_the_parent_and_a_destination_of_the_child() {
    let hierarchy = "{ Organization/b: Organization/a }";
    assert_eq!(arrived(Some("Organization/a"), Some("Organization/b"), hierarchy), ["b"]);
}

#[test]
fn example_2_a_destination_with_an_organization_and_a_topic_without() {
    assert_eq!(arrived(None, Some("Organization/a"), "{}"), ["a"]);
}

#[test]
fn a_topic_of_the_parent_catches_the_child_and_nothing_unrelated() {
    let hierarchy = "{ Organization/b: Organization/a }";
    assert_eq!(arrived(Some("Organization/a"), None, hierarchy), ["a", "b"]);
}

#[test]
fn without_organizations_everything_arrives() {
    assert_eq!(arrived(None, None, "{ Organization/b: Organization/a }"), ["a", "b", "none", "other"]);
}
