//! The JSON Schema beside the reader: it takes what the reader takes, and sees a good part of the mistakes.

use serde_json::Value as Json;

use super::shape::Rule;
use super::tests::{MINIMAL, Sample};
use super::{json_schema, names, reference};
use crate::config::document::{Kind, Node, Sink, SourceFile, Value, parse_yaml};

/// The document as an editor sees it: variables are text.
fn document(text: &str) -> Option<Json> {
    let sink = Sink::default();
    let root = parse_yaml(&SourceFile::new("topics.yaml".to_owned(), text.to_owned()), &sink)?;
    sink.into_inner().is_empty().then(|| json(&root))
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|entry| (entry.key.text.clone(), json(&entry.value))).collect())
        }
        Value::Scalar(scalar) => match scalar.kind {
            Kind::Text => Json::from(scalar.text.clone()),
            Kind::Number => Json::from(0),
            Kind::Boolean => Json::from(true),
            Kind::Null => Json::Null,
        },
    }
}

/// What the schema says against a file.
fn against(text: &str) -> Vec<String> {
    let schema: Json = serde_json::from_str(&json_schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let document = document(text).expect("a document");
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn what_is_valid_is_valid_for_an_editor_too() {
    let shipped =
        |name: &str| std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name);
    let everything = super::diff_tests::new();
    for text in [
        shipped("topics.yaml"),
        shipped("fuzz/src/plan.yaml"),
        reference::SHORTEST.to_owned(),
        MINIMAL.to_owned(),
        super::diff_tests::OLD.to_owned(),
        everything,
        MINIMAL
            .replace("fhir.example.org/fhir/", "${HOST:-fhir.example.org}/fhir")
            .replace("kafkaTopic: in", "kafkaTopic: in-${STAGE:-test}"),
        MINIMAL.replace("format: change", "format: ${FORMAT:-change}").replace("Patient }", "'${TYPE:-Patient}' }"),
        MINIMAL
            .replace("http://fhir", "HTTPS://fhir")
            .replace("Patient }", "http://hl7.org/fhir/StructureDefinition/Patient|4.0.1 }"),
        format!(
            "{MINIMAL}organizations:\n  hierarchy:\n    http://x/y/Organization/b/_history/2: ~\n    Organization/c: ${{PARENT:-Organization/b}}\n"
        ),
    ] {
        assert!(!Sample::new(text.clone()).load().1.has_errors(), "{text}\n{:?}", Sample::new(text.clone()).load().1);
        assert_eq!(against(&text), Vec::<String>::new(), "{text}");
    }
}

/// Which of the mistakes an editor underlines, and which `validate` alone knows; and no mistake of the editor's own.
#[test]
fn an_editor_sees_a_good_part_of_the_mistakes_and_makes_none() {
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    for (name, from, to) in super::mistakes_tests::MISTAKES.iter().chain(super::more_mistakes_tests::MISTAKES) {
        let sample = MINIMAL.replacen(from, to, 1);
        let found = document(&sample).is_none_or(|_| !against(&sample).is_empty());
        let has_errors = Sample::new(sample).load().1.has_errors();
        assert!(has_errors || !found, "{name}: the schema refuses what runs");
        if has_errors {
            if found { &mut seen } else { &mut unseen }.push(*name);
        }
    }
    assert!(seen.len() >= 30, "only {} are seen", seen.len());
    insta::assert_snapshot!(format!(
        "an editor sees:\n  {}\nvalidate alone:\n  {}",
        seen.join("\n  "),
        unseen.join("\n  ")
    ));
}

#[test]
fn each_pattern_takes_what_its_rule_takes() {
    let pattern = |rule: Rule| regex::Regex::new(rule.pattern()).expect("a pattern");
    let texts = [
        "a",
        "fhir.changes",
        "A_b-1.2",
        "...",
        "http://x/fhir/",
        "https://x:8080",
        "HTTP://X/fhir",
        "http://x/fhir/Organization/a",
        "Organization/a",
        "Organization/a/_history/3",
        "https://x/Organization/a/_history/1",
        "Patient",
        "lab-results_1",
        "ü",
        "a:b",
        "http://hl7.org/fhir/StructureDefinition/Patient",
        "http://hl7.org/fhir/StructureDefinition/Patient|4.0.1",
        "a b",
        "",
        " ",
        "~",
        "urn:uuid:1",
        "a/b",
        "Organization/",
        "x/Organization/a",
        "Resource",
        "Organization/a b",
        "http://[::1]:8080/fhir",
        "a@b",
        "é",
        "http://hl7.org/fhir/StructureDefinition/Resource",
        &"x".repeat(249),
        &"x".repeat(250),
        "Organization/a|1",
        "http://a%20b/c",
    ];
    for text in texts {
        let rules = [
            (Rule::KafkaTopic, names::kafka_topic(text, text).is_ok()),
            (Rule::BaseUrl, names::base_url(text, text).is_ok()),
            (Rule::Canonical, !text.trim().is_empty() && names::canonical(text).is_ok()),
            (Rule::Organization, names::organization(text, text).is_ok()),
            (Rule::Id, names::is_usable_id(text)),
            (Rule::ResourceType, names::resource_type(text, text).is_ok()),
        ];
        for (rule, takes) in rules {
            let is_seen = pattern(rule).is_match(text) || rule.offered().contains(&text);
            assert!(is_seen || !takes, "{rule:?} takes {text:?}, its pattern does not");
        }
    }
    for (rule, text) in [
        (Rule::KafkaTopic, "a b"),
        (Rule::BaseUrl, "/fhir"),
        (Rule::Canonical, "a b"),
        (Rule::Organization, "Patient/a"),
        (Rule::Id, "a/b"),
        (Rule::ResourceType, "http://example.org/StructureDefinition/Patient"),
    ] {
        assert!(!pattern(rule).is_match(text), "{rule:?}: {text}");
    }
}

#[test]
fn the_shortest_file_of_the_reference_runs() {
    let plan = Sample::new(reference::SHORTEST).plan();
    assert_eq!((plan.topics.len(), plan.destinations.len()), (1, 1));
}
