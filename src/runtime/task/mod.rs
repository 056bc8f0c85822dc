//! One task: a consumer, a transactional producer, and the loop between them. Synchronous, on a thread of its own.
//!
//! ```text
//! Starting --producer initialised--> Joining --first assignment--> Running <-------------------+
//!                                                                   |  |                       |
//!                                             brokers do not answer |  | destination refuses   |
//!                                                                   v  v                       |
//!                                                                Paused, Blocked --it goes on--+
//! any of them --stop--> Stopping (commit what is processed, leave the group) --> Stopped
//! ```
//!
//! The parts: `group` answers the group's events, `attempt` processes and commits one batch, `recovery` mends the
//! producer and settles what a commit of unknown outcome did. The loop here only gathers and decides whose turn it is.

mod attempt;
mod group;
#[cfg(test)]
mod model;
mod recovery;
mod refusal;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::backlog::{Backlog, Positioned};
use super::errors::FatalError;
use super::io::kafka::KafkaIo;
use super::io::{GroupMember, IdleProducer as _, InputRecord, TaskIo};
use super::lag::{InHand, LagBoard};
use super::ledger::{Ledger, Offsets};
use super::limits::SharedLimits;
use super::pace::Pace;
use super::position_notes::PositionNotes;
use super::stop::StopSignal;
use super::versioned::Versioned;
use crate::config::settings::Settings;
use crate::domain::pipeline::Pipeline;
use crate::domain::plan::Plan;
use crate::domain::refusals::Refusals;
use crate::domain::tally::Tally;
use crate::kafka::client_options::{self, ClientIdentity};
use crate::kafka::consumer::TaskConsumer;
use crate::ops::status::{Status, TaskState, TaskStatus};
use crate::telemetry::occurrence::{self, BatchMetrics, RebuildReason};
use crate::telemetry::{EndToEnd, PlanMetrics};

/// How long an idle task waits for a record before it looks at its clock and the stop signal again.
const IDLE_POLL: Duration = Duration::from_millis(100);

/// Records that are taken at once: many enough that a call costs each of them nothing, few enough that a batch is not
/// much larger in bytes than it may be.
const TAKEN_AT_ONCE: usize = 128;

/// How often the log says that an ingest may not be read, while that lasts.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// Everything that a task needs to run.
#[derive(Clone)]
pub struct TaskSetup {
    /// Its number, from 0.
    pub number: usize,
    /// Who it is to the brokers.
    pub identity: ClientIdentity,
    /// The deployment settings.
    pub settings: Arc<Settings>,
    /// What runs; another one is taken over between two batches.
    pub plan: Arc<Versioned<Arc<Plan>>>,
    /// How large an output may be.
    pub limits: Arc<SharedLimits>,
    /// Where it shows what it is doing.
    pub status: Arc<Status>,
    /// What ends it.
    pub stop: StopSignal,
}

/// Runs a task until it is stopped.
///
/// # Errors
/// See [`FatalError`]; everything else is waited for.
pub fn run(setup: TaskSetup) -> Result<(), FatalError> {
    let consumer = TaskConsumer::new(&client_options::consumer(&setup.settings, &setup.identity))
        .map_err(FatalError::ClientConfiguration)?;
    let io = KafkaIo::new(&consumer, client_options::producer(&setup.settings, &setup.identity));
    #[cfg(feature = "fail-points")]
    let io = super::io::fail_points::WithFailPoints(io);
    let ended = Task::new(&setup, &io).run();
    setup.status.task(setup.number).enter(TaskState::Stopping);
    // Leaves the group: its partitions are others' at once, not after the session's time-out.
    drop(consumer);
    setup.status.task(setup.number).enter(TaskState::Stopped);
    ended
}

/// A running task.
struct Task<'c, Io: TaskIo> {
    setup: &'c TaskSetup,
    io: &'c Io,
    member: &'c Io::Member,
    /// `None` between the loss of a producer and the making of the next.
    producer: Option<Io::Idle>,
    /// The largest batch of records that it makes.
    largest_batch: usize,
    /// What runs here.
    plan: Arc<Plan>,
    /// Which plan that is.
    plan_version: u64,
    pipeline: Pipeline,
    /// Which limits the pipeline keeps.
    limits_version: u64,
    backlog: Backlog<<Io::Member as GroupMember>::Record<'c>>,
    /// Where records come to before they join the backlog; empty between two polls.
    taken: Vec<<Io::Member as GroupMember>::Record<'c>>,
    ledger: Ledger,
    lag: LagBoard,
    notes: PositionNotes,
    pace: Pace,
    /// Partitions that came and could not be settled yet, because brokers did not answer.
    unsettled: Option<TopicPartitionList>,
    paused: bool,
    /// Ingest Kafka topics of which one may not be read, until a record comes.
    unreadable: BTreeSet<String>,
    /// When the log said so last.
    unreadable_said: Option<Instant>,
    /// Since when brokers have been away.
    away_since: Option<Instant>,
    trouble: Trouble,
    /// Destinations whose notifications are dead-lettered for now, and until when.
    dead_lettered: Refusals,
    dead_lettered_until: Option<Instant>,
    batch_metrics: BatchMetrics,
    plan_metrics: PlanMetrics,
    end_to_end: EndToEnd,
}

/// What went wrong with the records at the front of the backlog, and how carefully they are tried again.
#[derive(Debug, Default)]
struct Trouble {
    /// Attempts that failed one after the other.
    failures: u32,
    /// Of these, attempts in which a broker refused an output for good.
    refused: u32,
    /// At the most so many records in the next attempt; 1 means that every output is waited for on its own.
    limit: Option<usize>,
    /// What the first record's outputs met.
    refusals: Refusals,
    /// The destination that is waited for.
    blocked: Option<usize>,
    /// Whether the dead letters' Kafka topic is waited for.
    dead_letters_blocked: bool,
    /// When this task's producer was fenced.
    fenced: Vec<Instant>,
}

impl Trouble {
    fn is_careful(&self) -> bool {
        self.limit == Some(1)
    }

    /// Whether the last attempt failed in a way that only others can mend.
    fn is_waiting(&self) -> bool {
        self.failures > 1 || self.blocked.is_some() || self.dead_letters_blocked
    }
}

impl<'c, Io: TaskIo> Task<'c, Io> {
    fn new(setup: &'c TaskSetup, io: &'c Io) -> Self {
        let (plan_version, limits_version) = (setup.plan.version(), setup.limits.version());
        let plan = setup.plan.newest();
        Self {
            setup,
            io,
            member: io.member(),
            producer: None,
            largest_batch: largest_batch(setup, &plan),
            plan_version,
            limits_version,
            pipeline: Pipeline::new(Arc::clone(&plan), setup.limits.newest()),
            backlog: Backlog::default(),
            taken: Vec::new(),
            ledger: Ledger::new(&plan),
            lag: LagBoard::default(),
            notes: PositionNotes::default(),
            pace: Pace::default(),
            unsettled: None,
            paused: false,
            unreadable: BTreeSet::new(),
            unreadable_said: None,
            away_since: None,
            trouble: Trouble::default(),
            dead_lettered: Refusals::NONE,
            dead_lettered_until: None,
            batch_metrics: BatchMetrics::new(),
            plan_metrics: PlanMetrics::new(&plan),
            end_to_end: EndToEnd::new(),
            plan,
        }
    }

    fn run(&mut self) -> Result<(), FatalError> {
        self.make_producer()?;
        if self.stopping() {
            return Ok(());
        }
        self.status().plan_taken_over(self.plan_version);
        self.enter(TaskState::Joining);
        let kafka_topics: Vec<&str> = self.plan.ingest.iter().map(|ingest| ingest.kafka_topic.as_str()).collect();
        self.member.subscribe(&kafka_topics).map_err(|cause| self.consumer_failed(cause))?;
        while !self.stopping() {
            self.status().beat();
            self.serve_producer();
            self.follow_plan()?;
            self.gather()?;
            if self.stopping() {
                break;
            }
            if !self.backlog.is_empty() {
                self.attempt()?;
            }
            if self.ledger.due().is_some_and(|due| self.io.now() >= due) {
                self.commit_ledger()?;
            }
        }
        self.enter(TaskState::Stopping);
        self.try_to_commit_ledger();
        Ok(())
    }

    /// Takes records until the batch is full, its first record has waited long enough, or there is something else to
    /// do. Records that stand in the backlog already are tried again at once; the group is served all the same.
    fn gather(&mut self) -> Result<(), FatalError> {
        if self.is_full() {
            // Records that cannot be got done wait at the broker, not here: the group is served, nothing is fetched.
            self.show_running();
            return self.poll(Duration::ZERO, 0);
        }
        self.resume()?;
        let batch = &self.setup.settings.batch;
        let idle_until = self.io.now() + IDLE_POLL;
        let mut ready_at = (!self.backlog.is_empty()).then(|| self.ready_at(Duration::ZERO));
        loop {
            let wait = ready_at.unwrap_or(idle_until).saturating_duration_since(self.io.now());
            let before = self.backlog.len();
            self.poll(wait, TAKEN_AT_ONCE.min(batch.max_records - before))?;
            if self.is_full() || self.stopping() {
                return Ok(());
            }
            if ready_at.is_none() && !self.backlog.is_empty() {
                ready_at = Some(self.ready_at(batch.linger));
            }
            let came = self.backlog.len() > before;
            if !came && self.io.now() >= ready_at.unwrap_or(idle_until) {
                return Ok(());
            }
        }
    }

    /// When a batch that has records now is to be processed: after it has waited for more, and not before the last
    /// transaction is over for the brokers too.
    fn ready_at(&self, linger: Duration) -> Instant {
        let at = self.io.now() + linger;
        self.pace.next().map_or(at, |next| at.max(next))
    }

    /// Whether the backlog holds a batch.
    fn is_full(&self) -> bool {
        let batch = &self.setup.settings.batch;
        self.backlog.len() >= batch.max_records || self.backlog.bytes() >= batch.max_bytes
    }

    /// One look at the consumer: at the most so many records, and everything that the group has to say.
    fn poll(&mut self, wait: Duration, most: usize) -> Result<(), FatalError> {
        let polled = self.member.poll(wait, most, &mut self.taken);
        for record in self.taken.drain(..) {
            if !self.unreadable.is_empty() {
                self.unreadable.remove(record.kafka_topic());
            }
            self.backlog.push(record);
        }
        if let Err(error) = polled {
            self.consumer_error(error)?;
        }
        self.serve_group()
    }

    /// Lets time pass without an open transaction: partitions paused, the consumer polled, so that the membership
    /// holds. Ends early when the process stops.
    fn rest(&mut self, time: Duration) -> Result<(), FatalError> {
        if !self.paused {
            self.member.pause();
            self.paused = true;
        }
        let until = self.io.now() + time;
        while !self.stopping() {
            self.status().beat();
            self.serve_producer();
            let left = until.saturating_duration_since(self.io.now());
            if left.is_zero() {
                break;
            }
            self.poll(left.min(IDLE_POLL), 0)?;
        }
        Ok(())
    }

    fn serve_producer(&self) {
        if let Some(producer) = &self.producer {
            producer.serve();
        }
    }

    /// Fetches again after a rest.
    fn resume(&mut self) -> Result<(), FatalError> {
        if self.paused {
            if let Err(error) = self.member.resume() {
                tracing::warn!(task = self.setup.number, %error, "partitions could not be resumed, rejoining the group");
                self.rejoin()?;
            }
            self.paused = false;
        }
        self.show_running();
        Ok(())
    }

    /// A task that waits for brokers or a destination is not running again before something was committed.
    fn show_running(&self) {
        if self.unsettled.is_none() && self.status().has_joined() && !self.trouble.is_waiting() {
            self.enter(TaskState::Running);
        }
    }

    /// An error that the consumer reports instead of a record.
    fn consumer_error(&mut self, error: KafkaError) -> Result<(), FatalError> {
        let task = self.setup.number;
        match &error {
            KafkaError::MessageConsumptionFatal(_) => return Err(self.consumer_failed(error)),
            KafkaError::MessageConsumption(RDKafkaErrorCode::GroupAuthorizationFailed) => {
                return Err(self.consumer_failed(error));
            }
            KafkaError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed) => self.ingest_not_readable(),
            KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                self.mend_lost_positions()?;
            }
            KafkaError::MessageConsumption(RDKafkaErrorCode::PollExceeded) => {
                tracing::warn!(task, "the consumer was not polled in time, its partitions went to others");
            }
            KafkaError::PartitionEOF(_) => {}
            // The client's context says it.
            KafkaError::MessageConsumption(code) if client_options::is_about_connections(*code) => {}
            _ => tracing::warn!(task, %error, "the consumer reports an error"),
        }
        Ok(())
    }

    /// Only an operator can mend it; the client goes on by itself then.
    fn ingest_not_readable(&mut self) {
        let kafka_topics: Vec<&str> = self.plan.ingest.iter().map(|ingest| ingest.kafka_topic.as_str()).collect();
        let now = self.io.now();
        if self.unreadable_said.is_none_or(|said| now.saturating_duration_since(said) >= SAY_AGAIN) {
            self.unreadable_said = Some(now);
            occurrence::ingest_not_readable(self.setup.number, &kafka_topics);
        }
        self.unreadable.extend(kafka_topics.into_iter().map(str::to_owned));
    }

    fn consumer_failed(&self, cause: KafkaError) -> FatalError {
        FatalError::Consumer { group: self.setup.settings.application_id.clone(), cause }
    }

    /// Publishes the lag when the client has new statistics: once a second.
    fn publish_lag(&mut self) {
        let Some(positions) = self.member.take_positions() else { return };
        self.lag.publish_stopped(self.io.now(), wall_clock_ms());
        if self.paused {
            self.publish_ends(|_| true);
            return;
        }
        let backlog = &self.backlog;
        let in_hand = |kafka_topic: &str, partition: i32| in_hand(backlog, kafka_topic, partition);
        self.lag.publish(&positions, in_hand, self.io.now(), wall_clock_ms());
        if !self.unreadable.is_empty() {
            let unreadable = self.unreadable.clone();
            self.publish_ends(|kafka_topic| unreadable.contains(kafka_topic));
        }
    }

    /// While nothing is fetched, the statistics stand still: the ends are asked for.
    fn publish_ends(&mut self, of: impl Fn(&str) -> bool) {
        if self.away_since.is_some() {
            return;
        }
        let read = self.lag.read().filter(|(kafka_topic, ..)| of(kafka_topic));
        let partitions: Vec<_> = read.map(|(kafka_topic, partition, _)| (kafka_topic.to_owned(), partition)).collect();
        for (kafka_topic, partition) in partitions {
            // Short: without an answer the lag stays what it was.
            let Ok((_, end)) = self.member.watermarks(&kafka_topic, partition, IDLE_POLL) else { return };
            let hand = in_hand(&self.backlog, &kafka_topic, partition);
            self.lag.publish_end(&kafka_topic, partition, end, hand, self.io.now(), wall_clock_ms());
        }
    }

    /// Everything in these positions is committed: the counts become metrics.
    fn committed(&mut self, offsets: &Offsets, tally: &Tally) {
        self.plan_metrics.publish(&self.ledger.tally);
        self.plan_metrics.publish(tally);
        self.lag.committed(&self.ledger.offsets);
        self.lag.committed(offsets);
        self.end_to_end.committed(wall_clock_ms());
        self.ledger.clear(&self.plan);
    }

    /// Takes over another plan, with nothing of the old one under way. What was counted is told in terms of the plan
    /// that it was counted with, so that the positions that are still to be committed go first; should that not be
    /// possible now, the old plan stands until it is.
    fn follow_plan(&mut self) -> Result<(), FatalError> {
        let version = self.setup.plan.version();
        if version == self.plan_version {
            return Ok(());
        }
        if !self.ledger.is_empty() {
            self.commit_ledger()?;
            if !self.ledger.is_empty() {
                return Ok(());
            }
        }
        let begun = self.io.now();
        // In terms of the old plan, too: topics and destinations have other numbers now. What was found out about records
        // and destinations is found out again, with the care that was taken so far.
        let (limit, refused) = (self.trouble.limit, self.trouble.refused);
        self.forget_trouble();
        (self.trouble.limit, self.trouble.refused) = (limit, refused);
        self.trouble.refusals = Refusals::NONE;
        self.dead_lettered = Refusals::NONE;
        self.dead_lettered_until = None;
        let old = std::mem::replace(&mut self.plan, self.setup.plan.newest());
        self.plan_version = version;
        self.ledger.clear(&self.plan);
        self.plan_metrics = PlanMetrics::new(&self.plan);
        self.renew_pipeline()?;
        occurrence::plan_taken_over(self.setup.number, &old.hash, &self.plan.hash, self.since(begun));
        self.status().plan_taken_over(version);
        Ok(())
    }

    /// Takes over limits that have changed while the task runs.
    fn follow_limits(&mut self) -> Result<(), FatalError> {
        let version = self.setup.limits.version();
        if version == self.limits_version {
            return Ok(());
        }
        self.limits_version = version;
        self.renew_pipeline()
    }

    /// For another plan or other limits. Batches of another size take another producer.
    fn renew_pipeline(&mut self) -> Result<(), FatalError> {
        self.pipeline = Pipeline::new(Arc::clone(&self.plan), self.setup.limits.newest());
        if largest_batch(self.setup, &self.plan) != self.largest_batch && self.producer.take().is_some() {
            occurrence::producer_rebuilt(self.setup.number, RebuildReason::LimitsChanged);
            // At once: limits that change all the time must not keep the task from its work.
            return self.make_producer();
        }
        Ok(())
    }

    /// How long ago that was.
    fn since(&self, earlier: Instant) -> Duration {
        self.io.now().saturating_duration_since(earlier)
    }

    fn status(&self) -> &TaskStatus {
        self.setup.status.task(self.setup.number)
    }

    fn enter(&self, state: TaskState) {
        self.status().enter(state);
    }

    fn stopping(&self) -> bool {
        self.setup.stop.is_stopped()
    }
}

/// The largest batch of records that every Kafka topic takes which is written to, as far as that is known.
fn largest_batch(setup: &TaskSetup, plan: &Plan) -> usize {
    let destinations = plan.destinations.iter().map(|destination| &destination.kafka_topic);
    let written = destinations.chain([&plan.dead_letter_kafka_topic]);
    let limits = setup.limits.newest();
    let smallest = written.map(|kafka_topic| limits.of_batches(kafka_topic)).min();
    client_options::largest_batch(&setup.settings, smallest.unwrap_or(usize::MAX))
}

/// What the backlog holds of a partition.
fn in_hand(backlog: &Backlog<impl InputRecord>, kafka_topic: &str, partition: i32) -> InHand {
    let mut hand = InHand::default();
    for record in backlog.iter().filter(|record| record.partition() == partition && record.kafka_topic() == kafka_topic)
    {
        hand.records += 1;
        hand.oldest_ms = hand.oldest_ms.or_else(|| record.timestamp_ms());
    }
    hand
}

/// Milliseconds since 1970-01-01 UTC; only for latency and lag, never for what is sent.
fn wall_clock_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
