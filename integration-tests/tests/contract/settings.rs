//! What other settings change: skipping, stopping, forwarded headers, limits, the base URL, FHIR JSON, `topics create`.

use std::time::Duration;

use integration_tests::kafka::{
    Admin, Isolation, KafkaCluster, Position, Producer, ReadRecord, Record, read, shared, unique,
};
use integration_tests::scene::Scene;
use integration_tests::service::{Service, ServiceSpec};
use integration_tests::wait;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};

use crate::changes::change;
use crate::run::WITHIN;

const TOPICS: &str = "\
onError: ${ON_ERROR}
onMissingState: skip
organizations: { hierarchy: { Organization/b: Organization/a } }
topics:
  - url: http://example.org/topic/basic
    status: active
    trigger: [ { resource: Basic } ]
  - url: http://example.org/topic/missing
    status: active
    trigger:
      - { resource: Encounter, supportedInteraction: [update], fhirPathCriteria: '%previous.empty() and %current.exists()' }
      - { resource: Encounter, supportedInteraction: [delete], fhirPathCriteria: status.empty() }
  - url: http://example.org/topic/changed
    status: active
    trigger: [ { resource: Encounter, fhirPathCriteria: '%previous.status != %current.status' } ]
  - url: http://example.org/topic/errors
    status: active
    trigger: [ { resource: Observation, fhirPathCriteria: code.coding.single().exists() } ]
destinations:
  - { id: full, topic: 'http://example.org/topic/basic', kafkaTopic: FULL }
  - { id: ids, topic: 'http://example.org/topic/basic', kafkaTopic: IDS, content: id-only }
  - { id: missing, topic: 'http://example.org/topic/missing', kafkaTopic: MISSING }
  - { id: changed, topic: 'http://example.org/topic/changed', kafkaTopic: CHANGED }
  - { id: errors, topic: 'http://example.org/topic/errors', kafkaTopic: ERRORS }
resources: [ 'RESOURCES/*.json' ]
";

const NAMES: &[&str] = &["full", "ids", "missing", "changed", "errors", "forms"];

fn topics(scene: &Scene<'_>, format: &str, resources: &str) -> String {
    let named =
        NAMES.iter().fold(TOPICS.to_owned(), |text, name| text.replace(&name.to_uppercase(), scene.kafka_topic(name)));
    let named =
        named.replace("${ON_ERROR}", "\u{0}").replace("RESOURCES", resources).replace('\u{0}', "${ON_ERROR:-skip}");
    scene.head(format).replace("http://aidbox-server/fhir", "${BASE}") + &named
}

/// The project's FHIR JSON: a topic without id, and a destination that names its cluster by another address.
fn write_resources(folder: &std::path::Path, kafka_topic: &str, cluster: &KafkaCluster) {
    let url = "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic";
    let topic = json!({
        "resourceType": "AidboxSubscriptionTopic", "url": url, "status": "active",
        "trigger": [{"resource": "QuestionnaireResponse", "supportedInteraction": ["create", "update"],
                     "fhirPathCriteria": "status = 'completed' or status = 'amended'"}],
    });
    let organization = json!({"reference": "http://x.org/Organization/a/_history/1"});
    let destination = json!({
        "resourceType": "AidboxTopicDestination", "kind": "kafka-best-effort", "topic": url, "content": "id-only",
        "meta": {"profile": ["http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-kafkaBestEffortProfile"],
                 "extension": [{"url": "https://aidbox.app/tenant-organization-id", "valueReference": organization}]},
        "parameter": [{"name": "kafkaTopic", "valueString": kafka_topic},
                      {"name": "bootstrapServers", "valueString": cluster.bootstrap_servers().replace("127.0.0.1", "localhost")}],
    });
    std::fs::write(folder.join("forms-topic.json"), topic.to_string()).unwrap();
    std::fs::write(folder.join("from-its-file.json"), destination.to_string()).unwrap();
}

struct Stage {
    scene: Scene<'static>,
    spec: ServiceSpec,
    topics_yaml: String,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(format: &str) -> Self {
        let scene = Scene::new(shared(), 1, NAMES).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write_resources(folder.path(), scene.kafka_topic("forms"), scene.cluster);
        let text = topics(&scene, format, folder.path().to_str().unwrap());
        let spec = ServiceSpec::new(scene.cluster, &text).variable("BASE", "https://fhir.example.org");
        Self { scene, spec, topics_yaml: text, _folder: folder }
    }

    fn read(&self, name: &str) -> Vec<ReadRecord> {
        let kafka_topic = if name == "dead-letters" { &self.scene.dead_letters } else { self.scene.kafka_topic(name) };
        read::to_end(self.scene.cluster, kafka_topic, Isolation::ReadCommitted, WITHIN).unwrap()
    }

    fn sources(&self, name: &str) -> Vec<String> {
        self.read(name).iter().map(|record| record.header("fhir-source").unwrap().to_owned()).collect()
    }

    fn wait_consumed(&self) {
        self.scene.admin.wait_consumed(self.scene.cluster, self.spec.group(), &self.scene.ingest, WITHIN).unwrap();
    }
}

fn texts(positions: &[&Position]) -> Vec<String> {
    positions.iter().map(ToString::to_string).collect()
}

#[test]
fn skipping_forwarding_limits_and_resources_from_files() {
    let stage = Stage::new("change");
    let settings = "forwardHeaders: [never]\nmaxMessageBytes: 5000\nbatch: { lingerMs: 1 }\n";
    let spec = stage.spec.clone().settings_yaml(settings).setting("FORWARD_HEADERS", "x-tenant, correlation-id");
    // Not even at the lowest level.
    let spec = spec.setting("LOG__LEVEL", "trace");
    let mut service = spec.start().unwrap();
    let small = change("create", r#"{"resourceType":"Basic","id":"canary-1"}"#);
    let small = small
        .header("x-tenant", "t")
        .header("traceparent", "00-a")
        .header("correlation-id", "")
        .header("x-tenant", "u");
    let large =
        change("create", &format!(r#"{{"resourceType":"Basic","id":"canary-2","x":"{}"}}"#, "canary ".repeat(1_000)));
    let updated = change("update", r#"{"resourceType":"Encounter","id":"canary-e","status":"planned"}"#);
    let deleted = Record::new(r#"{"interaction":"delete","reference":"Encounter/canary-e"}"#);
    let codes = r#"{"resourceType":"Observation","id":"canary-o","code":{"coding":[{"code":"a"},{"code":"b"}]}}"#;
    let form = r#"{"resourceType":"QuestionnaireResponse","id":"canary-f","status":"completed"}"#;
    let form = Record::new(format!(r#"{{"interaction":"create","organization":"Organization/b","resource":{form}}}"#));
    let records = [small, large.key("canary"), updated, deleted, change("create", codes), form];
    let at = stage.scene.produce(&records).unwrap();
    produce_with_unreadable_header_name(&stage.scene);
    stage.wait_consumed();

    let full = stage.read("full");
    assert_eq!(full.len(), 2, "the large one is too large, the one with the odd header is there");
    let bundle = full[0].json().unwrap();
    assert_eq!(bundle["entry"][1]["fullUrl"], "https://fhir.example.org/Basic/canary-1");
    assert_eq!(bundle["entry"][1]["request"], json!({"method": "POST", "url": "/Basic"}));
    let passed_on: Vec<_> =
        full[0].headers.iter().skip(7).map(|(name, value)| (name.as_str(), value.as_deref().unwrap())).collect();
    assert_eq!(passed_on, [("x-tenant", &b"t"[..]), ("correlation-id", b""), ("x-tenant", b"u")]);
    assert_eq!(full[1].header("x-tenant"), Some("beside"), "only the name that is no text is left out");
    let last = full[1].header("fhir-source").unwrap().to_owned();
    assert_eq!(stage.sources("ids"), [texts(&[&at[0], &at[1]]), vec![last]].concat());

    let letters = stage.read("dead-letters");
    assert_eq!(letters.len(), 1, "skipped errors and missing states are no dead letters");
    let headers: Vec<_> =
        letters[0].headers.iter().map(|(name, _)| (name.as_str(), letters[0].header(name).unwrap())).collect();
    let source = at[1].to_string();
    let wanted = [
        ("fhir-dead-letter-class", "too-large"),
        ("fhir-dead-letter-source", &source),
        ("fhir-dead-letter-event", "0"),
        ("fhir-dead-letter-destination", "full"),
    ];
    assert_eq!(headers, wanted);
    assert_eq!(letters[0].key_text(), Some("canary"));
    assert_eq!(letters[0].value, None, "a dead letter that does not fit goes without value");

    assert_eq!(stage.sources("missing"), texts(&[&at[2], &at[3]]), "evaluated with empty");
    assert!(stage.read("changed").is_empty() && stage.read("errors").is_empty());
    let forms = stage.read("forms");
    assert_eq!(forms.len(), 1);
    assert_eq!(forms[0].header("fhir-destination"), Some("from-its-file"));
    assert_eq!(forms[0].json().unwrap()["entry"][1].get("resource"), None);
    check_counts_of_skipped(&service);
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
    assert!(!service.log().contains("canary"), "{}", service.log());
}

fn check_counts_of_skipped(service: &Service) {
    let counted = |name: &'static str, labels: &'static [(&str, &str)], wanted: f64| {
        let what = format!("{name} {labels:?} = {wanted}");
        service
            .wait_metrics(&what, Duration::from_secs(10), |page| {
                page.sum(name, labels).is_some_and(|found| (found - wanted).abs() < 0.1)
            })
            .unwrap();
    };
    counted("fanout_evaluation_errors_total", &[("topic", "http://example.org/topic/errors")], 1.0);
    counted("fanout_dead_letters_total", &[], 1.0);
    counted("fanout_filtered_total", &[("reason", "missing-state")], 2.0);
    counted("fanout_events_total", &[("outcome", "unmatched")], 1.0);
    counted("fanout_events_total", &[("outcome", "notified")], 6.0);
}

/// A header whose name is no UTF-8, which other languages' clients can send.
#[allow(unsafe_code, reason = "the client library offers no other way to produce such a name")]
fn produce_with_unreadable_header_name(scene: &Scene<'_>) {
    let producer: BaseProducer = scene.cluster.client().create().unwrap();
    let bytes = vec![b'x', 0xff, 0xfe];
    // SAFETY: the name goes straight to a C string; nothing looks at it as text.
    let name = unsafe { std::str::from_utf8_unchecked(&bytes) };
    let headers = OwnedHeaders::new()
        .insert(Header { key: name, value: Some("canary") })
        .insert(Header { key: "x-tenant", value: Some("beside") });
    let value = r#"{"interaction":"create","resource":{"resourceType":"Basic","id":"canary-3"}}"#;
    producer
        .send(BaseRecord::<[u8], str>::to(&scene.ingest).payload(value).headers(headers))
        .map_err(|(error, _)| error)
        .unwrap();
    producer.flush(WITHIN).unwrap();
}

#[test]
fn on_error_stop_commits_what_stands_before_and_ends_with_2() {
    let stage = Stage::new("bundle");
    let spec = stage.spec.clone().variable("ON_ERROR", "stop");
    let basic = r#"{"resource":{"resourceType":"Basic","id":"canary-1"},"request":{"method":"POST","url":"Basic"}}"#;
    let failing = r#"{"resource":{"resourceType":"Observation","id":"canary-2","code":{"coding":[{},{}]}},"request":{"method":"POST","url":"Observation"}}"#;
    let bundle = |entries: &[&str]| {
        Record::new(format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(",")))
    };
    let records = [bundle(&[basic]), bundle(&[basic, basic]), bundle(&[basic, failing]), bundle(&[basic])];
    let at = stage.scene.produce(&records).unwrap();
    let before = vec![at[0].to_string(), format!("{}#0", at[1]), format!("{}#1", at[1])];
    for attempt in 0..2 {
        let mut service = spec.spawn().unwrap();
        assert_eq!(service.wait(WITHIN).unwrap().code(), Some(2), "attempt {attempt}: {}", service.log());
        let committed = stage.scene.admin.committed_offsets(spec.group(), &stage.scene.ingest).unwrap();
        assert_eq!(committed.get(&0), Some(&at[2].offset), "up to the record, and not beyond");
        assert_eq!(stage.sources("full"), before);
        assert!(stage.read("dead-letters").is_empty());
        let log = service.log();
        let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!(last["level"], "ERROR");
        assert!(
            log.contains(&at[2].to_string()) || (log.contains(&stage.scene.ingest) && log.contains("onError")),
            "it says where: {log}"
        );
        assert!(!log.contains("canary"), "{log}");
    }
}

#[test]
fn a_new_group_starts_where_start_from_says_and_an_old_one_where_it_was() {
    let stage = Stage::new("fhir");
    let (latest, timed) = (unique("latest"), unique("timed"));
    for kafka_topic in [&latest, &timed] {
        stage.scene.admin.create_kafka_topic(kafka_topic, 1).unwrap();
    }
    let ingest = &stage.scene.ingest;
    let more = format!(
        "    startFrom: earliest\n  - {{ kafkaTopic: {latest}, format: fhir, startFrom: latest }}\n  - {{ kafkaTopic: {timed}, \
         format: fhir, startFrom: 2023-11-14T22:13:20Z }}\n"
    );
    let text = stage.topics_yaml.replacen("    startFrom: earliest\n", &more, 1);
    let spec = stage.spec.clone().topics_yaml(&text);
    let record = |time: i64| Record::new(r#"{"resourceType":"Basic","id":"canary-1"}"#).timestamp(time);
    let producer = Producer::plain(stage.scene.cluster).unwrap();
    let send = |kafka_topic: &str| {
        producer.send(kafka_topic, &[record(1_699_999_999_999), record(1_700_000_000_000)]).unwrap()
    };
    let (of_earliest, of_timed) = (send(ingest), send(&timed));
    send(&latest);
    let mut service = spec.start().unwrap();
    let mut wanted: Vec<String> = texts(&[&of_earliest[0], &of_earliest[1], &of_timed[1]]);
    let arrived = |wanted: &mut Vec<String>| {
        let count = wanted.len();
        wait::until_ok("all notifications", WITHIN, || {
            anyhow::ensure!(stage.read("full").len() >= count);
            Ok(())
        })
        .unwrap();
        let mut sources = stage.sources("full");
        sources.sort();
        wanted.sort();
        assert_eq!(&sources, wanted);
    };
    arrived(&mut wanted);
    wanted.extend(texts(&send(&latest).iter().collect::<Vec<_>>()));
    arrived(&mut wanted);
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
    // What came while nobody ran is not passed over, also where a new group would begin at the end.
    wanted.extend(texts(&send(&latest).iter().collect::<Vec<_>>()));
    let mut service = spec.start().unwrap();
    arrived(&mut wanted);
    assert_eq!(service.sigterm().unwrap().0.code(), Some(0));
}

#[test]
fn topics_create_asks_first_with_dry_run_and_takes_partitions_and_replication() {
    let admin = Admin::new(shared()).unwrap();
    let (ingest, out, dead) = (unique("in"), unique("out"), unique("dead"));
    let text = format!(
        "fhirBaseUrl: http://x.org/fhir\ningest: [ {{ kafkaTopic: {ingest}, format: fhir }} ]\ndeadLetter: {{ kafkaTopic: {dead} }}\n\
         topics: [ {{ url: 'http://x.org/t', status: active, trigger: [ {{ resource: Patient }} ] }} ]\n\
         destinations: [ {{ id: out, topic: 'http://x.org/t', kafkaTopic: {out} }} ]\n"
    );
    let spec = ServiceSpec::new(shared(), &text);
    let dry = spec.run(&["topics", "create", "--dry-run"]).unwrap();
    assert_eq!(dry.code, Some(0), "{}{}", dry.stdout, dry.stderr);
    assert!(dry.stdout.contains(&out) && dry.stdout.contains(&dead), "{}", dry.stdout);
    assert_eq!((admin.partitions(&out).unwrap(), admin.partitions(&dead).unwrap()), (None, None), "nothing was done");
    let created =
        spec.run(&["topics", "create", "--with-ingest", "--partitions", "5", "--replication-factor", "1"]).unwrap();
    assert_eq!(created.code, Some(0), "{}{}", created.stdout, created.stderr);
    for kafka_topic in [&ingest, &out, &dead] {
        assert_eq!(admin.partitions(kafka_topic).unwrap().unwrap().len(), 5);
        assert!(admin.replicas(kafka_topic).unwrap().iter().all(|replicas| *replicas == 1));
    }
    let refused = spec
        .topics_yaml(&text_with_new_names(&text, &out))
        .run(&["topics", "create", "--replication-factor", "9"])
        .unwrap();
    assert_eq!(refused.code, Some(2), "one broker cannot hold nine replicas");
    assert!(refused.stderr.to_lowercase().contains("replication"), "{}", refused.stderr);
    wait::until("the Kafka topics are there", Duration::from_secs(5), || admin.partitions(&out).is_ok()).unwrap();
}

fn text_with_new_names(text: &str, out: &str) -> String {
    text.replace(out, &unique("another"))
}
