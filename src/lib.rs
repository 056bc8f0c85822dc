//! Exactly-once fan-out of FHIR resource-change events from Kafka to Kafka.
//!
//! ```text
//! record -> decode -> ResourceEvent -> match (triggers) -> organization filter -> destination filter -> Notification
//!        -> output records -> transaction { outputs, dead letters, offsets } -> commit
//! ```
//!
//! [`config`] compiles `topics.yaml` into an immutable [`domain::plan::Plan`]; [`domain`] turns one record and the plan
//! into output records, purely; `runtime` and `kafka` carry them through transactions; `ops` and `telemetry` show what
//! happens; `cli` is the command line. ARCHITECTURE.md tells the way in full.

pub mod cli;
pub mod config;
pub mod domain;
pub mod kafka;
pub mod ops;
pub mod runtime;
pub mod telemetry;
