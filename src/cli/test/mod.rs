//! `fhir-fanout test`: users' own cases against `topics.yaml`, with the pipeline that runs in service.
//!
//! ```text
//! cases.yaml -> Suite --.
//! topics.yaml -> Plan --+-> records of each case -> Pipeline -> outputs -> compare -> report, JUnit file
//! ```
//!
//! A file that cannot be read, or whose topics.yaml is invalid, fails as a whole; the others run all the same. What is
//! printed of a failed case holds values of the case's events.

mod compare;
mod difference;
mod junit;
mod report;
mod run;

use std::path::Path;

use super::Exit;
use super::args::{Files, TestOptions};
use super::load;
use super::output::{self, line, problem};
use crate::config::cases::{self, Suite};
use crate::config::diagnostic::{Diagnostics, Severity};

/// What came of a file of cases.
struct SuiteResult {
    file: String,
    cases: Vec<CaseResult>,
}

/// What came of a case.
struct CaseResult {
    name: String,
    /// `file:line:column`.
    place: String,
    /// What was otherwise than expected; none: it passed.
    differences: Vec<String>,
    seconds: f64,
}

/// Runs all cases of all files.
#[must_use]
pub fn test(options: &TestOptions) -> Exit {
    let colour = output::colour(&std::io::stdout());
    let mut results = Vec::new();
    let mut unusable = 0;
    for file in &options.cases {
        match read(file, options) {
            Ok((suite, files)) => match load::load(&files) {
                Ok(loaded) => {
                    let unknown = suite.check(&loaded.plan);
                    if unknown.has_errors() {
                        print_problems(&unknown);
                        unusable += 1;
                        continue;
                    }
                    line(report::heading(file, &files.topics));
                    let result = run::suite(&suite, loaded, |case| line(report::case(case, colour)));
                    results.push(result);
                }
                Err(refused) => {
                    refused.print();
                    unusable += 1;
                }
            },
            Err(problems) => {
                print_problems(&problems);
                unusable += 1;
            }
        }
    }
    line(report::summary(&results, unusable, colour));
    let written = options.junit.as_deref().is_none_or(|path| write_junit(path, &results, unusable));
    let passed = results.iter().all(|suite| suite.cases.iter().all(CaseResult::passed));
    if unusable == 0 && passed && written { Exit::Success } else { Exit::InvalidConfiguration }
}

/// The file's cases, and the configuration that they test.
fn read(file: &Path, options: &TestOptions) -> Result<(Suite, Files), Diagnostics> {
    let (suite, mut problems) = cases::load(file);
    let Some(suite) = suite else { return Err(problems) };
    let Some(topics) = options.topics.clone().or_else(|| suite.topics.clone()) else {
        problems.push(suite.without_topics());
        return Err(problems);
    };
    Ok((suite, Files { topics, config: options.config.clone() }))
}

fn print_problems(problems: &Diagnostics) {
    let colour = output::colour(&std::io::stderr());
    for diagnostic in problems {
        problem(format_args!("{}\n", diagnostic.render(colour)));
    }
    problem(format_args!("no case of this file was run ({})", output::many(problems.count(Severity::Error), "error")));
}

fn write_junit(path: &Path, results: &[SuiteResult], unusable: usize) -> bool {
    let written = std::fs::write(path, junit::render(results, unusable));
    if let Err(error) = &written {
        problem(format_args!("error: {}: the file cannot be written: {}", path.display(), error.kind()));
    }
    written.is_ok()
}

impl CaseResult {
    fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}
