//! Counters by what the configuration names, registered once, so that publishing a batch is adds and no lookups.

use metrics::{Counter, Histogram, counter, gauge, histogram};

use super::reference::Metric;
use crate::domain::output::DeadLetterClass;
use crate::domain::plan::Plan;
use crate::domain::tally::{EventOutcome, FilterReason, Tally};

/// Handles indexed like a [`Tally`]; every series exists at 0 from the moment this is made.
pub struct PlanMetrics {
    events: Vec<[Counter; EventOutcome::ALL.len()]>,
    inferred_interactions: Vec<Counter>,
    notifications: Vec<Counter>,
    filtered_by_topic: Vec<[Counter; FilterReason::ALL.len()]>,
    filtered_by_destination: Vec<[Counter; FilterReason::ALL.len()]>,
    evaluation_errors: Vec<Counter>,
    dead_letters: [Counter; DeadLetterClass::ALL.len()],
}

impl PlanMetrics {
    /// Registers the series of this plan and shows its hash. Each task makes its own: the handles share the numbers.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        gauge!(Metric::PlanInfo.name(), "hash" => plan.hash.clone()).set(1.0);
        for destination in &plan.destinations {
            gauge!(Metric::DestinationBlocked.name(), "destination" => destination.id.clone()).increment(0.0);
        }
        let topic_url = |index: usize| plan.topics.get(index).map_or("", |topic| topic.url.as_str());
        Self {
            events: plan.ingest.iter().map(|ingest| events(&ingest.kafka_topic)).collect(),
            inferred_interactions: plan
                .ingest
                .iter()
                .map(
                    |ingest| counter!(Metric::InferredInteractions.name(), "kafka_topic" => ingest.kafka_topic.clone()),
                )
                .collect(),
            notifications: plan
                .destinations
                .iter()
                .map(|destination| counter!(Metric::Notifications.name(), "destination" => destination.id.clone()))
                .collect(),
            filtered_by_topic: plan.topics.iter().map(|topic| filtered(&topic.url, "")).collect(),
            filtered_by_destination: plan
                .destinations
                .iter()
                .map(|destination| filtered(topic_url(destination.topic.0), &destination.id))
                .collect(),
            evaluation_errors: plan
                .topics
                .iter()
                .map(|topic| counter!(Metric::EvaluationErrors.name(), "topic" => topic.url.clone()))
                .collect(),
            dead_letters: DeadLetterClass::ALL
                .map(|class| counter!(Metric::DeadLetters.name(), "class" => class.name())),
        }
    }

    /// Adds a committed batch. The tally is of the same plan; one of another plan is counted as far as both reach.
    pub fn publish(&self, tally: &Tally) {
        add_rows(&self.events, &tally.events);
        add(&self.inferred_interactions, &tally.inferred_interactions);
        add(&self.notifications, &tally.notifications);
        add_rows(&self.filtered_by_topic, &tally.filtered_by_topic);
        add_rows(&self.filtered_by_destination, &tally.filtered_by_destination);
        add(&self.evaluation_errors, &tally.evaluation_errors);
        add(&self.dead_letters, &tally.dead_letters);
    }
}

impl std::fmt::Debug for PlanMetrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("PlanMetrics").field("destinations", &self.notifications.len()).finish_non_exhaustive()
    }
}

fn events(kafka_topic: &str) -> [Counter; EventOutcome::ALL.len()] {
    EventOutcome::ALL.map(
        |outcome| counter!(Metric::Events.name(), "kafka_topic" => kafka_topic.to_owned(), "outcome" => outcome.name()),
    )
}

fn filtered(topic: &str, destination: &str) -> [Counter; FilterReason::ALL.len()] {
    FilterReason::ALL.map(|reason| {
        counter!(Metric::Filtered.name(),
            "topic" => topic.to_owned(), "destination" => destination.to_owned(), "reason" => reason.name())
    })
}

fn add(counters: &[Counter], counts: &[u64]) {
    for (counter, count) in counters.iter().zip(counts) {
        if *count > 0 {
            counter.increment(*count);
        }
    }
}

fn add_rows<const N: usize>(counters: &[[Counter; N]], counts: &[[u64; N]]) {
    for (counters, counts) in counters.iter().zip(counts) {
        add(counters, counts);
    }
}

/// Record times of one batch, kept until the commit tells how old the records had become.
///
/// Neighbouring records mostly share their millisecond, so runs of equal times are kept, not records; the buffer is
/// reused from batch to batch.
pub struct EndToEnd {
    histogram: Histogram,
    runs: Vec<(i64, usize)>,
}

impl EndToEnd {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { histogram: histogram!(Metric::EndToEndSeconds.name()), runs: Vec::new() }
    }

    /// Takes down one record's time, in milliseconds since 1970-01-01 UTC; records without a time are not measured.
    pub fn observe(&mut self, timestamp_ms: Option<i64>) {
        let Some(timestamp_ms) = timestamp_ms else { return };
        match self.runs.last_mut() {
            Some((time, count)) if *time == timestamp_ms => *count += 1,
            _ => self.runs.push((timestamp_ms, 1)),
        }
    }

    /// The batch was committed at this time (milliseconds since 1970-01-01 UTC): records the ages and empties itself.
    /// A record from a clock ahead of ours counts as 0 s old.
    pub fn committed(&mut self, now_ms: i64) {
        for (timestamp_ms, count) in self.runs.drain(..) {
            let seconds = now_ms.saturating_sub(timestamp_ms).max(0) as f64 / 1000.0;
            self.histogram.record_many(seconds, count);
        }
    }

    /// The batch was aborted: forgets its records.
    pub fn aborted(&mut self) {
        self.runs.clear();
    }
}

impl Default for EndToEnd {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for EndToEnd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EndToEnd").field("runs", &self.runs.len()).finish_non_exhaustive()
    }
}
