//! The ways of one instance to all nodes, and the proxies on them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::connection;
use super::frame::Api;
use super::gate::{Direction, Gate};
use super::rules::{Fault, Rules, Watch};

/// The way of one instance to all nodes of a cluster.
#[derive(Debug)]
pub struct Link {
    nodes: Vec<NodeLink>,
    bootstrap_servers: String,
    rules: Arc<Rules>,
    /// Dropping it ends the proxies.
    _end: oneshot::Sender<()>,
}

/// The way to one of them.
#[derive(Debug)]
pub struct NodeLink {
    gate: Arc<Gate>,
}

/// Where a proxy listens, and where its node does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) proxy_port: u16,
    pub(crate) broker_port: u16,
}

impl Link {
    /// Starts the proxies of a link, one for each node.
    ///
    /// # Errors
    /// When a port cannot be bound or the thread cannot be started.
    pub(crate) fn start(ways: &[Way]) -> anyhow::Result<Self> {
        let rules = Arc::new(Rules::default());
        let gates: Vec<Arc<Gate>> = ways.iter().map(|_| Arc::default()).collect();
        let mut listening = Vec::new();
        for (way, gate) in ways.iter().zip(&gates) {
            let listener = StdListener::bind((Ipv4Addr::LOCALHOST, way.proxy_port))
                .with_context(|| format!("cannot listen on port {}", way.proxy_port))?;
            listener.set_nonblocking(true)?;
            listening.push((listener, SocketAddr::from((Ipv4Addr::LOCALHOST, way.broker_port)), Arc::clone(gate)));
        }
        let (end, ended) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = {
            let rules = Arc::clone(&rules);
            move || {
                runtime.block_on(async {
                    for (listener, broker, gate) in listening {
                        tokio::spawn(accept(listener, broker, gate, Arc::clone(&rules)));
                    }
                    // Only ever an error: its sender is dropped with the link.
                    let _ = ended.await;
                });
            }
        };
        thread::Builder::new().name("proxy".to_owned()).spawn(serve)?;
        let servers: Vec<String> = ways.iter().map(|way| format!("127.0.0.1:{}", way.proxy_port)).collect();
        let nodes = gates.into_iter().map(|gate| NodeLink { gate }).collect();
        Ok(Self { nodes, bootstrap_servers: servers.join(","), rules, _end: end })
    }

    /// `host:port` of every node's proxy, as Kafka clients take it.
    #[must_use]
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// The way to one node, from 0.
    #[must_use]
    pub fn node(&self, index: usize) -> &NodeLink {
        &self.nodes[index]
    }

    /// Cuts both ways: connections stay open and nothing flows. What was said meanwhile arrives after [`Link::heal`].
    pub fn cut(&self) {
        self.nodes.iter().for_each(NodeLink::cut);
    }

    /// Cuts one way; the other goes on.
    pub fn cut_one_way(&self, direction: Direction) {
        self.nodes.iter().for_each(|node| node.cut_one_way(direction));
    }

    /// Everything takes this much longer, each way.
    pub fn delay(&self, delay: Duration) {
        self.nodes.iter().for_each(|node| node.delay(delay));
    }

    /// One way takes this much longer.
    pub fn delay_one_way(&self, direction: Direction, delay: Duration) {
        self.nodes.iter().for_each(|node| node.delay_one_way(direction, delay));
    }

    /// Closes all connections, with what was on its way; new ones are welcome.
    pub fn reset(&self) {
        self.nodes.iter().for_each(NodeLink::reset);
    }

    /// Closes all connections, and new ones at once, until [`Link::heal`].
    pub fn refuse(&self) {
        self.nodes.iter().for_each(NodeLink::refuse);
    }

    /// Everything flows again: no cut, no delay, no faults that wait, nothing held.
    pub fn heal(&self) {
        self.rules.clear();
        self.nodes.iter().for_each(NodeLink::heal);
    }

    /// The next request of this kind meets this fault.
    #[must_use]
    pub fn next(&self, api: Api, fault: Fault) -> Watch {
        self.watch(api, fault, true)
    }

    /// Every request of this kind meets this fault, until [`Watch::release`] or [`Link::heal`].
    #[must_use]
    pub fn every(&self, api: Api, fault: Fault) -> Watch {
        self.watch(api, fault, false)
    }

    fn watch(&self, api: Api, fault: Fault, once: bool) -> Watch {
        let watch = Watch::new(api, fault, once);
        self.rules.add(watch.clone());
        watch
    }
}

impl NodeLink {
    /// As [`Link::cut`].
    pub fn cut(&self) {
        self.cut_one_way(Direction::ToBroker);
        self.cut_one_way(Direction::FromBroker);
    }

    /// As [`Link::cut_one_way`].
    pub fn cut_one_way(&self, direction: Direction) {
        self.gate.cut(direction);
    }

    /// As [`Link::delay`].
    pub fn delay(&self, delay: Duration) {
        self.delay_one_way(Direction::ToBroker, delay);
        self.delay_one_way(Direction::FromBroker, delay);
    }

    /// As [`Link::delay_one_way`].
    pub fn delay_one_way(&self, direction: Direction, delay: Duration) {
        self.gate.delay(direction, delay);
    }

    /// As [`Link::reset`].
    pub fn reset(&self) {
        self.gate.reset();
    }

    /// As [`Link::refuse`].
    pub fn refuse(&self) {
        self.gate.refuse();
    }

    /// As [`Link::heal`], for what was done to this node's way alone: faults that wait stay.
    pub fn heal(&self) {
        self.gate.heal();
    }
}

/// A node's proxy. A client whose node is away is turned away, as the node itself would.
async fn accept(listener: StdListener, broker: SocketAddr, gate: Arc<Gate>, rules: Arc<Rules>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        // An error belongs to one connection, or passes: there is nothing to end for.
        let Ok((client, _)) = listener.accept().await else { continue };
        if gate.is_refusing() {
            continue;
        }
        // Taken before the connection is: a reset in between closes it.
        let (passage, rules) = (gate.watch(), Arc::clone(&rules));
        tokio::spawn(async move {
            if let Ok(broker) = TcpStream::connect(broker).await {
                // Small requests wait for nothing.
                let _ = (client.set_nodelay(true), broker.set_nodelay(true));
                connection::serve(client, broker, passage, rules).await;
            }
        });
    }
}
