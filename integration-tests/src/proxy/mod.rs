//! A network that can be broken: a TCP proxy between one instance of the service and the brokers.
//!
//! ```text
//! instance --> proxy of node 1 --> node 1 (a listener of its own for this link)
//!         \--> proxy of node 2 --> node 2
//!          `-> proxy of node 3 --> node 3       all three together: a Link
//! ```
//!
//! Kafka clients connect to what the brokers advertise. So every node has one more listener for each link, and
//! advertises it as the link's proxy: an instance that starts from [`Link::bootstrap_servers`] speaks through this link
//! only, and nobody else does. The testkit's own clients go past all links.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use integration_tests::kafka::{ClusterOptions, KafkaCluster};
//! # use integration_tests::proxy::{Api, Direction, Fault};
//! # use integration_tests::service::ServiceSpec;
//! # fn main() -> anyhow::Result<()> {
//! let cluster = KafkaCluster::start(&ClusterOptions::default().links(2))?;
//! let (link, other) = (cluster.link(0), cluster.link(1));
//! let one = ServiceSpec::new(&cluster, "...").through(link).start()?;
//! let two = ServiceSpec::new(&cluster, "...").through(other).start()?;
//!
//! link.cut(); // connections stay open, nothing flows, either way
//! link.cut_one_way(Direction::ToBroker); // answers still come
//! link.delay(Duration::from_millis(200)); // each way
//! link.reset(); // every connection is closed, new ones are welcome
//! link.refuse(); // the same, and new ones are closed at once
//! link.heal(); // everything flows; what a cut has kept arrives now
//! link.node(0).cut(); // all of it for one node alone
//!
//! // What the service asks for is seen, and can go wrong in its very middle:
//! let lost = link.next(Api::CommitTxn, Fault::LoseResponse);
//! lost.wait(1, Duration::from_secs(10))?; // it has happened
//! let held = link.every(Api::CommitTxn, Fault::HoldRequest(Duration::MAX));
//! held.wait(1, Duration::from_secs(10))?;
//! held.release(); // what was held goes on, and nothing more is held
//! # Ok(())
//! # }
//! ```
//!
//! **Promises.** Frames pass whole and in order, per connection and direction. What a cut keeps is not lost: it arrives
//! when the link is healed, also when its sender is gone by then, as repeated TCP segments would. What a reset or
//! [`Link::refuse`] meets is lost. Connections survive nothing more than TCP does: a node that restarts closes them.
//! **Fails** only at the start, when a port cannot be bound.

mod connection;
mod frame;
mod gate;
mod link;
mod rules;

pub use frame::Api;
pub use gate::Direction;
pub(crate) use link::Way;
pub use link::{Link, NodeLink};
pub use rules::{Fault, Watch};
