//! The independent history checker: did every output come exactly once, whole, in order and as it had to be?
//!
//! ```text
//! what the test produced, with the facts it knows  ->  expected outputs --+
//!                                                                        +-- judge (pure) -> Verdict
//! destinations, dead letters, committed offsets, read from Kafka ---------+
//! ```
//!
//! It shares no code with the product: nothing here names `fhir_fanout`. Expected outputs are keyed by (source
//! position, event index, destination or dead letter). A small run is judged as a whole: a [`History`] is only taken when
//! it is final, with every transaction ended and the group past every committed record; what does not get there in time
//! is a finding itself. A run of millions of events is judged while it goes on ([`stream`]): events are numbered, what
//! has to come of one follows from its number, and the ingest itself, read with `read_committed`, says where it lies.

pub mod check;
pub mod expected;
pub mod history;
pub mod intervention;
pub mod murmur2;
pub mod stream;
pub mod workload;

pub use check::{Ending, Expectations, Finding, FindingKind, Judge, Verdict, Wanted, check};
pub use expected::{Content, DeadLetter, EventId, ExpectedOutput, Notification, Target};
pub use history::{History, Scope};

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
