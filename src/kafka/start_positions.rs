//! Where the group reads: committed positions, and what stands in for them where there are none.
//!
//! ```text
//! process start, group without members:  no partition of the Kafka topic has a position
//!                                           -> startFrom is committed for all its partitions at once
//! partition assigned:                    position committed       -> there
//!                                        of a Kafka topic that was deleted and made anew -> the new one's beginning
//!                                        none, but others have    -> the partition was added later: its beginning
//!                                        none at all              -> startFrom, committed before the first record
//! ```
//!
//! **Promise.** A partition is read only from a committed position, so that a crash before the first commit does not
//! move the start. **Fails** towards more events, never fewer: a partition whose history is unclear starts at its
//! beginning. A committed position that the partition no longer has is reported, not skipped.

use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::client_options::{self, InquirerContext};
use super::consumer::TaskConsumer;
use super::offset_metadata;
use crate::config::settings::Settings;
use crate::domain::plan::{Ingest, Plan, StartFrom};

/// How long one question to the brokers may take before it is asked again.
const ANSWER: Duration = Duration::from_secs(10);

/// For how long a client must have known a Kafka topic by one id to take a position of another one for an old one. All
/// brokers know of a new Kafka topic long before.
const SURE_AFTER: Duration = Duration::from_secs(4);

/// How many of a client's queued errors are looked at.
const QUEUED: usize = 100;

/// A committed position that its partition does not have any more: records in between are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostPosition {
    /// The ingest Kafka topic.
    pub kafka_topic: String,
    /// The partition.
    pub partition: i32,
    /// Where the group stands.
    pub committed: i64,
    /// The first offset that is still there.
    pub first: i64,
    /// The end of the partition.
    pub end: i64,
}

/// Where newly assigned partitions are read from.
#[derive(Debug, Default)]
pub struct Positions {
    /// Each partition with its offset.
    pub readable: TopicPartitionList,
    /// Partitions that must not be read.
    pub lost: Vec<LostPosition>,
}

/// Commits `startFrom` for the Kafka topics of a group that has neither positions nor members.
///
/// With members, the broker refuses positions from outside the group; the members then settle their own partitions.
///
/// A group that has positions is not new, whatever a transaction does to them: one that an instance left open when it
/// died is not waited for here, since this very process ends it when it takes over the transactional id.
///
/// # Errors
/// See [`Unsettled`].
pub fn settle_new_group(settings: &Settings, plan: &Plan) -> Result<(), Unsettled> {
    let client: BaseConsumer<InquirerContext> =
        client_options::inquirer(settings).create_with_context(InquirerContext).map_err(Unsettled::NotYet)?;
    let hasty: BaseConsumer<InquirerContext> =
        client_options::hasty_inquirer(settings).create_with_context(InquirerContext).map_err(Unsettled::NotYet)?;
    for ingest in &plan.ingest {
        settle_ingest(&client, &hasty, ingest).map_err(|error| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => Unsettled::NotReadable(ingest.kafka_topic.clone()),
            Some(RDKafkaErrorCode::GroupAuthorizationFailed) => Unsettled::GroupForbidden(error),
            _ => refused_group(&hasty)
                .or_else(|| refused_group(&client))
                .map_or(Unsettled::NotYet(error), Unsettled::GroupForbidden),
        })?;
    }
    Ok(())
}

/// The client goes on looking for the coordinator of a group that it may not use, and a question to it only times out;
/// the reason comes like a record.
fn refused_group(client: &BaseConsumer<InquirerContext>) -> Option<KafkaError> {
    // A poll that serves something else gives nothing, and more may stand behind it.
    let mut told = (0..QUEUED).filter_map(|_| client.poll(Duration::ZERO)).filter_map(Result::err);
    told.find(|error| error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed))
}

/// Why the positions of a group are not settled.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// The brokers do not answer in time: ask again.
    #[error("the brokers do not tell")]
    NotYet(#[source] KafkaError),
    /// An ingest Kafka topic may not be read.
    #[error("the Kafka topic {0} may not be read")]
    NotReadable(String),
    /// The group may not be used.
    #[error("the group may not be used")]
    GroupForbidden(#[source] KafkaError),
}

fn settle_ingest(
    client: &BaseConsumer<InquirerContext>,
    hasty: &BaseConsumer<InquirerContext>,
    ingest: &Ingest,
) -> KafkaResult<()> {
    let all = partitions_of(client, &ingest.kafka_topic)?;
    if all.count() == 0 {
        return Ok(());
    }
    let standing = committed(hasty, all.clone(), ANSWER)?;
    if standing.elements().iter().any(|element| offset_of(element.offset()).is_some()) {
        return Ok(());
    }
    let committed = committed(client, all.clone(), ANSWER)?;
    if committed.elements().iter().any(|element| offset_of(element.offset()).is_some()) {
        return Ok(());
    }
    let starts = start_offsets(client, &all, ingest.start_from)?;
    match client.commit(&starts, CommitMode::Sync) {
        Ok(()) => tracing::info!(
            kafka_topic = ingest.kafka_topic,
            partitions = starts.count(),
            "new consumer group: start position committed"
        ),
        Err(error) if is_refused_by_a_live_group(&error) => {
            tracing::debug!(kafka_topic = ingest.kafka_topic, "the group has members: they settle their partitions");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The positions of partitions that were just assigned to this member; commits those that were not there yet.
///
/// # Errors
/// When the brokers do not answer in time: ask again.
pub fn of_assigned(consumer: &TaskConsumer, assigned: &TopicPartitionList, plan: &Plan) -> KafkaResult<Positions> {
    let mut positions = Positions::default();
    if assigned.count() == 0 {
        return Ok(positions);
    }
    let client = consumer.client();
    let committed = committed(client, assigned.clone(), ANSWER)?;
    let mut new = TopicPartitionList::new();
    for element in committed.elements() {
        let (kafka_topic, partition) = (element.topic(), element.partition());
        let topic_id = consumer.topic_id(kafka_topic);
        let is_old = is_of_another(element.metadata(), topic_id.as_ref())?;
        // Not known yet: what the position says of itself goes with it until it is.
        let metadata = match topic_id {
            Some((id, _)) => offset_metadata::of_topic_id(&id),
            None => element.metadata().to_owned(),
        };
        let committed = offset_of(element.offset());
        if is_old {
            tracing::warn!(
                kafka_topic,
                partition,
                committed,
                "the committed position is of a Kafka topic that was deleted and made anew: this one is read from its start"
            );
        }
        if let Some(offset) = committed.filter(|_| !is_old) {
            let (first, end) = client.fetch_watermarks(kafka_topic, partition, ANSWER)?;
            if (first..=end).contains(&offset) {
                offset_metadata::add(
                    &mut positions.readable,
                    kafka_topic,
                    partition,
                    Offset::Offset(offset),
                    &metadata,
                )?;
            } else {
                let kafka_topic = kafka_topic.to_owned();
                positions.lost.push(LostPosition { kafka_topic, partition, committed: offset, first, end });
            }
        } else {
            // A Kafka topic that was made anew under our eyes holds nothing that was read or skipped before.
            let start = if is_old || consumer.was_made_anew(kafka_topic) || group_knows(client, kafka_topic)? {
                StartFrom::Earliest
            } else {
                plan.ingest_of(kafka_topic).map_or(StartFrom::Earliest, |ingest| ingest.start_from)
            };
            let mut one = TopicPartitionList::new();
            one.add_partition(kafka_topic, partition);
            for found in start_offsets(client, &one, start)?.elements() {
                offset_metadata::add(&mut new, kafka_topic, partition, found.offset(), &metadata)?;
            }
        }
    }
    if new.count() > 0 {
        client.commit(&new, CommitMode::Sync)?;
        for element in new.elements() {
            let (offset, metadata) = (element.offset(), element.metadata());
            offset_metadata::add(&mut positions.readable, element.topic(), element.partition(), offset, metadata)?;
        }
    }
    Ok(positions)
}

/// Whether a committed position is about another Kafka topic of the same name, one that is gone.
///
/// Brokers learn of a new Kafka topic at different times, and this client hears of it from one of them: the position may
/// as well be about a newer one than it knows. Only when it has known the same id for a while, it is sure.
///
/// # Errors
/// When it is not sure yet: ask again.
fn is_of_another(metadata: &str, topic_id: Option<&(String, Duration)>) -> KafkaResult<bool> {
    let (Some(said), Some((id, for_so_long))) = (offset_metadata::topic_id(metadata), topic_id) else {
        return Ok(false);
    };
    if said == id {
        return Ok(false);
    }
    if *for_so_long < SURE_AFTER {
        thread::sleep(SURE_AFTER / 4);
        return Err(KafkaError::OffsetFetch(RDKafkaErrorCode::UnknownTopicId));
    }
    Ok(true)
}

/// The stable committed positions of these partitions.
///
/// The client's call can succeed although a partition carries an error and no offset. Taken for "no position yet", that
/// would send the group back to its start. While the transaction of an instance that died holds a position back, the
/// client asks again until the time is over.
///
/// # Errors
/// When the brokers do not answer in time, or do not tell the position of every partition.
pub(super) fn committed<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: TopicPartitionList,
    timeout: Duration,
) -> KafkaResult<TopicPartitionList> {
    let answer = client.committed_offsets(partitions, timeout)?;
    for element in answer.elements() {
        element.error()?;
    }
    Ok(answer)
}

/// Whether any partition of the Kafka topic has a committed position.
fn group_knows<C: ConsumerContext>(client: &BaseConsumer<C>, kafka_topic: &str) -> KafkaResult<bool> {
    let all = partitions_of(client, kafka_topic)?;
    let committed = committed(client, all, ANSWER)?;
    Ok(committed.elements().iter().any(|element| offset_of(element.offset()).is_some()))
}

fn partitions_of<C: ConsumerContext>(client: &BaseConsumer<C>, kafka_topic: &str) -> KafkaResult<TopicPartitionList> {
    let metadata = client.fetch_metadata(Some(kafka_topic), ANSWER)?;
    let mut partitions = TopicPartitionList::new();
    for topic in metadata.topics() {
        if let Some(error) = topic.error() {
            return Err(KafkaError::MetadataFetch(error.into()));
        }
        for partition in topic.partitions() {
            partitions.add_partition(topic.name(), partition.id());
        }
    }
    Ok(partitions)
}

fn start_offsets<C: ConsumerContext>(
    client: &BaseConsumer<C>,
    partitions: &TopicPartitionList,
    start: StartFrom,
) -> KafkaResult<TopicPartitionList> {
    let mut starts = TopicPartitionList::new();
    let by_time = match start {
        StartFrom::Earliest | StartFrom::Latest => None,
        StartFrom::Time(time) => {
            let mut question = partitions.clone();
            question.set_all_offsets(Offset::Offset(time.as_millisecond()))?;
            let answer = client.offsets_for_times(question, ANSWER)?;
            for element in answer.elements() {
                element.error()?;
            }
            Some(answer)
        }
    };
    for element in partitions.elements() {
        let (kafka_topic, partition) = (element.topic(), element.partition());
        let (first, end) = client.fetch_watermarks(kafka_topic, partition, ANSWER)?;
        let found = by_time.as_ref().and_then(|answer| answer.find_partition(kafka_topic, partition));
        let offset = match start {
            StartFrom::Earliest => first,
            StartFrom::Latest => end,
            // No record of that time or later yet: what comes from now on.
            StartFrom::Time(_) => found.and_then(|element| offset_of(element.offset())).unwrap_or(end),
        };
        starts.add_partition_offset(kafka_topic, partition, Offset::Offset(offset))?;
    }
    Ok(starts)
}

fn offset_of(offset: Offset) -> Option<i64> {
    match offset {
        Offset::Offset(offset) if offset >= 0 => Some(offset),
        _ => None,
    }
}

fn is_refused_by_a_live_group(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::UnknownMemberId
                | RDKafkaErrorCode::IllegalGeneration
                | RDKafkaErrorCode::RebalanceInProgress
                | RDKafkaErrorCode::FencedInstanceId
        )
    )
}
