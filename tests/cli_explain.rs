//! `fhir-fanout explain` from outside: what it prints of the shipped topics.yaml, and how it exits. Needs no Kafka.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fhir-fanout"));
    command.arg("explain").args(arguments).env_clear().current_dir(repository());
    command
}

fn explain(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary of this package runs")
}

/// Explains an event to the shipped topics, from standard input.
fn explain_text(event: &str, arguments: &[&str]) -> Output {
    let mut child = command(&["--topics", "topics.yaml", "--event", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary of this package runs");
    child.stdin.take().expect("a pipe").write_all(event.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The shipped example with texts replaced.
fn example_but(replacements: &[(&str, &str)]) -> String {
    let example = std::fs::read_to_string(repository().join("examples/event.json")).expect("the example is there");
    replacements.iter().fold(example, |event, (from, to)| {
        assert!(event.contains(from), "the example has no {from:?}");
        event.replace(from, to)
    })
}

#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    let printed = text(&output.stdout);
    assert!(!printed.contains('\u{1b}'), "colours are for terminals");
    for line in printed.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    printed
}

#[test]
fn the_shipped_example_says_why_it_did_not_arrive() {
    insta::assert_snapshot!(printed(&explain(&["--topics", "topics.yaml", "--event", "examples/event.json"])));
}

#[test]
fn one_destination_is_explained_alone() {
    let arrives = example_but(&[("preliminary", "final"), ("st-anna-laboratory", "st-anna-cardiology")]);
    let one = printed(&explain_text(&arrives, &["--destination", "cardiology-results"]));
    insta::assert_snapshot!("one_destination", one);
    let other = example_but(&[("preliminary", "final")]);
    insta::assert_snapshot!(
        "another_organization",
        printed(&explain_text(&other, &["--destination", "cardiology-results"]))
    );
}

#[test]
fn what_the_record_lacks_is_told() {
    let encounter = r#"{"interaction":"update","timestamp":"2026-01-31T06:00:00Z",
        "resource":{"resourceType":"Encounter","id":"e1","status":"finished"}}"#;
    insta::assert_snapshot!("missing_state", printed(&explain_text(encounter, &["--destination", "billing"])));
    let delete = r#"{"interaction":"delete","timestamp":"2026-01-31T06:00:00Z","reference":"Observation/o1"}"#;
    insta::assert_snapshot!("delete_without_content", printed(&explain_text(delete, &[])));
}

#[test]
fn what_is_no_event_is_told_without_its_content() {
    let broken = printed(&explain_text(r#"{"interaction":"update","resource":{"secret":1}"#, &[]));
    insta::assert_snapshot!("undecodable", broken);
    assert!(!broken.contains("secret"));
}

#[test]
fn json_is_one_object_for_each_record() {
    let two = [example_but(&[]), example_but(&[("preliminary", "final")])].map(|event| {
        let value: serde_json::Value = serde_json::from_str(&event).expect("it is JSON");
        value.to_string()
    });
    let output = explain_text(&two.join("\n"), &["--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let printed = text(&output.stdout);
    let records: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let fired = |record: &serde_json::Value| record["events"][0]["topics"][0]["fired"].clone();
    assert_eq!(records.iter().map(fired).collect::<Vec<_>>(), [false, true]);
    let topic = &records[0]["events"][0]["topics"][0];
    assert_eq!(topic["outcome"], "criteria");
    let parts = &topic["triggers"][0]["parts"];
    assert_eq!(parts["values"][0], "false");
    assert_eq!(parts["parts"][1]["parts"][0]["values"][0], "'preliminary'");
    assert_eq!(topic["triggers"][2]["outcome"], "other-interaction");
    assert_eq!(records[1]["events"][0]["topics"][0]["destinations"][0]["outcome"], "notified");
}

#[test]
fn wrong_command_lines_exit_64_and_say_what_there_is() {
    let topics = ["--topics", "topics.yaml", "--event", "examples/event.json"];
    for (arguments, said) in [
        (&["--destination", "lab-result"][..], "did you mean lab-results?"),
        (&["--ingest", "elsewhere"], "known are: fhir.changes"),
        (&["--format", "xml"], "possible values: human, json"),
    ] {
        let output = explain(&[&topics, arguments].concat());
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
    assert_eq!(explain(&["--topics", "topics.yaml"]).status.code(), Some(64));
}

#[test]
fn files_that_cannot_be_read_exit_1() {
    let no_event = explain(&["--topics", "topics.yaml", "--event", "nowhere.json"]);
    assert_eq!(no_event.status.code(), Some(1));
    assert!(text(&no_event.stderr).contains("nowhere.json"), "{}", text(&no_event.stderr));
    assert_eq!(explain(&["--topics", "nowhere.yaml", "--event", "examples/event.json"]).status.code(), Some(1));
}
