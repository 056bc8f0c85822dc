//! HL7's FHIRPath suites for R4, R4B and R5: the compiled engine gives exactly the official results, and the service,
//! which runs compiled what it can and the rest by the general engine, passes all but what `docs/conformance.md` lists.
//!
//! They are read from `FANOUT_FHIR_DATA` (fhirpath/fhir-test-cases, as published). A suite asks for more than criteria
//! need, so the expressions run below the checks that only criteria have; where a suite expects an error, the checks
//! count.

use std::io::Write as _;
use std::path::PathBuf;

use super::compiled::testing::{Probe, ProbeEvent};
use super::*;

mod conformance;
mod coverage;
mod official;
mod outputs;
mod reasons;

use self::official::{Suite, SuiteTest};
use self::outputs::Output;

/// The time of the evaluations.
const TIME: &str = "2024-05-02T06:30:00Z";

/// How many tests of a suite must pass, and how many of its valid expressions the compiler must take.
struct Floor {
    suite: &'static str,
    release: FhirRelease,
    passed: usize,
    compiled: usize,
}

const FLOORS: [Floor; 3] = [
    Floor { suite: "r4", release: FhirRelease::R4, passed: 932, compiled: 802 },
    Floor { suite: "r4b", release: FhirRelease::R4B, passed: 930, compiled: 800 },
    Floor { suite: "r5", release: FhirRelease::R5, passed: 1040, compiled: 878 },
];

/// What became of one test.
struct Verdict<'s> {
    test: &'s SuiteTest,
    /// Whether the compiler took the expression.
    is_compiled: bool,
    /// How it fails, if it does.
    failure: Option<String>,
}

#[test]
fn official_suites_pass_and_every_failure_has_its_reason() {
    let Some(data) = data("the official FHIRPath suites") else { return };
    let folder = data.join("fhirpath/fhir-test-cases");
    let mut report = conformance::Report::default();
    let mut complaints = Vec::new();
    for floor in &FLOORS {
        let suite = Suite::read(&folder, floor.suite, floor.release);
        let verdicts: Vec<Verdict<'_>> = suite.tests.iter().map(|test| judge(&suite, test)).collect();
        let passed = verdicts.iter().filter(|verdict| verdict.failure.is_none()).count();
        let valid = verdicts.iter().filter(|verdict| !verdict.test.invalid);
        let compiled = valid.clone().filter(|verdict| verdict.is_compiled).count();
        let (total, valid) = (verdicts.len(), valid.count());
        let summary = format!("{}: {passed} of {total} pass, {compiled} of {valid} valid ones compiled", suite.name);
        let _ = writeln!(std::io::stderr(), "official suite {summary}");
        if passed < floor.passed || compiled < floor.compiled {
            complaints.push(format!("{summary}; at least {} and {} are needed", floor.passed, floor.compiled));
        }
        complaints.extend(verdicts.iter().filter_map(|verdict| complaint(suite.name, verdict)));
        report.suite(suite.name, &verdicts);
    }
    report.coverage(&coverage::take(&data));
    let is_current = report.is_current();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(is_current, "docs/conformance.md is out of date: run this test with UPDATE_CONFORMANCE=1");
}

/// What is wrong with how a test ended.
fn complaint(suite: &str, verdict: &Verdict<'_>) -> Option<String> {
    let (name, expression) = (&verdict.test.name, &verdict.test.expression);
    match (&verdict.failure, reasons::reason(suite, name)) {
        (Some(failure), _) if verdict.is_compiled && !reasons::is_contradicted(suite, name) => {
            Some(format!("{suite} {name}: compiled, but not the official result: {expression}: {failure}"))
        }
        (Some(failure), None) => Some(format!("{suite} {name}: fails without a known reason: {expression}: {failure}")),
        (None, Some(_)) => Some(format!("{suite} {name}: passes now; take it out of the list of known failures")),
        _ => None,
    }
}

/// The folder with FHIR data; says loudly what is left out where there is none.
fn data(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("FANOUT_FHIR_DATA").map(PathBuf::from);
    if folder.is_none() {
        // Not by eprintln!, which the test harness hides.
        let _ = writeln!(std::io::stderr(), "LEFT OUT: {what}, since FANOUT_FHIR_DATA names no folder");
    }
    folder
}

fn judge<'s>(suite: &Suite, test: &'s SuiteTest) -> Verdict<'s> {
    let input = match suite.input(test) {
        Ok(input) => input,
        Err(reason) => return Verdict { test, is_compiled: false, failure: Some(reason.to_owned()) },
    };
    let (is_compiled, results) = results(suite.release, test, input);
    let failure = match (results, test.invalid) {
        (Err(_), true) => None,
        (Ok(_), true) => Some("no error".to_owned()),
        (Err(error), false) => Some(error),
        (Ok(mut results), false) => {
            if test.predicate {
                results = vec![Output::Boolean(!results.is_empty())];
            }
            let matches = results.len() == test.outputs.len()
                && results.iter().zip(&test.outputs).all(|(result, expected)| result.is(expected));
            (!matches).then(|| format!("{results:.200?} instead of {:?}", test.outputs))
        }
    };
    Verdict { test, is_compiled, failure }
}

/// What an expression gives by the engine that the service takes for it, and whether that is the compiled one.
fn results(release: FhirRelease, test: &SuiteTest, input: Option<&str>) -> (bool, Result<Vec<Output>, String>) {
    let expression = test.expression.as_str();
    let checked = match Checked::of(expression, input, test.is_lenient) {
        Ok(checked) => checked,
        Err(refusal) => return (false, Err(refusal)),
    };
    // What needs no input may be asked of any type.
    match Probe::compile(expression, release, resource_type(input).as_deref().unwrap_or("Patient")) {
        Ok(probe) => (true, compiled(&probe, input)),
        Err(_) => (false, checked.general(release, input)),
    }
}

fn resource_type(input: Option<&str>) -> Option<String> {
    let resource: serde_json::Value = serde_json::from_str(input?).ok()?;
    Some(resource["resourceType"].as_str()?.to_owned())
}

/// What the compiled engine gives.
fn compiled(probe: &Probe, input: Option<&str>) -> Result<Vec<Output>, String> {
    let event = ProbeEvent { focus: input, has_current: input.is_some(), previous: None, time: TIME };
    let values = probe.values(&event).map_err(|error| error.to_string())?;
    Ok(values.iter().map(Output::from).collect())
}

/// Whether the compiler takes an expression about a type.
fn is_taken(focus: &str, expression: &str) -> bool {
    model::RELEASES.iter().any(|release| Probe::compile(expression, *release, focus).is_ok())
}

/// An expression that may run.
struct Checked {
    compiled: Compiled,
}

impl Checked {
    fn of(expression: &str, input: Option<&str>, is_lenient: bool) -> Result<Self, String> {
        let normalized = lexical::normalize(expression).map_err(|error| error.message.to_owned())?;
        let tree = parse(&normalized).ok_or("does not parse")?;
        let resource_type = resource_type(input);
        let mut findings = check::check(&normalized, &tree, &[resource_type.as_deref().unwrap_or("Resource")], &[]);
        let problems = std::mem::take(&mut findings.problems);
        match problems.into_iter().find(|problem| is_refusal(problem, is_lenient)) {
            Some(problem) => Err(problem.message),
            None => {
                let text = expression.to_owned();
                Ok(Self { compiled: Compiled { text, normalized, tree, findings, plans: Default::default() } })
            }
        }
    }

    fn general(&self, release: FhirRelease, input: Option<&str>) -> Result<Vec<Output>, String> {
        let resource = input.map(|text| Arc::new(serde_json::from_str(text).expect("an input is JSON")));
        let subject = FhirPath::new().subject(release, Interaction::Update, resource, None, TIME);
        subject.set_clock();
        let engine = engine::engine(release);
        let plan = engine.compile(&self.compiled.text_for(subject.states)).map_err(|error| format!("{error:?}"))?;
        let run = || engine.run(&plan, &subject.context).map_err(|error| format!("{error:?}"));
        let toll = self.compiled.findings.toll(subject.shape.nodes);
        let terms = Terms { toll, shape: &subject.shape, trees: 0 };
        let results = budget::metered(&mut Budget::of_evaluation(), &terms, run).map_err(|_| "too costly")??;
        Ok(results.iter().map(Output::from).collect())
    }
}

/// Whether a problem is what a suite means by an error: what is wrong with any expression, or cannot mean anything here.
/// That a criterion must be a boolean is no matter of the suites.
fn is_refusal(problem: &CriterionProblem, is_lenient: bool) -> bool {
    const FOUND: [&str; 3] = ["has no element", "is empty here", "has no order"];
    problem.severity == Severity::Error && !problem.message.contains("never a boolean")
        || !is_lenient && problem.message.contains("is the name in JSON")
        || FOUND.iter().any(|part| problem.message.contains(part))
}
