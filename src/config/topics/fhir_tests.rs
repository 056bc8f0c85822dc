//! FHIR JSON resources: Aidbox's own shapes load, and mistakes in them are placed.

use super::tests::{MINIMAL, Sample};
use crate::domain::event::Interaction;
use crate::domain::plan::{Content, KeySource};

/// A topic as Aidbox's documentation posts it: without an id.
const TOPIC: &str = r#"{
  "resourceType": "AidboxSubscriptionTopic",
  "url": "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic",
  "status": "active",
  "trigger": [
    {
      "resource": "QuestionnaireResponse",
      "fhirPathCriteria": "status = 'completed' or status = 'amended'"
    }
  ]
}
"#;

/// An at-least-once destination as Aidbox's documentation posts it.
const AT_LEAST_ONCE: &str = r#"{
  "resourceType": "AidboxTopicDestination",
  "meta": {
    "profile": ["http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-kafkaAtLeastOnceProfile"]
  },
  "kind": "kafka-at-least-once",
  "id": "kafka-destination",
  "topic": "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic",
  "parameter": [
    { "name": "kafkaTopic", "valueString": "aidbox-forms" },
    { "name": "bootstrapServers", "valueString": "kafka:29092" }
  ]
}
"#;

/// A best-effort destination with the login of a managed cluster, as Aidbox's documentation posts it.
const BEST_EFFORT: &str = r#"{
  "resourceType": "AidboxTopicDestination",
  "meta": {
    "profile": ["http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-kafkaBestEffortProfile"]
  },
  "kind": "kafka-best-effort",
  "id": "managed-destination",
  "topic": "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic",
  "parameter": [
    { "name": "kafkaTopic", "valueString": "aidbox-forms" },
    { "name": "bootstrapServers", "valueString": "b-1.example.amazonaws.com:9098,b-2.example.amazonaws.com:9098" },
    { "name": "securityProtocol", "valueString": "SASL_SSL" },
    { "name": "saslMechanism", "valueString": "AWS_MSK_IAM" },
    { "name": "saslJaasConfig", "valueString": "org.example.LoginModule required password=hunter2;" },
    { "name": "saslClientCallbackHandlerClass", "valueString": "org.example.CallbackHandler" }
  ]
}
"#;

/// Everything but topics and destinations.
fn base() -> String {
    let at = MINIMAL.find("topics:").expect("topics");
    format!("{}resources: [fhir/*.json]\n", &MINIMAL[..at])
}

/// A configuration whose only topic and destination are these resources.
fn resources(topic: &str, destination: &str) -> Sample {
    Sample::new(base()).file("fhir/a-topic.json", topic).file("fhir/b-destination.json", destination)
}

#[test]
fn aidboxs_own_examples_load() {
    let sample = resources(TOPIC, AT_LEAST_ONCE).file("fhir/c.json", BEST_EFFORT);
    let (loaded, problems) = sample.load();
    insta::assert_snapshot!(problems.render(crate::config::diagnostic::Colour::Never));
    let loaded = loaded.expect("warnings only");
    let topic = &loaded.plan.topics[0];
    assert_eq!(topic.url, "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic");
    assert_eq!((topic.triggers[0].resource.as_str(), topic.destinations.len()), ("QuestionnaireResponse", 2));
    assert_eq!(topic.triggers[0].interactions, Interaction::ALL);
    assert_eq!(loaded.plan.criteria[0].text(), "status = 'completed' or status = 'amended'");
    for (destination, id) in loaded.plan.destinations.iter().zip(["kafka-destination", "managed-destination"]) {
        assert_eq!((destination.id.as_str(), destination.kafka_topic.as_str()), (id, "aidbox-forms"));
        assert_eq!((destination.content, destination.key), (Content::FullResource, KeySource::Source));
    }
    let foreign: Vec<_> = loaded
        .foreign_bootstrap
        .iter()
        .map(|foreign| (foreign.destination.as_str(), foreign.servers.as_str()))
        .collect();
    assert_eq!(
        foreign,
        [
            ("kafka-destination", "kafka:29092"),
            ("managed-destination", "b-1.example.amazonaws.com:9098,b-2.example.amazonaws.com:9098")
        ]
    );
    assert!(!format!("{loaded:?}").contains("hunter2"), "a resource's text is in Debug");
    let problem = loaded.foreign_bootstrap[0].place.error("another cluster");
    assert_eq!((problem.line, problem.path.as_str()), (Some(11), "parameter[1].valueString"));
}

#[test]
fn the_services_own_brokers_are_not_foreign() {
    let sample = resources(TOPIC, &AT_LEAST_ONCE.replace("kafka:29092", "kafka-2:9092, kafka-1:9092"))
        .settings(|settings| settings.kafka.bootstrap_servers = "kafka-1:9092,kafka-2:9092".to_owned());
    assert!(sample.load().0.expect("a plan").foreign_bootstrap.is_empty());
}

#[test]
fn json_reads_as_json() {
    // escapes, tabs, a surrogate pair, and `${` that is no variable in JSON
    let topic = TOPIC
        .replace("http://example", r"http:\/\/example")
        .replace("  ", "\t")
        .replace("status = 'completed'", r"title = '\u00e9 \ud83d\ude00 ${X}'");
    let plan = resources(&topic, AT_LEAST_ONCE).load().0.expect("a plan").plan;
    assert_eq!(plan.criteria[0].text(), "title = 'é 😀 ${X}' or status = 'amended'");
    assert_eq!(plan.topics[0].url, "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic");
}

#[test]
fn organizations_come_from_extensions_and_resources() {
    let extension = |reference: &str| {
        format!(
            r#""meta": {{ "extension": [
                 {{ "url": "http://example.org/other", "valueReference": {{ "reference": "Organization/x" }} }},
                 {{ "url": "https://aidbox.app/tenant-organization-id", "valueReference": {{ "reference": "{reference}" }} }},
                 {{ "url": "https://aidbox.app/tenant-organization-id", "valueReference": {{ "reference": "Organization/y" }} }}] }},
               "url":"#
        )
    };
    let bundle = r#"{ "resourceType": "Bundle", "type": "collection", "entry": [
        { "resource": { "resourceType": "Organization", "id": "a", "name": "A", "active": true } },
        { "resource": { "resourceType": "Organization", "id": "b", "partOf": { "reference": "Organization/a" } } }] }"#;
    let array = r#"[{ "resourceType": "Organization", "id": "c", "partOf": { "reference": "http://x/Organization/b/_history/1" } }]"#;
    let topic = TOPIC
        .replace("\"url\":", &extension("Organization/c"))
        .replace("\"resourceType\"", "\"id\": \"t\", \"resourceType\"");
    let sample = resources(&topic, AT_LEAST_ONCE).file("fhir/d.json", bundle).file("fhir/e.json", array);
    let plan = sample.plan();
    assert_eq!(plan.topics[0].organization.as_deref(), Some("Organization/c"));
    let parents: Vec<_> =
        plan.organizations.parents.iter().map(|(child, parent)| (child.as_str(), parent.as_str())).collect();
    assert_eq!(parents, [("Organization/b", "Organization/a"), ("Organization/c", "Organization/b")]);
    // an extension that names no organization must not open the topic to all of them
    let broken = TOPIC.replace("\"url\":", &extension("Organization/c")).replace("valueReference", "valueString");
    assert!(resources(&broken, AT_LEAST_ONCE).load().1.has_errors());
}

#[test]
fn a_destination_takes_its_id_from_the_file() {
    let nameless =
        AT_LEAST_ONCE.replace("\"id\": \"kafka-destination\",", "\"content\": \"id-only\", \"status\": \"active\",");
    let (loaded, problems) = resources(TOPIC, &nameless).load();
    let destination = &loaded.expect("warnings only").plan.destinations[0];
    assert_eq!((destination.id.as_str(), destination.content), ("b-destination", Content::IdOnly));
    assert!(problems.iter().any(|problem| problem.message == "`id` is missing: the file's name gives `b-destination`"));
    // in an array no file name belongs to it
    assert!(resources(TOPIC, &format!("[{nameless}]")).load().1.has_errors());
}

#[test]
fn one_file_of_two_globs_is_read_once() {
    let text = base().replace("[fhir/*.json]", "[fhir/*.json, 'fhir/b*.json']");
    let sample = Sample::new(text).file("fhir/a.json", TOPIC).file("fhir/b.json", AT_LEAST_ONCE);
    assert_eq!(sample.load().0.expect("a plan").plan.destinations.len(), 1);
}

#[test]
fn interactions_may_stand_alone() {
    let topic = TOPIC.replace("\"resource\":", "\"supportedInteraction\": \"delete\", \"resource\":");
    let plan = resources(&topic, AT_LEAST_ONCE).load().0.expect("a plan").plan;
    assert_eq!(plan.topics[0].triggers[0].interactions, [Interaction::Delete]);
}

#[test]
fn a_destination_that_is_off_does_not_run() {
    let off = AT_LEAST_ONCE.replace("\"kind\"", "\"status\": \"off\", \"kind\"");
    let (loaded, problems) = resources(TOPIC, &off).load();
    assert!(loaded.expect("warnings only").plan.destinations.is_empty());
    assert!(problems.iter().any(|problem| problem.message == "the destination has status off: nothing will be sent"));
}

#[test]
fn mistakes_in_a_topic() {
    let topic = r#"{
  "resourceType": "AidboxSubscriptionTopic",
  "id": "t",
  "url": "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic",
  "_url": { "extension": [] },
  "publisher": "the hospital",
  "experimentl": true,
  "canFilterBy": [],
  "modifierExtension": [],
  "trigger": [
    { "resource": 7, "queryCriteria": { "current": "status=final" }, "resourceTyp": "x" },
    { "supportedInteraction": ["created"], "fhirPathCriteria": ["a"] }
  ]
}"#;
    insta::assert_snapshot!(resources(topic, AT_LEAST_ONCE).problems());
}

#[test]
fn mistakes_in_a_destination() {
    let destination = AT_LEAST_ONCE
        .replace("kafka-at-least-once", "webhook-at-least-once")
        .replace("\"kafkaTopic\"", "\"kafkatopic\"")
        .replace("\"bootstrapServers\"", "\"saslJaasConfig\"")
        .replace("kafka:29092", "password=hunter2\" }, { \"name\": \"saslJaasConfig\", \"valueString\": \"hunter2")
        .replace("kafka-destination", "kafka_destination")
        .replace("\"parameter\"", "\"content\": \"full\", \"filterBy\": [], \"status\": \"on\", \"parameter\"");
    let text = resources(TOPIC, &destination).problems();
    assert!(!text.contains("hunter2"), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn other_resources_and_broken_files() {
    let sample = resources(TOPIC, AT_LEAST_ONCE)
        .file("fhir/c.json", "{ \"resourceType\": \"Patient\", \"id\": \"p\" }")
        .file("fhir/d.json", "{ \"resourceType\": \"SubscriptionTopic\" }")
        .file("fhir/e.json", "{ \"resourceType\": \"AidboxTopicDestinaton\" }")
        .file("fhir/f.json", "{ \"id\": \"x\" }")
        .file("fhir/g.json", "{ \"id\": \"x\", }")
        .file("fhir/h.json", "[7]")
        .file("fhir/i.json", "{ \"resourceType\": \"Organization\", \"partOf\": {} }");
    insta::assert_snapshot!(sample.problems());
}
