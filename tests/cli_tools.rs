//! `validate --format json`, `diff` and `schema` from outside: what is printed, on which stream, and the exit code.

use std::path::Path;
use std::process::{Command, Output};

const OLD: &str = "\
fhirBaseUrl: http://fhir.example.org/fhir
ingest:
  - { kafkaTopic: fhir.changes, format: change }
deadLetter: { kafkaTopic: fhir.dead-letters }
topics:
  - url: http://example.org/forms
    trigger:
      - resource: QuestionnaireResponse
        fhirPathCriteria: status = 'completed'
destinations:
  - { id: forms, topic: 'http://example.org/forms', kafkaTopic: forms }
";

/// Files in a folder of their own, which is the working folder of the command.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fhir-fanout"));
        command.args(arguments).env_clear().env("NEW_HOST", "fhir.example.com").current_dir(self.0.path());
        command.output().expect("the binary of this package runs")
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_str(&out(output)).unwrap_or_else(|_| panic!("one JSON document: {}", out(output)))
}

#[test]
fn validate_as_json_says_what_it_says_to_people() {
    let topics = OLD
        .replace("status = 'completed'", "descendants().exists() and stauts = 'completed'")
        .replace("kafkaTopic: forms", "kafkaTopic: forms, key: pacient");
    let folder = Folder::with(&[("topics.yaml", &topics), ("fhir-fanout.yaml", "taks: 3\n")]);
    let arguments = ["validate", "--topics", "topics.yaml", "--config", "fhir-fanout.yaml"];
    let as_json = folder.run(&[&arguments[..], &["--format", "json"]].concat());
    assert_eq!((as_json.status.code(), err(&as_json).as_str()), (Some(1), ""));
    insta::assert_snapshot!("validate_json_invalid", out(&as_json));
    let for_people = folder.run(&arguments);
    let document = json(&as_json);
    for problem in document["diagnostics"].as_array().expect("diagnostics") {
        for part in ["message", "hint"] {
            assert!(out(&for_people).contains(problem[part].as_str().expect("text")), "{problem}");
        }
    }
    assert_eq!(folder.run(&[&arguments[..], &["--format", "human"]].concat()).stdout, for_people.stdout);
}

#[test]
fn validate_as_json_of_a_valid_configuration_has_the_plan_and_the_criteria() {
    let topics = OLD.replace("status = 'completed'", "descendants().exists() and stauts.exists()");
    let folder = Folder::with(&[("topics.yaml", &topics)]);
    let output = folder.run(&["validate", "--topics", "topics.yaml", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("validate_json_valid", out(&output));
}

#[test]
fn diff_ends_like_diff_does() {
    let reordered = OLD.replace("ingest:", "# a comment\nonError: dead-letter\ningest:");
    let changed = OLD
        .replace("kafkaTopic: forms", "kafkaTopic: forms.v2, content: id-only")
        .replace("fhir.example.org", "${NEW_HOST}");
    let folder = Folder::with(&[("old.yaml", OLD), ("same.yaml", &reordered), ("new.yaml", &changed)]);
    let same = folder.run(&["diff", "old.yaml", "same.yaml"]);
    assert_eq!(same.status.code(), Some(0));
    assert!(out(&same).ends_with(": no difference\n") && out(&same).starts_with("plan "), "{}", out(&same));
    let different = folder.run(&["diff", "old.yaml", "new.yaml"]);
    assert_eq!((different.status.code(), err(&different).as_str()), (Some(1), ""));
    insta::assert_snapshot!("diff_different", out(&different));
    let as_json = folder.run(&["diff", "old.yaml", "new.yaml", "--format", "json"]);
    assert_eq!(as_json.status.code(), Some(1));
    insta::assert_snapshot!("diff_json", out(&as_json));
    let same = json(&folder.run(&["diff", "old.yaml", "same.yaml", "--format", "json"]));
    assert_eq!((same["result"].as_str(), same["changes"].as_array().map(Vec::len)), (Some("same"), Some(0)));
    assert_eq!(same["old"]["hash"], same["new"]["hash"]);
}

#[test]
fn diff_says_that_another_ingest_needs_a_restart() {
    let more = OLD.replace("deadLetter", "  - { kafkaTopic: fhir.more, format: bundle }\ndeadLetter");
    let folder = Folder::with(&[("old.yaml", OLD), ("new.yaml", &more)]);
    let output = folder.run(&["diff", "old.yaml", "new.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("+ ingest fhir.more added: needs a restart\n"), "{}", out(&output));
    let document = json(&folder.run(&["diff", "old.yaml", "new.yaml", "--format", "json"]));
    assert_eq!(document["needsRestart"], true);
    assert_eq!(document["changes"][0]["takesEffect"], "restart");
}

#[test]
fn diff_of_an_invalid_file_is_neither_the_same_nor_different() {
    let folder = Folder::with(&[("old.yaml", OLD), ("new.yaml", &OLD.replace("format: change", "format: chang"))]);
    for (old, new) in [("old.yaml", "new.yaml"), ("new.yaml", "old.yaml"), ("old.yaml", "missing.yaml")] {
        let output = folder.run(&["diff", old, new]);
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(65), ""), "{old} {new}");
        assert!(err(&output).contains("nothing was compared (1 error)"), "{}", err(&output));
    }
    let document = json(&folder.run(&["diff", "old.yaml", "new.yaml", "--format", "json"]));
    assert_eq!(document["result"], "invalid");
    assert!(document["old"]["hash"].is_string() && document["new"]["hash"].is_null());
    assert_eq!(document["diagnostics"][0]["hint"], "did you mean `change`?");
}

#[test]
fn diff_reads_the_settings_once_for_both() {
    let folder =
        Folder::with(&[("old.yaml", OLD), ("bad.yaml", "tasks: none\n"), ("good.yaml", "forwardHeaders: [x]\n")]);
    let output = folder.run(&["diff", "old.yaml", "old.yaml", "--config", "bad.yaml"]);
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(err(&output).matches("error: ").count(), 1, "{}", err(&output));
    let hash = |arguments: &[&str]| json(&folder.run(arguments))["old"]["hash"].clone();
    let with = hash(&["diff", "old.yaml", "old.yaml", "--format", "json", "--config", "good.yaml"]);
    let validated = folder.run(&["validate", "--topics", "old.yaml", "--config", "good.yaml", "--format", "json"]);
    assert_eq!(with, json(&validated)["plan"], "the hash is that of a service with these settings");
    assert_ne!(with, hash(&["diff", "old.yaml", "old.yaml", "--format", "json"]));
}

#[test]
fn schema_prints_the_stored_schema() {
    let output = Folder::with(&[]).run(&["schema"]);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("topics.schema.json");
    assert_eq!(out(&output), std::fs::read_to_string(stored).expect("the stored schema"));
}
