//! The README says what the code says: its tables of settings and metrics are made from the code, its links lead
//! somewhere. `UPDATE_README=1 cargo test --test readme` writes the tables anew.
#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use fhir_fanout::config::settings;
use fhir_fanout::telemetry;

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn settings_table() -> String {
    let mut table = String::from("| in the file | environment | default | values | meaning |\n|---|---|---|---|---|\n");
    for row in settings::reference() {
        let default = if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
        writeln!(table, "| `{}` | `{}` | {default} | {} | {} |", row.name, row.variable, row.unit, row.meaning)
            .unwrap();
    }
    table
}

/// The text between the markers of this name.
fn between<'a>(text: &'a str, name: &str) -> &'a str {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let start = text.find(&begin).unwrap_or_else(|| panic!("the README has no {begin}")) + begin.len();
    let length = text[start..].find(&end).unwrap_or_else(|| panic!("the README has no {end}"));
    &text[start..start + length]
}

fn check_table(name: &str, table: &str) {
    let path = repository().join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        let old = between(&text, name);
        let begin = format!("<!-- {name}:begin -->\n");
        std::fs::write(&path, text.replacen(&format!("{begin}{old}"), &format!("{begin}{table}"), 1)).unwrap();
        return;
    }
    assert_eq!(between(&text, name), table, "run UPDATE_README=1 cargo test --test readme");
}

/// One test for both tables: two writers of one file would undo each other.
#[test]
fn the_tables_are_those_of_the_code() {
    check_table("settings", &settings_table());
    check_table("metrics", &telemetry::markdown());
}

/// Targets of `[text](target)` that are files.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).collect()
}

#[test]
fn links_lead_to_files() {
    assert_eq!(links("[a](b.md) [c](https://d) [e](#f)"), ["b.md"]);
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = std::fs::read_to_string(repository().join(page)).unwrap();
        for link in links(&text) {
            assert!(repository().join(Path::new(link)).exists(), "{page} links to {link}");
        }
    }
}
