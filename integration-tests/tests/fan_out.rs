//! What comes out of what goes in, through the real service: notifications, keys, headers, dead letters.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use integration_tests::kafka::{Position, Producer, Record, shared, unique};
use integration_tests::oracle::expected::What;
use integration_tests::oracle::{Content, DeadLetter, EventId, ExpectedOutput, Notification, check};
use integration_tests::scene::{Hospital, Scene};
use integration_tests::service::{Service, ServiceSpec};
use integration_tests::wait;
use serde_json::Value;

const TOPIC: &str = "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic";

#[test]
fn every_event_of_a_workload_arrives_exactly_once() {
    let mut hospital = Hospital::new(shared(), 4).unwrap();
    hospital.spec = hospital.spec.clone().setting("TASKS", "2").setting("BATCH__MAX_RECORDS", "100");
    hospital.produce(1, 2_000, 100).unwrap();
    let mut service = hospital.spec.start().unwrap();
    hospital.produce(2, 1_000, 100).unwrap();
    hospital.verdict().unwrap().assert_clean();
    service
        .wait_metrics("a lag of 0 when caught up", std::time::Duration::from_secs(20), |metrics| {
            let ingest = [("kafka_topic", hospital.scene.ingest.as_str())];
            metrics.select("fanout_consumer_lag_records", &ingest).count() == 4
                && metrics.sum("fanout_consumer_lag_records", &ingest) == Some(0.0)
                && metrics.sum("fanout_consumer_lag_seconds", &ingest) == Some(0.0)
        })
        .unwrap();
    let sent = service.metrics().unwrap().sum("fanout_notifications_total", &[]).unwrap();
    assert!((sent - f64::from(u32::try_from(hospital.expected().len()).unwrap())).abs() < 0.5, "{sent} were counted");
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
}

/// The documented example, put together again from its own resource.
#[test]
fn the_documented_notification_comes_out_with_the_bytes_that_went_in() {
    let scene = Scene::new(shared(), 1, &["forms"]).unwrap();
    let topics_yaml = format!(
        "{}topics:\n  - url: {TOPIC}\n    status: active\n    trigger:\n      - resource: QuestionnaireResponse\n        \
         supportedInteraction: [create, update]\n        fhirPathCriteria: status = 'completed' or status = 'amended'\n\
         destinations:\n  - {{ id: kafka-destination, topic: {TOPIC}, kafkaTopic: {} }}\n",
        scene.head("change"),
        scene.kafka_topic("forms")
    );
    let spec = ServiceSpec::new(scene.cluster, &topics_yaml);
    let text = include_str!("../../src/domain/pipeline/tests/aidbox-notification.json");
    let mut wanted: Value = serde_json::from_str(text).unwrap();
    // Pretty-printed: a service that wrote the resource anew would be seen.
    let resource = serde_json::to_string_pretty(&wanted["entry"][1]["resource"]).unwrap();
    let timestamp = wanted["timestamp"].as_str().unwrap();
    let change = format!(r#"{{"interaction":"create","timestamp":"{timestamp}","resource":{resource}}}"#);
    scene.produce(&[Record::new(change).key("a key").timestamp(1_727_950_075_000)]).unwrap();
    let _service = spec.start().unwrap();
    let records = scene.arrived(spec.group(), scene.kafka_topic("forms")).unwrap();
    assert_eq!(records.len(), 1);
    let mut found = records[0].json().unwrap();
    assert!(found.as_object_mut().unwrap().remove("id").is_some_and(|id| id.is_string()), "a Bundle has its id");
    wanted.as_object_mut().unwrap().remove("id");
    assert_eq!(found, wanted);
    let value = std::str::from_utf8(records[0].value.as_deref().unwrap()).unwrap();
    assert!(value.contains(&resource), "the resource's bytes are unchanged");
    assert_eq!(records[0].key_text(), Some("a key"));
    assert_eq!(records[0].timestamp_ms, Some(1_727_950_075_000));
}

/// Two topics over observations: one reads the previous version, one fails on what is no boolean.
fn observations(scene: &Scene<'_>, format: &str) -> String {
    format!(
        "{}topics:
  - url: http://example.org/all
    status: active
    trigger: [ {{ resource: Observation }} ]
  - url: http://example.org/changed
    status: active
    trigger:
      - resource: Observation
        supportedInteraction: [update]
        fhirPathCriteria: \"%previous.status != %current.status\"
  - url: http://example.org/broken
    status: active
    trigger:
      - resource: Observation
        supportedInteraction: [create]
        fhirPathCriteria: \"component.value\"
destinations:
  - {{ id: all, topic: http://example.org/all, kafkaTopic: {}, key: resource }}
  - {{ id: changed, topic: http://example.org/changed, kafkaTopic: {} }}
  - {{ id: broken, topic: http://example.org/broken, kafkaTopic: {}, content: id-only }}
",
        scene.head(format),
        scene.kafka_topic("all"),
        scene.kafka_topic("changed"),
        scene.kafka_topic("broken")
    )
}

struct Observations {
    scene: Scene<'static>,
    spec: ServiceSpec,
    records: Vec<Record>,
    plans: Vec<Vec<Planned>>,
}

type Planned = Box<dyn Fn(&Scene<'_>, &Position, &Record) -> ExpectedOutput>;

impl Observations {
    fn new(format: &str) -> Self {
        let scene = Scene::new(shared(), 2, &["all", "changed", "broken"]).unwrap();
        let spec = ServiceSpec::new(scene.cluster, &observations(&scene, format));
        Self { scene, spec, records: Vec::new(), plans: Vec::new() }
    }

    fn add(&mut self, record: Record, planned: Vec<Planned>) {
        self.records.push(record.timestamp(1_700_000_000_000));
        self.plans.push(planned);
    }

    fn run(self) {
        let positions = self.scene.produce(&self.records).unwrap();
        let _service = self.spec.start().unwrap();
        let produced = self.records.iter().zip(&positions);
        let expected: Vec<ExpectedOutput> = produced
            .zip(&self.plans)
            .flat_map(|((record, position), plans)| plans.iter().map(|plan| plan(&self.scene, position, record)))
            .collect();
        let history = self.scene.history(self.spec.group()).unwrap();
        check(&expected, &history).assert_clean();
    }
}

/// A notification of the event with this index; `key` is that of the output.
fn notified(id: &str, focus: &str, interaction: &str, resource: Option<&str>, index: Option<u32>) -> Planned {
    let (id, focus, interaction) = (id.to_owned(), focus.to_owned(), interaction.to_owned());
    let resource = resource.map(str::to_owned);
    Box::new(move |scene, position, record| {
        let key =
            if id == "all" || record.key.is_none() { focus.clone().into_bytes() } else { record.key.clone().unwrap() };
        ExpectedOutput {
            event: EventId { source: position.clone(), index: index.unwrap_or_default() },
            one_of_several: index.is_some(),
            kafka_topic: scene.kafka_topic(&id).to_owned(),
            key: Some(key),
            timestamp_ms: Some(1_700_000_000_000),
            headers: forwarded(record),
            what: What::Notification(Notification {
                destination: id.clone(),
                topic: format!("http://example.org/{id}"),
                focus: focus.clone(),
                interaction: interaction.clone(),
                content: if id == "broken" { Content::IdOnly } else { Content::FullResource },
                resource: resource.clone(),
            }),
        }
    })
}

fn dead_letter(class: &str, topic: Option<&str>) -> Planned {
    let (class, topic) = (class.to_owned(), topic.map(|name| format!("http://example.org/{name}")));
    Box::new(move |scene, position, record| ExpectedOutput {
        event: EventId::only(position.clone()),
        one_of_several: false,
        kafka_topic: scene.dead_letters.clone(),
        key: record.key.clone(),
        timestamp_ms: Some(1_700_000_000_000),
        headers: forwarded(record),
        what: What::DeadLetter(DeadLetter {
            class: class.clone(),
            topic: topic.clone(),
            destination: None,
            value: record.value.clone(),
        }),
    })
}

/// The headers of a record that are allow-listed by default.
fn forwarded(record: &Record) -> Vec<(String, String)> {
    let listed = record
        .headers
        .iter()
        .filter(|(name, _)| ["traceparent", "tracestate", "correlation-id"].contains(&name.as_str()));
    listed.map(|(name, value)| (name.clone(), String::from_utf8(value.clone().unwrap()).unwrap())).collect()
}

fn change(interaction: &str, resource: &str, previous: Option<&str>) -> Record {
    let previous = previous.map_or_else(String::new, |previous| format!(r#","previous":{previous}"#));
    Record::new(format!(r#"{{"interaction":"{interaction}","resource":{resource}{previous}}}"#))
}

const FINAL: &str = r#"{"resourceType":"Observation", "id":"o1","status":"final","valueQuantity":{"value":1.50}}"#;
const PRELIMINARY: &str = r#"{"resourceType":"Observation","id":"o1","status":"preliminary"}"#;
const NOTED: &str =
    r#"{"resourceType":"Observation","id":"o2","status":"final","component":[{"valueString":"no boolean"}]}"#;
const FOCUS: &str = "Observation/o1";

#[test]
fn changes_of_all_interactions_and_what_cannot_be_processed() {
    let mut run = Observations::new("change");
    let all = |interaction, resource| notified("all", FOCUS, interaction, resource, None);
    let traced = change("create", FINAL, None).key("k").header("traceparent", "00-a-b-01").header("secret", "x");
    run.add(traced, vec![all("create", Some(FINAL))]);
    let changed = notified("changed", FOCUS, "update", Some(FINAL), None);
    run.add(change("update", FINAL, Some(PRELIMINARY)).key("k"), vec![all("update", Some(FINAL)), changed]);
    run.add(change("update", FINAL, Some(FINAL)).key("k"), vec![all("update", Some(FINAL))]);
    let missing = dead_letter("missing-state", Some("changed"));
    run.add(
        change("update", FINAL, None).key("k").header("correlation-id", "c"),
        vec![all("update", Some(FINAL)), missing],
    );
    run.add(change("delete", FINAL, None).key("k"), vec![all("delete", None)]);
    let failed = dead_letter("evaluation-error", Some("broken"));
    run.add(
        change("create", NOTED, None),
        vec![notified("all", "Observation/o2", "create", Some(NOTED), None), failed],
    );
    run.add(Record::new("{ no JSON").key("k").header("traceparent", "t"), vec![dead_letter("undecodable", None)]);
    run.add(Record::null().key("Observation/o1"), vec![dead_letter("undecodable", None)]);
    run.add(change("create", r#"{"resourceType":"Observation"}"#, None), vec![dead_letter("undecodable", None)]);
    run.add(change("create", r#"{"resourceType":"Patient","id":"p"}"#, None).key("k"), Vec::new());
    run.run();
}

#[test]
fn bare_resources_tell_their_interaction_by_header_version_or_null() {
    let mut run = Observations::new("fhir");
    let created = r#"{"resourceType":"Observation","id":"o1","meta":{"versionId":"1"},"status":"final"}"#;
    let all = |interaction, resource| notified("all", FOCUS, interaction, resource, None);
    run.add(Record::new(created), vec![all("create", Some(created))]);
    let by_header = Record::new(FINAL).key("k").header("interaction", "create");
    run.add(by_header, vec![all("create", Some(FINAL))]);
    run.add(Record::null().key(FOCUS), vec![all("delete", None)]);
    run.add(Record::null().key("nothing"), vec![dead_letter("undecodable", None)]);
    run.add(Record::null(), vec![dead_letter("undecodable", None)]);
    run.run();
}

#[test]
fn events_of_a_bundle_stay_together_and_one_bad_entry_refuses_all() {
    let mut run = Observations::new("bundle");
    let entry = |resource: &str, method: &str, status: &str| {
        format!(
            r#"{{"resource":{resource},"request":{{"method":"{method}","url":"Observation/o1"}},"response":{{"status":"{status}"}}}}"#
        )
    };
    let bundle = |entries: &[String]| {
        Record::new(format!(
            r#"{{"resourceType":"Bundle","type":"transaction-response","entry":[{}]}}"#,
            entries.join(",")
        ))
    };
    let (first, second) = (entry(FINAL, "PUT", "201"), entry(PRELIMINARY, "POST", "201"));
    let all = |resource, index| notified("all", FOCUS, "create", Some(resource), Some(index));
    run.add(bundle(&[first.clone(), second]).key("k"), vec![all(FINAL, 0), all(PRELIMINARY, 1)]);
    let bad = entry(r#"{"resourceType":"Observation"}"#, "PUT", "201");
    run.add(bundle(&[first, bad]).key("k"), vec![dead_letter("undecodable", None)]);
    run.run();
}

#[test]
fn an_output_that_its_kafka_topic_refuses_is_a_dead_letter_and_the_others_go_out() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    hospital.produce(1, 50, 10).unwrap();
    let scene = &hospital.scene;
    scene.admin.alter_kafka_topic(scene.kafka_topic("forms"), &[("max.message.bytes", "100")]).unwrap();
    let service: Service = hospital.spec.start().unwrap();
    let history = scene.history(hospital.spec.group()).unwrap();
    let wanted = hospital.expected().iter().filter(|output| output.kafka_topic == scene.kafka_topic("forms")).count();
    assert!(wanted > 0);
    assert_eq!(history.dead_letters.len(), wanted);
    for record in &history.dead_letters {
        assert_eq!(record.header("fhir-dead-letter-class"), Some("too-large"));
        assert_eq!(record.header("fhir-dead-letter-destination"), Some("forms"));
    }
    assert_eq!(history.notifications.len(), hospital.expected().len() - wanted);
    wait::until("the count of dead letters", std::time::Duration::from_secs(10), || {
        let counted =
            service.metrics().ok().and_then(|found| found.sum("fanout_dead_letters_total", &[("class", "too-large")]));
        counted.is_some_and(|counted| (counted - f64::from(u32::try_from(wanted).unwrap())).abs() < 0.5)
    })
    .unwrap();
}

#[test]
fn what_a_publisher_aborts_is_never_said() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    hospital.produce(1, 20, 10).unwrap();
    let publisher = Producer::transactional(shared(), &unique("publisher")).unwrap();
    let matching = Record::new(
        r#"{"interaction":"create","resource":{"resourceType":"Observation","id":"never","status":"final","subject":{"reference":"Patient/p"}}}"#,
    );
    publisher.begin().unwrap();
    publisher.send(&hospital.scene.ingest, &vec![matching.partition(0); 5]).unwrap();
    publisher.abort().unwrap();
    hospital.produce(2, 20, 10).unwrap();
    let _service = hospital.spec.start().unwrap();
    hospital.verdict().unwrap().assert_clean();
}
