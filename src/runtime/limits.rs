//! How large an output may be, kept true while the service runs: an operator who raises a Kafka topic's
//! `max.message.bytes` because of dead letters expects the next notification to go through, and one who lowers it does
//! not expect that every batch is searched for what does not fit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::stop::StopSignal;
use super::versioned::Versioned;
use crate::config::settings::{KafkaSettings, Settings};
use crate::domain::limits::Limits;
use crate::domain::plan::Plan;
use crate::kafka::admin::start_check::roles;
use crate::kafka::admin::{self, Admin};

/// How often the brokers are asked.
const REFRESH: Duration = Duration::from_secs(10);

/// The same while they refuse.
const SOON: Duration = Duration::from_secs(1);

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How often the stop signal is looked at, and whether the brokers refuse.
const LOOK: Duration = Duration::from_millis(50);

/// The newest limits, for all tasks.
#[derive(Debug)]
pub struct SharedLimits {
    newest: Versioned<Limits>,
    /// Whether a broker has refused what the newest let through.
    doubted: AtomicBool,
}

impl SharedLimits {
    /// The limits that were found at the start.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { newest: Versioned::new(limits), doubted: AtomicBool::new(false) }
    }

    /// Changes whenever the limits do: cheap to look at for every batch.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.newest.version()
    }

    /// The newest limits.
    #[must_use]
    pub fn newest(&self) -> Limits {
        self.newest.newest()
    }

    /// Has the brokers asked soon: one of them has refused an output for its size.
    pub fn ask_soon(&self) {
        self.doubted.store(true, Ordering::Release);
    }

    /// Takes over an answer of the brokers. A Kafka topic that they say nothing of (it may not be looked at any more, or
    /// is gone for a while) keeps its limit.
    pub(crate) fn set(&self, mut limits: Limits) {
        let changed = self.newest.update(|newest| {
            for (kafka_topic, bytes) in &newest.by_kafka_topic {
                limits.by_kafka_topic.entry(kafka_topic.clone()).or_insert(*bytes);
            }
            let changed = *newest != limits;
            *newest = limits;
            changed
        });
        if changed {
            tracing::info!("the limits of the Kafka topics have changed");
        }
    }
}

/// The limits that the producer has to keep.
pub fn limits_of<'a>(
    kafka: &KafkaSettings,
    max_message_bytes: usize,
    found: impl IntoIterator<Item = (&'a String, &'a admin::Limits)>,
) -> Limits {
    let compressed = kafka.compresses();
    let found = found.into_iter().map(|(name, limits)| (name.clone(), limits.max_message_bytes));
    Limits { max_message_bytes, by_kafka_topic: found.collect(), compressed }
}

/// Asks the brokers now and then until the process stops. While they are away, the last answer stands.
pub fn keep_true(shared: &SharedLimits, settings: &Settings, plan: &Versioned<Arc<Plan>>, stop: &StopSignal) {
    let Ok(admin) = Admin::new(&settings.kafka).map(|admin| admin.with_timeout(ANSWER)) else { return };
    let mut asked = Instant::now();
    while !stop.is_stopped() {
        let pause = if shared.doubted.load(Ordering::Acquire) { SOON } else { REFRESH };
        if asked.elapsed() < pause {
            thread::sleep(LOOK);
            continue;
        }
        shared.doubted.store(false, Ordering::Release);
        let plan = plan.newest();
        let kafka_topics: Vec<&str> = roles(&plan).into_keys().collect();
        match admin.limits(&kafka_topics) {
            Ok(found) => shared.set(limits_of(&settings.kafka, settings.max_message_bytes, &found)),
            Err(error) => {
                tracing::debug!(%error, "the limits of the Kafka topics are not known anew");
                shared.ask_soon();
            }
        }
        asked = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn limits(bytes: usize) -> Limits {
        Limits { max_message_bytes: 1_000, by_kafka_topic: [("forms".to_owned(), bytes)].into(), compressed: false }
    }

    #[test]
    fn only_a_change_is_a_new_version() {
        let shared = SharedLimits::new(limits(10));
        shared.set(limits(10));
        assert_eq!(shared.version(), 0);
        shared.set(limits(20));
        assert_eq!((shared.version(), shared.newest()), (1, limits(20)));
        shared.set(Limits { by_kafka_topic: HashMap::new(), ..limits(20) });
        assert_eq!((shared.version(), shared.newest()), (1, limits(20)), "the last answer stands");
    }

    #[test]
    fn a_compressing_producer_is_bound_by_its_own_limit_only() {
        let mut settings = Settings::default();
        let found = [("forms".to_owned(), admin::Limits { max_message_bytes: 10, compacted: false })].into();
        let found: &std::collections::BTreeMap<_, _> = &found;
        assert_eq!(limits_of(&settings.kafka, 1_000, found), limits(10));
        settings.kafka.producer = [("compression.type".to_owned(), "lz4".to_owned())].into_iter().collect();
        assert_eq!(limits_of(&settings.kafka, 1_000, found), Limits { compressed: true, ..limits(10) });
    }
}
