//! One node of a Kafka cluster: broker and controller in one Java process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;

use super::cluster::{ClusterOptions, NodeAddress};
use super::disk::Disk;
use super::{acl, artifacts};
use crate::process::Child;

/// A node; its ports and its data stay the same over restarts.
#[derive(Debug)]
pub struct Node {
    address: NodeAddress,
    folder: PathBuf,
    java_options: Vec<String>,
    process: Option<Child>,
    /// Declared behind the process: it is unmounted when that is gone.
    disk: Option<Disk>,
}

impl Node {
    /// Writes the node's configuration and formats its data folder.
    ///
    /// # Errors
    /// When files cannot be written or Kafka's storage tool fails.
    pub(super) fn create(
        cluster_folder: &Path,
        cluster_id: &str,
        address: NodeAddress,
        all: &[NodeAddress],
        options: &ClusterOptions,
    ) -> anyhow::Result<Self> {
        let folder = cluster_folder.join(format!("node-{}", address.id));
        fs::create_dir_all(&folder)?;
        let disk = match options.disk_mb {
            Some(size) => Some(Disk::mount(&folder.join("disk"), size)?),
            None => None,
        };
        fs::write(folder.join("server.properties"), properties(&folder, &address, all, options))?;
        let node = Self { address, folder, java_options: options.java_options(), process: None, disk };
        node.format(cluster_id)?;
        Ok(node)
    }

    fn java(&self, main_class: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(artifacts::java());
        command.args(&self.java_options).arg("-cp").arg(artifacts::class_path()?).arg(main_class);
        command.current_dir(&self.folder);
        Ok(command)
    }

    fn format(&self, cluster_id: &str) -> anyhow::Result<()> {
        let mut command = self.java("kafka.tools.StorageTool")?;
        command.args(["format", "-t", cluster_id, "-c", "server.properties"]).stdin(Stdio::null());
        let output = command.output().context("cannot start Java 17 (`make check-tools`)")?;
        anyhow::ensure!(
            output.status.success(),
            "Kafka's storage tool failed:\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// The node's id, from 1.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.address.id
    }

    /// Starts the node when it is not running. It answers a little later.
    ///
    /// # Errors
    /// When Java cannot be started.
    pub fn start(&mut self) -> anyhow::Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let mut command = self.java("kafka.Kafka")?;
        command.arg("server.properties");
        let log = self.log();
        self.process = Some(Child::spawn(&mut command, &log, &log)?);
        Ok(())
    }

    /// Whether the node's process lives (a paused one does).
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.as_mut().map(Child::exit_status), Some(Ok(None)))
    }

    /// Stops the node in order (SIGTERM) and waits until it is gone.
    ///
    /// # Errors
    /// When it does not stop within a minute.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.signal(Signal::SIGTERM)?;
            process.wait(Duration::from_secs(60))?;
        }
        Ok(())
    }

    /// Kills the node (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    /// Freezes the node (SIGSTOP): its connections stay open and nothing answers.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn pause(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a frozen node go on (SIGCONT).
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn resume(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// Stops the node in order and starts it again: same ports, same data.
    ///
    /// # Errors
    /// When it does not stop or cannot be started.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.stop()?;
        self.start()
    }

    fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        self.process.as_mut().context("the node is not running")?.signal(signal)
    }

    /// The disk that its data lies on ([`ClusterOptions::own_disk`]).
    ///
    /// # Errors
    /// When it has none of its own.
    pub fn disk(&self) -> anyhow::Result<&Disk> {
        self.disk.as_ref().context("the node has no disk of its own")
    }

    /// The file that the node logs to.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("kafka.log")
    }
}

/// The listener that asks users who they are.
const SASL_LISTENER: &str = "SASL";
/// Its protocol.
const SASL: &str = "SASL_PLAINTEXT";

struct Listener {
    name: String,
    protocol: &'static str,
    port: u16,
    /// What clients are told.
    advertised: u16,
}

/// The controller's first: it is not told to clients.
fn listeners(own: &NodeAddress, options: &ClusterOptions) -> Vec<Listener> {
    let plain =
        |name: &str, port, advertised| Listener { name: name.to_owned(), protocol: "PLAINTEXT", port, advertised };
    let mut listeners = vec![
        plain("CONTROLLER", own.controller_port, own.controller_port),
        plain("PLAINTEXT", own.broker_port, own.broker_port),
    ];
    for (link, way) in own.ways.iter().enumerate() {
        let listener = plain(&format!("LINK{link}"), way.broker_port, way.proxy_port);
        listeners.push(if options.authorizer { Listener { protocol: SASL, ..listener } } else { listener });
    }
    if options.authorizer {
        let port = own.sasl_port;
        listeners.push(Listener { protocol: SASL, ..plain(SASL_LISTENER, port, port) });
    }
    listeners
}

fn address_list(listeners: &[Listener], port: fn(&Listener) -> u16) -> String {
    let address = |listener: &Listener| format!("{}://127.0.0.1:{}", listener.name, port(listener));
    listeners.iter().map(address).collect::<Vec<_>>().join(",")
}

/// The node's `server.properties`.
fn properties(folder: &Path, own: &NodeAddress, all: &[NodeAddress], options: &ClusterOptions) -> String {
    let voters: Vec<String> =
        all.iter().map(|node| format!("{}@127.0.0.1:{}", node.id, node.controller_port)).collect();
    let replicas = all.len();
    let in_sync = if replicas > 1 { replicas - 1 } else { 1 };
    let listeners = listeners(own, options);
    let protocols: Vec<String> =
        listeners.iter().map(|listener| format!("{}:{}", listener.name, listener.protocol)).collect();
    let mut lines = vec![
        "process.roles=broker,controller".to_owned(),
        format!("node.id={}", own.id),
        format!("listeners={}", address_list(&listeners, |listener| listener.port)),
        format!("advertised.listeners={}", address_list(&listeners[1..], |listener| listener.advertised)),
        format!("listener.security.protocol.map={}", protocols.join(",")),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("controller.quorum.voters={}", voters.join(",")),
        format!("log.dirs={}", folder.join(if options.disk_mb.is_some() { "disk/data" } else { "data" }).display()),
        // Two cores are shared with everything else.
        "num.network.threads=2".to_owned(),
        "num.io.threads=4".to_owned(),
        // The default of 128 MB alone would be a quarter of the heap.
        "log.cleaner.dedupe.buffer.size=4194304".to_owned(),
        // A missing Kafka topic has to be an error, as in a well-kept production cluster.
        "auto.create.topics.enable=false".to_owned(),
        "group.initial.rebalance.delay.ms=0".to_owned(),
        format!("default.replication.factor={replicas}"),
        format!("min.insync.replicas={in_sync}"),
        "offsets.topic.num.partitions=3".to_owned(),
        format!("offsets.topic.replication.factor={replicas}"),
        "transaction.state.log.num.partitions=3".to_owned(),
        format!("transaction.state.log.replication.factor={replicas}"),
        format!("transaction.state.log.min.isr={in_sync}"),
        "log.segment.bytes=67108864".to_owned(),
        // Tests send records with times of years ago; the default of a week deletes them whenever the broker looks,
        // which is every five minutes.
        "log.retention.ms=-1".to_owned(),
    ];
    if options.authorizer {
        let asking = listeners.iter().filter(|listener| listener.protocol == SASL);
        lines.extend(acl::properties(asking.map(|listener| listener.name.as_str())));
    }
    lines.extend(options.broker_config.iter().map(|(name, value)| format!("{name}={value}")));
    lines.join("\n") + "\n"
}
