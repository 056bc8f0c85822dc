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

/// What a refusal makes of the pause.
const LONGER: u32 = 2;

/// The part of the pause that a transaction takes off which was not refused. One refusal in 35 is worth as much as a
/// shorter pause; and what cold brokers have taught is unlearnt within 150 transactions, not thousands.
const SHORTER: u32 = 50;

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
        let pause = if was_refused { self.pause * LONGER } else { self.pause - self.pause / SHORTER };
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
        let pause = |pace: &Pace| pace.next().expect("a transaction has ended") - now;
        let before = pause(&pace);
        pace.learn(committed(now, 1, 21));
        assert_eq!(pause(&pace), before * 2);
        (0..34).for_each(|_| pace.learn(committed(now, 1, 3)));
        assert!(pause(&pace) > before);
        pace.learn(committed(now, 1, 3));
        assert!(pause(&pace) < before);
    }

    #[test]
    fn what_cold_brokers_taught_is_soon_unlearnt() {
        let now = Instant::now();
        let mut pace = Pace::default();
        pace.ended(now);
        (0..10).for_each(|_| pace.learn(committed(now, 0, 30)));
        assert_eq!(pace.next(), Some(now + LONGEST));
        (0..150).for_each(|_| pace.learn(committed(now, 0, 3)));
        assert_eq!(pace.next(), Some(now + SHORTEST));
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
