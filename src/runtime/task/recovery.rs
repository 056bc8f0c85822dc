//! What comes of an attempt, and how the task gets back to a producer without an open transaction.

use std::time::{Duration, Instant};

use rdkafka::topic_partition_list::TopicPartitionList;

use super::attempt::{Batch, Lost, Outcome};
use super::{Task, Trouble, largest_batch};
use crate::kafka::errors::{Cause, Consequence};
use crate::kafka::producer::CommitFailure;
use crate::ops::status::TaskState;
use crate::runtime::backlog::Positioned;
use crate::runtime::errors::FatalError;
use crate::runtime::io::{GroupMember, IdleProducer, NewProducer, OpenTransaction, TaskIo};
use crate::runtime::ledger::PartitionPosition;
use crate::telemetry::occurrence::{self, RebuildReason};

/// How long an abort may take before the producer is given up: its successor aborts for it.
const ABORT_TIME: Duration = Duration::from_secs(5);

/// How long one step of taking over a transactional id may take before the stop signal is looked at again.
const INITIALISE_SLICE: Duration = Duration::from_secs(1);

/// Two fencings within this time are another live process with the same id.
const FENCE_WINDOW: Duration = Duration::from_secs(60);

/// Pause after the first failed attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl<Io: TaskIo> Task<'_, Io> {
    /// Deals with how an attempt at `tried` records ended. Afterwards there is no open transaction.
    pub(super) fn conclude(&mut self, outcome: Outcome<Io>, tried: usize) -> Result<(), FatalError> {
        match outcome {
            Outcome::Silent(producer, batch) => {
                self.producer = Some(producer);
                self.backlog.drop_front(batch.records);
                self.ledger.add(&batch.offsets, &batch.tally, batch.records, self.io.now());
                self.regain_trust(2);
                Ok(())
            }
            Outcome::Committed(producer, batch) => {
                self.producer = Some(producer);
                self.settle_committed(&batch);
                Ok(())
            }
            Outcome::Replay(transaction, cause) => {
                self.take_less_if_late(Some(self.since(transaction.begun())), tried);
                self.abort(transaction, "replay", &cause)?;
                self.pause_before_replay()
            }
            Outcome::Refused(transaction, refused) => {
                let cause = Cause::new(Consequence::AbortAndReplay, "outputs were refused for good");
                self.abort(transaction, "refused", &cause)?;
                self.refused(&refused, tried)
            }
            Outcome::AssignmentLost(transaction) => {
                let cause = Cause::new(Consequence::AbortAndReplay, "the partitions went to others");
                self.abort(transaction, "assignment-lost", &cause)?;
                self.pause_before_replay()
            }
            Outcome::ProducerGone(cause, open_for) => {
                self.end_to_end.aborted();
                self.take_less_if_late(open_for, tried);
                self.check_stop(&cause)?;
                self.note_fence(&cause, open_for)?;
                self.rebuild(&cause, reason_of(&cause))?;
                // What broke it may break the next one as well.
                self.pause_before_replay()
            }
            Outcome::Unknown(cause, batch, open_for) => self.settle_unknown(&cause, &batch, open_for),
            Outcome::Stop(producer, at, class) => self.stopped_by_policy(producer, at, class),
        }
    }

    fn settle_committed(&mut self, batch: &Batch) {
        self.backlog.drop_front(batch.records);
        self.committed(&batch.offsets, &batch.tally);
        // Twice as much would outlive its time.
        let is_slow = self.since(batch.started) > self.setup.settings.transaction_timeout / 2;
        self.regain_trust(if is_slow { 1 } else { 2 });
    }

    /// The records in front are done. After a refusal the batches grow again step by step: refused records come in
    /// swarms, and finding each of them from the largest batch down would take a dozen aborted transactions.
    fn regain_trust(&mut self, growth: usize) {
        let most = self.setup.settings.batch.max_records;
        let limit = self.trouble.limit.map(|limit| limit.saturating_mul(growth)).filter(|limit| *limit < most);
        self.forget_trouble();
        self.trouble.limit = limit;
        // The next refusal halves at once.
        self.trouble.refused = u32::from(limit.is_some());
    }

    /// The records in front are done, or gone: the next ones start with a clean slate.
    pub(super) fn forget_trouble(&mut self) {
        if let Some(destination) = self.trouble.blocked.take() {
            let destination = &self.plan.destinations[destination];
            occurrence::destination_unblocked(self.setup.number, &destination.id, &destination.kafka_topic);
        }
        let fenced = std::mem::take(&mut self.trouble.fenced);
        // What is known of a destination is no matter of one record.
        self.trouble = Trouble { fenced, refusals: self.dead_lettered.clone(), ..Trouble::default() };
    }

    fn abort(&mut self, transaction: Io::Open, class: &'static str, cause: &Cause) -> Result<(), FatalError> {
        occurrence::transaction_aborted(self.setup.number, class, cause);
        self.end_to_end.aborted();
        let open_for = self.since(transaction.begun());
        match transaction.abort(self.io.now() + ABORT_TIME) {
            Ok(producer) => {
                self.producer = Some(producer);
                Ok(())
            }
            Err(cause) => {
                self.check_stop(&cause)?;
                self.note_fence(&cause, Some(open_for))?;
                self.rebuild(&cause, if cause.fenced { RebuildReason::Fenced } else { RebuildReason::AbortFailed })
            }
        }
    }

    /// A transaction that outlived its time would do so again with the same records: a costly one may stand behind an
    /// output. Alone, it is through before its first output opens the transaction.
    fn take_less_if_late(&mut self, open_for: Option<Duration>, tried: usize) {
        if open_for.is_some_and(|time| time >= self.setup.settings.transaction_timeout) {
            self.trouble.limit = Some((tried / 2).max(1));
        }
    }

    /// Waits a little before the records are tried again, longer with every failure.
    fn pause_before_replay(&mut self) -> Result<(), FatalError> {
        let doublings = self.trouble.failures.min(10);
        self.trouble.failures += 1;
        self.rest((FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE))
    }

    fn rebuild(&mut self, cause: &Cause, reason: RebuildReason) -> Result<(), FatalError> {
        tracing::info!(task = self.setup.number, %cause, "the producer is of no use any more");
        occurrence::producer_rebuilt(self.setup.number, reason);
        self.make_producer()
    }

    /// Makes a producer and takes over the transactional id: waits for the brokers as long as it takes, or until the
    /// process stops.
    pub(super) fn make_producer(&mut self) -> Result<(), FatalError> {
        let since = self.io.now();
        while !self.stopping() {
            self.largest_batch = largest_batch(self.setup, &self.plan);
            let mut next = Some(self.io.new_producer(self.largest_batch).map_err(FatalError::ClientConfiguration)?);
            while let Some(producer) = next.take() {
                self.status().beat();
                match producer.initialise(INITIALISE_SLICE) {
                    Ok(producer) => {
                        self.producer = Some(producer);
                        self.note_brokers_back();
                        return Ok(());
                    }
                    Err((again, cause)) => {
                        self.check_stop(&cause)?;
                        self.note_fence(&cause, None)?;
                        self.note_brokers_away(since, &cause);
                        self.rest(FIRST_PAUSE)?;
                        next = if self.stopping() { None } else { again };
                    }
                }
            }
        }
        Ok(())
    }

    fn note_brokers_away(&mut self, since: Instant, cause: &Cause) {
        self.enter_waiting();
        if self.away_since.is_none() {
            self.away_since = Some(since);
            occurrence::brokers_away(self.setup.number, cause);
        }
    }

    fn note_brokers_back(&mut self) {
        if let Some(since) = self.away_since.take() {
            occurrence::brokers_back(self.setup.number, self.since(since));
        }
    }

    fn enter_waiting(&self) {
        if self.status().has_joined() {
            self.enter(TaskState::Paused);
        }
    }

    fn check_stop(&self, cause: &Cause) -> Result<(), FatalError> {
        if cause.consequence == Consequence::StopProcess {
            let transactional_id = self.setup.identity.id.clone();
            return Err(FatalError::Producer { transactional_id, cause: cause.clone() });
        }
        Ok(())
    }

    /// A producer that was fenced once goes on; fenced again soon after, somebody else lives under its id.
    ///
    /// The broker fences a transaction that was open for longer than its time-out too (a process that was stopped and
    /// woken): that is nobody else, and does not count.
    fn note_fence(&mut self, cause: &Cause, open_for: Option<Duration>) -> Result<(), FatalError> {
        let timed_out = open_for.is_some_and(|time| time >= self.setup.settings.transaction_timeout);
        if !cause.fenced || timed_out {
            return Ok(());
        }
        let now = self.io.now();
        let fenced = &mut self.trouble.fenced;
        fenced.retain(|at| now.duration_since(*at) < FENCE_WINDOW);
        fenced.push(now);
        if fenced.len() < 2 {
            return Ok(());
        }
        let transactional_id = self.setup.identity.id.clone();
        Err(FatalError::FencedAgain { transactional_id, within_seconds: FENCE_WINDOW.as_secs() })
    }

    /// The end of the transaction was asked for and not confirmed. A new producer with the same id makes the broker
    /// complete or abort what was pending; then the committed positions tell which of the two it was.
    fn settle_unknown(&mut self, cause: &Cause, batch: &Batch, open_for: Duration) -> Result<(), FatalError> {
        occurrence::commit_unknown(self.setup.number, cause);
        self.check_stop(cause)?;
        self.note_fence(cause, Some(open_for))?;
        self.rebuild(cause, RebuildReason::CommitUnknown)?;
        let Some(positions) = self.read_committed(batch)? else {
            // Committing older positions over what may be committed would turn the group back.
            self.ledger.clear(&self.plan);
            return Ok(());
        };
        // A transaction commits whole: one partition tells it for all.
        let applied = batch.offsets.iter().any(|processed| {
            positions.iter().any(|committed| {
                committed.partition == processed.partition
                    && committed.kafka_topic == processed.kafka_topic
                    && committed.next >= processed.next
            })
        });
        tracing::info!(task = self.setup.number, applied, "outcome of the commit read back");
        for position in &positions {
            self.backlog.drop_before(position);
            self.ledger.offsets.drop_committed(position);
        }
        if applied {
            self.committed(&batch.offsets, &batch.tally);
            self.forget_trouble();
            return Ok(());
        }
        self.end_to_end.aborted();
        self.pause_before_replay()
    }

    /// The stable committed positions of all partitions that the transaction was to move, asked for until they are
    /// known; none when the process stops or the partitions went away meanwhile.
    fn read_committed(&mut self, batch: &Batch) -> Result<Option<Vec<PartitionPosition>>, FatalError> {
        while !self.stopping() {
            let assignment = self.member.assignment();
            let mut ours = TopicPartitionList::new();
            for position in batch.offsets.iter().chain(self.ledger.offsets.iter()) {
                let asked = ours.find_partition(&position.kafka_topic, position.partition).is_some();
                if !asked && assignment.find_partition(&position.kafka_topic, position.partition).is_some() {
                    ours.add_partition(&position.kafka_topic, position.partition);
                }
            }
            if ours.count() == 0 {
                return Ok(None);
            }
            match self.member.committed(ours, INITIALISE_SLICE) {
                Ok(list) => return Ok(Some(positions_of(&list))),
                Err(error) => {
                    tracing::info!(task = self.setup.number, %error, "committed positions not known yet");
                    self.enter_waiting();
                    self.rest(FIRST_PAUSE)?;
                }
            }
        }
        Ok(None)
    }

    /// `onError: stop`: what stands before the record is committed first, so that a restart meets it at once.
    fn stopped_by_policy(&mut self, producer: Lost<Io>, at: usize, class: &'static str) -> Result<(), FatalError> {
        match producer {
            Lost::Idle(producer) => self.producer = Some(producer),
            Lost::Open(transaction) => {
                let cause = Cause::new(Consequence::AbortAndReplay, "stopped by onError");
                self.abort(transaction, "stop", &cause)?;
            }
            Lost::Nothing => self.make_producer()?,
        }
        if at > 0 {
            self.trouble.limit = Some(at);
            return Ok(());
        }
        self.try_to_commit_ledger();
        let Some(record) = self.backlog.iter().next() else { return Ok(()) };
        Err(FatalError::StoppedByPolicy {
            kafka_topic: record.kafka_topic().to_owned(),
            partition: record.partition(),
            offset: record.offset(),
            class,
        })
    }

    /// Commits the positions of records that had no outputs.
    pub(super) fn commit_ledger(&mut self) -> Result<(), FatalError> {
        if self.producer.is_none() {
            return self.make_producer();
        }
        let begun = self.io.now();
        match self.commit_positions() {
            Ok(()) => Ok(()),
            Err(cause) => {
                self.check_stop(&cause)?;
                self.note_fence(&cause, Some(self.since(begun)))?;
                if self.producer.is_none() {
                    self.rebuild(&cause, reason_of(&cause))?;
                }
                self.pause_before_replay()
            }
        }
    }

    /// As [`Task::commit_ledger`], once and in bounded time: before partitions go, and at the end. Should it fail, the
    /// records are seen again by the next owner and give nothing again.
    pub(super) fn try_to_commit_ledger(&mut self) {
        if let Err(cause) = self.commit_positions() {
            tracing::info!(task = self.setup.number, %cause, "positions without outputs not committed");
        }
    }

    /// Whatever comes of it, committing the same positions again is harmless: an unknown outcome needs no reading back.
    fn commit_positions(&mut self) -> Result<(), Cause> {
        if self.ledger.is_empty() {
            return Ok(());
        }
        let Some(producer) = self.producer.take() else { return Ok(()) };
        let group = self.member.generation().filter(|_| !self.member.assignment_lost());
        let Some(group) = group else {
            self.producer = Some(producer);
            return Ok(());
        };
        let deadline = self.io.now() + ABORT_TIME;
        let offsets = self.ledger.offsets.to_list(&self.notes).map_err(|error| Cause::of_transaction(&error))?;
        let started = self.io.now();
        let mut transaction = producer.begin()?;
        transaction.send_offsets(offsets, &group, deadline);
        match transaction.commit(deadline) {
            Ok(producer) => {
                self.keep(producer);
                self.pace.ended(self.io.now());
                self.batch_metrics.transaction_committed(self.setup.number, self.positions_alone(started));
                self.committed(&crate::runtime::ledger::Offsets::default(), &self.empty_tally());
                if self.backlog.is_empty() {
                    self.forget_trouble();
                }
                Ok(())
            }
            Err(CommitFailure::NotCommitted(transaction, cause)) => {
                occurrence::transaction_aborted(self.setup.number, "positions", &cause);
                self.producer = transaction.abort(deadline).ok();
                Err(cause)
            }
            Err(CommitFailure::ProducerBroken(cause) | CommitFailure::OutcomeUnknown(cause)) => Err(cause),
        }
    }

    fn keep(&mut self, producer: Io::Idle) {
        self.producer = Some(producer);
    }

    fn positions_alone(&self, started: Instant) -> occurrence::CommittedBatch {
        occurrence::CommittedBatch {
            records: self.ledger.records,
            outputs: 0,
            processing: Duration::ZERO,
            commit: self.since(started),
        }
    }

    fn empty_tally(&self) -> crate::domain::tally::Tally {
        crate::domain::tally::Tally::new(&self.plan)
    }
}

fn reason_of(cause: &Cause) -> RebuildReason {
    match cause {
        Cause { fenced: true, .. } => RebuildReason::Fenced,
        Cause { connection_lost: true, .. } => RebuildReason::ConnectionLost,
        _ => RebuildReason::Fatal,
    }
}

fn positions_of(list: &TopicPartitionList) -> Vec<PartitionPosition> {
    list.elements()
        .iter()
        .filter_map(|element| {
            let next = element.offset().to_raw().filter(|offset| *offset >= 0)?;
            Some(PartitionPosition { kafka_topic: element.topic().to_owned(), partition: element.partition(), next })
        })
        .collect()
}
