//! `fhir-fanout test` from outside: the shipped cases, what failing ones look like, JUnit, and how it exits. Needs no Kafka.

use std::path::PathBuf;
use std::process::{Command, Output};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn test(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fhir-fanout"))
        .arg("test")
        .args(arguments)
        .env_clear()
        .current_dir(repository())
        .output()
        .expect("the binary of this package runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A folder with files of cases for the shipped topics.yaml.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("a file in it");
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a path that is text").to_owned()
    }

    /// Runs the files with the shipped topics.
    fn test(&self, names: &[&str], more: &[&str]) -> Output {
        let paths: Vec<String> = names.iter().map(|name| self.path(name)).collect();
        let paths = paths.iter().map(String::as_str);
        let arguments: Vec<&str> = paths.chain(["--topics", "topics.yaml"]).chain(more.iter().copied()).collect();
        test(&arguments)
    }

    /// What was printed, without the folder.
    fn printed(&self, output: &Output) -> String {
        let both = text(&output.stdout) + &text(&output.stderr);
        both.replace(&format!("{}/", self.0.path().display()), "")
    }
}

const FAILING: &str = r#"
cases:
  - name: another status, key and header
    given:
      key: p1
      event: { interaction: create, resource: &form { resourceType: Patient, id: p1, gender: female } }
    expect:
      - destination: master-patient-index
        key: Patient/p2
        headers: { fhir-interaction: update, correlation-id: c }
        bundle: { type: history, entry: [ {}, { resource: { gender: male, name: [ { family: A } ] } } ] }
  - name: nothing was expected
    given: { event: { interaction: create, resource: *form } }
    none: true
  - name: something was expected
    given: { event: { interaction: create, resource: { resourceType: Device, id: d1 } } }
    expect: [ { destination: billing } ]
  - name: another dead letter
    given: { value: "no JSON" }
    expect: [ { deadLetter: missing-state, topic: http://example.org/fhir/topics/orders } ]
  - name: the whole bundle
    given: { event: { interaction: create, resource: *form } }
    expect: [ { destination: master-patient-index, exactly: true, bundle: { type: history } } ]
  - name: one came too few
    given: { event: { interaction: create, resource: *form } }
    expect: [ { destination: master-patient-index, count: 2 } ]
  - name: this one passes
    given: { event: { interaction: create, resource: *form } }
    expect: [ { destination: master-patient-index } ]
"#;

#[test]
fn the_shipped_cases_pass() {
    let output = test(&["examples/cases.yaml"]);
    insta::assert_snapshot!("shipped", text(&output.stdout) + &text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_failing_case_shows_what_differs_path_by_path() {
    let folder = Folder::new(&[("failing.yaml", FAILING)]);
    let output = folder.test(&["failing.yaml"], &[]);
    insta::assert_snapshot!("failing", folder.printed(&output));
    assert_eq!(output.status.code(), Some(1));
}

/// A wide expectation takes nothing away from a narrow one, in whatever order they stand.
#[test]
fn expectations_find_their_partners() {
    let cases = r"
cases:
  - name: wide first
    given: &given
      - { key: a, event: { interaction: create, resource: { resourceType: Patient, id: p1 } } }
      - { key: b, event: { interaction: create, resource: { resourceType: Patient, id: p2 } } }
      - { key: c, event: { interaction: create, resource: { resourceType: Patient, id: p3 } } }
    expect:
      - { destination: master-patient-index, count: 2 }
      - { destination: master-patient-index, key: Patient/p1 }
  - name: narrow first
    given: *given
    expect:
      - { destination: master-patient-index, key: Patient/p1 }
      - { destination: master-patient-index, headers: { fhir-interaction: create }, count: 2 }
";
    let folder = Folder::new(&[("cases.yaml", cases)]);
    let output = folder.test(&["cases.yaml"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", folder.printed(&output));
}

#[test]
fn only_leaves_other_destinations_out_and_nothing_else() {
    let cases = |only: &str| {
        format!(
            "cases:\n  - name: n\n    given: {{ value: x }}\n    only: [{only}]\n    none: true\n  - name: m\n    given: {{ \
             event: {{ interaction: create, resource: {{ resourceType: Patient, id: p }} }} }}\n    only: [{only}]\n    \
             none: true\n"
        )
    };
    let folder = Folder::new(&[("other.yaml", &cases("billing")), ("same.yaml", &cases("master-patient-index"))]);
    let other = folder.printed(&folder.test(&["other.yaml"], &[]));
    assert!(other.contains("2 cases: 1 passed, 1 failed"), "the record's dead letter counts for everyone: {other}");
    let same = folder.printed(&folder.test(&["same.yaml"], &[]));
    assert!(same.contains("2 cases: 0 passed, 2 failed"), "{same}");
}

#[test]
fn junit_tells_the_same() {
    let folder = Folder::new(&[("failing.yaml", FAILING), ("broken.yaml", "cases: 1")]);
    let path = folder.path("junit.xml");
    let output = folder.test(&["failing.yaml", "broken.yaml"], &["--junit", &path]);
    assert_eq!(output.status.code(), Some(1));
    let xml = std::fs::read_to_string(&path).expect("it is written");
    let document = roxmltree::Document::parse(&xml).expect("it is well-formed");
    let root = document.root_element();
    let counts = ["tests", "failures", "errors"].map(|name| root.attribute(name));
    assert_eq!(counts, [Some("8"), Some("6"), Some("1")]);
    let failed: Vec<_> = document.descendants().filter(|node| node.has_tag_name("failure")).collect();
    let first = failed[0].text().expect("what differs");
    assert!(first.contains("entry[1].resource.gender: expected \"male\", found \"female\""), "{first}");
}

#[test]
fn mistakes_have_their_places_and_hints() {
    let mistakes = r#"
topic: topics.yaml
cases:
  - name: no expectation
    given: { event: { interaction: create, resourse: {} } }
  - name: two of them
    given: { value: "x", file: y }
    none: true
    expect: []
  - given: []
    expect: [ { destination: billing, count: 0, exactly: true }, { deadLetter: undecodeable } ]
  - name: a file that is not there
    given: { file: nowhere.json, time: yesterday }
    expect: [ { key: a } ]
"#;
    let folder = Folder::new(&[("mistakes.yaml", mistakes)]);
    let output = folder.test(&["mistakes.yaml"], &[]);
    insta::assert_snapshot!("mistakes", folder.printed(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn names_that_the_plan_does_not_have_are_told() {
    let unknown = r"
cases:
  - name: unknown names
    given: { ingest: fhir.change, value: x }
    only: [bill]
    expect:
      - { destination: biling }
      - { deadLetter: missing-state, topic: http://example.org/fhir/topics/everything }
";
    let folder = Folder::new(&[("unknown.yaml", unknown)]);
    let output = folder.test(&["unknown.yaml"], &[]);
    insta::assert_snapshot!("unknown", folder.printed(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn files_that_cannot_be_run_fail_and_the_others_run() {
    let folder = Folder::new(&[("failing.yaml", FAILING)]);
    let output = folder.test(&["nowhere.yaml", "failing.yaml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(folder.printed(&output).contains("7 cases: 1 passed, 6 failed, 1 file not run"));
    let without_topics = test(&[&folder.path("failing.yaml")]);
    assert_eq!(without_topics.status.code(), Some(1));
    assert!(folder.printed(&without_topics).contains("--topics"), "{}", folder.printed(&without_topics));
    assert_eq!(test(&[]).status.code(), Some(64));
}
