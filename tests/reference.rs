//! What is made from the fields of topics.yaml is up to date: `topics.schema.json` and `docs/topics-yaml.md`.
//! `UPDATE_REFERENCE=1 cargo test --test reference` writes them anew.

use std::path::{Path, PathBuf};

use fhir_fanout::config::topics;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn check(file: &str, made: &str) {
    let path = repository().join(file);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, made).expect("written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == made, "{file} is not up to date: UPDATE_REFERENCE=1 cargo test --test reference");
}

#[test]
fn the_stored_json_schema_is_that_of_the_code() {
    check("topics.schema.json", &topics::json_schema());
}

#[test]
fn the_stored_reference_page_is_that_of_the_code() {
    check("docs/topics-yaml.md", &topics::reference_page());
}

#[test]
fn the_shipped_example_names_its_schema() {
    let text = std::fs::read_to_string(repository().join("topics.yaml")).expect("topics.yaml");
    let schema = text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
    assert!(schema.is_some_and(|schema| repository().join(Path::new(schema)).exists()), "{schema:?}");
}
