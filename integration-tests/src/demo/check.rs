//! Whether everything adds up: what was published, what had to come out of it, what was seen.

use std::collections::BTreeMap;

use super::expected;
use super::observe::{Arrivals, Seen};
use super::publish::Published;
use super::screen::grouped;
use super::topics::Layout;

/// One line of the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Whether it holds.
    pub(super) good: bool,
    /// What was compared, with the figures.
    pub(super) text: String,
}

impl Verdict {
    fn new(good: bool, text: String) -> Self {
        Self { good, text }
    }
}

/// What the service says about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OwnCount {
    /// Events, undecodable records included.
    pub(super) events: u64,
    /// Notifications.
    pub(super) notifications: u64,
    /// Dead letters.
    pub(super) dead_letters: u64,
}

/// Compares, by source position.
pub(super) fn check(layout: &Layout, published: &[Published], seen: &Seen, own: OwnCount) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let mut notifications = 0;
    for destination in &layout.destinations {
        let id = &destination.id;
        let Some(rule) = expected::rule(id) else {
            // Somebody tries a topics.yaml of their own.
            notifications += seen.count(id);
            verdicts.push(Verdict::new(true, format!("{id}: not checked, the demo has no rule for it")));
            continue;
        };
        let wanted = published.iter().filter(|record| record.facts.damage.is_none() && rule(&record.facts));
        let comparison = Comparison::new(wanted.map(|record| record.source.as_str()), &seen.notifications, id);
        notifications += comparison.seen;
        verdicts.push(comparison.verdict(&format!("{id}: notifications")));
    }
    let damaged = published.iter().filter(|record| record.facts.damage.is_some());
    let dead = Comparison::new(damaged.map(|record| record.source.as_str()), &seen.dead_letters, "undecodable");
    let dead_letters = seen.dead_letters();
    verdicts.push(dead.verdict("dead letters, one for each broken record"));
    let strangers = seen.notifications.without_source + seen.dead_letters.without_source;
    let others = dead_letters - dead.seen + u64::from(strangers);
    verdicts.push(Verdict::new(others == 0, format!("other dead letters and records without a source: {others}")));
    let counted = OwnCount { events: published.len() as u64, notifications, dead_letters };
    verdicts.push(Verdict::new(
        own == counted,
        format!(
            "the service counted the same: {} events, {} notifications, {} dead letters",
            grouped(own.events),
            grouped(own.notifications),
            grouped(own.dead_letters)
        ),
    ));
    verdicts
}

/// Expected and seen source positions of one destination.
struct Comparison {
    wanted: u64,
    seen: u64,
    missing: u64,
    unwanted: u64,
    doubled: u64,
}

impl Comparison {
    fn new<'a>(wanted: impl Iterator<Item = &'a str>, arrivals: &Arrivals, who: &str) -> Self {
        let of_this = arrivals.sources.iter().filter(|((id, _), _)| id == who);
        let mut open: BTreeMap<&str, u32> = of_this.map(|((_, source), count)| (source.as_str(), *count)).collect();
        let seen = open.values().map(|count| u64::from(*count)).sum();
        let doubled = open.values().map(|count| u64::from(count - 1)).sum();
        let (mut total, mut missing) = (0, 0);
        for source in wanted {
            total += 1;
            missing += u64::from(open.remove(source).is_none());
        }
        Self { wanted: total, seen, missing, unwanted: open.len() as u64, doubled }
    }

    fn verdict(&self, what: &str) -> Verdict {
        let good = self.missing + self.unwanted + self.doubled == 0;
        let mut text = format!("{what}: expected {}, found {}", grouped(self.wanted), grouped(self.seen));
        if !good {
            let Self { missing, unwanted, doubled, .. } = self;
            text.push_str(&format!(" ({missing} missing, {unwanted} not expected, {doubled} doubled)"));
        }
        Verdict::new(good, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(wanted: &[&str], seen: &[(&str, u32)]) -> Verdict {
        let mut arrivals = Arrivals::default();
        for (source, count) in seen {
            arrivals.sources.insert(("a".to_owned(), (*source).to_owned()), *count);
        }
        arrivals.sources.insert(("b".to_owned(), "x:0:9".to_owned()), 1);
        Comparison::new(wanted.iter().copied(), &arrivals, "a").verdict("a")
    }

    #[test]
    fn every_kind_of_damage_is_seen() {
        assert!(compare(&["x:0:1", "x:0:2"], &[("x:0:1", 1), ("x:0:2", 1)]).good);
        for (seen, text) in [
            (&[("x:0:1", 1)][..], "1 missing, 0 not expected, 0 doubled"),
            (&[("x:0:1", 1), ("x:0:2", 2)], "0 missing, 0 not expected, 1 doubled"),
            (&[("x:0:1", 1), ("x:0:2", 1), ("x:0:3", 1)], "0 missing, 1 not expected, 0 doubled"),
            (&[("x:0:1", 1), ("x:0:3", 1)], "1 missing, 1 not expected, 0 doubled"),
        ] {
            let verdict = compare(&["x:0:1", "x:0:2"], seen);
            assert!(!verdict.good && verdict.text.contains(text), "{}", verdict.text);
        }
    }
}
