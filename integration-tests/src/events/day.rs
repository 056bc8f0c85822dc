//! The day: patients arrive, their journeys overlap, events come in the order of their time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::{SignedDuration, Timestamp};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::journey;
use super::{Damage, DayOptions, SampleEvent};

/// Seconds between two arrivals, on average.
const ARRIVAL_SECONDS: std::ops::Range<i64> = 60..240;

/// An endless clinical day over all [`super::hospitals`].
pub struct ClinicalDay {
    options: DayOptions,
    arrivals: ChaCha8Rng,
    next_arrival: Timestamp,
    patients: u64,
    waiting: BinaryHeap<Waiting>,
    queued: u64,
    good_events: u32,
    broken: usize,
}

impl ClinicalDay {
    /// A day with these options.
    #[must_use]
    pub fn new(options: DayOptions) -> Self {
        Self {
            arrivals: ChaCha8Rng::seed_from_u64(options.seed),
            next_arrival: options.start,
            patients: 0,
            waiting: BinaryHeap::new(),
            queued: 0,
            good_events: 0,
            broken: 0,
            options,
        }
    }

    /// Lets patients arrive until the earliest waiting event cannot be overtaken by a later arrival.
    fn admit(&mut self) {
        while self.waiting.peek().is_none_or(|first| first.event.at >= self.next_arrival) {
            let at = self.next_arrival;
            self.patients += 1;
            let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
            rng.set_stream(self.patients);
            for event in journey::journey(&self.options, rng, at) {
                self.queued += 1;
                self.waiting.push(Waiting { event, queued: self.queued });
            }
            self.next_arrival += SignedDuration::from_secs(self.arrivals.random_range(ARRIVAL_SECONDS));
        }
    }

    /// A broken record in place of a good one, when its turn has come.
    fn broken(&mut self, template: &SampleEvent) -> Option<SampleEvent> {
        if self.good_events < self.options.broken_every? {
            return None;
        }
        self.good_events = 0;
        let damage = Damage::ALL[self.broken % Damage::ALL.len()];
        self.broken += 1;
        let mut event = template.clone();
        event.value = damage.apply(template.value.as_deref().unwrap_or_default(), &template.facts.id);
        event.facts.damage = Some(damage);
        Some(event)
    }
}

impl Iterator for ClinicalDay {
    type Item = SampleEvent;

    fn next(&mut self) -> Option<SampleEvent> {
        self.admit();
        let template = &self.waiting.peek()?.event.clone();
        if let Some(broken) = self.broken(template) {
            return Some(broken);
        }
        self.good_events += 1;
        self.waiting.pop().map(|waiting| waiting.event)
    }
}

/// An event with its turn: by time, then by the order in which it was made.
struct Waiting {
    event: SampleEvent,
    queued: u64,
}

impl Waiting {
    fn turn(&self) -> Reverse<(Timestamp, u64)> {
        Reverse((self.event.at, self.queued))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.turn() == other.turn()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.turn().cmp(&other.turn())
    }
}

/// Laboratory results, each a `create` whose record value is exactly `size` bytes (or what the result needs, if that
/// is more): for measuring, where every event has to cost the same.
pub fn padded_labs(options: DayOptions, size: usize) -> impl Iterator<Item = SampleEvent> {
    (1..).map(move |patient| {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(patient);
        journey::padded_lab(&options, rng, size)
    })
}
