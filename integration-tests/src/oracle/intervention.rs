//! What operators did to a destination while events went on, and what that changes of what has to come out.
//!
//! Positions of the ingest bound it: by partition, the group's committed offsets or the ends at a moment. Whatever lies
//! outside has to come out as ever. So has, while a limit is low, what is small enough for it.

use std::collections::BTreeMap;

use crate::kafka::{Position, ReadRecord};

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
    limits: Vec<Limit>,
    /// The largest output of each destination that was seen, as a broker counts it.
    largest: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Limit {
    destination: String,
    bytes: usize,
    span: Span,
}

/// The class of the dead letter of an output that does not fit.
const TOO_LARGE: &str = "too-large";

/// What a broker counts besides key, value and headers at the most: the frames of a batch, of its record and of 20
/// headers.
const FRAMES: usize = 61 + 36 + 20 * 10;

impl Interventions {
    pub(super) fn delete(&mut self, destination: &str, unread: Span) {
        self.deletions.push((destination.to_owned(), unread));
    }

    pub(super) fn lower_limit(&mut self, destination: &str, bytes: usize, from: Offsets) {
        let span = Span { from, until: None };
        self.limits.push(Limit { destination: destination.to_owned(), bytes, span });
    }

    pub(super) fn raise_limit(&mut self, destination: &str, until: &Offsets) {
        let open = |limit: &&mut Limit| limit.destination == destination && limit.span.until.is_none();
        if let Some(limit) = self.limits.iter_mut().find(open) {
            limit.span.until = Some(until.clone());
        }
    }

    /// An output of a destination was seen.
    pub(super) fn saw(&mut self, destination: &str, record: &ReadRecord) {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers = record.headers.iter().map(|(name, value)| name.len() + length(value)).sum::<usize>();
        let bytes = length(&record.key) + length(&record.value) + headers;
        match self.largest.get_mut(destination) {
            Some(largest) => *largest = bytes.max(*largest),
            None => drop(self.largest.insert(destination.to_owned(), bytes)),
        }
    }

    /// Whether an output may have gone with its Kafka topic before anybody read it.
    pub(super) fn may_be_deleted(&self, destination: &str, source: &Position) -> bool {
        self.deletions.iter().any(|(deleted, span)| deleted == destination && span.holds(source))
    }

    /// Whether an output may be a dead letter of this class instead.
    pub(super) fn may_be_dead_letter(&self, class: &str, destination: &str, source: &Position) -> bool {
        let largest = self.largest.get(destination).copied().unwrap_or_default() + FRAMES;
        let does_not_take =
            |limit: &Limit| limit.destination == destination && largest > limit.bytes && limit.span.holds(source);
        class == TOO_LARGE && self.limits.iter().any(does_not_take)
    }
}
