//! The independent history checker: did every output come exactly once, whole, in order and as it had to be?
//!
//! ```text
//! what the test produced, with the facts it knows  ->  expected outputs --+
//!                                                                        +-- check (pure) -> Verdict
//! destinations, dead letters, committed offsets, read from Kafka -> History
//! ```
//!
//! It shares no code with the product: nothing here names `fhir_fanout`. Expected outputs are keyed by (source
//! position, event index, destination or dead letter). A [`History`] is only taken when it is final: every transaction
//! has ended and the group has passed every committed record; what does not get there in time is a finding itself.

pub mod check;
pub mod expected;
pub mod history;
pub mod murmur2;
pub mod workload;

pub use check::{Finding, FindingKind, Verdict, check};
pub use expected::{Content, DeadLetter, EventId, ExpectedOutput, Notification, Target};
pub use history::{History, Scope};

#[cfg(test)]
mod tests;
