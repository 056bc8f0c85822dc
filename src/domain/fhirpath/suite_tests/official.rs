//! HL7's suites as they are published: XML with the expressions, JSON with what they are asked about.

use std::collections::HashMap;
use std::path::Path;

use crate::domain::event::FhirRelease;

/// One suite.
pub(super) struct Suite {
    pub(super) name: &'static str,
    pub(super) release: FhirRelease,
    inputs: HashMap<String, String>,
    pub(super) tests: Vec<SuiteTest>,
}

/// One test of a suite.
pub(super) struct SuiteTest {
    pub(super) name: String,
    input: String,
    pub(super) expression: String,
    /// The suite expects an error.
    pub(super) invalid: bool,
    /// The result is asked for as "is there any".
    pub(super) predicate: bool,
    /// The suite asks for what is beyond the specification: names as JSON has them.
    pub(super) is_lenient: bool,
    pub(super) outputs: Vec<String>,
}

impl Suite {
    /// Reads the suite of a release from the folder with HL7's published test cases.
    pub(super) fn read(folder: &Path, name: &'static str, release: FhirRelease) -> Self {
        let file = folder.join(format!("{name}/fhirpath/tests-fhir-{name}.xml"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(&text, options).expect("the suite is XML");
        let tests: Vec<SuiteTest> =
            document.descendants().filter(|node| node.has_tag_name("test")).map(suite_test).collect();
        let inputs = tests.iter().filter_map(|test| Some((test.input.clone(), input(folder, name, &test.input)?)));
        let inputs = inputs.collect();
        Self { name, release, inputs, tests }
    }

    /// What a test asks about: `Ok(None)` where it needs nothing.
    pub(super) fn input(&self, test: &SuiteTest) -> Result<Option<&str>, &'static str> {
        if test.input.is_empty() {
            return Ok(None);
        }
        self.inputs.get(&test.input).map(|text| Some(text.as_str())).ok_or("the suite comes without its input")
    }
}

/// The input as JSON text. The suites ask about XML files; their JSON twins stand in several folders, and those of
/// fhirpath.js are the ones that were made from the same XML.
fn input(folder: &Path, suite: &str, file: &str) -> Option<String> {
    let file = file.replace(".xml", ".json");
    let of_fhirpath_js = |release: &str| folder.join("../fhirpath.js/test/resources").join(release);
    let of_suite = |release: &str| folder.join(release).join("examples");
    let release = if suite == "r5" { "r5" } else { "r4" };
    let folders = [of_fhirpath_js(release), of_suite(suite)].into_iter().chain(["r4", "r4b", "r5"].map(of_suite));
    folders.into_iter().find_map(|folder| std::fs::read_to_string(folder.join(&file)).ok())
}

fn suite_test(node: roxmltree::Node<'_, '_>) -> SuiteTest {
    let attribute = |name: &str| node.attribute(name).unwrap_or_default().to_owned();
    let expression = node.children().find(|child| child.has_tag_name("expression")).expect("a test has an expression");
    let outputs = node.children().filter(|child| child.has_tag_name("output"));
    SuiteTest {
        name: attribute("name"),
        input: attribute("inputfile"),
        expression: expression.text().unwrap_or_default().to_owned(),
        invalid: expression.has_attribute("invalid"),
        predicate: attribute("predicate") == "true",
        is_lenient: attribute("mode").starts_with("lenient"),
        outputs: outputs.map(|output| output.text().unwrap_or_default().to_owned()).collect(),
    }
}
