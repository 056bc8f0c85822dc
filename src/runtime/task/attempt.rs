//! One attempt at the records in front: process them with a transaction open, deliver, commit.
//!
//! ```text
//! records -> pipeline -> outputs --(first one opens the transaction)--> producer
//!                        none: positions go to the ledger, committed at the latest 1 s later
//! delivered, assignment still ours -> offsets + commit -> done
//! anything else -> the outcome says what; the records are still in the backlog
//! ```

use std::time::{Duration, Instant};

use super::Task;
use crate::domain::output::{OutputKind, OutputRecord};
use crate::domain::pipeline::ProcessError;
use crate::domain::tally::Tally;
use crate::kafka::errors::{Cause, Consequence, Refusal};
use crate::kafka::producer::{CommitFailure, DeliveryFailure};
use crate::runtime::backlog::Positioned;
use crate::runtime::errors::FatalError;
use crate::runtime::io::{GroupMember, IdleProducer, InputRecord, OpenTransaction, TaskIo};
use crate::runtime::ledger::Offsets;
use crate::runtime::pace;
use crate::telemetry::occurrence::CommittedBatch;

/// Records between two looks at the delivery reports.
const SERVE_EVERY: usize = 256;

/// How long the news of a lost assignment is waited for before the next look.
const LOST_PAUSE: Duration = Duration::from_millis(20);

/// What was sent under a number, so that a refusal can be traced to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SentOutput {
    pub(super) kind: OutputKind,
    pub(super) event_index: u32,
}

/// What an attempt has done so far.
pub(super) struct Batch {
    pub(super) records: usize,
    pub(super) offsets: Offsets,
    pub(super) tally: Tally,
    pub(super) sent: Vec<SentOutput>,
    pub(super) started: Instant,
}

/// A producer that opens its transaction when the first output comes.
enum Lane<Io: TaskIo> {
    Idle(Io::Idle),
    Open(Io::Open),
    /// The producer was lost on the way.
    Gone,
}

/// Why processing ended before all records were done.
enum Interruption {
    /// The producer cannot go on.
    Producer(Cause),
    /// An output was refused while outputs were waited for one by one.
    Refused,
    /// `onError: stop` at this record.
    Stop { at: usize, class: &'static str },
}

/// How an attempt ended; the producer is with it, where it still exists.
pub(super) enum Outcome<Io: TaskIo> {
    /// Processed without outputs.
    Silent(Io::Idle, Batch),
    /// Committed.
    Committed(Io::Idle, Batch),
    /// Not committed: abort and try again.
    Replay(Io::Open, Cause),
    /// Not committed: outputs were refused for good.
    Refused(Io::Open, Vec<(SentOutput, Refusal)>),
    /// Not committed; the partitions are somebody else's.
    AssignmentLost(Io::Open),
    /// Not committed, the producer is gone; for how long its transaction had been open.
    ProducerGone(Cause, Option<Duration>),
    /// Nobody knows; the producer is gone; for how long its transaction had been open.
    Unknown(Cause, Batch, Duration),
    /// `onError: stop` at the record with this number.
    Stop(Lost<Io>, usize, &'static str),
}

/// What is left of the producer when processing was stopped by policy.
pub(super) enum Lost<Io: TaskIo> {
    Idle(Io::Idle),
    Open(Io::Open),
    Nothing,
}

impl<Io: TaskIo> Task<'_, Io> {
    /// Tries to get the records in front done; what comes of it is dealt with before this returns.
    pub(super) fn attempt(&mut self) -> Result<(), FatalError> {
        if self.member.assignment_lost() {
            // The client's word for it is on its way, perhaps behind a queue of errors: nothing can be committed before.
            return self.rest(LOST_PAUSE);
        }
        self.follow_limits()?;
        let Some(producer) = self.producer.take() else { return self.make_producer() };
        self.try_dead_lettered_destinations_again();
        let most = self.trouble.limit.unwrap_or(self.setup.settings.batch.max_records);
        let outcome = self.process_and_commit(producer, most);
        self.conclude(outcome, most.min(self.backlog.len()))
    }

    fn process_and_commit(&mut self, producer: Io::Idle, most: usize) -> Outcome<Io> {
        // After the last poll: should the group move on from here, the broker refuses these offsets.
        let group = self.member.generation();
        let mut lane = Lane::Idle(producer);
        let mut batch = Batch {
            records: 0,
            offsets: Offsets::default(),
            tally: Tally::new(&self.plan),
            sent: Vec::new(),
            started: self.io.now(),
        };
        let interruption = self.process(&mut lane, &mut batch, most);
        let transaction = match (interruption, lane) {
            (Some(Interruption::Stop { at, class }), lane) => return Outcome::Stop(lane.into(), at, class),
            (Some(Interruption::Producer(cause)), lane) => return interrupted(lane, cause, &batch, self.io.now()),
            // Never to the commit: the record's other outputs are missing, and its position.
            (Some(Interruption::Refused), Lane::Open(transaction)) => {
                let failures = transaction.failures();
                return not_delivered(transaction, &failures, &batch);
            }
            (_, Lane::Gone) => {
                return Outcome::ProducerGone(Cause::new(Consequence::RebuildProducer, "the producer is gone"), None);
            }
            (_, Lane::Idle(producer)) => return Outcome::Silent(producer, batch),
            (_, Lane::Open(transaction)) => transaction,
        };
        self.deliver_and_commit(transaction, batch, group)
    }

    /// All outputs are on their way: the offsets go after them, and when both have arrived, it is committed.
    fn deliver_and_commit(
        &mut self,
        mut transaction: Io::Open,
        batch: Batch,
        group: Option<Io::Generation>,
    ) -> Outcome<Io> {
        let handed_over = self.io.now();
        let Some(group) = group.filter(|_| !self.member.assignment_lost()) else {
            return Outcome::AssignmentLost(transaction);
        };
        let mut offsets = self.ledger.offsets.clone();
        for position in batch.offsets.iter() {
            offsets.advance(&position.kafka_topic, position.partition, position.next);
        }
        let begun = transaction.begun();
        let timeout = self.setup.settings.transaction_timeout;
        match offsets.to_list(&self.notes) {
            // The broker ends the transaction when its time is over: offsets are of no use to it any more.
            Ok(list) => transaction.send_offsets(list, &group, begun + timeout),
            Err(error) => return Outcome::Replay(transaction, Cause::of_transaction(&error)),
        }
        if let Err(failures) = transaction.deliver(handed_over + timeout) {
            return not_delivered(transaction, &failures, &batch);
        }
        if self.member.assignment_lost() {
            return Outcome::AssignmentLost(transaction);
        }
        let delivered = self.io.now();
        match transaction.commit(delivered + timeout) {
            Ok(producer) => {
                self.pace.learn(pace::Committed { begun, handed_over, delivered });
                self.pace.ended(self.io.now());
                self.batch_metrics.transaction_committed(
                    self.setup.number,
                    CommittedBatch {
                        records: batch.records + self.ledger.records,
                        outputs: batch.sent.len(),
                        processing: handed_over - batch.started,
                        commit: self.since(handed_over),
                    },
                );
                Outcome::Committed(producer, batch)
            }
            Err(CommitFailure::NotCommitted(transaction, cause)) => Outcome::Replay(transaction, cause),
            Err(CommitFailure::ProducerBroken(cause)) => Outcome::ProducerGone(cause, Some(self.since(begun))),
            Err(CommitFailure::OutcomeUnknown(cause)) => Outcome::Unknown(cause, batch, self.since(begun)),
        }
    }

    /// Runs the records through the pipeline into the transaction. Ends early when the transaction has used a quarter
    /// of its time (the rest of the records is the next batch), and when the process stops.
    fn process(&mut self, lane: &mut Lane<Io>, batch: &mut Batch, most: usize) -> Option<Interruption> {
        let timeout = self.setup.settings.transaction_timeout;
        let send_until = batch.started + timeout;
        let careful = self.trouble.is_careful();
        let mut bytes = 0;
        for record in self.backlog.iter().take(most) {
            let refusals = if careful { &self.trouble.refusals } else { &self.dead_lettered };
            let tally = &mut batch.tally;
            let sent = &mut batch.sent;
            let mut send = |output: OutputRecord<'_>| {
                let transaction = lane.open()?;
                sent.push(SentOutput { kind: output.kind, event_index: output.event_index });
                transaction.send(&output, send_until)?;
                if careful && transaction.deliver(send_until).is_err() {
                    return Err(Sending::Refused);
                }
                Ok(())
            };
            let processed = record.with_source(|source| self.pipeline.process(source, refusals, tally, &mut send));
            match processed {
                Ok(()) => {}
                Err(ProcessError::Stop { class, .. }) => {
                    return Some(Interruption::Stop { at: batch.records, class: class.name() });
                }
                // Only ingest Kafka topics are subscribed to; should it happen all the same, nothing is skipped.
                Err(ProcessError::NotAnIngest) => {
                    return Some(Interruption::Stop { at: batch.records, class: "not-an-ingest" });
                }
                Err(ProcessError::Output(Sending::Refused)) => return Some(Interruption::Refused),
                Err(ProcessError::Output(Sending::Failed(cause))) => return Some(Interruption::Producer(cause)),
            }
            batch.offsets.note(record);
            batch.records += 1;
            bytes += record.size();
            self.end_to_end.observe(record.timestamp_ms());
            if let Lane::Open(transaction) = lane {
                if self.since(transaction.begun()) > timeout / 4 {
                    break;
                }
                if batch.records.is_multiple_of(SERVE_EVERY) {
                    transaction.serve();
                }
            } else if self.since(batch.started) > timeout / 4 {
                break;
            }
            // What is processed is committed; the rest is the next owner's. Records come several at once: a batch that is
            // full by bytes may have more behind it.
            if self.stopping() || bytes >= self.setup.settings.batch.max_bytes {
                break;
            }
        }
        None
    }
}

/// Why an output could not be handed over.
enum Sending {
    Failed(Cause),
    Refused,
}

impl From<Cause> for Sending {
    fn from(cause: Cause) -> Self {
        Self::Failed(cause)
    }
}

impl<Io: TaskIo> Lane<Io> {
    /// The open transaction, opened now if it was not.
    fn open(&mut self) -> Result<&mut Io::Open, Cause> {
        if let Self::Idle(_) = self
            && let Self::Idle(producer) = std::mem::replace(self, Self::Gone)
        {
            *self = Self::Open(producer.begin()?);
        }
        match self {
            Self::Open(transaction) => Ok(transaction),
            Self::Idle(_) | Self::Gone => Err(Cause::new(Consequence::RebuildProducer, "the producer is gone")),
        }
    }
}

impl<Io: TaskIo> From<Lane<Io>> for Lost<Io> {
    fn from(lane: Lane<Io>) -> Self {
        match lane {
            Lane::Idle(producer) => Self::Idle(producer),
            Lane::Open(transaction) => Self::Open(transaction),
            Lane::Gone => Self::Nothing,
        }
    }
}

fn interrupted<Io: TaskIo>(lane: Lane<Io>, cause: Cause, batch: &Batch, now: Instant) -> Outcome<Io> {
    match lane {
        Lane::Open(transaction) => {
            // The first refusal fails the transaction; what the client says afterwards is only its echo.
            let failures = transaction.failures();
            if !failures.is_empty() {
                return not_delivered(transaction, &failures, batch);
            }
            match cause.consequence {
                Consequence::RebuildProducer | Consequence::StopProcess => {
                    Outcome::ProducerGone(cause, Some(now.saturating_duration_since(transaction.begun())))
                }
                Consequence::Retry | Consequence::AbortAndReplay => Outcome::Replay(transaction, cause),
            }
        }
        Lane::Idle(_) | Lane::Gone => Outcome::ProducerGone(cause, None),
    }
}

fn not_delivered<Io: TaskIo>(transaction: Io::Open, failures: &[DeliveryFailure], batch: &Batch) -> Outcome<Io> {
    let refused: Vec<_> = failures
        .iter()
        .filter_map(|failure| Some((*batch.sent.get(failure.output)?, Refusal::of(failure.code)?)))
        .collect();
    if !refused.is_empty() {
        return Outcome::Refused(transaction, refused);
    }
    let text = match failures.first() {
        Some(failure) => format!("{} outputs were not delivered: {}", failures.len(), failure.code),
        None => "outputs were not acknowledged: not in time, or the transaction has failed".to_owned(),
    };
    Outcome::Replay(transaction, Cause::new(Consequence::AbortAndReplay, text))
}
