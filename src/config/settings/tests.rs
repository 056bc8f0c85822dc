//! The layers, every setting's row, and what never appears in a problem.

use std::io::Write;

use super::*;

fn load(file: &str, variables: &[(&str, &str)]) -> (Settings, Diagnostics) {
    let mut written = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a temporary file");
    written.write_all(file.as_bytes()).expect("written");
    let environment: Environment = variables.iter().copied().collect();
    let (settings, problems) = Settings::load(Some(written.path()), &environment);
    let name = written.path().display().to_string();
    let named = |problem: crate::config::diagnostic::Diagnostic| crate::config::diagnostic::Diagnostic {
        file: problem.file.replace(&name, "fhir-fanout.yaml"),
        hint: problem.hint.map(|hint| hint.replace(&name, "fhir-fanout.yaml")),
        ..problem
    };
    (settings, problems.into_iter().map(named).collect())
}

fn rendered(file: &str, variables: &[(&str, &str)]) -> String {
    load(file, variables).1.render(crate::config::diagnostic::Colour::Never)
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let (settings, problems) = Settings::load(None, &Environment::default());
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(settings, Settings::default());
    insta::assert_debug_snapshot!(Settings { tasks: NonZeroUsize::MIN, ..settings });
    assert_eq!(Settings::default().tasks, std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
}

#[test]
fn the_reference_names_every_setting() {
    let lines: Vec<String> = reference()
        .into_iter()
        .map(|row| format!("{} | {} | {} | {} | {}", row.name, row.variable, row.default, row.unit, row.meaning))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_default_is_taken_by_its_own_row() {
    for row in reference().iter().filter(|row| !row.variable.ends_with("<OPTION>")) {
        let (settings, problems) = Settings::load(None, &[(row.variable.as_str(), row.default)].into_iter().collect());
        assert!(problems.is_empty(), "{}: {problems:?}", row.name);
        assert_eq!(settings, Settings::default(), "{}", row.name);
    }
}

#[test]
fn every_setting_is_read_from_the_file_and_from_the_environment() {
    let file = "
applicationId: a
instance_id: pod-1
tasks: 3
kafka: { bootstrapServers: [k1:9092, k2:9092] }
http: { listen: '0.0.0.0:1' }
batch: { maxRecords: 1, maxBytes: 2048, lingerMs: 0 }
forwardHeaders: [x]
maxMessageBytes: 2000
evaluationSteps: 5000
evaluationMemoryBytes: 70000
transactionTimeoutMs: 1000
sessionTimeoutMs: 6000
staticMembership: true
shutdownTimeoutMs: 100
reloadIntervalMs: 250
log: { format: text, level: 'info,fhir_fanout=debug' }
";
    let variables = [
        ("FHIR_FANOUT__APPLICATION_ID", "a"),
        ("FHIR_FANOUT__INSTANCE_ID", "pod-1"),
        ("FHIR_FANOUT__TASKS", "3"),
        ("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", "k1:9092,k2:9092"),
        ("FHIR_FANOUT__HTTP__LISTEN", "0.0.0.0:1"),
        ("FHIR_FANOUT__BATCH__MAX_RECORDS", "1"),
        ("FHIR_FANOUT__BATCH__MAX_BYTES", "2048"),
        ("FHIR_FANOUT__BATCH__LINGER_MS", "0"),
        ("FHIR_FANOUT__FORWARD_HEADERS", "x"),
        ("FHIR_FANOUT__MAX_MESSAGE_BYTES", "2000"),
        ("FHIR_FANOUT__EVALUATION_STEPS", "5000"),
        ("FHIR_FANOUT__EVALUATION_MEMORY_BYTES", "70000"),
        ("FHIR_FANOUT__TRANSACTION_TIMEOUT_MS", "1000"),
        ("FHIR_FANOUT__SESSION_TIMEOUT_MS", "6000"),
        ("FHIR_FANOUT__STATIC_MEMBERSHIP", "true"),
        ("FHIR_FANOUT__SHUTDOWN_TIMEOUT_MS", "100"),
        ("FHIR_FANOUT__RELOAD_INTERVAL_MS", "250"),
        ("FHIR_FANOUT__LOG__FORMAT", "text"),
        ("FHIR_FANOUT__LOG__LEVEL", "info,fhir_fanout=debug"),
    ];
    let named: Vec<String> = reference().into_iter().map(|row| row.variable).collect();
    assert_eq!(variables.len() + 3, named.len(), "a setting is missing in this test");
    assert!(variables.iter().all(|(name, _)| named.iter().any(|known| known == name)));
    let (from_file, problems) = load(file, &[]);
    assert!(problems.is_empty(), "{problems:?}");
    let (from_environment, problems) = load("", &variables);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(from_file, from_environment);
    insta::assert_debug_snapshot!(from_file);
}

#[test]
fn the_environment_wins_over_the_file_setting_by_setting() {
    let file = "applicationId: file\nbatch: { maxRecords: 7, lingerMs: 9 }\nkafka: { options: { client.id: file, socket.timeout.ms: 5000 } }";
    let variables = [
        ("FHIR_FANOUT__BATCH__LINGER_MS", "11"),
        ("FHIR_FANOUT__KAFKA__OPTIONS__CLIENT_ID", "variable"),
        ("FHIR_FANOUT__FORWARD_HEADERS", ""),
        ("FHIR_FANOUT__INSTANCE_ID", ""),
    ];
    let (settings, problems) = load(file, &variables);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!((settings.batch.max_records, settings.batch.linger), (7, Duration::from_millis(11)));
    assert_eq!(settings.application_id, "file");
    assert_eq!(settings.kafka.options.get("client.id"), Some("variable"));
    assert_eq!(settings.kafka.options.get("socket.timeout.ms"), Some("5000"));
    assert_eq!((settings.forward_headers, settings.instance_id), (vec![], None));
}

#[test]
fn a_value_at_fault_that_a_higher_layer_replaces_is_no_problem() {
    let (settings, problems) = load("tasks: none", &[("FHIR_FANOUT__TASKS", "2")]);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(settings.tasks.get(), 2);
}

#[test]
fn options_of_one_client_win_over_the_common_ones() {
    let file = "kafka: { options: { client.id: both, client.rack: r }, consumer: { client.id: c } }";
    let settings = load(file, &[("FHIR_FANOUT__KAFKA__PRODUCER__COMPRESSION_TYPE", "zstd")]).0;
    let of =
        |options: Vec<(&str, &str)>| options.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    assert_eq!(of(settings.kafka.consumer_options().collect()), ["client.rack=r", "client.id=c"]);
    assert_eq!(
        of(settings.kafka.producer_options().collect()),
        ["client.id=both", "client.rack=r", "compression.type=zstd"]
    );
    assert_eq!(of(settings.kafka.common_options().collect()), ["client.id=both", "client.rack=r"]);
}

#[test]
fn what_exactly_once_needs_cannot_be_overridden() {
    let names = [
        "isolation.level",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "acks",
        "request.required.acks",
        "transactional.id",
        "group.id",
        "group.instance.id",
        "bootstrap.servers",
        "auto.offset.reset",
        "allow.auto.create.topics",
        "partitioner",
        "max.in.flight.requests.per.connection",
    ];
    for map in ["options", "consumer", "producer"] {
        for name in names {
            let (settings, problems) = load(&format!("kafka:\n  {map}:\n    {name}: all\n"), &[]);
            let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
            assert!(
                messages.len() == 1 && messages[0].starts_with(&format!("option `{name}` cannot be set: ")),
                "{name}: {messages:?}"
            );
            assert!(problems.iter().all(|problem| problem.hint.is_some() && problem.line == Some(3)));
            assert_eq!(settings, Settings::default(), "{name}");
            let variable =
                format!("FHIR_FANOUT__KAFKA__{}__{}", map.to_uppercase(), name.replace('.', "_").to_uppercase());
            let (settings, problems) = load("", &[(&variable, "all")]);
            assert_eq!(
                (problems.count(crate::config::diagnostic::Severity::Error), settings),
                (1, Settings::default())
            );
        }
    }
}

#[test]
fn mistakes_of_the_file() {
    insta::assert_snapshot!(rendered(
        "
aplicationId: a
tasks: 0
batch:
  maxRecord: 7
  maxBytes: 16 MiB
  lingerMs: [1, 2]
  linger_ms: 3
http: 9464
kafka:
  saslPassword: hunter2
  options: { sasl.pasword: hunter2, acks: 0 }
  consumer:
    security.protocol: hunter2
    fetch.max.bytes:
forwardHeaders: [fhir-topic]
staticMembership: true
log: { format: xml, level: inof }
instanceId: a b
",
        &[]
    ));
}

#[test]
fn mistakes_of_the_environment() {
    insta::assert_snapshot!(rendered(
        "batch: { lingerMs: 70000 }",
        &[
            ("FHIR_FANOUT__TASKS", "many"),
            ("FHIR_FANOUT__HTTP__LISTEN", "localhost:9464"),
            ("FHIR_FANOUT__BATCH__MAX_RECORD", "1"),
            ("FHIR_FANOUT__SASL_PASSWORD", "hunter2"),
            ("FHIR_FANOUT__KAFKA__OPTIONS__SECURITY_PROTOCOL", "hunter2"),
            ("FHIR_FANOUT__KAFKA__OPTIONS__SASL_PASSWORT", "hunter2"),
            ("FHIR_FANOUT__KAFKA__PRODUCER__ACKS", "1"),
            ("FHIR_FANOUT__STATIC_MEMBERSHIP", "true"),
            ("FHIR_FANOUT_INSTANCE_ID", "a"),
            ("FHIR_FANOUT_PORT_9464_TCP", "set by Kubernetes"),
        ]
    ));
}

#[test]
fn a_file_that_is_missing_or_broken_is_a_problem() {
    let (settings, problems) = Settings::load(Some(Path::new("/no/such/fhir-fanout.yaml")), &Environment::default());
    assert_eq!(settings, Settings::default());
    assert_eq!(
        problems.render(crate::config::diagnostic::Colour::Never).lines().next(),
        Some("error: there is no such file")
    );
    assert!(load("kafka: [", &[]).1.has_errors());
    assert!(load("- a", &[]).1.has_errors());
    assert!(load("# nothing\n", &[]).1.is_empty());
}

#[test]
fn secrets_appear_nowhere() {
    let file =
        "kafka:\n  options: { sasl.password: hunter2, sasl.username: hunter2 }\n  producer: { ssl.key.pem: hunter2 }\n";
    let (settings, problems) = load(file, &[("FHIR_FANOUT__KAFKA__CONSUMER__SASL_PASSWORD", "hunter2")]);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(settings.kafka.options.get("sasl.password"), Some("hunter2"));
    assert!(!format!("{settings:?}").contains("hunter2"));
    for (file, variables) in [
        ("kafka: { options: { sasl.password: hunter2, sasl.password: hunter2 } }", vec![]),
        ("kafka: { sasl.password: hunter2 }", vec![]),
        ("kafka: { options: { sasl.password: [hunter2] } }", vec![]),
        ("kafka:\n  options:\n    sasl.password: hunter2: x\n", vec![]),
        ("kafka:\n  options:\n    sasl.password: \"hunter2\n", vec![]),
        ("kafka:\n  options:\n    security.protocol: hunter2\n", vec![]),
        ("", vec![("FHIR_FANOUT__KAFKA__SASL_PASSWORD", "hunter2")]),
        ("", vec![("FHIR_FANOUT__KAFKA__OPTIONS__SSL_KEY", "hunter2")]),
    ] {
        let (_, problems) = load(file, &variables);
        assert!(problems.has_errors(), "{file}");
        let shown = format!("{}\n{problems:?}", problems.render(crate::config::diagnostic::Colour::Always));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
