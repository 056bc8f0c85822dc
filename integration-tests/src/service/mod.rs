//! `fhir-fanout` as a process of its own, as users run it.
//!
//! Everything goes through the contract: command line, environment, files, HTTP, signals and exit codes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::kafka::{Acls, KafkaCluster, free_port, unique};
use crate::process::{Child, watchdog};
use crate::proxy::Link;
use crate::wait;

pub mod binary;
pub mod metrics;

pub use metrics::Metrics;

/// How long the service may take until it is ready on a machine under load.
const READY_WITHIN: Duration = Duration::from_secs(45);
/// How long a command that does not stay may take.
const COMMAND_WITHIN: Duration = Duration::from_secs(60);

/// What an instance of the service is started with.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    topics_yaml: String,
    settings_yaml: Option<String>,
    application_id: String,
    environment: BTreeMap<String, String>,
}

impl ServiceSpec {
    /// A service for this cluster with this `topics.yaml`; its application id (the consumer group) is a new one.
    #[must_use]
    pub fn new(cluster: &KafkaCluster, topics_yaml: &str) -> Self {
        let spec = Self {
            topics_yaml: topics_yaml.to_owned(),
            settings_yaml: None,
            application_id: unique("fhir-fanout"),
            environment: BTreeMap::new(),
        };
        spec.setting("KAFKA__BOOTSTRAP_SERVERS", cluster.bootstrap_servers()).setting("TASKS", "1")
    }

    /// Speaking with the brokers through this link only.
    #[must_use]
    pub fn through(self, link: &Link) -> Self {
        self.setting("KAFKA__BOOTSTRAP_SERVERS", link.bootstrap_servers())
    }

    /// As the user of [`crate::kafka::acl`], who may do only what was allowed ([`crate::kafka::ClusterOptions::authorizer`]).
    #[must_use]
    pub fn as_user(self, cluster: &KafkaCluster) -> Self {
        let spec = self.setting("KAFKA__BOOTSTRAP_SERVERS", cluster.sasl_servers());
        Acls::credentials().into_iter().fold(spec, |spec, (option, value)| {
            spec.setting(&format!("KAFKA__OPTIONS__{}", option.replace('.', "_").to_uppercase()), value)
        })
    }

    /// With a setting of the environment: `setting("BATCH__MAX_RECORDS", "10")`.
    #[must_use]
    pub fn setting(self, name: &str, value: &str) -> Self {
        self.variable(&format!("FHIR_FANOUT__{name}"), value)
    }

    /// With any environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With this application id.
    #[must_use]
    pub fn application_id(mut self, application_id: &str) -> Self {
        application_id.clone_into(&mut self.application_id);
        self
    }

    /// With a settings file (`--config`).
    #[must_use]
    pub fn settings_yaml(mut self, text: &str) -> Self {
        self.settings_yaml = Some(text.to_owned());
        self
    }

    /// With another `topics.yaml`.
    #[must_use]
    pub fn topics_yaml(mut self, text: &str) -> Self {
        text.clone_into(&mut self.topics_yaml);
        self
    }

    /// The consumer group of the service.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.application_id
    }

    /// Starts `fhir-fanout run` without waiting for anything.
    ///
    /// # Errors
    /// When the binary cannot be built or started.
    pub fn spawn(&self) -> anyhow::Result<Service> {
        let folder = self.folder()?;
        let http_port = free_port();
        let mut command = self.command(folder.path(), "run")?;
        command.env("FHIR_FANOUT__HTTP__LISTEN", format!("127.0.0.1:{http_port}"));
        let (stdout, stderr) = (folder.path().join("stdout.log"), folder.path().join("stderr.log"));
        let process = Child::spawn(&mut command, &stdout, &stderr)?;
        Ok(Service { process, http_port, group: self.application_id.clone(), folder })
    }

    /// Starts `fhir-fanout run` and waits until it is ready.
    ///
    /// # Errors
    /// When it cannot be started, ends, or is not ready in time.
    pub fn start(&self) -> anyhow::Result<Service> {
        let mut service = self.spawn()?;
        service.wait_ready()?;
        Ok(service)
    }

    /// Runs a command that ends by itself, for example `["validate"]` or `["topics", "create"]`; `--topics` (and
    /// `--config`) are added.
    ///
    /// # Errors
    /// When it cannot be started or does not end in time.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<Finished> {
        let folder = self.folder()?;
        let (first, rest) = arguments.split_first().context("a command needs its name")?;
        let mut command = self.command_with(folder.path(), first, rest)?;
        command.env("FHIR_FANOUT__HTTP__LISTEN", format!("127.0.0.1:{}", free_port()));
        finish(&mut command, folder.path())
    }

    fn folder(&self) -> anyhow::Result<TempDir> {
        let folder = tempfile::Builder::new().prefix("fhir-fanout-service-").tempdir()?;
        watchdog::remove_at_end(folder.path());
        std::fs::write(folder.path().join("topics.yaml"), &self.topics_yaml)?;
        if let Some(settings) = &self.settings_yaml {
            std::fs::write(folder.path().join("fhir-fanout.yaml"), settings)?;
        }
        Ok(folder)
    }

    fn command(&self, folder: &Path, name: &str) -> anyhow::Result<Command> {
        self.command_with(folder, name, &[])
    }

    fn command_with(&self, folder: &Path, name: &str, rest: &[&str]) -> anyhow::Result<Command> {
        let mut command = bare_command()?;
        command.arg(name).args(rest).args(["--topics", "topics.yaml"]).current_dir(folder);
        if self.settings_yaml.is_some() {
            command.args(["--config", "fhir-fanout.yaml"]);
        }
        command.env("FHIR_FANOUT__APPLICATION_ID", &self.application_id).envs(&self.environment);
        Ok(command)
    }
}

/// Runs the binary with exactly these arguments, for what the command line itself answers.
///
/// # Errors
/// When it cannot be started or does not end in time.
pub fn run_bare(arguments: &[&str]) -> anyhow::Result<Finished> {
    let folder = tempfile::tempdir()?;
    let mut command = bare_command()?;
    finish(command.args(arguments).current_dir(folder.path()), folder.path())
}

/// The binary, free of settings that this process happens to have in its environment.
fn bare_command() -> anyhow::Result<Command> {
    let mut command = Command::new(binary::path()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FHIR_FANOUT__") || name == "RUST_LOG" {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    Ok(command)
}

fn finish(command: &mut Command, folder: &Path) -> anyhow::Result<Finished> {
    let (stdout, stderr) = (folder.join("stdout.log"), folder.join("stderr.log"));
    let mut process = Child::spawn(command, &stdout, &stderr)?;
    let status = process.wait(COMMAND_WITHIN)?;
    Ok(Finished { code: status.code(), stdout: process.stdout(), stderr: process.stderr() })
}

/// A command that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it printed to standard error.
    pub stderr: String,
}

/// A running instance of the service. Dropping it kills it; when that is because a test failed, its log is shown.
pub struct Service {
    process: Child,
    http_port: u16,
    group: String,
    folder: TempDir,
}

impl Service {
    /// The consumer group.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Waits until `/health/ready` answers 200.
    ///
    /// # Errors
    /// When the process ends or is not ready in time; the message carries the end of its log.
    pub fn wait_ready(&mut self) -> anyhow::Result<()> {
        let outcome = wait::until_some("the service to be ready", READY_WITHIN, || {
            if let Ok(Some(status)) = self.exit_status() {
                return Some(Err(anyhow::anyhow!("the service ended with {status}")));
            }
            self.is_ready().then_some(Ok(()))
        });
        outcome.and_then(|inner| inner).with_context(|| self.process.log_tail())
    }

    /// Whether `/health/ready` answers 200 now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.get("/health/ready").is_ok_and(|(status, _)| status == 200)
    }

    /// An HTTP GET: status and body.
    ///
    /// # Errors
    /// When there is no answer within five seconds.
    pub fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let request = ureq::get(format!("http://127.0.0.1:{}{path}", self.http_port));
        let request = request.config().http_status_as_error(false).timeout_global(Some(Duration::from_secs(5))).build();
        let mut response = request.call()?;
        let status = response.status().as_u16();
        Ok((status, response.body_mut().read_to_string()?))
    }

    /// What `/metrics` says now.
    ///
    /// # Errors
    /// When it does not answer or is no Prometheus text.
    pub fn metrics(&self) -> anyhow::Result<Metrics> {
        let (status, body) = self.get("/metrics")?;
        anyhow::ensure!(status == 200, "/metrics answered {status}");
        Metrics::parse(&body)
    }

    /// Waits until a condition on the metrics holds.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn wait_metrics(
        &self,
        what: &str,
        within: Duration,
        mut holds: impl FnMut(&Metrics) -> bool,
    ) -> anyhow::Result<()> {
        wait::until(what, within, || self.metrics().is_ok_and(|metrics| holds(&metrics)))
    }

    /// Asks the service to end (SIGTERM) and waits for it: how it ended, and after how long.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub fn sigterm(&mut self) -> anyhow::Result<(ExitStatus, Duration)> {
        self.end_by(Signal::SIGTERM)
    }

    /// The same with SIGINT.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub fn sigint(&mut self) -> anyhow::Result<(ExitStatus, Duration)> {
        self.end_by(Signal::SIGINT)
    }

    fn end_by(&mut self, signal: Signal) -> anyhow::Result<(ExitStatus, Duration)> {
        let begin = Instant::now();
        self.process.signal(signal)?;
        let status = self.process.wait(Duration::from_secs(60))?;
        Ok((status, begin.elapsed()))
    }

    /// Asks the service to look at its configuration (SIGHUP).
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn sighup(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGHUP)
    }

    /// The folder that it runs in, with its `topics.yaml`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts another `topics.yaml` in the place of the one that it runs with, as editors do.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn edit(&self, topics_yaml: &str) -> anyhow::Result<()> {
        let new = self.folder().join(".topics.yaml.new");
        std::fs::write(&new, topics_yaml)?;
        Ok(std::fs::rename(new, self.folder().join("topics.yaml"))?)
    }

    /// What `/status` says now.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn status(&self) -> anyhow::Result<serde_json::Value> {
        let (status, body) = self.get("/status")?;
        anyhow::ensure!(status == 200, "/status answered {status}");
        Ok(serde_json::from_str(&body)?)
    }

    /// Kills the service (SIGKILL): it can do nothing about it.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill9(&mut self) -> anyhow::Result<()> {
        self.process.kill().map(drop)
    }

    /// Freezes the service (SIGSTOP), as a long garbage collection or a suspended virtual machine would.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGSTOP)
    }

    /// Lets a frozen service go on (SIGCONT).
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGCONT)
    }

    /// How the process ended, if it did.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.process.exit_status()
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn wait(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.process.wait(within)
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Everything that the service wrote so far, standard output first.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stdout() + &self.process.stderr()
    }

    /// The URL of a path of its HTTP server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http_port)
    }

    /// Where the binary is that runs.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn binary() -> anyhow::Result<PathBuf> {
        binary::path()
    }
}

impl Drop for Service {
    #[allow(clippy::print_stderr, reason = "a failed test shows what the service had to say")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of the service {} ends:\n{}", self.group, self.process.log_tail());
        }
    }
}
