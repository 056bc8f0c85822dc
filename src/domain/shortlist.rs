//! The candidates that an event must be judged by, when criteria could be left out together.
//!
//! With a thousand topics that differ in a code only, nearly all of them say no to each event. [`Shortlist`] knows the
//! topics of which the criteria tell so without being evaluated one by one, so that an event costs what it could fire.

use std::collections::HashMap;

use super::plan::{Candidate, Topic, TopicIndex};

/// The candidates of one resource type and interaction, sorted by whether their criteria can be left out.
#[derive(Debug, Default)]
pub(crate) struct Shortlist {
    /// The topics all of whose criteria can be left out, in their order.
    sifted: Vec<TopicIndex>,
    /// The candidates of all others, in their order.
    others: Vec<Candidate>,
    /// The topics among `sifted` that have a criterion.
    by_criterion: HashMap<u32, Vec<TopicIndex>>,
}

/// The candidates that are left; keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Open {
    topics: Vec<TopicIndex>,
    pub(crate) candidates: Vec<Candidate>,
}

impl Shortlist {
    /// `sifted` are the criteria that can be left out, in their order. A topic that belongs to an organization is judged
    /// by that first; one without destinations is never judged.
    pub(crate) fn new(topics: &[Topic], candidates: &[Candidate], sifted: &[u32]) -> Self {
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
                    for criterion in criteria {
                        shortlist.by_criterion.entry(criterion).or_default().push(topic);
                    }
                }
            }
        }
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
        topics.extend(found.iter().filter_map(|criterion| self.by_criterion.get(criterion)).flatten());
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

    /// The topics that are left out when only these, in their order, are judged.
    pub(crate) fn left_out(&self, judged: impl Iterator<Item = TopicIndex>) -> impl Iterator<Item = TopicIndex> {
        let mut judged = judged.peekable();
        self.sifted.iter().copied().filter(move |topic| {
            while judged.next_if(|judged| judged < topic).is_some() {}
            judged.peek() != Some(topic)
        })
    }
}
