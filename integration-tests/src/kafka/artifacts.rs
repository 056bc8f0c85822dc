//! Apache Kafka's own jars, copied once by Maven from Maven Central into the build folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process::build_folder;

/// The release that tests, demo and benchmarks run against.
pub const KAFKA_VERSION: &str = "4.3.1";

/// What Maven is asked for. `slf4j-simple` gives the broker's log a way out: Kafka's distribution brings a binding,
/// its Maven artifact does not.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>fhir-fanout</groupId>
  <artifactId>test-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>@VERSION@</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"#;

/// The Java class path of the broker; fetches it when it is not there yet.
///
/// Several processes may ask at once: the first fetches, the others wait.
///
/// # Errors
/// When Maven is missing or cannot reach a repository.
pub fn class_path() -> anyhow::Result<String> {
    let home = build_folder().join("kafka").join(KAFKA_VERSION);
    let libs = home.join("libs");
    fs::create_dir_all(&home).with_context(|| format!("cannot create {home:?}"))?;
    let lock = File::create(home.join("lock")).context("cannot create the lock of the Kafka jars")?;
    lock.lock().context("cannot lock the Kafka jars")?;
    if !libs.is_dir() {
        fetch(&home, &libs)?;
    }
    Ok(format!("{}/*", libs.display()))
}

/// Copies the jars; the folder gets its name only when it is complete.
fn fetch(home: &Path, libs: &PathBuf) -> anyhow::Result<()> {
    let partial = home.join("libs.partial");
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    let pom = home.join("pom.xml");
    fs::write(&pom, POM.replace("@VERSION@", KAFKA_VERSION))?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-f"])
        .arg(&pom)
        .arg(format!("-DoutputDirectory={}", partial.display()))
        .output()
        .context("cannot start `mvn`: Apache Maven and Java 17 are needed to fetch Kafka (`make check-tools`)")?;
    anyhow::ensure!(
        output.status.success(),
        "Maven could not fetch Kafka {KAFKA_VERSION}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    fs::rename(&partial, libs).context("cannot name the folder of the Kafka jars")
}

/// The Java launcher: that of `JAVA_HOME`, else the one on the path.
#[must_use]
pub fn java() -> PathBuf {
    match std::env::var_os("JAVA_HOME") {
        Some(home) if !home.is_empty() => Path::new(&home).join("bin/java"),
        _ => PathBuf::from("java"),
    }
}
