//! The task's transactional producer, against the scripted coordinator.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::World;
use super::cluster::{Cluster, HeldTransaction};
use super::ingest::Sent;
use super::script::Call;
use crate::domain::output::OutputRecord;
use crate::kafka::errors::{Cause, Consequence};
use crate::kafka::producer::{CommitFailure, DeliveryFailure};
use crate::runtime::io::{IdleProducer, NewProducer, OpenTransaction};

pub(crate) struct New {
    pub world: World,
    pub id: String,
}

pub(crate) struct Idle {
    world: World,
    id: String,
    epoch: u64,
}

pub(crate) struct Open {
    world: World,
    id: String,
    epoch: u64,
    begun: Instant,
    outputs: Box<RefCell<Outputs>>,
    offsets: Box<Answer>,
}

/// What came of the offsets; it shows in the commit.
#[derive(Debug)]
enum Answer {
    NotAsked,
    Taken,
    /// Not taken, or nobody knows; the transaction is still open.
    Refused(Cause),
    /// The producer is of no use any more.
    Broken(Cause),
}

/// What the client knows of the outputs of its transaction.
#[derive(Debug, Default)]
struct Outputs {
    sent: usize,
    in_flight: Vec<InFlight>,
    failures: Vec<DeliveryFailure>,
}

#[derive(Debug)]
struct InFlight {
    number: usize,
    kafka_topic: String,
    refused: bool,
}

impl NewProducer for New {
    type Idle = Idle;

    fn initialise(self, timeout: Duration) -> Result<Idle, (Option<Self>, Cause)> {
        let (world, id) = (self.world.clone(), self.id.clone());
        world.call(Call::Initialise, |cluster, way| match way.map(|way| way % 4) {
            Some(0) => {
                cluster.pass(timeout);
                Err((Some(self), cause(Consequence::Retry)))
            }
            Some(1) => Err((None, cause(Consequence::RebuildProducer))),
            Some(2) => Err((None, fence(cluster, &id))),
            Some(_) => Err((None, stop_process(cluster))),
            None => {
                cluster.end_what_is_open(&id);
                let known = cluster.ids.entry(id).or_default();
                known.epoch += 1;
                Ok(Idle { world: self.world, id: self.id, epoch: known.epoch })
            }
        })
    }
}

impl IdleProducer for Idle {
    type Open = Open;

    fn begin(self) -> Result<Open, Cause> {
        let world = self.world.clone();
        world.call(Call::Begin, |cluster, way| match way.map(|way| way % 2) {
            Some(0) => Err(cause(Consequence::RebuildProducer)),
            Some(_) => Err(fence(cluster, &self.id)),
            None => {
                let (now, elapsed) = (cluster.now(), cluster.elapsed);
                if let Some(held) = hold(cluster, &self.id, self.epoch) {
                    let begun = HeldTransaction { begun: elapsed, ..HeldTransaction::default() };
                    if held.replace(begun).is_some() {
                        cluster.violation("a transaction is begun while one of the same epoch is open");
                    }
                }
                self.world.open_transactions.update(|open| open + 1);
                let (outputs, offsets) = (Box::default(), Box::new(Answer::NotAsked));
                Ok(Open { world: self.world, id: self.id, epoch: self.epoch, begun: now, outputs, offsets })
            }
        })
    }
}

impl OpenTransaction for Open {
    type Idle = Idle;
    type Generation = u64;

    fn begun(&self) -> Instant {
        self.begun
    }

    fn send(&mut self, output: &OutputRecord<'_>, deadline: Instant) -> Result<(), Cause> {
        let sent = Sent::of(output);
        let (world, id, epoch, outputs) = (&self.world, &self.id, self.epoch, self.outputs.get_mut());
        world.call(Call::Send, |cluster, way| {
            match way.map(|way| way % 6) {
                Some(0) => {
                    cluster.pass_until(deadline);
                    return Err(cause(Consequence::AbortAndReplay));
                }
                Some(5) => cluster.stop.stop(),
                Some(1) => return Err(cause(Consequence::RebuildProducer)),
                Some(2) => return Err(fence(cluster, id)),
                Some(3) => return Err(cause(Consequence::AbortAndReplay)),
                // The pipeline was slow.
                Some(_) => cluster.pass(Duration::from_secs(3)),
                None => {}
            }
            let record = cluster.ingest.partition(sent.partition).iter().find(|record| record.offset == sent.offset);
            let refused = record.is_some_and(|record| record.refused.as_deref() == Some(&sent.kafka_topic));
            outputs.in_flight.push(InFlight { number: outputs.sent, kafka_topic: sent.kafka_topic.clone(), refused });
            outputs.sent += 1;
            if let Some(Some(held)) = hold(cluster, id, epoch) {
                held.sent.push(sent);
            }
            Ok(())
        })
    }

    fn serve(&self) {}

    fn deliver(&self, deadline: Instant) -> Result<(), Vec<DeliveryFailure>> {
        self.world.call(Call::Deliver, |cluster, way| {
            let mut outputs = self.outputs.borrow_mut();
            let in_flight = std::mem::take(&mut outputs.in_flight);
            for output in &in_flight {
                if let Some(code) = refusal(cluster, &in_flight, output) {
                    outputs.failures.push(DeliveryFailure { output: output.number, code });
                }
            }
            let last = in_flight.last().map_or(0, |output| output.number);
            match way.map(|way| way % 5) {
                Some(4) => cluster.stop.stop(),
                Some(0) => {
                    cluster.pass(Duration::from_secs(1));
                    outputs.failures.push(DeliveryFailure { output: last, code: Code::MessageTimedOut });
                }
                Some(1) => {
                    cluster.pass_until(deadline);
                    outputs.in_flight = in_flight;
                    return Err(outputs.failures.clone());
                }
                Some(2) => {
                    fence(cluster, &self.id);
                }
                Some(_) => cluster.pass(Duration::from_secs(3)),
                None => {}
            }
            if hold(cluster, &self.id, self.epoch).is_none() {
                outputs.failures.push(DeliveryFailure { output: last, code: Code::InvalidProducerEpoch });
            }
            if outputs.failures.is_empty() { Ok(()) } else { Err(outputs.failures.clone()) }
        })
    }

    fn failures(&self) -> Vec<DeliveryFailure> {
        self.outputs.borrow().failures.clone()
    }

    fn send_offsets(&mut self, offsets: TopicPartitionList, generation: &u64, _deadline: Instant) {
        let offsets: Vec<(i32, i64)> = offsets
            .elements()
            .iter()
            .map(|element| (element.partition(), element.offset().to_raw().expect("an offset")))
            .collect();
        let world = self.world.clone();
        *self.offsets = world.call(Call::SendOffsets, |cluster, way| {
            let way = way.map(|way| way % 6);
            match way {
                Some(0) => return Answer::Refused(cause(Consequence::AbortAndReplay)),
                Some(1) => return Answer::Broken(cause(Consequence::RebuildProducer)),
                Some(2) => return Answer::Broken(fence(cluster, &self.id)),
                Some(3) => return Answer::Broken(stop_process(cluster)),
                Some(_) | None => {}
            }
            if *generation != cluster.generation {
                return Answer::Refused(cause(Consequence::AbortAndReplay));
            }
            match hold(cluster, &self.id, self.epoch) {
                Some(Some(held)) => held.offsets = offsets,
                _ => return Answer::Broken(fenced()),
            }
            // The last ways to fail: they were taken, and the answer does not say so, or the call does not come back.
            match way {
                Some(5) => {
                    cluster.pass(Duration::from_secs(4));
                    Answer::Broken(cause(Consequence::RebuildProducer))
                }
                Some(_) => Answer::Refused(cause(Consequence::AbortAndReplay)),
                None => Answer::Taken,
            }
        });
    }

    fn commit(mut self, deadline: Instant) -> Result<Idle, CommitFailure<Self>> {
        let world = self.world.clone();
        world.call(Call::Commit, |cluster, way| {
            self.must_be_delivered(cluster);
            match std::mem::replace(&mut *self.offsets, Answer::NotAsked) {
                Answer::Taken => {}
                Answer::Refused(cause) => return Err(CommitFailure::NotCommitted(self, cause)),
                Answer::Broken(cause) => return Err(CommitFailure::ProducerBroken(cause)),
                Answer::NotAsked => cluster.violation("a transaction is to be committed without its offsets"),
            }
            let way = way.map(|way| way % 9);
            if way == Some(0) {
                return Err(CommitFailure::NotCommitted(self, cause(Consequence::AbortAndReplay)));
            }
            let Some(held) = hold(cluster, &self.id, self.epoch) else {
                return Err(CommitFailure::OutcomeUnknown(fenced()));
            };
            let Some(way) = way else {
                if let Some(held) = held.take() {
                    cluster.apply(held);
                }
                return Ok(self.ended());
            };
            cluster.unknown_commits += 1;
            Err(CommitFailure::OutcomeUnknown(lose_answer(cluster, &self.id, self.epoch, way, deadline)))
        })
    }

    fn abort(self, deadline: Instant) -> Result<Idle, Cause> {
        let world = self.world.clone();
        world.call(Call::Abort, |cluster, way| {
            let held = hold(cluster, &self.id, self.epoch);
            if held.is_some_and(|held| held.as_ref().is_some_and(|held| held.end_on_its_way.is_some())) {
                cluster.violation("I3: aborted after the end of the transaction was asked for");
            }
            match way.map(|way| way % 5) {
                Some(0) => {
                    cluster.pass_until(deadline);
                    return Err(cause(Consequence::AbortAndReplay));
                }
                Some(1) => return Err(fence(cluster, &self.id)),
                Some(2) => return Err(cause(Consequence::RebuildProducer)),
                Some(3) => return Err(stop_process(cluster)),
                Some(_) | None => {}
            }
            let Some(held) = hold(cluster, &self.id, self.epoch) else { return Err(fenced()) };
            held.take();
            // The last way to fail: it was aborted, and the answer does not say so.
            if way.is_some() { Err(cause(Consequence::RebuildProducer)) } else { Ok(self.ended()) }
        })
    }
}

impl Open {
    fn ended(&self) -> Idle {
        Idle { world: self.world.clone(), id: self.id.clone(), epoch: self.epoch }
    }

    fn must_be_delivered(&self, cluster: &mut Cluster) {
        let outputs = self.outputs.borrow();
        if !outputs.in_flight.is_empty() || !outputs.failures.is_empty() {
            cluster.violation("a transaction is to be committed whose outputs were not all delivered");
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.world.open_transactions.update(|open| open - 1);
    }
}

/// The transaction of a transactional id, as long as the epoch is the newest.
fn hold<'c>(cluster: &'c mut Cluster, id: &str, epoch: u64) -> Option<&'c mut Option<HeldTransaction>> {
    cluster.ids.get_mut(id).filter(|known| known.epoch == epoch).map(|known| &mut known.open)
}

/// The ways in which the end of a transaction can be asked for without an answer.
fn lose_answer(cluster: &mut Cluster, id: &str, epoch: u64, way: u8, deadline: Instant) -> Cause {
    let end = |cluster: &mut Cluster, arrives: Option<bool>| {
        let held = hold(cluster, id, epoch).and_then(Option::take);
        match (held, arrives) {
            // Answered on the spot, and the answer is lost.
            (Some(held), None) => cluster.apply(held),
            (Some(held), arrives) => {
                if let Some(open) = hold(cluster, id, epoch) {
                    *open = Some(HeldTransaction { end_on_its_way: arrives, ..held });
                }
            }
            (None, _) => {}
        }
    };
    match way {
        1 => end(cluster, None),
        2 => end(cluster, Some(false)),
        3 => end(cluster, Some(true)),
        4 => {
            end(cluster, None);
            return cause(Consequence::AbortAndReplay);
        }
        5 => {
            end(cluster, Some(false));
            return cause(Consequence::AbortAndReplay);
        }
        6 => {
            end(cluster, None);
            return fence(cluster, id);
        }
        7 => {
            end(cluster, Some(false));
            return fence(cluster, id);
        }
        _ => {
            end(cluster, Some(true));
            return stop_process(cluster);
        }
    }
    cluster.pass_until(deadline);
    cause(Consequence::Retry)
}

/// What the broker says to an output. It refuses all records of a request together.
fn refusal(cluster: &Cluster, in_flight: &[InFlight], output: &InFlight) -> Option<Code> {
    if cluster.is_gone(&output.kafka_topic) {
        return Some(Code::UnknownTopicOrPartition);
    }
    let mut together = in_flight.iter().filter(|other| other.kafka_topic == output.kafka_topic);
    together.any(|other| other.refused).then_some(Code::MessageSizeTooLarge)
}

fn cause(consequence: Consequence) -> Cause {
    Cause::new(consequence, "by script")
}

fn fenced() -> Cause {
    let mut cause = cause(Consequence::RebuildProducer);
    cause.fenced = true;
    cause
}

/// Somebody else takes over the transactional id.
fn fence(cluster: &mut Cluster, id: &str) -> Cause {
    cluster.may_end = true;
    cluster.end_what_is_open(id);
    cluster.ids.entry(id.to_owned()).or_default().epoch += 1;
    fenced()
}

fn stop_process(cluster: &mut Cluster) -> Cause {
    cluster.may_end = true;
    cause(Consequence::StopProcess)
}
