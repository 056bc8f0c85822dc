//! What an operator asks the running process over HTTP: health, metrics, status.
//!
//! ```text
//! tasks --(atomics)--> Status <--- server (one thread, its own small runtime) <--- probes, Prometheus, people
//! ```
//!
//! The server reads; it never touches Kafka and never holds up a task. An address that cannot be bound is an error of
//! [`server::start`]; nothing later stops the process.

pub mod configuration;
pub mod server;
pub mod status;

pub use server::{Server, ServerError};
pub use status::{Status, TaskState, TaskStatus};
