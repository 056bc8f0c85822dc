//! What `validate` and `run` say about configurations, as somebody outside reads the contract. Needs no Kafka.

use std::path::Path;
use std::process::{Command, Output};

const TOPIC_URL: &str = "http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic";

/// The contract's own example, without the files that `resources` would name.
const CONTRACT: &str = "\
fhirBaseUrl: http://fhir.example.org/fhir        # for fullUrl and request.url
ingest:
  - kafkaTopic: fhir.changes
    format: change
    startFrom: earliest
deadLetter: { kafkaTopic: fhir.dead-letters }
onError: dead-letter
onMissingState: dead-letter
organizations:
  extensionUrl: https://aidbox.app/tenant-organization-id
  hierarchy: { Organization/b: Organization/a }
topics:
  - url: http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic
    status: active
    organization: Organization/a
    trigger:
      - resource: QuestionnaireResponse
        supportedInteraction: [create, update]
        fhirPathCriteria: status = 'completed' or status = 'amended'
        description: a form was completed
destinations:
  - id: kafka-destination
    topic: http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic
    kafkaTopic: forms
    content: full-resource
    key: source
    organization: Organization/b
";

/// What every configuration begins with that takes its topics and destinations from files.
const FROM_FILES: &str = "\
fhirBaseUrl: http://fhir.example.org/fhir
ingest: [ { kafkaTopic: fhir.changes, format: change } ]
deadLetter: { kafkaTopic: fhir.dead-letters }
resources: [ fhir/*.json ]
";

struct Checked {
    code: Option<i32>,
    text: String,
}

impl Checked {
    fn problems(&self, severity: &str) -> usize {
        self.text.lines().filter(|line| line.starts_with(&format!("{severity}: "))).count()
    }
}

/// Runs a command over `topics.yaml` and other files in a folder of their own, which is not the working folder.
fn run(command: &str, topics: &str, files: &[(&str, &str)], environment: &[(&str, &str)]) -> Checked {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files.iter().chain(&[("topics.yaml", topics)]) {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder in it");
        std::fs::write(path, text).expect("a file in it");
    }
    let output: Output = Command::new(env!("CARGO_BIN_EXE_fhir-fanout"))
        .arg(command)
        .arg("--topics")
        .arg(folder.path().join("topics.yaml"))
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("the binary of this package runs");
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Checked { code: output.status.code(), text: text.replace(&format!("{}/", folder.path().display()), "") }
}

fn validate(topics: &str) -> Checked {
    run("validate", topics, &[], &[])
}

/// The contract's example with a text replaced.
fn contract_but(from: &str, to: &str) -> String {
    assert!(CONTRACT.contains(from), "the example has no {from:?}");
    CONTRACT.replacen(from, to, 1)
}

#[test]
fn the_contracts_example_is_valid() {
    let checked = validate(CONTRACT);
    assert_eq!(checked.code, Some(0), "{}", checked.text);
    assert_eq!((checked.problems("error"), checked.problems("warning")), (0, 0), "{}", checked.text);
}

#[test]
fn every_value_that_the_contract_names_is_accepted() {
    let mut variants = Vec::new();
    let each = |from: &str, values: &[&str]| -> Vec<String> {
        let field = from.split(": ").next().expect("a field");
        values.iter().map(|value| contract_but(from, &format!("{field}: {value}"))).collect()
    };
    variants.extend(each("format: change", &["change", "fhir", "bundle"]));
    variants.extend(each(
        "startFrom: earliest",
        &["earliest", "latest", "2026-01-31T06:00:00Z", "'2026-01-31T06:00:00+01:00'"],
    ));
    variants.extend(each("onError: dead-letter", &["dead-letter", "skip", "stop"]));
    variants.extend(each("onMissingState: dead-letter", &["dead-letter", "skip"]));
    variants.extend(each("content: full-resource", &["full-resource", "id-only", "empty"]));
    variants.extend(each("key: source", &["source", "resource", "patient", "none"]));
    variants.extend(each(
        "resource: QuestionnaireResponse",
        &["Resource", "Patient", "http://hl7.org/fhir/StructureDefinition/Patient"],
    ));
    variants.extend(each("supportedInteraction: [create, update]", &["[create, update, delete]", "[delete]"]));
    variants.extend(each(
        "organization: Organization/a",
        &["http://h.example.org/fhir/Organization/a", "Organization/a/_history/2"],
    ));
    for left_out in [
        "    startFrom: earliest\n",
        "onError: dead-letter\n",
        "onMissingState: dead-letter\n",
        "    status: active\n",
        "    content: full-resource\n",
        "    key: source\n",
        "    organization: Organization/b\n",
        "        description: a form was completed\n",
        "        supportedInteraction: [create, update]\n",
        "        fhirPathCriteria: status = 'completed' or status = 'amended'\n",
        "  extensionUrl: https://aidbox.app/tenant-organization-id\n",
    ] {
        variants.push(contract_but(left_out, ""));
    }
    for variant in variants {
        let checked = validate(&variant);
        assert_eq!((checked.code, checked.problems("error")), (Some(0), 0), "{}\n{variant}", checked.text);
    }
}

#[test]
fn each_mistake_has_file_line_column_path_and_hint_and_all_come_at_once() {
    let mistakes = [
        ("fhirBaseUrl", "fhirBaseURL", "1:1", "fhirBaseURL"),
        ("format: change", "format: json", "4:13", "ingest[0].format"),
        ("onError: dead-letter", "onError: explode", "7:10", "onError"),
        (
            "{ Organization/b: Organization/a }",
            "{ Organization/b: Organization/a, Organization/a: Organization/b }",
            "11:",
            "organizations.hierarchy",
        ),
        ("resource: QuestionnaireResponse", "resource: QuestionaireResponse", "17:19", "topics[0].trigger[0].resource"),
        ("[create, update]", "[create, read]", "18:40", "topics[0].trigger[0].supportedInteraction[1]"),
        (
            "fhirPathCriteria: status = 'completed' or",
            "fhirPathCriteria: status = 'completed' or or",
            "19:",
            "topics[0].trigger[0].fhirPathCriteria",
        ),
        ("kafkaTopic: forms", "kafkaTopic: all forms", "24:17", "destinations[0].kafkaTopic"),
        ("content: full-resource", "content: everything", "25:14", "destinations[0].content"),
        ("key: source", "key: person", "26:10", "destinations[0].key"),
    ];
    let mut all = CONTRACT.to_owned();
    for (from, to, place, path) in mistakes {
        let checked = validate(&contract_but(from, to));
        assert_eq!(checked.code, Some(1), "{from}: {}", checked.text);
        let wanted = format!("--> topics.yaml:{place}");
        let line = checked.text.lines().find(|line| line.contains(&wanted));
        assert!(line.is_some_and(|line| line.contains(&format!("({path}"))), "{wanted} ({path}):\n{}", checked.text);
        assert_eq!(
            checked.problems("error") + checked.problems("warning"),
            checked.text.matches("= hint: ").count(),
            "{}",
            checked.text
        );
        all = all.replacen(from, to, 1);
    }
    let (checked, refused) = (validate(&all), run("run", &all, &[], &[]));
    assert!(checked.problems("error") >= mistakes.len(), "all at once:\n{}", checked.text);
    assert_eq!((refused.code, refused.problems("error")), (Some(1), checked.problems("error")), "run says the same");
}

#[test]
fn criteria_are_checked_with_the_position_in_the_expression() {
    let criterion = |text: &str| {
        let quoted = serde_json::to_string(text).expect("a string is JSON");
        contract_but("status = 'completed' or status = 'amended'", &quoted)
    };
    for (text, position, said) in [
        ("status = 'completed", "character 10", "not closed"),
        ("status = ", "character", "ends too early"),
        ("status.exists() and nosuch()", "character 21", "nosuch"),
        ("status = %nosuch", "character 10", "%nosuch"),
        ("status == 'a'", "character 9", "="),
        ("status", "character 1", "boolean"),
    ] {
        let checked = validate(&criterion(text));
        assert_eq!(checked.code, Some(1), "{text}: {}", checked.text);
        assert!(checked.text.contains(position) && checked.text.contains(said), "{text}: {}", checked.text);
        assert!(checked.text.contains("topics.yaml:19:"), "{text}: {}", checked.text);
    }
    for text in [
        "%previous.empty() or %current.status != %previous.status",
        "%context.status = 'a'",
        "%resource.item.exists()",
        "item.answer.value.ofType(string) = 'x'",
    ] {
        let checked = validate(&criterion(text));
        assert_eq!((checked.code, checked.problems("warning")), (Some(0), 0), "{text}: {}", checked.text);
    }
    let on_update_alone = validate(&criterion("%current.status != %previous.status"));
    assert_eq!(on_update_alone.code, Some(0), "{}", on_update_alone.text);
    assert!(
        on_update_alone.text.contains("never true on create: `%previous` is empty there"),
        "{}",
        on_update_alone.text
    );
    let bound = validate(&criterion("authored >= @2024-01-01"));
    assert_eq!((bound.code, bound.problems("warning")), (Some(0), 1), "{}", bound.text);
}

#[test]
fn unknown_fields_are_errors_wherever_they_stand() {
    for (from, to, path) in [
        ("onError: dead-letter", "surprise: 1\nonError: dead-letter", "surprise"),
        ("    format: change", "    format: change\n    surprise: 1", "ingest[0].surprise"),
        ("{ kafkaTopic: fhir.dead-letters }", "{ kafkaTopic: fhir.dead-letters, surprise: 1 }", "deadLetter.surprise"),
        ("organizations:", "organizations:\n  surprise: 1", "organizations.surprise"),
        ("    status: active", "    status: active\n    surprise: 1", "topics[0].surprise"),
        ("        description:", "        surprise: 1\n        description:", "topics[0].trigger[0].surprise"),
        ("    key: source", "    key: source\n    surprise: 1", "destinations[0].surprise"),
    ] {
        let checked = validate(&contract_but(from, to));
        assert_eq!((checked.code, checked.problems("error")), (Some(1), 1), "{path}: {}", checked.text);
        assert!(checked.text.contains(&format!("({path})")) && checked.text.contains("= hint: "), "{}", checked.text);
    }
}

#[test]
fn what_is_named_twice_or_not_at_all_is_an_error() {
    let second = "  - { id: kafka-destination, topic: 'http://example.org/nowhere', kafkaTopic: others }\n";
    let checked = validate(&format!("{CONTRACT}{second}"));
    assert_eq!(checked.code, Some(1));
    assert!(checked.text.contains("twice") && checked.text.contains("http://example.org/nowhere"), "{}", checked.text);
    assert_eq!(checked.problems("error"), 2, "{}", checked.text);
    for missing in [
        "    kafkaTopic: forms\n",
        "    topic: http://example.org/FHIR/R5/SubscriptionTopic/QuestionnaireResponse-topic\n",
    ] {
        assert_eq!(validate(&contract_but(missing, "")).code, Some(1), "{missing}");
    }
}

#[test]
fn an_organization_that_the_hierarchy_does_not_know_is_a_warning() {
    let checked = validate(&contract_but("organization: Organization/b", "organization: Organization/z_1"));
    assert_eq!(
        (checked.code, checked.problems("warning"), checked.problems("error")),
        (Some(0), 1, 0),
        "{}",
        checked.text
    );
}

#[test]
fn variables_are_put_in_after_parsing() {
    let text =
        contract_but("http://fhir.example.org/fhir ", "${BASE} ").replace("kafkaTopic: forms", "kafkaTopic: ${OUT}");
    let text = text.replace("description: a form was completed", "description: ${DESCRIPTION}");
    let set = [("BASE", "https://h.example.org/fhir"), ("OUT", "forms"), ("DESCRIPTION", "a: [b # c\n- d")];
    assert_eq!(run("validate", &text, &[], &set).code, Some(0), "no value becomes YAML");
    let checked = run("validate", &text, &[], &[("OUT", "hunter2 secret"), ("DESCRIPTION", "x")]);
    assert_eq!((checked.code, checked.problems("error")), (Some(1), 2), "{}", checked.text);
    assert!(checked.text.contains("BASE") && !checked.text.contains("hunter2"), "{}", checked.text);
}

#[test]
fn aidboxs_own_resources_load_from_files() {
    let topic = format!(
        r#"{{ "resourceType": "AidboxSubscriptionTopic", "url": "{TOPIC_URL}", "status": "active",
        "trigger": [ {{ "resource": "QuestionnaireResponse", "fhirPathCriteria": "status = 'completed' or status = 'amended'" }} ] }}"#
    );
    let destination = |kind: &str, profile: &str, id: &str, more: &str| {
        format!(
            r#"{{ "resourceType": "AidboxTopicDestination", "meta": {{ "profile": [
            "http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-{profile}" ] }},
            "kind": "{kind}", {id} "topic": "{TOPIC_URL}", "parameter": [
            {{ "name": "kafkaTopic", "valueString": "aidbox-forms" }},
            {{ "name": "bootstrapServers", "valueString": "kafka:29092" }} {more} ] }}"#
        )
    };
    let cloud = r#", { "name": "securityProtocol", "valueString": "SASL_SSL" }, { "name": "saslMechanism", "valueString": "AWS_MSK_IAM" },
        { "name": "saslJaasConfig", "valueString": "software.amazon.msk.auth.iam.IAMLoginModule required;" },
        { "name": "saslClientCallbackHandlerClass", "valueString": "software.amazon.msk.auth.iam.IAMClientCallbackHandler" }"#;
    let standalone = destination("kafka-at-least-once", "kafkaAtLeastOnceProfile", r#""id": "kafka-destination","#, "");
    let with_iam = destination("kafka-best-effort", "kafkaBestEffortProfile", r#""id": "kafka-destination","#, cloud);
    for one in [&standalone, &with_iam] {
        let checked = run("validate", FROM_FILES, &[("fhir/topic.json", &topic), ("fhir/destination.json", one)], &[]);
        assert_eq!((checked.code, checked.problems("error")), (Some(0), 0), "{}", checked.text);
        assert!(checked.text.contains("topic.json") && checked.text.contains("`id` is missing"), "{}", checked.text);
    }
    let both = [("fhir/topic.json", topic.as_str()), ("fhir/a.json", &standalone), ("fhir/b.json", &with_iam)];
    let checked = run("validate", FROM_FILES, &both, &[]);
    assert_eq!((checked.code, checked.problems("error")), (Some(1), 1), "one id twice: {}", checked.text);
    let nameless = destination("kafka-best-effort", "kafkaBestEffortProfile", "", "");
    let checked =
        run("validate", FROM_FILES, &[("fhir/topic.json", &topic), ("fhir/from_its_file.json", &nameless)], &[]);
    assert_eq!((checked.code, checked.problems("error")), (Some(0), 0), "{}", checked.text);
    assert!(checked.text.contains("`from_its_file`"), "{}", checked.text);
    let webhook = standalone.replace("kafka-at-least-once", "webhook-at-least-once");
    let checked = run("validate", FROM_FILES, &[("fhir/topic.json", &topic), ("fhir/w.json", &webhook)], &[]);
    assert_eq!(checked.code, Some(1), "{}", checked.text);
    let beside = [("fhir/topic.json", topic.as_str())];
    let named = format!("{CONTRACT}resources: [ fhir/*.json ]\n");
    let checked = run("validate", &named, &beside, &[]);
    assert_eq!((checked.code, checked.problems("error")), (Some(1), 1), "one url twice: {}", checked.text);
}

#[test]
fn every_setting_of_the_contract_is_read_from_the_environment() {
    let set = [
        ("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", "kafka-1:9092,kafka-2:9092"),
        ("FHIR_FANOUT__APPLICATION_ID", "hospital"),
        ("FHIR_FANOUT__INSTANCE_ID", "pod-0"),
        ("FHIR_FANOUT__TASKS", "3"),
        ("FHIR_FANOUT__HTTP__LISTEN", "0.0.0.0:9464"),
        ("FHIR_FANOUT__BATCH__MAX_RECORDS", "100"),
        ("FHIR_FANOUT__BATCH__MAX_BYTES", "1000000"),
        ("FHIR_FANOUT__BATCH__LINGER_MS", "0"),
        ("FHIR_FANOUT__FORWARD_HEADERS", "traceparent,x-tenant"),
        ("FHIR_FANOUT__MAX_MESSAGE_BYTES", "2000000"),
        ("FHIR_FANOUT__KAFKA__OPTIONS__SECURITY_PROTOCOL", "SASL_SSL"),
        ("FHIR_FANOUT__KAFKA__CONSUMER__FETCH_MAX_BYTES", "20000000"),
        ("FHIR_FANOUT__KAFKA__PRODUCER__COMPRESSION_TYPE", "zstd"),
    ];
    let checked = run("validate", CONTRACT, &[], &set);
    assert_eq!(
        (checked.code, checked.problems("error"), checked.problems("warning")),
        (Some(0), 0, 0),
        "{}",
        checked.text
    );
    for (variable, value) in [
        ("FHIR_FANOUT__TASKS", "0"),
        ("FHIR_FANOUT__BATCH__MAX_RECORDS", "many"),
        ("FHIR_FANOUT__KAFKA__PRODUCER__ENABLE_IDEMPOTENCE", "false"),
        ("FHIR_FANOUT__KAFKA__CONSUMER__ISOLATION_LEVEL", "read_uncommitted"),
        ("FHIR_FANOUT__KAFKA__OPTIONS__ENABLE_AUTO_COMMIT", "true"),
        ("FHIR_FANOUT__KAFKA__PRODUCER__TRANSACTIONAL_ID", "mine"),
        ("FHIR_FANOUT__KAFKA__PRODUCER__ACKS", "1"),
        ("FHIR_FANOUT__KAFKA__PRODUCER__PARTITIONER", "random"),
    ] {
        let checked = run("validate", CONTRACT, &[], &[(variable, value)]);
        assert_eq!(checked.code, Some(1), "{variable}: {}", checked.text);
        assert!(checked.text.contains(variable) && checked.text.contains("= hint: "), "{}", checked.text);
    }
}
