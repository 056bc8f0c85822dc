//! The task's member of the scripted group.

use std::time::Duration;

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::World;
use super::cluster::{Cluster, Owner, list_of};
use super::ingest::{INGEST, source};
use super::script::Call;
use crate::domain::plan::Plan;
use crate::domain::source::SourceRecord;
use crate::kafka::consumer::{FetchPosition, GroupEvent, TopicId};
use crate::kafka::start_positions::Positions;
use crate::runtime::backlog::Positioned;
use crate::runtime::io::{GroupMember, InputRecord};

/// How many of the task's polls another member keeps what it took.
const KEPT_FOR: u8 = 3;

/// How long a process is frozen.
const FREEZE: Duration = Duration::from_secs(15);

/// How long the client asks for positions.
const ANSWER: Duration = Duration::from_secs(10);

/// A record of the scripted ingest.
#[derive(Debug, Clone)]
pub(crate) struct ScriptedRecord {
    world: World,
    cost: Duration,
    partition: i32,
    offset: i64,
    value: String,
}

impl Positioned for ScriptedRecord {
    fn kafka_topic(&self) -> &str {
        INGEST
    }

    fn partition(&self) -> i32 {
        self.partition
    }

    fn offset(&self) -> i64 {
        self.offset
    }

    fn size(&self) -> usize {
        self.value.len()
    }
}

impl InputRecord for ScriptedRecord {
    fn timestamp_ms(&self) -> Option<i64> {
        source(self.partition, self.offset, &self.value).timestamp_ms
    }

    fn with_source<R>(&self, read: impl FnOnce(&SourceRecord<'_>) -> R) -> R {
        self.world.cluster.borrow_mut().pass(self.cost);
        read(&source(self.partition, self.offset, &self.value))
    }
}

pub(crate) struct ScriptedMember(pub World);

impl GroupMember for ScriptedMember {
    type Record<'m> = ScriptedRecord;
    type Generation = u64;

    fn subscribe(&self, _kafka_topics: &[&str]) -> KafkaResult<()> {
        let member = &mut self.0.cluster.borrow_mut().member;
        (member.subscribed, member.rejoining) = (true, true);
        Ok(())
    }

    fn unsubscribe(&self) {
        let mut cluster = self.0.cluster.borrow_mut();
        cluster.member.subscribed = false;
        let given: Vec<i32> = cluster.member.given.iter().copied().collect();
        if !cluster.member.lost {
            cluster.ask_back(&given);
        }
    }

    fn poll(&self, timeout: Duration, most: usize, records: &mut Vec<ScriptedRecord>) -> KafkaResult<()> {
        self.0.call(Call::Poll, |cluster, way| {
            if self.0.open_transactions.get() > 0 {
                cluster.violation("I2: the consumer is polled while a transaction is open");
            }
            if cluster.is_through() {
                cluster.stop.stop();
            }
            if let Some(error) = way.and_then(|way| strange_poll(cluster, way, timeout)) {
                return Err(error);
            }
            cluster.others();
            serve_membership(cluster);
            if !cluster.member.events.is_empty() {
                return Ok(());
            }
            // Now one, now several: as many as are fetched.
            let fetched = 1 + cluster.elapsed.as_millis() as usize % 3;
            let before = records.len();
            records.extend((0..most.min(fetched)).map_while(|_| next_record(cluster, &self.0)));
            if records.len() == before {
                cluster.pass(timeout);
            }
            Ok(())
        })
    }

    fn next_event(&self) -> Option<GroupEvent> {
        self.0.cluster.borrow_mut().member.events.pop_front()
    }

    fn take_positions(&self) -> Option<Vec<FetchPosition>> {
        None
    }

    fn take_topic_ids(&self) -> Vec<TopicId> {
        Vec::new()
    }

    fn start_positions(&self, assigned: &TopicPartitionList, _plan: &Plan) -> KafkaResult<Positions> {
        self.0.call(Call::StartPositions, |cluster, way| {
            let mut positions = Positions::default();
            for partition in numbers(assigned) {
                let refused = cluster.partition(partition).owner != Owner::Task;
                if way.is_some() || refused || cluster.is_pending(partition) {
                    cluster.pass(ANSWER);
                    return Err(timed_out());
                }
                let committed = *cluster.partition(partition).committed.get_or_insert(0);
                positions.readable.add_partition_offset(INGEST, partition, Offset::Offset(committed))?;
            }
            Ok(positions)
        })
    }

    fn assign(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        self.0.call(Call::Assign, |cluster, way| {
            if way.is_some() {
                return Err(KafkaError::Subscription("by script".to_owned()));
            }
            for element in partitions.elements() {
                let (number, offset) = (element.partition(), element.offset().to_raw().expect("an offset"));
                let partition = cluster.partition(number);
                if partition.owner == Owner::Task && partition.committed != Some(offset) {
                    let committed = partition.committed;
                    cluster
                        .violation(format!("I8: partition {number} is read from {offset}, committed is {committed:?}"));
                }
                if cluster.member.given.contains(&number) {
                    cluster.member.reading.insert(number, offset);
                    cluster.member.paused.remove(&number);
                }
            }
            Ok(())
        })
    }

    fn release(&self, partitions: &TopicPartitionList) -> KafkaResult<()> {
        let mut cluster = self.0.cluster.borrow_mut();
        let rejoining = cluster.member.rejoining;
        for number in numbers(partitions) {
            cluster.member.given.remove(&number);
            cluster.member.reading.remove(&number);
            let partition = cluster.partition(number);
            if partition.owner == Owner::Task {
                partition.owner = if rejoining { Owner::Nobody } else { Owner::Other(KEPT_FOR) };
            }
        }
        cluster.member.lost = false;
        cluster.generation += 1;
        if cluster.member.told_lost_in.is_none() {
            cluster.member.generation = cluster.generation;
        }
        Ok(())
    }

    fn assignment_lost(&self) -> bool {
        self.0.call(Call::AssignmentLost, |cluster, way| {
            if way.is_some() && !cluster.member.lost && !cluster.member.given.is_empty() {
                cluster.take_away(KEPT_FOR);
                cluster.tell_lost();
            }
            cluster.member.lost
        })
    }

    fn generation(&self) -> Option<u64> {
        self.0.call(Call::Generation, |cluster, way| {
            let known = cluster.member.generation;
            match way.map(|way| way % 3) {
                Some(0) => return None,
                Some(_) if cluster.member.told_lost_in.is_none() && !cluster.member.lost => {
                    cluster.take_away(KEPT_FOR);
                    cluster.member.told_lost_in = Some(2);
                }
                Some(_) | None => {}
            }
            Some(known)
        })
    }

    fn assignment(&self) -> TopicPartitionList {
        list_of(&self.0.cluster.borrow().member.reading.keys().copied().collect::<Vec<_>>())
    }

    fn pause(&self) {
        let member = &mut self.0.cluster.borrow_mut().member;
        member.paused.extend(member.reading.keys().copied());
    }

    fn resume(&self) -> KafkaResult<()> {
        self.0.call(Call::Resume, |cluster, way| {
            if way.is_some() {
                return Err(KafkaError::Subscription("by script".to_owned()));
            }
            cluster.member.paused.clear();
            Ok(())
        })
    }

    fn committed(&self, partitions: TopicPartitionList, timeout: Duration) -> KafkaResult<TopicPartitionList> {
        self.0.call(Call::Committed, |cluster, way| {
            let mut committed = TopicPartitionList::new();
            for partition in numbers(&partitions) {
                if way.is_some() || cluster.is_pending(partition) {
                    cluster.pass(timeout);
                    return Err(timed_out());
                }
                let offset = cluster.partition(partition).committed.map_or(Offset::Invalid, Offset::Offset);
                committed.add_partition_offset(INGEST, partition, offset)?;
            }
            Ok(committed)
        })
    }

    fn watermarks(&self, _kafka_topic: &str, partition: i32, _timeout: Duration) -> KafkaResult<(i64, i64)> {
        Ok((0, self.0.cluster.borrow().ingest.end(partition)))
    }
}

/// The ways in which a poll can be unusual.
fn strange_poll(cluster: &mut Cluster, way: u8, timeout: Duration) -> Option<KafkaError> {
    let given: Vec<i32> = cluster.member.given.iter().copied().collect();
    let member = &cluster.member;
    // What the group has taken away, the client hears as that and as nothing else.
    let knows = !member.lost && member.told_lost_in.is_none();
    let settled = member.events.is_empty() && knows && !member.rejoining;
    match way % 9 {
        0 if settled => cluster.ask_back(given.get(..1).unwrap_or_default()),
        1 if settled => cluster.ask_back(&given),
        2 if settled => lose(cluster),
        3 => return Some(KafkaError::MessageConsumption(Code::BrokerTransportFailure)),
        4 => cluster.pass(timeout),
        5 if settled => return Some(KafkaError::MessageConsumption(Code::AutoOffsetReset)),
        6 if settled => {
            lose(cluster);
            return Some(KafkaError::MessageConsumption(Code::PollExceeded));
        }
        7 => cluster.stop.stop(),
        8 if settled => {
            cluster.pass(FREEZE);
            lose(cluster);
        }
        _ => {}
    }
    None
}

fn lose(cluster: &mut Cluster) {
    if !cluster.member.given.is_empty() {
        cluster.take_away(KEPT_FOR);
        cluster.tell_lost();
    }
}

/// What the client's background thread finds out by and by.
fn serve_membership(cluster: &mut Cluster) {
    if let Some(polls) = cluster.member.told_lost_in {
        cluster.member.told_lost_in = polls.checked_sub(1);
        if polls == 0 && !cluster.member.given.is_empty() {
            cluster.tell_lost();
        }
    }
    let member = &cluster.member;
    if member.subscribed && member.rejoining && member.given.is_empty() && member.events.is_empty() {
        cluster.member.rejoining = false;
        let free: Vec<i32> = (0..super::ingest::PARTITIONS)
            .filter(|number| !matches!(cluster.partition(*number).owner, Owner::Other(_)))
            .collect();
        cluster.give(&free);
    }
}

/// The partitions take turns.
fn next_record(cluster: &mut Cluster, world: &World) -> Option<ScriptedRecord> {
    let member = &cluster.member;
    let mut open: Vec<(i32, i64)> = member
        .reading
        .iter()
        .filter(|(number, _)| !member.paused.contains(number))
        .map(|(number, next)| (*number, *next))
        .collect();
    open.sort_by_key(|(_, next)| *next);
    for (number, next) in open {
        let record = cluster.ingest.partition(number).iter().find(|record| record.offset >= next);
        if let Some(record) = record {
            let (world, value) = (world.clone(), record.value.clone());
            let record = ScriptedRecord { world, cost: record.cost, partition: number, offset: record.offset, value };
            cluster.member.reading.insert(number, record.offset + 1);
            return Some(record);
        }
    }
    None
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(|element| element.partition()).collect()
}

fn timed_out() -> KafkaError {
    KafkaError::OffsetFetch(Code::OperationTimedOut)
}
