//! What was done to the run and what came of it.

use std::time::Duration;

use crate::kafka::Position;

/// One fault as it was made.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// Since the first event.
    pub(super) at: Duration,
    /// The nodes of the cluster.
    pub(super) nodes: usize,
    /// What was done; faults of one kind stand in one row of the report.
    pub(super) kind: String,
    /// To whom, and for how long.
    pub(super) detail: String,
    /// From the fault until outputs flowed again everywhere.
    pub(super) recovery: Option<Duration>,
    /// What the recovery must stay below.
    pub(super) bound: Option<Duration>,
    /// How many processes were killed.
    pub(super) kills: usize,
    /// For each kill of an instance whose transaction was open: a record of it, seen uncommitted.
    pub(super) interrupted: Vec<Position>,
    /// How long an instance took to end after SIGTERM.
    pub(super) stopped_in: Option<Duration>,
    /// Whether a Kafka topic was deleted.
    pub(super) deleted: bool,
}

impl Entry {
    /// One line, without the time.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{}: {}", self.kind, self.detail);
        if !self.interrupted.is_empty() {
            line += "; in mid-transaction";
        }
        if let Some(time) = self.stopped_in {
            line += &format!("; ended in {:.2} s", time.as_secs_f64());
        }
        if let Some(time) = self.recovery {
            line += &format!("; outputs after {:.2} s", time.as_secs_f64());
        }
        line
    }
}

/// Says where a run stands.
#[allow(clippy::print_stdout, reason = "a program for people")]
pub(super) fn say(text: &str) {
    println!("{text}");
}
