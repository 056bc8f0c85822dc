//! The second opinion: fhirpath.js, as one child process that answers line by line.
//!
//! `scripts/fhirpath-js` holds its package.json and lock; `npm ci` there makes it usable. Without it there is no second
//! opinion, and only what is settled (see [`settled`](super::settled)) may differ.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::super::model::model;
use super::marks::{self, Reason};
use super::settled::Case;
use super::{Event, Outcome};
use crate::domain::event::{FhirRelease, Interaction};

/// The child process.
pub(super) struct Oracle {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts it, if it is installed.
    pub(super) fn start() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fhirpath-js");
        if !folder.join("node_modules/fhirpath").is_dir() {
            return None;
        }
        let mut command = Command::new("node");
        command.arg("answer.js").current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let questions = child.stdin.take()?;
        let answers = BufReader::new(child.stdout.take()?);
        Some(Self { child, questions, answers })
    }

    /// Whether it is worth asking. Where it is known to go its own way, the specification has settled the matter:
    /// - Its clock is that of the machine, and so is its time zone for a time without one.
    /// - It has no `precision()` of elements.
    /// - It rounds for equivalence in the smaller of two units; FHIRPath in the larger (Quantity Equivalence).
    /// - It compares elements of different types, or with elements of their own, as texts, which is an error (FHIRPath,
    ///   Comparison).
    pub(super) fn knows(case: Case<'_>) -> bool {
        let (asked, marks) = (marks::asked(case.marked), marks::reasons(case.marked));
        let is_own = ["now()", "today()", "timeOfDay()", "precision()"].iter().any(|word| asked.contains(word));
        let is_error = case.by_compiled == Outcome::Failed && marks.contains(&Reason::OpenChoice);
        // It has no model of R4B: that of R4 stands in.
        let is_known = case.event.release != FhirRelease::R4B || model(FhirRelease::R4).find(case.root).is_some();
        let is_other_way = [Reason::Zone, Reason::Rounding].iter().any(|reason| marks.contains(reason));
        is_known && !is_own && !is_error && !is_other_way
    }

    /// Whether its answer speaks against the compiled one:
    /// - It evaluates all parts, also those that cannot change the answer, and fails with them.
    /// - To it an element without a value has no type.
    /// - Its numbers lose the zeros at their end, which are digits of a FHIR decimal.
    pub(super) fn objects(opinion: Outcome, case: Case<'_>, reasons: &[Reason]) -> bool {
        let asked = marks::asked(case.marked);
        let has = |words: &[&str]| words.iter().any(|word| asked.contains(word));
        let is_eager = opinion == Outcome::Failed && has(&[" and ", " or ", " implies ", "iif(", "True()", ".where("]);
        let is_untyped = reasons.contains(&Reason::NoValue) && has(&[" is ", ".is(", ".ofType(", ".type()"]);
        let is_short = reasons.contains(&Reason::Digits) && has(&[".toString()"]);
        opinion != case.by_compiled && !is_eager && !is_untyped && !is_short
    }

    /// What it says about a criterion, by the same rule as the service: true fires, false and empty do not.
    pub(super) fn ask(&mut self, criterion: &str, event: &Event) -> Outcome {
        let state = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let (focus, previous) = (state(event.focus.as_ref()), state(event.previous.as_ref()));
        let (current, previous) = match event.interaction {
            Interaction::Create => (focus.clone(), None),
            Interaction::Update => (focus.clone(), previous),
            Interaction::Delete => (None, focus.clone()),
        };
        let model = match event.release {
            FhirRelease::R4 | FhirRelease::R4B => "r4",
            FhirRelease::R5 => "r5",
        };
        let question = json!({
            "expression": criterion, "model": model, "focus": focus, "current": current, "previous": previous
        });
        writeln!(self.questions, "{question}").expect("fhirpath.js reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("fhirpath.js answers");
        let answer: Value = serde_json::from_str(&line).expect("an answer is a line of JSON");
        match answer.get("result").and_then(Value::as_array).map(Vec::as_slice) {
            Some([]) => Outcome::Answer(false),
            Some([Value::Bool(fires)]) => Outcome::Answer(*fires),
            Some(_) | None => Outcome::Failed,
        }
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends by itself when its input does; nothing is lost if it has ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
