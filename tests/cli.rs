//! The command line from outside: what it prints and how it exits.

use std::net::TcpListener;
use std::process::{Command, Output};

/// Runs the binary with these arguments and environment variables and no others.
fn fhir_fanout_in(environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fhir-fanout"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .expect("the binary of this package runs")
}

fn fhir_fanout(arguments: &[&str]) -> Output {
    fhir_fanout_in(&[], arguments)
}

/// A topics.yaml in a folder of its own.
struct TopicsFile {
    folder: tempfile::TempDir,
}

impl TopicsFile {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("topics.yaml"), text).expect("a file in it");
        Self { folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("topics.yaml").to_str().expect("a path that is text").to_owned()
    }

    /// What was printed, with the file's name in place of its path.
    fn shorten(&self, printed: &[u8]) -> String {
        text(printed).replace(&self.path(), "topics.yaml")
    }
}

const VALID: &str = "\
fhirBaseUrl: http://fhir.example.org/fhir
ingest:
  - kafkaTopic: fhir.changes
    format: change
deadLetter: { kafkaTopic: fhir.dead-letters }
organizations:
  hierarchy: { Organization/b: Organization/a }
topics:
  - url: http://example.org/forms
    status: active
    trigger:
      - resource: QuestionnaireResponse
        fhirPathCriteria: status = 'completed'
destinations:
  - id: kafka-destination
    topic: http://example.org/forms
    kafkaTopic: forms
";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn code(arguments: &[&str]) -> Option<i32> {
    fhir_fanout(arguments).status.code()
}

#[test]
fn help_tells_commands_exit_codes_and_examples() {
    let help = fhir_fanout(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stderr.is_empty(), "{}", text(&help.stderr));
    insta::assert_snapshot!("help", text(&help.stdout));
}

#[test]
fn each_command_has_its_help() {
    for (name, arguments) in [
        ("help_run", &["run", "--help"][..]),
        ("help_validate", &["validate", "--help"]),
        ("help_diff", &["diff", "--help"]),
        ("help_schema", &["schema", "--help"]),
        ("help_explain", &["explain", "--help"]),
        ("help_test", &["test", "--help"]),
        ("help_topics_create", &["topics", "create", "--help"]),
        ("help_topics_check", &["topics", "check", "--help"]),
        ("help_dry_run", &["dry-run", "--help"]),
    ] {
        let help = fhir_fanout(arguments);
        assert_eq!(help.status.code(), Some(0), "{name}");
        insta::assert_snapshot!(name, text(&help.stdout));
    }
}

#[test]
fn the_version_is_the_packages() {
    for flag in ["--version", "-V"] {
        let version = fhir_fanout(&[flag]);
        assert_eq!(version.status.code(), Some(0));
        assert_eq!(text(&version.stdout), format!("fhir-fanout {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_wrong_command_line_exits_64_and_says_why_on_standard_error() {
    for arguments in [
        &[][..],
        &["run"],
        &["validate"],
        &["topics"],
        &["topics", "create"],
        &["fly", "--topics", "x"],
        &["--topics"],
        &["--topics", "x", "--speed", "9"],
        &["--config", "x"],
        &["topics", "create", "--topics", "x", "--partitions", "0"],
        &["topics", "create", "--topics", "x", "--replication-factor", "many"],
    ] {
        let output = fhir_fanout(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_topics_file_that_cannot_be_read_is_an_invalid_configuration() {
    let missing = "no-such-folder/topics.yaml";
    for command in ["run", "validate"] {
        let output = fhir_fanout(&[command, "--topics", missing]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains(missing), "{command}: {said}");
    }
    assert_eq!(code(&["--topics", missing]), Some(1), "run is the default command");
    assert_eq!(code(&["topics", "create", "--topics", missing]), Some(1));
}

#[test]
fn a_valid_configuration_exits_0() {
    let file = TopicsFile::new(VALID);
    let output = fhir_fanout(&["validate", "--topics", &file.path()]);
    assert_eq!(file.shorten(&output.stdout), "topics.yaml: valid (0 errors, 0 warnings)\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn validate_names_each_criterion_that_is_not_compiled_and_counts_them() {
    let trigger = "      - resource: QuestionnaireResponse\n        fhirPathCriteria: status = 'completed'\n";
    let not_compiled = trigger.replace("status = 'completed'", "item.exists() and descendants().count() > 9");
    assert!(VALID.contains(trigger), "the example has this trigger");
    let file = TopicsFile::new(&VALID.replace(trigger, &format!("{trigger}{not_compiled}")));
    let output = fhir_fanout(&["validate", "--topics", &file.path()]);
    insta::assert_snapshot!("validate_engines", file.shorten(&output.stdout));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn warnings_are_printed_and_do_not_fail() {
    let file = TopicsFile::new(&format!("{VALID}    organization: Organization/unknown\n"));
    let output = fhir_fanout(&["validate", "--topics", &file.path()]);
    let printed = file.shorten(&output.stdout);
    assert!(printed.contains("warning: ") && printed.contains("topics.yaml:18:"), "{printed}");
    assert!(printed.ends_with("topics.yaml: valid (0 errors, 1 warning)\n"), "{printed}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn every_mistake_is_printed_and_the_exit_code_is_1() {
    let text = VALID.replace("kafkaTopic: forms", "kafkaTopic: 'for ms'").replace("status: active", "status: alive");
    let file = TopicsFile::new(&text);
    for (command, on_stdout) in [("validate", true), ("run", false)] {
        let output = fhir_fanout(&[command, "--topics", &file.path()]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let printed = file.shorten(if on_stdout { &output.stdout } else { &output.stderr });
        assert_eq!(printed.matches("error: ").count(), 2, "{command}: {printed}");
        assert!(printed.contains("topics.yaml:10:") && printed.contains("topics.yaml:17:"), "{command}: {printed}");
        let other = if on_stdout { &output.stderr } else { &output.stdout };
        assert!(other.is_empty(), "{command} keeps to one stream");
    }
}

#[test]
fn a_wrong_setting_is_an_invalid_configuration() {
    let file = TopicsFile::new(VALID);
    for (variable, value) in [
        ("FHIR_FANOUT__TASKS", "none"),
        ("FHIR_FANOUT__HTTP__LISTEN", "somewhere"),
        ("FHIR_FANOUT__LOG__FORMAT", "xml"),
        ("FHIR_FANOUT__LOG__LEVEL", "fhir_fanout=loud"),
    ] {
        let output = fhir_fanout_in(&[(variable, value)], &["run", "--topics", &file.path()]);
        assert_eq!(output.status.code(), Some(1), "{variable}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(variable), "{}", text(&output.stderr));
    }
}

#[test]
fn an_address_that_is_taken_is_fatal_and_named_in_a_json_line() {
    let file = TopicsFile::new(VALID);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("a bound address").to_string();
    let output = fhir_fanout_in(&[("FHIR_FANOUT__HTTP__LISTEN", &address)], &["--topics", &file.path()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "logs go to standard error");
    let log = text(&output.stderr);
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("each line is a JSON object")).collect();
    let last = lines.last().expect("a line that says why");
    assert_eq!(last["level"], "ERROR");
    let error = last["error"].as_str().expect("the error");
    assert!(error.contains(&address) && error.contains("http.listen"), "{error}");
}

#[test]
fn topics_create_says_why_no_broker_answers() {
    let file = TopicsFile::new(VALID);
    let nobody = [("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")];
    let output = fhir_fanout_in(&nobody, &["topics", "create", "--topics", &file.path()]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stdout), "asking 127.0.0.1:1 for its Kafka topics\n");
    let problems = text(&output.stderr);
    assert!(problems.contains("Connection refused"), "{problems}");
    assert!(problems.contains("error: cannot ask 127.0.0.1:1"), "{problems}");
}
