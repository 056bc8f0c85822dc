//! HL7's published notification Bundles, read where the test data stands (`FANOUT_FHIR_DATA`).

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::*;

/// The test data's folder; says so where it is absent, since nothing is tested then.
#[allow(clippy::print_stderr, reason = "a test that is left out has to say so")]
fn published(folder: &str) -> Vec<(PathBuf, String)> {
    let Some(data) = env::var_os("FANOUT_FHIR_DATA") else {
        eprintln!("LEFT OUT: FANOUT_FHIR_DATA is not set, HL7's Bundles are not read");
        return Vec::new();
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(data).join("golden").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("Bundle-")));
    files.sort();
    assert!(!files.is_empty());
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn published_notifications_give_their_focus_and_nothing_else() {
    for folder in ["backport-ig/r4", "backport-ig/r4b", "spec-r4b", "spec-r5"] {
        let mut changes = 0;
        for (file, text) in published(folder) {
            let decoded = decode(&ingest("bundles", IngestFormat::Bundle), &record("bundles", &text));
            match decoded {
                Ok(events) => {
                    changes += events.len();
                    for event in events {
                        assert_eq!(event.identity.resource_type, "Encounter", "{}", file.display());
                        assert_eq!(event.interaction, Interaction::Create, "{}", file.display());
                    }
                }
                // A message, or changes of which only the ids are told.
                Err(Undecodable::BundleType) => assert!(text.contains("MessageHeader"), "{}", file.display()),
                Err(error) => assert_eq!(error, Undecodable::NoResource, "{}", file.display()),
            }
        }
        assert!(changes > 0 || env::var_os("FANOUT_FHIR_DATA").is_none(), "{folder} has notifications with a focus");
    }
}
