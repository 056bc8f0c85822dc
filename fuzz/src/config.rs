//! Any topics.yaml and any FHIR resource that it names: `y` and YAML, or `j` and JSON. Reading them ends, with a plan if
//! and only if there is no error, and everything that is said about them can be shown.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use fhir_fanout::config;
use fhir_fanout::config::diagnostic::Colour;
use fhir_fanout::config::environment::Environment;
use fhir_fanout::domain::fhirpath::FhirPath;

/// The folder of this process. `topics.yaml` names the resource beside it.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fhir-fanout-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the files");
    folder
});

const NAMES_A_RESOURCE: &str = include_str!("resources.yaml");

/// Loads a configuration.
pub fn run(data: &[u8]) {
    let Some((kind, text)) = data.split_first() else { return };
    // A glob of the whole machine is slow for a reason that is not ours.
    if text.windows(2).any(|pair| pair == b"/*" || pair == b"**") {
        return;
    }
    let (yaml, json) = match kind {
        b'j' => (NAMES_A_RESOURCE.as_bytes(), text),
        _ => (text, b"{}".as_slice()),
    };
    let topics = FOLDER.join("topics.yaml");
    write(&topics, yaml);
    write(&FOLDER.join("resource.json"), json);
    let environment: Environment =
        [("KNOWN", "known"), ("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", "broker:9092")].into_iter().collect();
    let loaded = config::load(None, &topics, &environment, &Arc::new(FhirPath::new()));
    assert_eq!(loaded.topics.is_none(), loaded.diagnostics.has_errors());
    let _any = (loaded.diagnostics.render(Colour::Never), loaded.diagnostics.summary());
    let again = config::load(None, &topics, &environment, &Arc::new(FhirPath::new()));
    let hash = |loaded: &config::Loaded| loaded.topics.as_ref().map(|topics| topics.plan.hash.clone());
    assert_eq!(hash(&loaded), hash(&again), "the same files make the same plan");
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("the file can be written");
}
