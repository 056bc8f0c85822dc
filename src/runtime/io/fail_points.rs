//! Fail points around the calls of a transaction, compiled in only with the feature `fail-points`: a process that
//! really dies, or a call that really gives an error, at the places where it would hurt most.
//!
//! The points are configured by the environment variable `FAILPOINTS` as the crate `fail` describes it; what a point is
//! told to return is what happens there: `crash` ends the process at once, as `kill -9` does, `abort` and `rebuild` make
//! the call give an error of that consequence. `FAILPOINTS='before-commit=2*off->1*return(crash)'` lets two commits
//! pass and dies before the third.

use std::time::{Duration, Instant};

use fail::FailScenario;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::{IdleProducer, NewProducer, OpenTransaction, TaskIo};
use crate::domain::output::OutputRecord;
use crate::kafka::errors::{Cause, Consequence};
use crate::kafka::producer::{CommitFailure, DeliveryFailure};

/// The I/O of a task, with fail points in its producers.
pub struct WithFailPoints<Io>(pub Io);

/// A producer, or a transaction, with fail points.
pub struct Crossed<P>(P);

/// An open transaction with fail points.
pub struct CrossedTransaction<T> {
    transaction: T,
    sent: bool,
    /// What the offsets met.
    failed: Option<Cause>,
}

/// Takes `FAILPOINTS` over; the points work until the end of the process.
///
/// # Panics
/// When `FAILPOINTS` cannot be understood: the test that set it means something else.
pub fn set_up() {
    std::mem::forget(FailScenario::setup());
}

/// What happens at a point.
fn cross(point: &str) -> Result<(), Cause> {
    let told = fail::eval(point, |told| told.unwrap_or_default());
    match told.as_deref() {
        None => Ok(()),
        Some("crash") => {
            tracing::warn!(point, "fail point: crash");
            std::process::abort()
        }
        Some("abort") => Err(Cause::new(Consequence::AbortAndReplay, format!("fail point {point}"))),
        Some(_) => Err(Cause::new(Consequence::RebuildProducer, format!("fail point {point}"))),
    }
}

/// The error of a call that has certainly not committed.
fn not_committed<T>(transaction: T, cause: Cause) -> CommitFailure<T> {
    match cause.consequence {
        Consequence::AbortAndReplay => CommitFailure::NotCommitted(transaction, cause),
        _ => CommitFailure::ProducerBroken(cause),
    }
}

fn crossed<T>(failure: CommitFailure<T>, sent: bool) -> CommitFailure<CrossedTransaction<T>> {
    match failure {
        CommitFailure::NotCommitted(transaction, cause) => {
            CommitFailure::NotCommitted(CrossedTransaction { transaction, sent, failed: None }, cause)
        }
        CommitFailure::ProducerBroken(cause) => CommitFailure::ProducerBroken(cause),
        CommitFailure::OutcomeUnknown(cause) => CommitFailure::OutcomeUnknown(cause),
    }
}

impl<Io: TaskIo> TaskIo for WithFailPoints<Io> {
    type Member = Io::Member;
    type Generation = Io::Generation;
    type New = Crossed<Io::New>;
    type Idle = Crossed<Io::Idle>;
    type Open = CrossedTransaction<Io::Open>;

    fn member(&self) -> &Io::Member {
        self.0.member()
    }

    fn new_producer(&self, largest_batch: usize) -> Result<Crossed<Io::New>, KafkaError> {
        self.0.new_producer(largest_batch).map(Crossed)
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep(&self, time: Duration) {
        self.0.sleep(time);
    }
}

impl<P: NewProducer> NewProducer for Crossed<P> {
    type Idle = Crossed<P::Idle>;

    fn initialise(self, timeout: Duration) -> Result<Self::Idle, (Option<Self>, Cause)> {
        self.0.initialise(timeout).map(Crossed).map_err(|(again, cause)| (again.map(Crossed), cause))
    }
}

impl<P: IdleProducer> IdleProducer for Crossed<P> {
    type Open = CrossedTransaction<P::Open>;

    fn begin(self) -> Result<Self::Open, Cause> {
        cross("before-begin")?;
        self.0.begin().map(|transaction| CrossedTransaction { transaction, sent: false, failed: None })
    }
}

impl<T: OpenTransaction> OpenTransaction for CrossedTransaction<T> {
    type Idle = Crossed<T::Idle>;
    type Generation = T::Generation;

    fn begun(&self) -> Instant {
        self.transaction.begun()
    }

    fn send(&mut self, output: &OutputRecord<'_>, deadline: Instant) -> Result<(), Cause> {
        self.transaction.send(output, deadline)?;
        if !std::mem::replace(&mut self.sent, true) {
            // The client sends in the background: only what has arrived is something to leave behind.
            let _ = self.transaction.deliver(deadline);
            cross("after-first-send")?;
        }
        Ok(())
    }

    fn serve(&self) {
        self.transaction.serve();
    }

    fn deliver(&self, deadline: Instant) -> Result<(), Vec<DeliveryFailure>> {
        self.transaction.deliver(deadline)
    }

    fn failures(&self) -> Vec<DeliveryFailure> {
        self.transaction.failures()
    }

    fn send_offsets(&mut self, offsets: TopicPartitionList, generation: &Self::Generation, deadline: Instant) {
        match cross("before-send-offsets") {
            Ok(()) => self.transaction.send_offsets(offsets, generation, deadline),
            // Not handed over: it shows in the commit.
            Err(cause) => self.failed = Some(cause),
        }
    }

    fn commit(self, deadline: Instant) -> Result<Self::Idle, CommitFailure<Self>> {
        let before = || cross("after-send-offsets").and_then(|()| cross("before-commit"));
        if let Err(cause) = self.failed.clone().map_or_else(before, Err) {
            return Err(not_committed(self, cause));
        }
        let Self { transaction, sent, .. } = self;
        let idle = transaction.commit(deadline).map_err(|failure| crossed(failure, sent))?;
        // Committed, and nobody here knows: the outcome is unknown, whatever the point is told to return.
        cross("after-commit").map_err(CommitFailure::OutcomeUnknown)?;
        Ok(Crossed(idle))
    }

    fn abort(self, deadline: Instant) -> Result<Self::Idle, Cause> {
        self.transaction.abort(deadline).map(Crossed)
    }
}
