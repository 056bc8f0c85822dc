//! When the next transaction may begin.
//!
//! The answer to the end of a transaction comes before the brokers have written it down in every partition. Until they
//! have, the coordinator refuses the next transaction (CONCURRENT_TRANSACTIONS), and the client library asks again after
//! 20 ms, whatever its options say. So what comes right behind a commit is better gathered for a moment: the batch grows,
//! and is committed earlier than if it had been sent at once. How long that moment is depends on the brokers, and is
//! learnt from them.

use std::time::{Duration, Instant};

/// How long the client library waits before it asks a refusing coordinator again.
const REFUSED_FOR: Duration = Duration::from_millis(20);

/// The shortest pause: brokers on the same machine need so long.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest pause: less than it would cost to be refused.
const LONGEST: Duration = Duration::from_millis(15);

/// Added after a refusal.
const LONGER: Duration = Duration::from_millis(1);

/// Taken off after a transaction that was not refused: one refusal in a hundred is worth as much as a shorter pause.
const SHORTER: Duration = Duration::from_micros(10);

/// The pause between two transactions of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pause: Duration,
    ended: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { pause: Duration::from_millis(3), ended: None }
    }
}

/// One committed transaction.
#[derive(Debug, Clone, Copy)]
pub struct Committed {
    /// When it was begun, with its first output.
    pub begun: Instant,
    /// When its last output was handed over.
    pub handed_over: Instant,
    /// When all were delivered.
    pub delivered: Instant,
}

impl Pace {
    /// A transaction has ended now.
    pub fn ended(&mut self, now: Instant) {
        self.ended = Some(now);
    }

    /// Learns from a transaction. One that took long to be filled tells nothing: a refusal would have passed meanwhile.
    pub fn learn(&mut self, transaction: Committed) {
        let Committed { begun, handed_over, delivered } = transaction;
        if handed_over.saturating_duration_since(begun) > REFUSED_FOR / 4 {
            return;
        }
        let was_refused = delivered.saturating_duration_since(begun) >= REFUSED_FOR;
        let pause = if was_refused { self.pause + LONGER } else { self.pause.saturating_sub(SHORTER) };
        self.pause = pause.clamp(SHORTEST, LONGEST);
    }

    /// When the next one is better begun: at the latest a few milliseconds from the end of the last one.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.ended.map(|ended| ended + self.pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed(start: Instant, filled_ms: u64, delivered_ms: u64) -> Committed {
        let at = |ms| start + Duration::from_millis(ms);
        Committed { begun: start, handed_over: at(filled_ms), delivered: at(delivered_ms) }
    }

    #[test]
    fn refusals_make_the_pause_longer_and_their_absence_shorter_by_and_by() {
        let now = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.next(), None, "nothing to wait for before the first transaction");
        pace.ended(now);
        let before = pace.next();
        pace.learn(committed(now, 1, 21));
        assert_eq!(pace.next(), before.map(|next| next + LONGER));
        (0..100).for_each(|_| pace.learn(committed(now, 1, 3)));
        assert_eq!(pace.next(), before);
    }

    #[test]
    fn a_transaction_that_took_long_to_fill_teaches_nothing() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.learn(committed(now, 15, 40));
        assert_eq!(pace, Pace::default());
    }

    #[test]
    fn the_pause_stays_within_its_bounds() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.ended(now);
        (0..100).for_each(|_| pace.learn(committed(now, 0, 1_000)));
        assert_eq!(pace.next(), Some(now + LONGEST));
        (0..10_000).for_each(|_| pace.learn(committed(now, 0, 1)));
        assert_eq!(pace.next(), Some(now + SHORTEST));
    }
}
