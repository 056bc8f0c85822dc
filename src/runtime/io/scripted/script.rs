//! What goes wrong, and when.

use std::collections::{BTreeMap, VecDeque};

/// A call of the task that the script can answer in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Poll,
    StartPositions,
    Assign,
    Resume,
    Committed,
    Generation,
    AssignmentLost,
    Initialise,
    Begin,
    Send,
    Deliver,
    SendOffsets,
    Commit,
    Abort,
}

impl Call {
    pub(crate) const ALL: [Self; 14] = [
        Self::Poll,
        Self::StartPositions,
        Self::Assign,
        Self::Resume,
        Self::Committed,
        Self::Generation,
        Self::AssignmentLost,
        Self::Initialise,
        Self::Begin,
        Self::Send,
        Self::Deliver,
        Self::SendOffsets,
        Self::Commit,
        Self::Abort,
    ];
}

/// What a call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process dies before the call does anything.
    CrashBefore,
    /// The process dies after the call has had its effect.
    CrashAfter,
    /// One of the ways in which this call can fail, by its number (modulo the number of ways).
    Fails(u8),
}

/// One fault: it meets the call after so many of its kind went well since the last one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub call: Call,
    pub after: u8,
    pub fault: Fault,
}

/// The faults of a run, by the calls that they wait for.
#[derive(Debug)]
pub(crate) struct Script {
    waiting: BTreeMap<Call, VecDeque<(u8, Fault)>>,
}

impl Script {
    pub(crate) fn new(steps: &[Step]) -> Self {
        let mut waiting: BTreeMap<Call, VecDeque<(u8, Fault)>> = BTreeMap::new();
        for step in steps {
            waiting.entry(step.call).or_default().push_back((step.after, step.fault));
        }
        Self { waiting }
    }

    /// Whether every fault has met its call.
    pub(crate) fn is_over(&self) -> bool {
        self.waiting.values().all(VecDeque::is_empty)
    }

    /// What this call meets.
    pub(crate) fn draw(&mut self, call: Call) -> Option<Fault> {
        let next = self.waiting.get_mut(&call)?;
        let (after, fault) = next.front_mut()?;
        if *after > 0 {
            *after -= 1;
            return None;
        }
        let fault = *fault;
        next.pop_front();
        Some(fault)
    }
}
