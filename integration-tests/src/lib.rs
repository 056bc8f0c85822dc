//! What the end-to-end tests, the demo and the benchmarks share.
//!
//! [`kafka`] starts a real Apache Kafka and talks to it, [`service`] runs `fhir-fanout` as a process of its own,
//! [`proxy`] stands between the two and breaks the network,
//! [`oracle`] tells from the outside whether what came out is what had to come out. [`process`] sees to it that
//! nothing outlives the process that started it, and [`wait`] waits on conditions, never on time. [`events`] makes
//! sample hospital events; [`flow`] is a steady stream with a clock on it; [`demo`], [`mod@bench`] and [`chaos`] are
//! the programs that use all of it.

pub mod bench;
pub mod chaos;
pub mod demo;
pub mod events;
pub mod flow;
pub mod kafka;
pub mod moment;
pub mod oracle;
pub mod process;
pub mod proxy;
pub mod reader;
pub mod scene;
pub mod service;
pub mod wait;
