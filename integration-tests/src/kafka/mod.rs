//! A real Apache Kafka on loopback, and what tests say to it and ask of it.
//!
//! ```text
//! artifacts (Maven Central, once) -> node (one Java process) -> cluster (1 or 3 nodes)
//!                                                                 |- admin: Kafka topics, offsets, groups
//!                                                                 |- acl: users' rights
//!                                                                 |- produce: plain and transactional
//!                                                                 |- coordinators: who they are, open transactions
//!                                                                 |- read: to the end, at either isolation level
//!                                                                 `- follow: the same without an end
//! ```
//!
//! Ports are free ones, data lies in temporary folders, and nothing survives the process, however it ends.

pub mod acl;
pub mod admin;
pub mod artifacts;
pub mod cluster;
pub mod coordinators;
pub mod disk;
pub mod follow;
pub mod node;
pub mod produce;
pub mod read;
mod wire;

pub use acl::{Acls, Operation, Resource};
pub use admin::Admin;
pub use cluster::{ClusterOptions, KafkaCluster, free_port, shared};
pub use disk::Disk;
pub use follow::Follower;
pub use node::Node;
pub use produce::{Position, Producer, Record};
pub use read::{Isolation, ReadRecord};

/// A name that nobody else has: `<name>-<8 random digits>`.
#[must_use]
pub fn unique(name: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{name}-{}", &id[..8])
}
