//! The pure middle of the service: one record and one plan give output records, always the same bytes.
//!
//! ```text
//! SourceRecord -> codec -> ResourceEvent -> decision (organization, trigger, fhirpath) -> notification | dead_letter
//!              '--------------------------- pipeline ---------------------------------------> OutputRecord, Tally
//! ```
//!
//! No Kafka, no clock, no I/O, no randomness in here; a test holds it to that.

pub mod codec;
mod dead_letter;
mod decision;
pub mod event;
pub mod explain;
pub mod fhirpath;
pub mod json;
pub mod limits;
pub mod notification;
pub mod organization;
pub mod output;
pub mod pipeline;
pub mod plan;
pub mod plan_diff;
pub mod reference;
pub mod refusals;
pub mod resource;
mod shortlist;
pub mod source;
pub mod tally;
pub mod time;
mod trigger;
pub mod words;

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// The names are put together here so that this file does not contain them itself.
    #[test]
    fn the_domain_names_no_kafka_client_no_runtime_and_no_clock() {
        let impure = [
            ["rd", "kafka"],
            ["to", "kio"],
            ["Instant", "::now"],
            ["System", "Time"],
            ["std::time::", "Instant"],
            ["Timestamp", "::now"],
            ["Zoned", "::now"],
            ["new", "_v4"],
        ]
        .map(|parts| parts.concat());
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain"), &mut files);
        assert!(files.len() > 15, "the domain's sources were not found");
        // Tests that ask for how long something takes have to look at a clock.
        let is_test = |file: &PathBuf| {
            let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            name.ends_with("_tests") || file.components().any(|folder| folder.as_os_str() == "differential")
        };
        files.retain(|file| !is_test(file));
        for file in files {
            // What the file is about may be told in prose.
            let source = fs::read_to_string(&file).unwrap();
            let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
            for (number, line) in code.enumerate() {
                for name in &impure {
                    assert!(!line.contains(name.as_str()), "{}: {name} in code line {number}", file.display());
                }
            }
        }
    }
}
