//! What the outputs of a destination weigh, so that the bare loop can write as many and as large ones.

use serde::{Deserialize, Serialize};

/// The outputs of one destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Weight {
    /// Outputs for each event: a fraction, or more than one.
    pub(super) per_event: f64,
    /// Whether they have a key.
    pub(super) key: bool,
    /// Bytes of an average value.
    pub(super) value_bytes: usize,
    /// Bytes of an average output's headers, names and values.
    pub(super) header_bytes: usize,
}

/// Spreads a rate evenly: says for each event how many outputs are due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    per_event: f64,
    owed: f64,
}

impl Due {
    pub(super) fn new(per_event: f64) -> Self {
        // Half of one in advance: the sum is rounded, not cut.
        Self { per_event, owed: 0.5 }
    }

    /// Of the next event.
    pub(super) fn next(&mut self) -> usize {
        self.owed += self.per_event;
        let due = self.owed.floor();
        self.owed -= due;
        // Small, not negative and whole.
        due as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_rate_whatever_the_rate() {
        for (per_event, events, expected) in [(0.1, 1000, 100), (0.0, 1000, 0), (1.0, 1000, 1000), (2.25, 1000, 2250)] {
            let mut due = Due::new(per_event);
            let sum: usize = (0..events).map(|_| due.next()).sum();
            assert_eq!(sum, expected, "{per_event}");
        }
    }

    #[test]
    fn outputs_are_spread_and_do_not_come_at_the_end() {
        let mut due = Due::new(0.25);
        let outputs: Vec<usize> = (0..8).map(|_| due.next()).collect();
        assert_eq!(outputs, [0, 1, 0, 0, 0, 1, 0, 0]);
    }
}
