//! What one batch did, counted while it is processed and published only once it is committed.

use super::output::DeadLetterClass;
use super::plan::{DestinationIndex, Plan, TopicIndex};

/// Why an event gave a topic or destination nothing; bounded, so that it can be a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FilterReason {
    /// A trigger names the resource type, but not the interaction.
    Interaction,
    /// No criterion was true.
    Criteria,
    /// The event's organization is above or beside the one required.
    OrganizationUnrelated,
    /// The event names no organization, and one is required.
    OrganizationMissing,
    /// The event's organization is not in the hierarchy.
    OrganizationUnknown,
    /// A criterion needs a state that the event does not carry.
    MissingState,
}

impl FilterReason {
    /// All reasons, in the order of [`FilterReason::index`].
    pub const ALL: [Self; 6] = [
        Self::Interaction,
        Self::Criteria,
        Self::OrganizationUnrelated,
        Self::OrganizationMissing,
        Self::OrganizationUnknown,
        Self::MissingState,
    ];

    /// The reason as the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::Criteria => "criteria",
            Self::OrganizationUnrelated => "organization-unrelated",
            Self::OrganizationMissing => "organization-missing",
            Self::OrganizationUnknown => "organization-unknown",
            Self::MissingState => "missing-state",
        }
    }

    /// A small number for tables.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// How an event (or an undecodable record) ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventOutcome {
    /// At least one notification.
    Notified,
    /// Nothing matched.
    Unmatched,
    /// Only dead letters.
    DeadLettered,
}

impl EventOutcome {
    /// All outcomes, in the order of [`EventOutcome::index`].
    pub const ALL: [Self; 3] = [Self::Notified, Self::Unmatched, Self::DeadLettered];

    /// The outcome as the metrics name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Notified => "notified",
            Self::Unmatched => "unmatched",
            Self::DeadLettered => "dead-lettered",
        }
    }

    /// A small number for tables.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Counts of one batch. Plain numbers, no locks: added to the metrics when the batch is committed.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Events by ingest (position in [`Plan::ingest`]) and outcome.
    pub events: Vec<[u64; EventOutcome::ALL.len()]>,
    /// Events by ingest whose interaction was inferred, not told.
    pub inferred_interactions: Vec<u64>,
    /// Notifications by destination.
    pub notifications: Vec<u64>,
    /// Events filtered by topic and reason.
    pub filtered_by_topic: Vec<[u64; FilterReason::ALL.len()]>,
    /// Events filtered by destination and reason.
    pub filtered_by_destination: Vec<[u64; FilterReason::ALL.len()]>,
    /// Evaluation errors by topic, also those that another trigger outweighed.
    pub evaluation_errors: Vec<u64>,
    /// Dead letters by class.
    pub dead_letters: [u64; DeadLetterClass::ALL.len()],
}

impl Tally {
    /// An empty tally with the tables of this plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            events: vec![[0; EventOutcome::ALL.len()]; plan.ingest.len()],
            inferred_interactions: vec![0; plan.ingest.len()],
            notifications: vec![0; plan.destinations.len()],
            filtered_by_topic: vec![[0; FilterReason::ALL.len()]; plan.topics.len()],
            filtered_by_destination: vec![[0; FilterReason::ALL.len()]; plan.destinations.len()],
            evaluation_errors: vec![0; plan.topics.len()],
            dead_letters: [0; DeadLetterClass::ALL.len()],
        }
    }

    /// Adds the counts of another batch of the same plan.
    pub fn add(&mut self, other: &Self) {
        add_rows(&mut self.events, &other.events);
        add(&mut self.inferred_interactions, &other.inferred_interactions);
        add(&mut self.notifications, &other.notifications);
        add_rows(&mut self.filtered_by_topic, &other.filtered_by_topic);
        add_rows(&mut self.filtered_by_destination, &other.filtered_by_destination);
        add(&mut self.evaluation_errors, &other.evaluation_errors);
        add(&mut self.dead_letters, &other.dead_letters);
    }

    /// Counts an event's outcome.
    pub fn event(&mut self, ingest: usize, outcome: EventOutcome) {
        self.events[ingest][outcome.index()] += 1;
    }

    /// Counts a notification.
    pub fn notification(&mut self, destination: DestinationIndex) {
        self.notifications[destination.0] += 1;
    }

    /// Counts an event that a topic did not take.
    pub fn filtered_by_topic(&mut self, topic: TopicIndex, reason: FilterReason) {
        self.filtered_by_topics(&[topic], reason);
    }

    /// Counts an event that none of these topics took.
    pub fn filtered_by_topics(&mut self, topics: &[TopicIndex], reason: FilterReason) {
        // A thousand topics may be left out for each event: no look at the bounds of the columns for each.
        let (rows, column) = (self.filtered_by_topic.as_mut_slice(), reason.index());
        assert!(column < FilterReason::ALL.len(), "a reason has a column");
        for topic in topics {
            rows[topic.0][column] += 1;
        }
    }

    /// Counts an event that a destination did not take.
    pub fn filtered_by_destination(&mut self, destination: DestinationIndex, reason: FilterReason) {
        self.filtered_by_destination[destination.0][reason.index()] += 1;
    }

    /// Counts a dead letter.
    pub fn dead_letter(&mut self, class: DeadLetterClass) {
        self.dead_letters[class.index()] += 1;
    }
}

fn add(counts: &mut [u64], others: &[u64]) {
    for (count, other) in counts.iter_mut().zip(others) {
        *count += other;
    }
}

fn add_rows<const N: usize>(rows: &mut [[u64; N]], others: &[[u64; N]]) {
    for (counts, others) in rows.iter_mut().zip(others) {
        add(counts, others);
    }
}
