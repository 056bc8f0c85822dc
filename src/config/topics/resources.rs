//! The FHIR JSON files that `resources` names, in the order of the globs and of the names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::fhir;
use super::raw::RawConfig;
use crate::config::diagnostic::{Diagnostic, Severity};
use crate::config::document::{Located, Sink, SourceFile, parse_json, unreadable};

/// Adds what the files hold to `raw`.
pub(super) fn load(folder: &Path, raw: &mut RawConfig, sink: &Sink) {
    let globs = std::mem::take(&mut raw.resources);
    let mut seen = BTreeSet::new();
    for glob in &globs {
        for path in matches(folder, glob, sink) {
            // two globs may match one file
            if seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
                load_file(&path, raw, sink);
            }
        }
    }
    raw.resources = globs;
}

fn load_file(path: &Path, raw: &mut RawConfig, sink: &Sink) {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let problem = Diagnostic::general(Severity::Error, name, unreadable(&error));
            return sink.push(problem.hint("FHIR resources are files that the service may read, as UTF-8"));
        }
    };
    let file = SourceFile::new(name, text);
    let Some(root) = parse_json(&file, sink) else { return };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    fhir::read(&root, &file, &stem, raw, sink);
}

/// A pattern of `resources` as seen from where the process runs.
pub(super) fn pattern(folder: &Path, glob: &str) -> String {
    // the folder's own name may have brackets in it
    let base = glob::Pattern::escape(&folder.to_string_lossy());
    Path::new(&base).join(glob).to_string_lossy().into_owned()
}

fn matches(folder: &Path, glob: &Located<String>, sink: &Sink) -> Vec<PathBuf> {
    let found = match glob::glob(&pattern(folder, &glob.value)) {
        Ok(found) => found,
        Err(error) => {
            let problem = glob.place.error(format!("`{}` is no file name pattern: {}", glob.shown, error.msg));
            sink.push(problem.hint("as in fhir/*.json"));
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in found {
        match entry {
            Ok(path) if path.is_dir() => {}
            Ok(path) => paths.push(path),
            Err(error) => {
                let message = format!("a folder cannot be read: {}", error.error().kind());
                sink.push(glob.place.error(message).hint("the service needs the right to list it"));
            }
        }
    }
    if paths.is_empty() {
        let is_pattern = glob.value.contains(['*', '?', '[']);
        let severity = if is_pattern { Severity::Warning } else { Severity::Error };
        let problem = glob.place.diagnostic(severity, format!("no file matches `{}`", glob.shown));
        sink.push(problem.hint("names are relative to the folder of topics.yaml"));
    }
    paths
}
