//! Cases: users' own tests of `topics.yaml`. Given events, expected notifications and dead letters.
//!
//! ```text
//! cases.yaml -> tree -> read -> Suite -> check against the Plan (ids, URLs, ingests) -> what runs
//! ```
//!
//! Read as strictly as `topics.yaml`: all problems at once, with line, column and a hint. A suite comes out if and only if
//! there is no error. Variables are not substituted: resources may hold `${` as any other text.

mod check;
mod json_text;
mod read;

use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::document::{Cursor, Place, Sink, SourceFile, parse_yaml, unreadable};
use crate::domain::output::DeadLetterClass;

/// A file of cases.
#[derive(Debug)]
pub struct Suite {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The `topics.yaml` that it tests; a relative path is resolved from the file's folder.
    pub topics: Option<PathBuf>,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// What it is called.
    pub name: Named,
    /// The records, in their order.
    pub given: Vec<Given>,
    /// What has to come of them.
    pub expected: Expected,
    /// The destinations that are looked at; `None`: all.
    pub only: Option<Vec<Named>>,
}

/// Records that a case gives.
#[derive(Debug)]
pub struct Given {
    /// The ingest Kafka topic; `None`: the only one.
    pub ingest: Option<Named>,
    /// Where the records are given.
    pub place: Place,
    /// The record key.
    pub key: Option<String>,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The record's time in milliseconds since 1970-01-01 UTC.
    pub timestamp_ms: Option<i64>,
    /// The value of each record; `None` is Kafka's null.
    pub values: Vec<Option<Vec<u8>>>,
}

/// What has to come out.
#[derive(Debug, Default)]
pub struct Expected {
    /// The notifications.
    pub notifications: Vec<ExpectedNotification>,
    /// The dead letters.
    pub dead_letters: Vec<ExpectedDeadLetter>,
}

/// Notifications that have to come out.
#[derive(Debug)]
pub struct ExpectedNotification {
    /// The destination's id.
    pub destination: Named,
    /// The record key, where it matters; `Some(None)` is no key.
    pub key: Option<Option<String>>,
    /// Headers that have to be there, with these values.
    pub headers: Vec<(String, String)>,
    /// What the notification holds.
    pub bundle: Option<serde_json::Value>,
    /// Whether that is all it holds.
    pub exactly: bool,
    /// How many there are.
    pub count: usize,
}

/// Dead letters that have to come out.
#[derive(Debug)]
pub struct ExpectedDeadLetter {
    /// Where it is expected.
    pub place: Place,
    /// The class.
    pub class: DeadLetterClass,
    /// The topic that it is about, where it matters.
    pub topic: Option<Named>,
    /// The destination that it is about, where it matters.
    pub destination: Option<Named>,
    /// How many there are.
    pub count: usize,
}

/// A name and where it stands.
#[derive(Debug, Clone)]
pub struct Named {
    /// The name.
    pub text: String,
    /// Its place.
    pub place: Place,
}

impl Suite {
    /// The problem that nothing says which `topics.yaml` is tested.
    #[must_use]
    pub fn without_topics(&self) -> Diagnostic {
        let file = self.file.display().to_string();
        let problem = Diagnostic::general(Severity::Error, file, "it does not say which topics.yaml it tests");
        problem.hint("add `topics: topics.yaml`, a path from this file's folder, or give --topics FILE")
    }
}

/// Reads a file of cases. `None` with at least one error where there is no suite.
#[must_use]
pub fn load(path: &Path) -> (Option<Suite>, Diagnostics) {
    let sink = Sink::default();
    let suite = read_suite(path, &sink);
    let problems: Diagnostics = sink.into_inner().into_iter().collect();
    (suite.filter(|_| !problems.has_errors()), problems)
}

fn read_suite(path: &Path, sink: &Sink) -> Option<Suite> {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let problem = Diagnostic::general(Severity::Error, name, unreadable(&error));
            sink.push(problem.hint("name a file with cases, as UTF-8"));
            return None;
        }
    };
    let file = SourceFile::new(name, text);
    let root = parse_yaml(&file, sink)?;
    read::read(path, &Cursor::new(&root, &file, sink))
}
