//! A cluster of one or three nodes on loopback.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rand::Rng;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::node::Node;
use crate::process::{build_folder, tail, watchdog};
use crate::proxy::{Link, Way};
use crate::wait;

/// How long a cluster may take to come up on a machine under load.
const START_WITHIN: Duration = Duration::from_secs(90);

/// What kind of cluster is wanted.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// Nodes, each broker and controller: 1, or 3 (replication 3, two in-sync replicas for a write).
    pub nodes: usize,
    /// Heap of each node in megabytes.
    pub heap_mb: usize,
    /// Compiles quickly instead of well: halves the start, and costs throughput. Not for benchmarks.
    pub short_lived: bool,
    /// Broker options over the testkit's own.
    pub broker_config: BTreeMap<String, String>,
    /// Ways to the brokers that can be broken (see [`crate::proxy`]).
    pub links: usize,
    /// Asks users of [`KafkaCluster::sasl_servers`] and of links for their rights. The testkit's own clients may do
    /// everything.
    pub authorizer: bool,
    /// Puts the data of each node on a disk of its own that can be full, of so many megabytes ([`super::disk`]).
    pub disk_mb: Option<usize>,
}

impl Default for ClusterOptions {
    /// One node for short tests.
    fn default() -> Self {
        Self {
            nodes: 1,
            heap_mb: 512,
            short_lived: true,
            broker_config: BTreeMap::new(),
            links: 0,
            authorizer: false,
            disk_mb: None,
        }
    }
}

impl ClusterOptions {
    /// Three nodes for short tests that stop or kill some of them.
    #[must_use]
    pub fn three_nodes() -> Self {
        Self { nodes: 3, heap_mb: 384, ..Self::default() }
    }

    /// One node that is worth measuring against, and to leave running for a demo.
    #[must_use]
    pub fn long_lived() -> Self {
        Self { heap_mb: 1024, short_lived: false, ..Self::default() }
    }

    /// The same for time-outs of a second or two: it takes them, and ends transactions that exceed theirs soon.
    #[must_use]
    pub fn impatient(self) -> Self {
        self.with("group.min.session.timeout.ms", "1000")
            .with("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500")
    }

    /// The same with one broker option more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.broker_config.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same with so many ways to the brokers that can be broken.
    #[must_use]
    pub fn links(mut self, links: usize) -> Self {
        self.links = links;
        self
    }

    /// The same with an authorizer, and the users of [`super::acl`].
    #[must_use]
    pub fn authorizer(mut self) -> Self {
        self.authorizer = true;
        self
    }

    /// The same with a disk of so many megabytes for each node, that can be full. Only where
    /// [`super::Disk::is_possible`].
    #[must_use]
    pub fn own_disk(mut self, megabytes: usize) -> Self {
        self.disk_mb = Some(megabytes);
        self
    }

    pub(super) fn java_options(&self) -> Vec<String> {
        let mut options = vec![
            format!("-Xmx{}m", self.heap_mb),
            "-Dorg.slf4j.simpleLogger.showDateTime=true".to_owned(),
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS".to_owned(),
        ];
        if self.short_lived {
            options.extend(["-XX:+UseSerialGC".to_owned(), "-XX:TieredStopAtLevel=1".to_owned()]);
        } else {
            options.push("-XX:+UseG1GC".to_owned());
        }
        options
    }
}

/// Where a node listens.
#[derive(Debug, Clone)]
pub(super) struct NodeAddress {
    pub(super) id: i32,
    pub(super) broker_port: u16,
    pub(super) controller_port: u16,
    /// Where users are asked who they are.
    pub(super) sasl_port: u16,
    /// For each link.
    pub(super) ways: Vec<Way>,
}

impl NodeAddress {
    fn new(id: i32, links: usize) -> Self {
        let way = |_| Way { proxy_port: free_port(), broker_port: free_port() };
        Self {
            id,
            broker_port: free_port(),
            controller_port: free_port(),
            sasl_port: free_port(),
            ways: (0..links).map(way).collect(),
        }
    }
}

/// A running Apache Kafka. Dropping it ends the nodes and removes their data.
#[derive(Debug)]
pub struct KafkaCluster {
    nodes: Vec<Mutex<Node>>,
    bootstrap_servers: String,
    sasl_servers: String,
    cluster_id: String,
    folder: PathBuf,
    links: Vec<Link>,
}

impl KafkaCluster {
    /// Starts a cluster and waits until every node, the group coordinator and the transaction coordinator answer.
    ///
    /// # Errors
    /// When Java or Maven is missing or the cluster does not come up; the message names the file with its log.
    pub fn start(options: &ClusterOptions) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("fhir-fanout-kafka-").tempdir()?.keep();
        watchdog::remove_at_end(&folder);
        let cluster_id = uuid::Uuid::new_v4().simple().to_string();
        let addresses: Vec<NodeAddress> =
            (1..).take(options.nodes).map(|id| NodeAddress::new(id, options.links)).collect();
        let servers = |port: fn(&NodeAddress) -> u16| {
            let servers: Vec<String> = addresses.iter().map(|node| format!("127.0.0.1:{}", port(node))).collect();
            servers.join(",")
        };
        let mut cluster = Self {
            nodes: Vec::new(),
            bootstrap_servers: servers(|node| node.broker_port),
            sasl_servers: servers(|node| node.sasl_port),
            cluster_id: cluster_id.clone(),
            folder,
            links: Vec::new(),
        };
        for link in 0..options.links {
            let ways: Vec<Way> = addresses.iter().map(|node| node.ways[link]).collect();
            cluster.links.push(Link::start(&ways)?);
        }
        for address in &addresses {
            let mut node = Node::create(&cluster.folder, &cluster_id, address.clone(), &addresses, options)?;
            node.start()?;
            cluster.nodes.push(Mutex::new(node));
        }
        match cluster.wait_ready(START_WITHIN) {
            Ok(()) => Ok(cluster),
            Err(error) => Err(error.context(cluster.report_failed_start())),
        }
    }

    /// Keeps the nodes' logs where they outlive the cluster, and says where.
    fn report_failed_start(&self) -> String {
        let kept = build_folder().join("kafka").join("failed-starts").join(&self.cluster_id);
        let mut report = format!("Kafka did not come up; logs are in {}", kept.display());
        let _ = std::fs::create_dir_all(&kept);
        for (index, node) in self.nodes.iter().enumerate() {
            let log = lock(node).log();
            let _ = std::fs::copy(&log, kept.join(format!("node-{}.log", index + 1)));
            report.push_str(&format!("\n--- end of node {}'s log\n{}", index + 1, tail(&log)));
        }
        report
    }

    /// `host:port` of every node, as Kafka clients take it.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// `host:port` of every node's listener that asks users who they are ([`ClusterOptions::authorizer`]).
    #[must_use]
    pub fn sasl_servers(&self) -> &str {
        &self.sasl_servers
    }

    /// A way to the brokers that can be broken, from 0 ([`ClusterOptions::links`]).
    #[must_use]
    pub fn link(&self, index: usize) -> &Link {
        &self.links[index]
    }

    /// The id that the cluster was formatted with.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The cluster's temporary folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many nodes the cluster has, running or not.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// A node, from 0, to stop, kill, pause or restart.
    pub fn node(&self, index: usize) -> std::sync::MutexGuard<'_, Node> {
        lock(&self.nodes[index])
    }

    /// A client configuration that leads to this cluster.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap_servers);
        // Tests stop brokers: come back quickly instead of after up to ten seconds.
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "500");
        // Records of 100 MB can be read.
        config.set("receive.message.max.bytes", "2147483647");
        config
    }

    /// A client configuration that leads to it through a link.
    #[must_use]
    pub fn client_through(&self, link: &Link) -> ClientConfig {
        let mut config = self.client();
        config.set("bootstrap.servers", link.bootstrap_servers());
        config
    }

    /// Waits until all nodes are in the cluster and both coordinators answer.
    ///
    /// # Errors
    /// When a node's process has ended, or when they do not answer in time.
    pub fn wait_ready(&self, within: Duration) -> anyhow::Result<()> {
        let consumer: BaseConsumer = self.client().set("group.id", "testkit-readiness").create()?;
        wait::until_some("Kafka's nodes", within, || {
            if let Some(dead) = self.nodes.iter().position(|node| !lock(node).is_running()) {
                return Some(Err(anyhow::anyhow!("the process of node {} has ended", dead + 1)));
            }
            let metadata = consumer.fetch_metadata(None, Duration::from_secs(2)).ok()?;
            (metadata.brokers().len() == self.nodes.len()).then_some(Ok(()))
        })??;
        let mut nothing = TopicPartitionList::new();
        nothing.add_partition_offset("testkit-readiness", 0, Offset::Invalid)?;
        wait::until_ok("the group coordinator", within, || {
            Ok(consumer.committed_offsets(nothing.clone(), Duration::from_secs(5)).map(drop)?)
        })?;
        wait::until_ok("the transaction coordinator", within, || {
            let producer: BaseProducer = self.client().set("transactional.id", "testkit-readiness").create()?;
            Ok(producer.init_transactions(Duration::from_secs(10))?)
        })
    }
}

impl Drop for KafkaCluster {
    fn drop(&mut self) {
        for node in &self.nodes {
            let _ = lock(node).kill();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A test that panicked while it held a node leaves the node usable.
fn lock(node: &Mutex<Node>) -> std::sync::MutexGuard<'_, Node> {
    node.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cluster that the tests of one process share: one node, started by the first that asks. Tests use Kafka topics
/// and groups of their own (see [`super::unique`]) and leave its node alone.
///
/// # Panics
/// When it cannot be started, with the reason.
pub fn shared() -> &'static KafkaCluster {
    static SHARED: OnceLock<Result<KafkaCluster, String>> = OnceLock::new();
    let started =
        SHARED.get_or_init(|| KafkaCluster::start(&ClusterOptions::default()).map_err(|error| format!("{error:?}")));
    match started {
        Ok(cluster) => cluster,
        Err(reason) => panic!("the shared Kafka cluster is not there: {reason}"),
    }
}

/// A port that nobody listens on, given once per process.
///
/// It lies below the range that the kernel gives to outgoing connections: such a connection could otherwise take the
/// port of a node that is being restarted.
///
/// # Panics
/// When a thousand ports in a row are taken.
#[must_use]
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut random = rand::rng();
    (0..1000)
        .map(|_| random.random_range(15_000..32_000))
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok() && given.insert(*port))
        .context("no free port")
        .expect("some of 17,000 ports are free")
}
