//! From what was sent and received to figures.

use std::collections::BTreeSet;

use super::client::{Received, Sent};
use crate::bench::statistics::percentile;

/// Times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Percentiles {
    /// Of times in nanoseconds; `None` when there are none.
    pub(super) fn of(mut nanos: Vec<u64>) -> Option<Self> {
        nanos.sort_unstable();
        let of = |percent| percentile(&nanos, percent).map(|nanos| nanos as f64 / 1e6);
        Some(Self { p50: of(50.0)?, p95: of(95.0)?, p99: of(99.0)?, max: of(100.0)? })
    }
}

/// From the call that produced the event to the receipt of each of its outputs, of events from this number on.
///
/// # Errors
/// When an output belongs to no event, came twice, or before its event was sent.
pub(super) fn notified(sent: &Sent, received: &Received, from: usize) -> anyhow::Result<Vec<u64>> {
    let mut seen = BTreeSet::new();
    let mut elapsed = Vec::new();
    for receipt in &received.receipts {
        let called = sent.called.get(receipt.number).copied();
        let called = called.ok_or_else(|| anyhow::anyhow!("an output of an event that was not sent"))?;
        anyhow::ensure!(seen.insert((receipt.destination, receipt.number)), "an output came twice");
        let time = receipt.at.checked_sub(called).ok_or_else(|| anyhow::anyhow!("an output before its event"))?;
        if receipt.number >= from {
            elapsed.push(time);
        }
    }
    Ok(elapsed)
}

/// From the call that produced an event to its acknowledgement: what one hop takes on this machine at this moment.
pub(super) fn acknowledged(sent: &Sent, from: usize) -> Vec<u64> {
    let times = sent.called.iter().zip(&sent.acknowledged).skip(from);
    times.map(|(called, acknowledged)| acknowledged.saturating_sub(*called)).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::client::Receipt;
    use super::*;

    fn sent() -> Sent {
        Sent { called: vec![10, 20, 30], acknowledged: vec![12, 25, 31], latest: Duration::ZERO }
    }

    fn received(receipts: &[(usize, usize, u64)]) -> Received {
        let receipt = |(destination, number, at): &(usize, usize, u64)| Receipt {
            destination: *destination,
            number: *number,
            at: *at,
        };
        Received { receipts: receipts.iter().map(receipt).collect(), ..Received::default() }
    }

    #[test]
    fn each_output_counts_from_its_own_event_and_the_warm_up_does_not() {
        let outputs = received(&[(0, 0, 1000), (0, 1, 27), (1, 1, 28), (0, 2, 34)]);
        assert_eq!(notified(&sent(), &outputs, 1).expect("all is well"), [7, 8, 4]);
        assert_eq!(acknowledged(&sent(), 1), [5, 1]);
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let error = |receipts: &[_]| notified(&sent(), &received(receipts), 0).expect_err("refused").to_string();
        assert_eq!(error(&[(0, 1, 27), (0, 1, 29)]), "an output came twice");
        assert_eq!(error(&[(0, 3, 99)]), "an output of an event that was not sent");
        assert_eq!(error(&[(0, 2, 29)]), "an output before its event");
    }

    #[test]
    fn percentiles_are_milliseconds() {
        let nanos: Vec<u64> = (1..=1000).rev().map(|number| number * 1_000_000).collect();
        let expected = Percentiles { p50: 500.0, p95: 950.0, p99: 990.0, max: 1000.0 };
        assert_eq!(Percentiles::of(nanos), Some(expected));
        assert_eq!(Percentiles::of(Vec::new()), None);
    }
}
