//! The Kafka Streams programs of `integration-tests/peers`, built by Maven when they are older than their sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::Context;

use super::text::say;

/// The jar; `None`, said loudly, where it is not there and cannot be built.
///
/// # Errors
/// When its sources cannot be read, or Maven succeeds without a jar.
pub fn build() -> anyhow::Result<Option<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    let jar = folder.join("target/fanout-peers.jar");
    if is_current(&jar, &folder) {
        return Ok(Some(jar));
    }
    if !folder.join("pom.xml").is_file() {
        say("LEFT OUT: the Kafka Streams programs, integration-tests/peers is not there");
        return Ok(None);
    }
    say("building the Kafka Streams programs (Maven)");
    let built = Command::new("mvn").args(["-q", "-B", "-DskipTests", "package"]).current_dir(&folder).output();
    match built {
        Err(_) => say("LEFT OUT: the Kafka Streams programs, there is no `mvn` to build them"),
        Ok(output) if !output.status.success() => say(&format!(
            "LEFT OUT: the Kafka Streams programs, Maven did not build them\n{}",
            String::from_utf8_lossy(&output.stdout)
        )),
        Ok(_) => {
            anyhow::ensure!(jar.is_file(), "Maven made no {}", jar.display());
            return Ok(Some(jar));
        }
    }
    Ok(None)
}

/// Whether the jar is there and younger than everything that it is made of.
fn is_current(jar: &Path, folder: &Path) -> bool {
    let Ok(made) = std::fs::metadata(jar).and_then(|jar| jar.modified()) else { return false };
    let sources = [folder.join("pom.xml"), folder.join("src")];
    sources.iter().all(|source| youngest(source).is_ok_and(|changed| changed <= made))
}

fn youngest(path: &Path) -> anyhow::Result<SystemTime> {
    let found = std::fs::metadata(path).with_context(|| path.display().to_string())?;
    let mut time = found.modified()?;
    if found.is_dir() {
        for entry in std::fs::read_dir(path)? {
            time = time.max(youngest(&entry?.path())?);
        }
    }
    Ok(time)
}
