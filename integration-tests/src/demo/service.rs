//! The service as a process of its own: building its binary, starting it, knowing when it is ready.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::kafka::free_port;
use crate::process::Child;
use crate::wait;

/// Builds `fhir-fanout` in the profile of this program and gives the path of the binary beside it.
///
/// # Errors
/// When Cargo is missing or the build fails; what the compiler said stands on standard error.
pub fn build() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program stands in a folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Both packages are named so that Cargo picks the same features as it did for this program: nothing is built twice.
    command.args(["build", "--quiet", "--package", "fhir-fanout", "--package", "integration-tests"]);
    command.args(["--bin", "fhir-fanout"]).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    if folder.file_name().is_some_and(|name| name == "release") {
        command.arg("--release");
    }
    let status = command.status().context("cannot start `cargo`")?;
    anyhow::ensure!(status.success(), "the service does not build");
    Ok(folder.join("fhir-fanout"))
}

/// The command that runs the service with these topics on a free port; settings can still be added to its environment.
#[must_use]
pub fn command(program: &Path, topics: &Path, bootstrap: &str, application: &str) -> (Command, Listening) {
    let listening = Listening { address: SocketAddr::from(([127, 0, 0, 1], free_port())) };
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg("--topics")
        .arg(topics)
        .env("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", bootstrap)
        .env("FHIR_FANOUT__APPLICATION_ID", application)
        .env("FHIR_FANOUT__HTTP__LISTEN", listening.address.to_string());
    (command, listening)
}

/// Where a service listens.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    address: SocketAddr,
}

impl Listening {
    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Gets a page.
    ///
    /// # Errors
    /// When the service does not answer, or not with 200.
    pub fn get(&self, path: &str) -> anyhow::Result<String> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5))).build().into();
        Ok(agent.get(self.url(path)).call()?.body_mut().read_to_string()?)
    }

    /// Waits until the service says that it is ready.
    ///
    /// # Errors
    /// When it ends or is not ready in time, with the end of its log.
    pub fn wait_ready(&self, child: &mut Child, within: Duration) -> anyhow::Result<()> {
        let ready = wait::until_some("the service to be ready", within, || {
            if !matches!(child.exit_status(), Ok(None)) {
                return Some(false);
            }
            self.get("/health/ready").is_ok().then_some(true)
        });
        match ready {
            Ok(true) => Ok(()),
            Ok(false) => anyhow::bail!("the service ended by itself\n{}", child.log_tail()),
            Err(error) => Err(error.context(child.log_tail())),
        }
    }
}
