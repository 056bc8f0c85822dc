//! Where the `fhir-fanout` binary is: built once per process, with the profile of the caller.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Context;
use serde_json::Value;

/// The path of the binary; builds it when it is not up to date.
///
/// Cargo gives the path of a binary only to tests of its own package, and does not build it for those of another.
///
/// # Errors
/// When it does not build.
pub fn path() -> anyhow::Result<PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PATH.get_or_init(|| build().map_err(|error| format!("{error:?}"))).clone().map_err(anyhow::Error::msg)
}

fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        // The whole workspace's features, so that nothing is compiled a second time with others.
        .args(["build", "--workspace", "--bin", "fhir-fanout", "--message-format", "json", "--profile", &profile()])
        .args(if FAIL_POINTS { &["--features", "fhir-fanout/fail-points"][..] } else { &[] })
        .stdin(Stdio::null())
        .output()
        .context("cannot start cargo")?;
    anyhow::ensure!(
        output.status.success(),
        "fhir-fanout does not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let built = output.stdout.split(|byte| *byte == b'\n').find_map(executable).context("cargo named no executable")?;
    if FAIL_POINTS { set_aside(&built) } else { Ok(built) }
}

/// Whether the service under test has fail points.
const FAIL_POINTS: bool = cfg!(feature = "fail-points");

/// Under a name of its own: the next build without fail points replaces the original.
fn set_aside(built: &Path) -> anyhow::Result<PathBuf> {
    let aside = built.with_file_name("fhir-fanout-with-fail-points");
    std::fs::copy(built, &aside).context("cannot set the binary with fail points aside")?;
    Ok(aside)
}

/// The path that a line of cargo's JSON output names for our binary.
fn executable(line: &[u8]) -> Option<PathBuf> {
    let message: Value = serde_json::from_slice(line).ok()?;
    let target = &message["target"];
    let is_ours = target["name"] == "fhir-fanout" && target["kind"][0] == "bin";
    message["executable"].as_str().filter(|_| is_ours).map(PathBuf::from)
}

/// The profile that this executable was built with, by the name of its folder.
fn profile() -> String {
    let executable = std::env::current_exe().unwrap_or_default();
    let folders = executable.ancestors().skip(1).filter_map(Path::file_name);
    let folder = folders.map(|name| name.to_string_lossy().into_owned()).find(|name| name != "deps");
    match folder.as_deref() {
        None | Some("debug") => "dev".to_owned(),
        Some(other) => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_other_messages() {
        let line =
            br#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"fhir-fanout"},"executable":"/t/x"}"#;
        assert_eq!(executable(line), Some(PathBuf::from("/t/x")));
        let library =
            br#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"fhir_fanout"},"executable":null}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable(b""), None);
    }
}
