//! Real traffic of the ingest, looked at without anybody noticing: what `fhir-fanout dry-run` reads.
//!
//! ```text
//! since --offsets of that time--> first ..... end <--last stable offset when it was opened
//!                                   '-- assigned, read_committed, record by record --> each
//! ```
//!
//! **Promises.** Nothing is written and no group is touched: partitions are assigned, never subscribed to; offsets are
//! neither stored nor committed; there is no producer; the group id is one that no service has, and it never comes into
//! being. A consumer for each Kafka topic, since an end that is reached is told by its partition's number only.
//! **Fails** when a Kafka topic is missing or may not be read, or when brokers stay away.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client_options::{self, InquirerContext, is_about_connections};
use super::native::Record;
use crate::config::settings::Settings;
use crate::domain::source::SourceRecord;

/// How long one question to the brokers may take.
const ANSWER: Duration = Duration::from_secs(10);

/// How long brokers may give nothing of what is there before that is an error.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a poll waits where nothing is there.
const LOOK: Duration = Duration::from_millis(100);

/// The records of one Kafka topic that are taken before another one's turn.
const TURN: usize = 1_000;

/// Why traffic cannot be read; named by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// No broker answers in time: try again later.
    #[error("the brokers do not answer")]
    BrokersAway(#[source] KafkaError),
    /// The Kafka topic is not there, or may not be seen.
    #[error("the ingest Kafka topic `{0}` does not exist, or may not be seen")]
    Missing(String),
    /// The cluster or the client library refuses.
    #[error("the ingest Kafka topic `{kafka_topic}` cannot be read")]
    Refused {
        /// Its name.
        kafka_topic: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
}

/// A part of a partition that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    first: i64,
    /// Behind the last record; `None`: there is no end.
    end: Option<i64>,
    /// What comes next.
    next: i64,
}

impl Stretch {
    fn is_read(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

/// One ingest Kafka topic.
struct Reader {
    kafka_topic: String,
    client: BaseConsumer<InquirerContext>,
    stretches: BTreeMap<i32, Stretch>,
}

/// The traffic of some Kafka topics since a time.
pub struct Traffic {
    readers: Vec<Reader>,
}

/// How far the reading is, in offsets: those of records, and of marks between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Offsets that were passed.
    pub passed: u64,
    /// Those that there are to pass; `None`: there is no end.
    pub all: Option<u64>,
}

impl Traffic {
    /// Finds where the time is in each partition and, unless it is to be followed, where the end is now.
    ///
    /// # Errors
    /// See [`TrafficError`].
    pub fn open<'k>(
        settings: &Settings,
        kafka_topics: impl IntoIterator<Item = &'k str>,
        since: Timestamp,
        follow: bool,
    ) -> Result<Self, TrafficError> {
        let open = |name| Reader::open(settings, name, since, follow);
        Ok(Self { readers: kafka_topics.into_iter().map(open).collect::<Result<_, _>>()? })
    }

    /// The partitions of all its Kafka topics.
    #[must_use]
    pub fn partitions(&self) -> usize {
        self.readers.iter().map(|reader| reader.stretches.len()).sum()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let stretches = || self.readers.iter().flat_map(|reader| reader.stretches.values());
        let length = |first: i64, end: i64| u64::try_from(end - first).unwrap_or(0);
        Progress {
            passed: stretches().map(|stretch| length(stretch.first, stretch.next)).sum(),
            all: stretches().map(|stretch| Some(length(stretch.first, stretch.end?))).sum(),
        }
    }

    /// Reads to the end, or until `go_on` says no; it is asked between any two turns.
    ///
    /// # Errors
    /// See [`TrafficError`].
    pub fn read(
        &mut self,
        each: &mut dyn FnMut(&SourceRecord<'_>),
        go_on: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<(), TrafficError> {
        let mut heard = Instant::now();
        while self.readers.iter().any(|reader| !reader.is_through()) && go_on(self.progress()) {
            let before = self.progress().passed;
            // Where nothing is there, one of them waits.
            let mut wait = LOOK;
            for reader in self.readers.iter_mut().filter(|reader| !reader.is_through()) {
                reader.turn(wait, each)?;
                wait = Duration::ZERO;
            }
            let progress = self.progress();
            if progress.passed > before || progress.all.is_none() {
                heard = Instant::now();
            } else if heard.elapsed() > PATIENCE {
                let silent = KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut);
                return Err(TrafficError::BrokersAway(silent));
            }
        }
        go_on(self.progress());
        Ok(())
    }
}

impl Reader {
    fn open(settings: &Settings, kafka_topic: &str, since: Timestamp, follow: bool) -> Result<Self, TrafficError> {
        let refused = |error| cause(kafka_topic, error);
        let client: BaseConsumer<InquirerContext> =
            client_options::observer(settings).create_with_context(InquirerContext).map_err(refused)?;
        // Of all Kafka topics: a question for one by name creates it on some clusters.
        let metadata = client.fetch_metadata(None, ANSWER).map_err(refused)?;
        let found = metadata.topics().iter().find(|found| found.name() == kafka_topic && found.error().is_none());
        let found = found.ok_or_else(|| TrafficError::Missing(kafka_topic.to_owned()))?;
        let mut wanted = TopicPartitionList::new();
        for partition in found.partitions() {
            let time = Offset::Offset(since.as_millisecond().max(0));
            wanted.add_partition_offset(kafka_topic, partition.id(), time).map_err(refused)?;
        }
        let starts = client.offsets_for_times(wanted, ANSWER).map_err(refused)?;
        let mut stretches = BTreeMap::new();
        for start in starts.elements() {
            start.error().map_err(refused)?;
            let (low, end) = client.fetch_watermarks(kafka_topic, start.partition(), ANSWER).map_err(refused)?;
            let first = match start.offset() {
                // Behind the last stable offset, it is of a transaction that is open.
                Offset::Offset(offset) => offset.clamp(low, end),
                _ => end,
            };
            let end = Some(end).filter(|_| !follow);
            stretches.insert(start.partition(), Stretch { first, end, next: first });
        }
        let mut reader = Self { kafka_topic: kafka_topic.to_owned(), client, stretches };
        reader.assign().map_err(|error| cause(kafka_topic, error))?;
        Ok(reader)
    }

    /// Reads what is left.
    fn assign(&mut self) -> Result<(), KafkaError> {
        let mut left = TopicPartitionList::new();
        for (partition, stretch) in self.stretches.iter().filter(|(_, stretch)| !stretch.is_read()) {
            left.add_partition_offset(&self.kafka_topic, *partition, Offset::Offset(stretch.next))?;
        }
        self.client.assign(&left)
    }

    fn is_through(&self) -> bool {
        self.stretches.values().all(Stretch::is_read)
    }

    /// Reads what is there, for a while.
    fn turn(&mut self, wait: Duration, each: &mut dyn FnMut(&SourceRecord<'_>)) -> Result<(), TrafficError> {
        let mut wait = wait;
        for _ in 0..TURN {
            let Some(polled) = self.client.poll(wait) else { break };
            wait = Duration::ZERO;
            match polled {
                Ok(message) => {
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(stretch) = self.stretches.get_mut(&partition).filter(|stretch| !stretch.is_read()) else {
                        continue;
                    };
                    if stretch.end.is_none_or(|end| offset < end) {
                        Record::lent(message).with_source(&mut *each);
                    }
                    stretch.next = stretch.next.max(offset + 1);
                    if stretch.is_read() {
                        self.leave(partition);
                    }
                }
                // The marks of transactions are no records: behind the last record there may be some.
                Err(KafkaError::PartitionEOF(partition)) => {
                    if let Some(stretch) = self.stretches.get_mut(&partition) {
                        stretch.next = stretch.end.unwrap_or(stretch.next);
                    }
                }
                Err(error) if is_passing(&error) => tracing::debug!(%error, "reading goes on"),
                Err(error) => return Err(cause(&self.kafka_topic, error)),
            }
        }
        Ok(())
    }
}

impl Reader {
    /// Fetches no more of a partition that is read, while others are not.
    fn leave(&self, partition: i32) {
        let mut read = TopicPartitionList::new();
        read.add_partition(&self.kafka_topic, partition);
        if let Err(error) = self.client.pause(&read) {
            tracing::debug!(%error, "a partition that is read is fetched on");
        }
    }
}

/// Whether the client goes on by itself. That it may not use the group that it never uses is nothing to it.
fn is_passing(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| {
        is_about_connections(code)
            || matches!(
                code,
                RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::RequestTimedOut
            )
    })
}

fn cause(kafka_topic: &str, source: KafkaError) -> TrafficError {
    let refused = TrafficError::Refused { kafka_topic: kafka_topic.to_owned(), source: source.clone() };
    let Some(code) = source.rdkafka_error_code() else { return refused };
    if is_about_connections(code) || code == RDKafkaErrorCode::OperationTimedOut {
        return TrafficError::BrokersAway(source);
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_read_when_its_end_is_reached_and_one_without_end_never() {
        let stretch = |next, end| Stretch { first: 5, end, next };
        assert!(!stretch(9, Some(10)).is_read());
        assert!(stretch(10, Some(10)).is_read() && stretch(12, Some(10)).is_read());
        assert!(!stretch(i64::MAX, None).is_read());
    }

    #[test]
    fn what_the_client_mends_itself_ends_nothing() {
        let error = KafkaError::MessageConsumption;
        assert!(is_passing(&error(RDKafkaErrorCode::AllBrokersDown)));
        assert!(is_passing(&error(RDKafkaErrorCode::GroupAuthorizationFailed)), "of a group that is not used");
        assert!(!is_passing(&error(RDKafkaErrorCode::TopicAuthorizationFailed)));
        let away = KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure);
        assert!(matches!(cause("k", away), TrafficError::BrokersAway(_)));
        let refused = error(RDKafkaErrorCode::TopicAuthorizationFailed);
        assert!(matches!(cause("k", refused), TrafficError::Refused { .. }));
    }
}
