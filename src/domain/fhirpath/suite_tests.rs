//! HL7's FHIRPath suites for R4, R4B and R5, as a floor: no change may make the engine worse than it is.
//!
//! They are read from `FANOUT_FHIR_DATA` (fhirpath/fhir-test-cases, as published). A suite asks for more than criteria
//! need, so the expressions run below the checks that only criteria have; where a suite expects an error, the checks
//! count.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use octofhir_fhirpath::FhirPathValue;
use octofhir_fhirpath::core::{PrecisionDate, PrecisionDateTime};
use serde_json::Value;

use super::*;

/// How many tests of a suite must pass.
struct Floor {
    folder: &'static str,
    release: FhirRelease,
    passed: usize,
}

const FLOORS: [Floor; 3] = [
    Floor { folder: "r4", release: FhirRelease::R4, passed: 918 },
    Floor { folder: "r4b", release: FhirRelease::R4B, passed: 916 },
    Floor { folder: "r5", release: FhirRelease::R5, passed: 1022 },
];

#[test]
fn official_suites_pass_as_far_as_before() {
    let Some(data) = std::env::var_os("FANOUT_FHIR_DATA") else {
        // Not by eprintln!, which the test harness hides.
        let message = "LEFT OUT: the official FHIRPath suites, since FANOUT_FHIR_DATA names no folder";
        let _ = writeln!(std::io::stderr(), "{message}");
        return;
    };
    let folder = Path::new(&data).join("fhirpath/fhir-test-cases");
    for floor in &FLOORS {
        let suite = Suite::read(&folder, floor);
        let failed: Vec<String> = suite.tests.iter().filter_map(|test| suite.failure(test)).collect();
        let passed = suite.tests.len() - failed.len();
        assert!(
            passed >= floor.passed,
            "{}: {passed} of {} passed, {} expected; failed:\n{}",
            floor.folder,
            suite.tests.len(),
            floor.passed,
            failed.join("\n")
        );
    }
}

struct Suite {
    release: FhirRelease,
    inputs: HashMap<String, Value>,
    tests: Vec<SuiteTest>,
}

struct SuiteTest {
    name: String,
    input: String,
    expression: String,
    /// The suite expects an error.
    invalid: bool,
    /// The result is asked for as "is there any".
    predicate: bool,
    outputs: Vec<String>,
}

impl Suite {
    fn read(folder: &Path, floor: &Floor) -> Self {
        let file = folder.join(format!("{0}/fhirpath/tests-fhir-{0}.xml", floor.folder));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(&text, options).expect("the suite is XML");
        let tests: Vec<SuiteTest> =
            document.descendants().filter(|node| node.has_tag_name("test")).map(suite_test).collect();
        let mut inputs = HashMap::new();
        for input in tests.iter().map(|test| &test.input) {
            let name = input.replace(".xml", ".json");
            // Not every suite comes with all of its inputs as JSON.
            let own = ["r4", "r4b", "r5"].map(|examples| folder.join(examples).join("examples"));
            let others = ["r4", "r5"].map(|examples| folder.join("../fhirpath.js/test/resources").join(examples));
            let preferred = std::iter::once(folder.join(floor.folder).join("examples"));
            for examples in preferred.chain(own).chain(others) {
                if let Ok(bytes) = std::fs::read(examples.join(&name)) {
                    inputs.insert(input.clone(), serde_json::from_slice(&bytes).expect("an example is JSON"));
                    break;
                }
            }
        }
        Self { release: floor.release, inputs, tests }
    }

    /// How a test fails, if it does.
    fn failure(&self, test: &SuiteTest) -> Option<String> {
        let complain = |what: &str| Some(format!("{}: {}: {what}", test.name, test.expression));
        let input = self.inputs.get(&test.input);
        if input.is_none() && !test.input.is_empty() {
            return complain("no input");
        }
        match (self.results(&test.expression, input), test.invalid) {
            (Err(_), true) => None,
            (Ok(_), true) => complain("no error"),
            (Err(error), false) => complain(&error),
            (Ok(mut results), false) => {
                if test.predicate {
                    results = vec![FhirPathValue::boolean(!results.is_empty())];
                }
                let matches = results.len() == test.outputs.len()
                    && results.iter().zip(&test.outputs).all(|(result, text)| is_output(result, text));
                (!matches).then(|| complain(&format!("{results:.80?}")))?
            }
        }
    }

    fn results(&self, expression: &str, input: Option<&Value>) -> Result<Vec<FhirPathValue>, String> {
        let normalized = lexical::normalize(expression).map_err(|error| error.message.to_owned())?;
        let tree = parse(&normalized).ok_or("does not parse")?;
        let resource_type = input.and_then(|input| input["resourceType"].as_str()).unwrap_or("Resource");
        let mut findings = check::check(&normalized, &tree, &[resource_type]);
        let problems = std::mem::take(&mut findings.problems);
        let refused = problems.iter().find(|problem| {
            problem.severity == Severity::Error && !problem.message.contains("never a boolean")
                || problem.message.contains("has no element")
                || problem.message.contains("is empty here")
        });
        if let Some(problem) = refused {
            return Err(problem.message.clone());
        }
        let compiled = Compiled { text: expression.to_owned(), normalized, findings, plans: Default::default() };
        let subject = FhirPath::new().subject(
            self.release,
            Interaction::Update,
            input.cloned().map(Arc::new),
            None,
            "2024-05-02T06:30:00Z",
        );
        subject.set_clock();
        let engine = engine::engine(self.release);
        let plan = engine.compile(&compiled.text_for(subject.states)).map_err(|error| format!("{error:?}"))?;
        let run = || engine.run(&plan, &subject.context).map_err(|error| format!("{error:?}"));
        let toll = compiled.findings.toll(subject.shape.nodes);
        let results =
            budget::metered(&mut Budget::of_evaluation(), toll, &subject.shape, run).ok_or("too costly")??;
        Ok(results.into_vec())
    }
}

fn suite_test(node: roxmltree::Node<'_, '_>) -> SuiteTest {
    let attribute = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
    let child = |name: &str| node.children().find(|child| child.has_tag_name(name));
    let expression = child("expression").expect("a test has an expression");
    let outputs = node.children().filter(|child| child.has_tag_name("output"));
    SuiteTest {
        name: attribute("name"),
        input: attribute("inputfile"),
        expression: expression.text().unwrap_or_default().to_owned(),
        invalid: expression.has_attribute("invalid"),
        predicate: attribute("predicate") == "true",
        outputs: outputs.map(|output| output.text().unwrap_or_default().to_owned()).collect(),
    }
}

fn is_output(result: &FhirPathValue, text: &str) -> bool {
    match result {
        FhirPathValue::Boolean(value, ..) => value.to_string() == text,
        FhirPathValue::Integer(value, ..) => value.to_string() == text,
        FhirPathValue::Decimal(value, ..) => text.parse() == Ok(*value),
        FhirPathValue::String(value, ..) => value == text,
        FhirPathValue::Date(value, ..) => format!("@{value}") == text || value.to_string() == text,
        FhirPathValue::DateTime(value, ..) => {
            let text = text.strip_prefix('@').unwrap_or(text).trim_end_matches('T');
            let date = || PrecisionDate::parse(text).map(|date| PrecisionDateTime::from_date(&date));
            let expected = PrecisionDateTime::parse(text).or_else(date);
            expected.is_some_and(|expected| expected == *value && expected.precision == value.precision)
        }
        FhirPathValue::Time(value, ..) => {
            text.trim_start_matches(['@', 'T']) == value.to_string().trim_start_matches('T')
        }
        FhirPathValue::Quantity { value, unit, .. } => text.split_once(' ').is_some_and(|(number, written)| {
            number.parse() == Ok(*value) && unit.as_deref() == Some(written.trim_matches('\''))
        }),
        FhirPathValue::Resource(..) | FhirPathValue::Collection(_) | FhirPathValue::Empty => false,
    }
}
