//! `fhir-fanout validate`: every problem of the settings and of `topics.yaml`, which criteria are not compiled, and how
//! many there are of each. `fhir-fanout schema`: the JSON Schema for those who check while they write.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::args::{Files, Format, ValidateOptions};
use super::output::{self, line, many};
use super::{Exit, cluster, load, report};
use crate::config::diagnostic::{Diagnostics, Severity};
use crate::config::topics::{self, Engines, GeneralCriterion};

/// What there is to say about a configuration.
struct Found {
    diagnostics: Diagnostics,
    engines: Engines,
    /// The plan's; `None` where it is invalid.
    hash: Option<String>,
}

/// Prints every diagnostic on standard output: they are what was asked for. Warnings do not fail. The cluster is asked
/// last, and only about what is valid.
#[must_use]
pub fn validate(options: &ValidateOptions) -> Exit {
    let files = &options.files;
    let loaded = load::load(files);
    let found = match &loaded {
        Ok(loaded) => {
            let engines = loaded.engines.engines(&loaded.plan.fhirpath);
            Found { diagnostics: loaded.warnings.clone(), engines, hash: Some(loaded.plan.hash.clone()) }
        }
        Err(refused) => Found { diagnostics: refused.diagnostics.clone(), engines: Engines::default(), hash: None },
    };
    let asked = loaded.as_ref().ok().filter(|_| options.against_cluster);
    match options.format {
        Format::Human => {
            print(files, &found);
            match asked {
                Some(loaded) => cluster::check_loaded(loaded, files),
                None => found.exit(),
            }
        }
        Format::Json => {
            let (cluster, exit) = asked.map_or((None, found.exit()), |loaded| cluster::checked(loaded, files));
            report::print(&Document::new(files, &found, cluster));
            exit
        }
    }
}

impl Found {
    fn exit(&self) -> Exit {
        if self.hash.is_some() { Exit::Success } else { Exit::InvalidConfiguration }
    }
}

/// Prints the JSON Schema of topics.yaml.
#[must_use]
pub fn schema() -> Exit {
    line(topics::json_schema().trim_end());
    Exit::Success
}

fn verdict(is_valid: bool) -> &'static str {
    if is_valid { "valid" } else { "invalid" }
}

fn print(files: &Files, found: &Found) {
    let colour = output::colour(&std::io::stdout());
    for diagnostic in &found.diagnostics {
        line(format_args!("{}\n", diagnostic.render(colour)));
    }
    print_engines(&found.engines);
    let errors = many(found.diagnostics.count(Severity::Error), "error");
    let warnings = many(found.diagnostics.count(Severity::Warning), "warning");
    line(format_args!("{}: {} ({errors}, {warnings})", files.topics.display(), verdict(found.hash.is_some())));
}

/// One line for each criterion that is not compiled, and one for all; nothing where all are.
fn print_engines(engines: &Engines) {
    for GeneralCriterion { place, reason } in &engines.general {
        line(format_args!("{}: not compiled, the general engine runs this criterion: {reason}", place.short()));
    }
    if !engines.general.is_empty() {
        let by_general = engines.general.len();
        line(format_args!("criteria: {} compiled, {by_general} run by the general engine", engines.compiled));
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Document<'a> {
    verdict: &'static str,
    plan: Option<&'a str>,
    errors: usize,
    warnings: usize,
    files: Vec<File>,
    diagnostics: Vec<report::Problem<'a>>,
    /// Nothing is known about them where there is no plan.
    criteria: Option<Criteria>,
    /// What `topics check --format json` prints, where the cluster was asked and has answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Value>,
}

/// A file that was named, or that something is said about.
#[derive(Serialize)]
struct File {
    file: String,
    verdict: &'static str,
    errors: usize,
    warnings: usize,
}

/// Which engine runs the criteria of the active topics.
#[derive(Serialize)]
struct Criteria {
    compiled: usize,
    general: Vec<report::Note>,
}

impl<'a> Document<'a> {
    fn new(files: &Files, found: &'a Found, cluster: Option<Value>) -> Self {
        let general = found.engines.general.iter();
        Self {
            verdict: verdict(found.hash.is_some()),
            plan: found.hash.as_deref(),
            errors: found.diagnostics.count(Severity::Error),
            warnings: found.diagnostics.count(Severity::Warning),
            files: counted(files, &found.diagnostics),
            diagnostics: report::problems(&found.diagnostics),
            criteria: found.hash.is_some().then(|| Criteria {
                compiled: found.engines.compiled,
                general: general.map(|one| report::Note::new(&one.place, &one.reason)).collect(),
            }),
            cluster,
        }
    }
}

fn counted(files: &Files, diagnostics: &Diagnostics) -> Vec<File> {
    let named = files.config.iter().chain([&files.topics]).map(|file| (file.display().to_string(), (0, 0)));
    let mut counts: BTreeMap<String, (usize, usize)> = named.collect();
    for diagnostic in diagnostics {
        let (errors, warnings) = counts.entry(diagnostic.file.clone()).or_default();
        match diagnostic.severity {
            Severity::Error => *errors += 1,
            Severity::Warning => *warnings += 1,
        }
    }
    let file = |(file, (errors, warnings))| File { file, verdict: verdict(errors == 0), errors, warnings };
    counts.into_iter().map(file).collect()
}
