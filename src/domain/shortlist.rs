//! The candidates that an event must be judged by, when criteria could be left out together.
//!
//! With a thousand topics that differ in a code only, nearly all of them say no to each event. [`Shortlist`] knows the
//! topics of which the criteria tell so without being evaluated one by one, so that an event costs what it could fire.

use super::plan::{Candidate, Topic, TopicIndex};
use super::tally::FilterReason;

/// The candidates of one resource type and interaction, sorted by whether their criteria can be left out.
#[derive(Debug, Default)]
pub(crate) struct Shortlist {
    /// The topics all of whose criteria can be left out, in their order.
    sifted: Vec<TopicIndex>,
    /// The candidates of all others, in their order.
    others: Vec<Candidate>,
    /// The topics among `sifted` that have a criterion, in the order of the criteria.
    by_criterion: Vec<(u32, TopicIndex)>,
    /// The topics among `sifted` that have a criterion which reads %previous, in their order.
    reading_previous: Vec<TopicIndex>,
}

/// The candidates that are left; keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Open {
    topics: Vec<TopicIndex>,
    pub(crate) candidates: Vec<Candidate>,
}

impl Shortlist {
    /// `sifted` are the criteria that can be left out, in their order. A topic that belongs to an organization is judged
    /// by that first; one without destinations is never judged. `reads_previous` tells it of a criterion.
    pub(crate) fn new(
        topics: &[Topic],
        candidates: &[Candidate],
        sifted: &[u32],
        reads_previous: impl Fn(u32) -> bool,
    ) -> Self {
        let criterion_of = |candidate: &Candidate| {
            let number = u32::try_from(candidate.criterion?.0).ok()?;
            sifted.binary_search(&number).ok().map(|_| number)
        };
        let mut shortlist = Self::default();
        for of_topic in candidates.chunk_by(|one, other| one.topic == other.topic) {
            let topic = of_topic[0].topic;
            let is_plain = topics[topic.0].organization.is_none() && !topics[topic.0].destinations.is_empty();
            match of_topic.iter().map(criterion_of).collect::<Option<Vec<_>>>().filter(|_| is_plain) {
                None => shortlist.others.extend_from_slice(of_topic),
                Some(criteria) => {
                    shortlist.sifted.push(topic);
                    if criteria.iter().any(|criterion| reads_previous(*criterion)) {
                        shortlist.reading_previous.push(topic);
                    }
                    shortlist.by_criterion.extend(criteria.into_iter().map(|criterion| (criterion, topic)));
                }
            }
        }
        shortlist.by_criterion.sort_unstable();
        shortlist
    }

    /// Whether any topic can be left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.sifted.is_empty()
    }

    /// Writes the candidates that are left when of the sifted criteria only `found` may be true, in their order.
    /// `candidates` are those that the list was made of.
    pub(crate) fn write_open(&self, candidates: &[Candidate], found: &[u32], open: &mut Open) {
        let Open { topics, candidates: out } = open;
        topics.clear();
        for criterion in found {
            let start = self.by_criterion.partition_point(|(other, _)| other < criterion);
            let of_criterion = self.by_criterion[start..].iter().take_while(|(other, _)| other == criterion);
            topics.extend(of_criterion.map(|(_, topic)| *topic));
        }
        topics.sort_unstable();
        topics.dedup();
        out.clear();
        let mut others = self.others.as_slice();
        for topic in &*topics {
            let (before, behind) = others.split_at(others.partition_point(|candidate| candidate.topic < *topic));
            out.extend_from_slice(before);
            others = behind;
            let start = candidates.partition_point(|candidate| candidate.topic < *topic);
            let length = candidates[start..].partition_point(|candidate| candidate.topic == *topic);
            out.extend_from_slice(&candidates[start..start + length]);
        }
        out.extend_from_slice(others);
    }

    /// Tells the topics that are left out when only these, in their order, are judged, and why they get nothing: their
    /// criteria are not true, or could not have been without the previous version that the event lacks.
    pub(crate) fn tell_left_out(
        &self,
        judged: impl Iterator<Item = TopicIndex>,
        lacks_previous: bool,
        mut tell: impl FnMut(&[TopicIndex], FilterReason),
    ) {
        let mut rest = self.sifted.as_slice();
        let mut tell_all = |topics: &[TopicIndex]| {
            if lacks_previous && !self.reading_previous.is_empty() {
                for topic in topics {
                    let reads = self.reading_previous.binary_search(topic).is_ok();
                    let reason = if reads { FilterReason::MissingState } else { FilterReason::Criteria };
                    tell(std::slice::from_ref(topic), reason);
                }
            } else {
                tell(topics, FilterReason::Criteria);
            }
        };
        for topic in judged {
            let (before, behind) = rest.split_at(rest.partition_point(|other| *other < topic));
            tell_all(before);
            rest = behind.strip_prefix(&[topic]).unwrap_or(behind);
        }
        tell_all(rest);
    }
}
