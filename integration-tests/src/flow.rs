//! A steady stream through the service, and a clock on what a `read_committed` reader sees of it.
//!
//! ```text
//! publisher (a few records every tick) -> ingest -> the service under test -> destinations -> reader
//!      '- what was acknowledged                                    which source, seen when -'
//! ```
//!
//! While it flows, a test does something to instances or brokers and asks how long outputs stood still. A pause is the
//! longest time between two outputs of one ingest partition, so that a partition that stands still is not hidden by
//! the others. The clock is the reader's: what is committed counts when it can be read.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::{Isolation, KafkaCluster, Producer};
use crate::oracle::ExpectedOutput;
use crate::oracle::history::parse_source;
use crate::oracle::workload::Rule;
use crate::scene::{self, Hospital, Scene};
use crate::wait;

/// The time between two sets of records.
const TICK: Duration = Duration::from_millis(20);

/// Records of one set.
const RECORDS: usize = 12;

/// Bytes of text in each.
const PADDING: usize = 50;

/// How long outputs may stand still before a test gives up.
const FLOWS_WITHIN: Duration = Duration::from_secs(120);

/// What flows: published so far, and seen so far.
pub struct Flow<'h> {
    /// The stage.
    pub scene: &'h Scene<'h>,
    rules: &'h [Rule],
    ends: AtomicBool,
    /// The newest acknowledged offset of each ingest partition.
    published: Mutex<BTreeMap<i32, i64>>,
    /// Each output that became visible: ingest partition and offset, and when.
    seen: Mutex<Vec<Seen>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    partition: i32,
    offset: i64,
    at: Instant,
}

/// How long the outputs of an ingest partition stood still, and when they flowed again.
#[derive(Debug, Clone, Copy)]
pub struct Pause {
    /// The ingest partition.
    pub partition: i32,
    /// The last output before the pause.
    pub from: Instant,
    /// The first output after it.
    pub until: Instant,
}

impl Pause {
    /// How long it was.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.until - self.from
    }
}

impl Flow<'_> {
    /// Waits until every one of these partitions has outputs of records that are published from now on.
    ///
    /// # Errors
    /// When they stand still.
    pub fn wait_flowing(&self, partitions: &[i32]) -> anyhow::Result<()> {
        let before = self.published_everywhere(partitions)?;
        let waited = wait::until(&format!("outputs of the partitions {partitions:?}"), FLOWS_WITHIN, || {
            let seen = self.seen_ends();
            partitions.iter().all(|partition| seen.get(partition).is_some_and(|offset| *offset > before[partition]))
        });
        waited.with_context(|| self.whereabouts(&before))
    }

    /// The newest source offset of each ingest partition of which an output was seen.
    fn seen_ends(&self) -> BTreeMap<i32, i64> {
        let mut ends = BTreeMap::new();
        for one in lock(&self.seen).iter() {
            let end = ends.entry(one.partition).or_insert(one.offset);
            *end = one.offset.max(*end);
        }
        ends
    }

    /// Where everything stands, for a failure's message.
    fn whereabouts(&self, before: &BTreeMap<i32, i64>) -> String {
        let published = lock(&self.published).clone();
        let mut text = format!("waited for {before:?}, published {published:?}, seen {:?}", self.seen_ends());
        for kafka_topic in &self.scene.destinations {
            let ends = |isolation| self.scene.admin.end_offsets(kafka_topic, isolation).ok();
            let (stable, high) = (ends(Isolation::ReadCommitted), ends(Isolation::ReadUncommitted));
            text.push_str(&format!("\n{kafka_topic}: stable {stable:?}, high {high:?}"));
        }
        text
    }

    /// The longest pause of each partition since then. Waits until outputs of records flow that are published from now
    /// on, so that the pause is over and all that stood still has come.
    ///
    /// # Errors
    /// When they stand still.
    pub fn pauses_since(&self, since: Instant, partitions: &[i32]) -> anyhow::Result<Vec<Pause>> {
        self.wait_flowing(partitions)?;
        let seen = lock(&self.seen).clone();
        partitions.iter().map(|partition| longest_pause(&seen, *partition, since)).collect()
    }

    /// The longest of them.
    ///
    /// # Errors
    /// When outputs stand still.
    pub fn pause_since(&self, since: Instant, partitions: &[i32]) -> anyhow::Result<Pause> {
        let pauses = self.pauses_since(since, partitions)?;
        pauses.into_iter().max_by_key(Pause::length).context("no partition was asked for")
    }

    /// The newest offset published to each of these partitions; waits until there is one.
    fn published_everywhere(&self, partitions: &[i32]) -> anyhow::Result<BTreeMap<i32, i64>> {
        wait::until_some("published records in every partition", FLOWS_WITHIN, || {
            let published = lock(&self.published);
            partitions.iter().all(|partition| published.contains_key(partition)).then(|| published.clone())
        })
    }

    /// Publishes until it ends; gives what has to come of it.
    fn publish(&self, seed: u64) -> anyhow::Result<Vec<ExpectedOutput>> {
        let producer = Producer::plain(self.scene.cluster)?;
        let mut expected = Vec::new();
        let mut next = Instant::now();
        for set in 0.. {
            if self.ends.load(Ordering::Acquire) {
                break;
            }
            let (positions, outputs) =
                scene::publish(self.scene, self.rules, &producer, seed * 1_000_000 + set, RECORDS, PADDING)?;
            expected.extend(outputs);
            let mut published = lock(&self.published);
            for position in positions {
                let newest = published.entry(position.partition).or_insert(position.offset);
                *newest = position.offset.max(*newest);
            }
            drop(published);
            // What a broker kept from being published is not caught up on: the stream stays a steady one.
            next = (next + TICK).max(Instant::now());
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(expected)
    }

    fn read(&self, consumer: &BaseConsumer) {
        while !self.ends.load(Ordering::Acquire) {
            // Errors are those of brokers that come and go; the client tries again by itself.
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
            let at = Instant::now();
            let source = message.headers().and_then(|headers| {
                let header = headers.iter().find(|header| header.key == "fhir-source")?;
                parse_source(std::str::from_utf8(header.value?).ok()?)
            });
            if let Some(event) = source {
                lock(&self.seen).push(Seen { partition: event.source.partition, offset: event.source.offset, at });
            }
        }
    }
}

impl Hospital<'_> {
    /// Does something while records flow through, and notes what has to come of them.
    ///
    /// # Errors
    /// When what is done fails, or records cannot be published.
    pub fn flowing<R>(&mut self, seed: u64, act: impl FnOnce(&Flow<'_>) -> anyhow::Result<R>) -> anyhow::Result<R> {
        let flow = Flow {
            scene: &self.scene,
            rules: &self.rules,
            ends: AtomicBool::new(false),
            published: Mutex::default(),
            seen: Mutex::default(),
        };
        let consumer = reader(self.scene.cluster, &self.scene.destinations)?;
        let (done, outputs) = std::thread::scope(|scope| {
            // Ends both threads also when the act panics.
            let end = EndOnDrop(&flow);
            let publisher = scope.spawn(|| flow.publish(seed));
            scope.spawn(|| flow.read(&consumer));
            let done = act(&flow);
            drop(end);
            let outputs = publisher.join().map_err(|_| anyhow::anyhow!("the publisher panicked"))??;
            anyhow::Ok((done?, outputs))
        })?;
        self.expected.extend(outputs);
        Ok(done)
    }
}

struct EndOnDrop<'f>(&'f Flow<'f>);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.ends.store(true, Ordering::Release);
    }
}

fn longest_pause(seen: &[Seen], partition: i32, since: Instant) -> anyhow::Result<Pause> {
    let times: Vec<Instant> = seen.iter().filter(|one| one.partition == partition).map(|one| one.at).collect();
    let pairs = times.windows(2).filter(|pair| pair[1] > since);
    let longest = pairs.max_by_key(|pair| pair[1] - pair[0]);
    let pair = longest.with_context(|| format!("too few outputs of partition {partition} were seen"))?;
    Ok(Pause { partition, from: pair[0], until: pair[1] })
}

/// Reads these Kafka topics from their ends on.
fn reader(cluster: &KafkaCluster, kafka_topics: &[String]) -> anyhow::Result<BaseConsumer> {
    let mut config = cluster.client();
    config.set("group.id", "testkit-flow").set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false").set("fetch.wait.max.ms", "20");
    // The end is where a partition is when the client gets to it: nothing was seen before, so nothing is missed.
    config.set("auto.offset.reset", "latest").set("topic.metadata.refresh.interval.ms", "1000");
    let consumer: BaseConsumer = config.create()?;
    let mut assignment = TopicPartitionList::new();
    for kafka_topic in kafka_topics {
        let metadata = consumer.fetch_metadata(Some(kafka_topic), Duration::from_secs(10))?;
        let found = metadata.topics().first().context("metadata of one Kafka topic was asked for")?;
        for partition in found.partitions() {
            let (_, end) = consumer.fetch_watermarks(kafka_topic, partition.id(), Duration::from_secs(10))?;
            assignment.add_partition_offset(kafka_topic, partition.id(), Offset::Offset(end))?;
        }
    }
    consumer.assign(&assignment)?;
    Ok(consumer)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only pushes and copies happen under these locks: they are sound after a panic too.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_the_longest_silence_of_one_partition() {
        let start = Instant::now();
        let seen = |partition, second| Seen { partition, offset: 0, at: start + Duration::from_secs(second) };
        let all = [seen(0, 0), seen(0, 9), seen(1, 10), seen(0, 11), seen(0, 14), seen(1, 15), seen(0, 15)];

        let pause = longest_pause(&all, 0, start + Duration::from_secs(10)).expect("it was seen");
        assert_eq!(pause.length(), Duration::from_secs(3), "the nine seconds before are not asked for");
        let reaching = longest_pause(&all, 0, start + Duration::from_secs(1)).expect("it was seen");
        assert_eq!(reaching.length(), Duration::from_secs(9), "a pause that has begun before counts whole");
        assert!(longest_pause(&all, 2, start).is_err());
    }
}
