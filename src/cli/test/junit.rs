//! The results as JUnit XML, which build servers read.

use std::fmt::Write as _;

use super::SuiteResult;

/// The whole file. Files of which nothing was run are one error each.
pub(super) fn render(results: &[SuiteResult], unusable: usize) -> String {
    let cases: usize = results.iter().map(|suite| suite.cases.len()).sum();
    let failures: usize = results.iter().map(SuiteResult::failures).sum();
    let seconds: f64 = results.iter().map(SuiteResult::seconds).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = |cases, failures, seconds| format!("tests=\"{cases}\" failures=\"{failures}\" time=\"{seconds:.6}\"");
    let all = counts(cases + unusable, failures, seconds);
    put(&mut out, format_args!("<testsuites name=\"fhir-fanout test\" {all} errors=\"{unusable}\">\n"));
    for suite in results {
        let of_suite = counts(suite.cases.len(), suite.failures(), suite.seconds());
        let file = escaped(&suite.file);
        put(&mut out, format_args!("  <testsuite name=\"{file}\" {of_suite} errors=\"0\">\n"));
        for case in &suite.cases {
            let name = escaped(&case.name);
            let start = format!("    <testcase name=\"{name}\" classname=\"{file}\" time=\"{:.6}\"", case.seconds);
            if case.passed() {
                put(&mut out, format_args!("{start}/>\n"));
                continue;
            }
            let first = case.differences.first().and_then(|difference| difference.lines().next()).unwrap_or_default();
            let text = format!("{}\n{}", case.place, case.differences.join("\n"));
            let (first, text) = (escaped(first), escaped(&text));
            let failure = format!("<failure message=\"{first}\">{text}</failure>");
            put(&mut out, format_args!("{start}>\n      {failure}\n    </testcase>\n"));
        }
        out.push_str("  </testsuite>\n");
    }
    if unusable > 0 {
        let suite = format!("name=\"files that could not be run\" tests=\"{unusable}\" errors=\"{unusable}\"");
        put(&mut out, format_args!("  <testsuite {suite} failures=\"0\" time=\"0\">\n"));
        for number in 1..=unusable {
            let error = "<error message=\"see what was printed: the file or its topics.yaml is invalid\"/>";
            put(&mut out, format_args!("    <testcase name=\"file {number}\" time=\"0\">{error}</testcase>\n"));
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a string takes everything");
}

impl SuiteResult {
    fn failures(&self) -> usize {
        self.cases.iter().filter(|case| !case.passed()).count()
    }

    fn seconds(&self) -> f64 {
        self.cases.iter().map(|case| case.seconds).sum()
    }
}

/// Text for elements and attributes. What XML 1.0 cannot say at all becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::CaseResult;
    use super::*;

    fn case(name: &str, differences: &[&str]) -> CaseResult {
        CaseResult {
            name: name.to_owned(),
            place: "cases.yaml:3:5".to_owned(),
            differences: differences.iter().map(|text| (*text).to_owned()).collect(),
            seconds: 0.25,
        }
    }

    #[test]
    fn it_is_well_formed_whatever_the_texts_are() {
        let nasty = "a<b> & \"c\" 'd' \u{1b}[2J \u{ffff} ]]> é\nnext\tline";
        let cases = vec![case("good", &[]), case(nasty, &[nasty, "second"])];
        let results = [SuiteResult { file: "a&b.yaml".to_owned(), cases }];
        let text = render(&results, 1);
        let document = roxmltree::Document::parse(&text).expect("it is well-formed");
        let root = document.root_element();
        let counts = ["tests", "failures", "errors"].map(|name| root.attribute(name));
        assert_eq!(counts, [Some("3"), Some("1"), Some("1")]);
        let cases: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testcase")).collect();
        assert_eq!(cases[0].attribute("classname"), Some("a&b.yaml"));
        let name = "a<b> & \"c\" 'd' \u{fffd}[2J \u{fffd} ]]> é\nnext\tline";
        assert_eq!(cases[1].attribute("name"), Some(name));
        let failure = cases[1].first_element_child().expect("a failure");
        assert_eq!(failure.text(), Some(format!("cases.yaml:3:5\n{name}\nsecond").as_str()));
        assert!(cases[2].first_element_child().is_some_and(|node| node.has_tag_name("error")));
    }
}
