//! What operators did to a destination while events went on, and what that changes of what has to come out.
//!
//! Positions of the ingest bound it: by partition, the group's committed offsets or the ends at a moment. Whatever lies
//! outside has to come out as ever.

use std::collections::BTreeMap;

use crate::kafka::Position;

/// By partition of the ingest; 0 where there is none.
pub type Offsets = BTreeMap<i32, i64>;

/// A part of the ingest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The first offsets in it.
    pub from: Offsets,
    /// The first behind it; `None` as long as it goes on.
    pub until: Option<Offsets>,
}

impl Span {
    fn holds(&self, source: &Position) -> bool {
        let at = |offsets: &Offsets| offsets.get(&source.partition).copied().unwrap_or_default();
        source.offset >= at(&self.from) && self.until.as_ref().is_none_or(|until| source.offset < at(until))
    }
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Interventions {
    deletions: Vec<(String, Span)>,
    limits: Vec<(String, Span)>,
}

/// Why an output of a destination is a dead letter while its Kafka topic takes only small ones: known beforehand, or
/// found out by a broker's refusal.
const TOO_LARGE: [&str; 2] = ["too-large", "rejected"];

impl Interventions {
    pub(super) fn delete(&mut self, destination: &str, unread: Span) {
        self.deletions.push((destination.to_owned(), unread));
    }

    pub(super) fn lower_limit(&mut self, destination: &str, from: Offsets) {
        self.limits.push((destination.to_owned(), Span { from, until: None }));
    }

    pub(super) fn raise_limit(&mut self, destination: &str, until: &Offsets) {
        let open = |(limited, span): &&mut (String, Span)| limited == destination && span.until.is_none();
        if let Some((_, span)) = self.limits.iter_mut().find(open) {
            span.until = Some(until.clone());
        }
    }

    /// Whether an output may have gone with its Kafka topic before anybody read it.
    pub(super) fn may_be_deleted(&self, destination: &str, source: &Position) -> bool {
        self.deletions.iter().any(|(deleted, span)| deleted == destination && span.holds(source))
    }

    /// Whether an output may be a dead letter of this class instead.
    pub(super) fn may_be_dead_letter(&self, class: &str, destination: &str, source: &Position) -> bool {
        let is_limited = self.limits.iter().any(|(limited, span)| limited == destination && span.holds(source));
        is_limited && TOO_LARGE.contains(&class)
    }
}
