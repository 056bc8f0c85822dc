//! The transactional producer as types: what may be called next is what the type in hand offers.
//!
//! ```text
//!   NewProducer --initialise--> IdleProducer --begin--> OpenTransaction --commit--> IdleProducer
//!        ^                                                |        |
//!        |                                             abort     outcome unknown, or fenced, or broken
//!        |                                                |        |
//!        |                                                v        |
//!        |                                          IdleProducer   |
//!        +---------------------------------------------------------+   (the producer is dropped, a new one takes its id)
//! ```
//!
//! **Promises.** A transaction is committed only when every output was delivered and the offsets were taken. Once the
//! end of a transaction was asked for and not confirmed, it is never aborted: the answer may be on its way. A producer
//! whose connection broke while a transaction was open begins no further one: the client repeats requests on a new
//! connection, and the first one, still under way, would be taken for the next transaction's (the older transaction
//! protocol has one epoch for all transactions of a producer). Its successor's epoch shuts such latecomers out.
//! **Retries.** Calls that time out are resumed until their deadline; the client repeats requests by itself.
//! **Fails** with a [`Cause`] whose consequence says what to do.

mod handed_over;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use self::handed_over::HandedOver;
use super::errors::{Cause, Consequence};
use super::native;
use crate::domain::output::OutputRecord;

/// How long one call into the client may block; the time between two looks at the deadline.
const SLICE: Duration = Duration::from_millis(100);

/// How long the end of all deliveries is waited for before a look at what went wrong meanwhile. The end itself is no
/// matter of slices: the client wakes who waits for it.
const DELIVERY_LOOK: Duration = Duration::from_millis(10);

/// After this time without a delivery the Kafka topics are asked for: one that is gone is not told by itself.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// Pause before a call that failed for the moment is made again, and before a full queue is looked at again.
const SHORT_PAUSE: Duration = Duration::from_millis(1);

/// The client underneath.
type Client = BaseProducer<DeliveryContext>;

/// An output that the broker, or the client before it, refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryFailure {
    /// The number that the output was sent with.
    pub output: usize,
    /// The client's code.
    pub code: RDKafkaErrorCode,
}

/// Collects delivery failures, and what the client only says in its log.
#[derive(Default)]
struct DeliveryContext {
    client: String,
    failures: Mutex<Vec<DeliveryFailure>>,
    /// Kafka topics that were refused to the open transaction as a whole.
    refused: Mutex<Vec<String>>,
    transaction_failed: AtomicBool,
    connection_lost: AtomicBool,
    /// Things that the client had to say.
    served: AtomicUsize,
}

/// What is told by the client's log alone.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// A connection in use has broken. The option `debug` is set for this: error events leave repetitions out.
    ConnectionLost,
    /// The coordinator refuses a Kafka topic to the transaction: no output of it is sent, and none is reported.
    KafkaTopicRefused(String),
    /// The transaction can only be aborted.
    TransactionFailed,
}

impl Told {
    fn by(facility: &str, message: &str) -> Option<Self> {
        match facility {
            // Not into REAUTH: the connection stays.
            "STATE" => {
                let broke = ["changed state UP -> DOWN", "changed state REAUTH -> DOWN"];
                broke.iter().any(|text| message.contains(text)).then_some(Self::ConnectionLost)
            }
            // Requests that were under way are given up, before the connection is or without it.
            "REQTMOUT" => Some(Self::ConnectionLost),
            // Other partitions of the request are "not attempted": the fault is not theirs.
            "ADDPARTS" if message.ends_with("Topic authorization failed") => {
                let (_, named) = message.split_once("Failed to add partition \"")?;
                let (kafka_topic, _) = named.split_once('"')?;
                Some(Self::KafkaTopicRefused(kafka_topic.to_owned()))
            }
            "TXNERR" => Some(Self::TransactionFailed),
            _ => None,
        }
    }
}

impl DeliveryContext {
    fn failures(&self) -> MutexGuard<'_, Vec<DeliveryFailure>> {
        lock(&self.failures)
    }

    /// Nothing of what was told before is about the transaction that begins.
    fn forget(&self) {
        self.failures().clear();
        lock(&self.refused).clear();
        self.transaction_failed.store(false, Ordering::Relaxed);
        self.connection_lost.store(false, Ordering::Relaxed);
    }
}

impl ClientContext for DeliveryContext {
    /// Counted, so that what stands behind it in the queue is served too.
    fn stats_raw(&self, _statistics: &[u8]) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        match Told::by(facility, message) {
            Some(Told::ConnectionLost) => self.connection_lost.store(true, Ordering::Relaxed),
            Some(Told::KafkaTopicRefused(kafka_topic)) => lock(&self.refused).push(kafka_topic),
            Some(Told::TransactionFailed) => self.transaction_failed.store(true, Ordering::Relaxed),
            None => {}
        }
        super::client_options::log_line(&self.client, level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.served.fetch_add(1, Ordering::Relaxed);
        super::client_options::log_error(&self.client, &error, reason);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, output: usize) {
        self.served.fetch_add(1, Ordering::Relaxed);
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            self.failures().push(DeliveryFailure { output, code });
        }
    }
}

/// A producer that has not yet taken over its transactional id.
pub struct NewProducer {
    client: Arc<Client>,
}

/// A producer that owns its transactional id, with no transaction open.
pub struct IdleProducer {
    client: Arc<Client>,
    /// Whether a request of the last transaction may still arrive somewhere.
    connection_lost: bool,
}

/// A producer with an open transaction.
pub struct OpenTransaction {
    client: Arc<Client>,
    begun: Instant,
    outputs: usize,
    /// The first output for each Kafka topic.
    first: Vec<(String, usize)>,
    /// The offsets that were handed over, until the answer is looked at.
    offsets: Option<Box<HandedOver>>,
}

/// How an attempt to commit ended, when it did not succeed.
pub enum CommitFailure<T = OpenTransaction> {
    /// Certainly not committed; the transaction is still open and must be aborted.
    NotCommitted(T, Cause),
    /// Certainly not committed, and the producer is of no use any more.
    ProducerBroken(Cause),
    /// The end of the transaction was asked for; nobody can say from here whether it happened. The producer is gone.
    OutcomeUnknown(Cause),
}

impl NewProducer {
    /// Makes the client; connects in the background.
    ///
    /// # Errors
    /// When an option is not acceptable: a fault of the configuration.
    pub fn new(config: &ClientConfig) -> Result<Self, KafkaError> {
        let client = config.get("client.id").unwrap_or("fhir-fanout").to_owned();
        let context = DeliveryContext { client, ..DeliveryContext::default() };
        config.create_with_context(context).map(|client: Client| Self { client: Arc::new(client) })
    }

    /// Takes over the transactional id: fences its former owner and completes or aborts what that one left open.
    ///
    /// # Errors
    /// With the producer itself where it makes sense to call again ([`Consequence::Retry`]).
    pub fn initialise(self, timeout: Duration) -> Result<IdleProducer, (Option<Self>, Cause)> {
        match self.client.init_transactions(timeout) {
            Ok(()) => Ok(IdleProducer { client: self.client, connection_lost: false }),
            Err(error) => {
                serve_all(&self.client);
                let cause = Cause::of_transaction(&error);
                let again = (cause.consequence == Consequence::Retry).then_some(self);
                Err((again, cause))
            }
        }
    }
}

impl IdleProducer {
    /// Serves what waits in the client's queue: its log grows there while nobody asks.
    pub fn serve(&self) {
        serve_all(&self.client);
    }

    /// Opens a transaction. Local: no broker is asked.
    ///
    /// # Errors
    /// When the producer has meanwhile become unusable, for example because it was fenced, or because a connection broke
    /// in its last transaction.
    pub fn begin(self) -> Result<OpenTransaction, Cause> {
        if self.connection_lost {
            return Err(Cause::connection_lost());
        }
        serve_all(&self.client);
        // Between transactions nothing is under way that could be late.
        self.client.context().forget();
        match self.client.begin_transaction() {
            Ok(()) => {
                let (client, begun) = (self.client, Instant::now());
                Ok(OpenTransaction { client, begun, outputs: 0, first: Vec::new(), offsets: None })
            }
            Err(error) => Err(fatal_or(&self.client, &error)),
        }
    }
}

impl OpenTransaction {
    /// When it was begun.
    #[must_use]
    pub fn begun(&self) -> Instant {
        self.begun
    }

    /// How many outputs were sent; the next one gets this number.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Queues an output. Waits while the client's queue is full, until the deadline.
    ///
    /// A refusal of this very output (too large, unknown Kafka topic) is noted like a delivery failure, so that
    /// there is one place that looks at them: [`OpenTransaction::deliver`].
    ///
    /// # Errors
    /// When the producer cannot send any more in this transaction.
    pub fn send(&mut self, output: &OutputRecord<'_>, deadline: Instant) -> Result<(), Cause> {
        let number = self.outputs;
        self.outputs += 1;
        if !self.first.iter().any(|(kafka_topic, _)| kafka_topic == output.kafka_topic) {
            self.first.push((output.kafka_topic.to_owned(), number));
        }
        loop {
            let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(output.kafka_topic, number);
            record.key = output.key.as_deref();
            record.payload = output.value;
            record.timestamp = output.timestamp_ms;
            record.headers = Some(headers_of(output));
            let Err((error, _)) = self.client.send(record) else { return Ok(()) };
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            if code == RDKafkaErrorCode::QueueFull {
                if Instant::now() >= deadline {
                    return Err(Cause::new(Consequence::AbortAndReplay, "the producer's queue stayed full"));
                }
                // Delivered outputs leave room; the client wakes nobody for it.
                thread::sleep(SHORT_PAUSE);
                serve_all(&self.client);
            } else if super::errors::Refusal::of(code).is_some() {
                self.client.context().failures().push(DeliveryFailure { output: number, code });
                return Ok(());
            } else if let Some((code, text)) = self.client.client().fatal_error() {
                return Err(Cause::of_fatal(code, &text));
            } else {
                // The transaction has failed already (an earlier output, a time-out): aborting clears it. Why it has is
                // told before.
                serve_all(&self.client);
                return Err(Cause::new(Consequence::AbortAndReplay, error.to_string()));
            }
        }
    }

    /// Serves delivery reports without waiting.
    pub fn serve(&self) {
        self.client.poll(Duration::ZERO);
    }

    /// Waits until every output sent so far is acknowledged by its broker.
    ///
    /// # Errors
    /// The failures so far, as soon as there is one; or none, and the deadline has passed or the transaction has failed
    /// as a whole.
    pub fn deliver(&self, deadline: Instant) -> Result<(), Vec<DeliveryFailure>> {
        let mut ask_at = Some(Instant::now() + ASK_AFTER);
        loop {
            let failures = self.failures();
            if !failures.is_empty() {
                return Err(failures);
            }
            if self.client.context().transaction_failed.load(Ordering::Relaxed) {
                return Err(Vec::new());
            }
            if native::wait_until_delivered(self.client.client(), DELIVERY_LOOK) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Vec::new());
            }
            if ask_at.is_some_and(|at| Instant::now() >= at) {
                ask_at = None;
                self.ask_for_kafka_topics();
            }
            serve_all(&self.client);
        }
    }

    /// The outputs that were refused so far. Where a whole Kafka topic is, its first output stands for all.
    #[must_use]
    pub fn failures(&self) -> Vec<DeliveryFailure> {
        let context = self.client.context();
        let mut failures = context.failures().clone();
        let refused = lock(&context.refused);
        let of_refused = self.first.iter().filter(|(kafka_topic, _)| refused.contains(kafka_topic));
        failures.extend(
            of_refused.map(|(_, output)| DeliveryFailure {
                output: *output,
                code: RDKafkaErrorCode::TopicAuthorizationFailed,
            }),
        );
        failures
    }

    /// Hands the offsets over, to go into the transaction while the outputs are on their way. Comes back at once; the
    /// answer is looked at before the end of the transaction is asked for ([`OpenTransaction::commit`]).
    pub fn send_offsets(&mut self, offsets: TopicPartitionList, group: &Arc<ConsumerGroupMetadata>, until: Instant) {
        let group = Arc::clone(group);
        self.offsets = Some(Box::new(HandedOver::begin(&self.client, offsets, group, until)));
    }

    /// Commits. All outputs must have been delivered ([`OpenTransaction::deliver`]), and the offsets handed over.
    ///
    /// # Errors
    /// See [`CommitFailure`].
    pub fn commit(mut self, deadline: Instant) -> Result<IdleProducer, CommitFailure> {
        if let Err(cause) = self.settle_offsets() {
            return Err(match cause.consequence {
                Consequence::Retry | Consequence::AbortAndReplay => CommitFailure::NotCommitted(self, cause),
                Consequence::RebuildProducer | Consequence::StopProcess => CommitFailure::ProducerBroken(cause),
            });
        }
        loop {
            match self.client.commit_transaction(remaining(deadline)) {
                Ok(()) => return Ok(self.ended()),
                // The flush comes before the end of the transaction is asked for.
                Err(error @ KafkaError::Flush(_)) => {
                    return Err(CommitFailure::NotCommitted(self, Cause::of_transaction(&error)));
                }
                Err(error) => {
                    let cause = fatal_or(&self.client, &error);
                    if cause.consequence == Consequence::Retry && Instant::now() < deadline {
                        continue;
                    }
                    // Also for errors that the client calls abortable: it can get there by a local time-out although
                    // the broker has committed.
                    return Err(CommitFailure::OutcomeUnknown(cause));
                }
            }
        }
    }

    /// Waits for the answer to the offsets that were handed over; hands them over again where that helps.
    fn settle_offsets(&mut self) -> Result<(), Cause> {
        while let Some(handed_over) = self.offsets.take() {
            let error = match handed_over.wait() {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => error,
                // The client has not asked for the end of the transaction, and now it never will.
                None => return Err(Cause::new(Consequence::RebuildProducer, HANGS)),
            };
            let cause = fatal_or(&self.client, &error);
            if cause.consequence != Consequence::Retry || Instant::now() >= handed_over.until {
                return Err(cause);
            }
            thread::sleep(SHORT_PAUSE);
            let HandedOver { offsets, group, until, .. } = *handed_over;
            self.offsets = Some(Box::new(HandedOver::begin(&self.client, offsets, group, until)));
        }
        Ok(())
    }

    /// The coordinator refuses a Kafka topic that is gone, and the client asks it again and again (an error that passes, it
    /// thinks), or fails the transaction and does not say why: it goes on believing in the Kafka topic, until it asks for
    /// other reasons. Asked now, it knows, and outputs for it are refused.
    fn ask_for_kafka_topics(&self) {
        for (kafka_topic, _) in &self.first {
            if let Err(error) = self.client.client().fetch_metadata(Some(kafka_topic), SLICE) {
                tracing::debug!(kafka_topic, %error, "a Kafka topic is not known anew");
                // No broker answers: there is nothing to be learnt now, and many Kafka topics would take long.
                return;
            }
        }
    }

    /// The client notes a broken connection before it repeats what was under way there: by now it has said so.
    fn ended(self) -> IdleProducer {
        serve_all(&self.client);
        let connection_lost = self.client.context().connection_lost.load(Ordering::Relaxed);
        IdleProducer { client: self.client, connection_lost }
    }

    /// Aborts, in short slices with looks at the delivery reports between them: the client's own abort waits for
    /// reports that nobody would serve.
    ///
    /// # Errors
    /// When the producer is of no use any more, or the deadline has passed: it is gone then, and initialising its
    /// successor aborts what it left open.
    pub fn abort(mut self, deadline: Instant) -> Result<IdleProducer, Cause> {
        // The client does one thing at a time.
        if self.offsets.take().is_some_and(|handed_over| handed_over.wait().is_none()) {
            return Err(Cause::new(Consequence::RebuildProducer, HANGS));
        }
        loop {
            match self.client.abort_transaction(SLICE) {
                Ok(()) => {
                    // That the transaction had failed may still wait in the client's queue.
                    serve_all(&self.client);
                    if self.client.context().transaction_failed.load(Ordering::Relaxed) {
                        self.ask_for_kafka_topics();
                    }
                    return Ok(self.ended());
                }
                Err(error) => {
                    let cause = fatal_or(&self.client, &error);
                    let again = matches!(cause.consequence, Consequence::Retry | Consequence::AbortAndReplay);
                    if !again || Instant::now() >= deadline {
                        return Err(cause);
                    }
                    thread::sleep(SHORT_PAUSE);
                    serve_all(&self.client);
                }
            }
        }
    }
}

/// What is said about a call that does not return.
const HANGS: &str = "the Kafka client does not come back from handing the offsets over (librdkafka #5456, #5511)";

/// Notes that a thread was left behind inside of a client.
pub fn note_thread_left_behind() {
    LEFT_BEHIND.store(true, Ordering::Release);
}

/// Whether a thread was left behind inside of the client: then the process must not end with exit handlers.
pub fn threads_left_behind() -> bool {
    LEFT_BEHIND.load(Ordering::Acquire)
}

static LEFT_BEHIND: AtomicBool = AtomicBool::new(false);

/// Serves all that waits in the client's queue; a poll without waiting takes one thing at a time.
fn serve_all(client: &Client) {
    let served = || client.context().served.load(Ordering::Relaxed);
    let mut before = served();
    loop {
        client.poll(Duration::ZERO);
        let now = served();
        if now == before {
            return;
        }
        before = now;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock would mean a panic inside a push: the list is still a list.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(SLICE)
}

/// The producer's own fatal error where it has one: the error of the call then only says that there is one.
fn fatal_or(client: &Client, error: &KafkaError) -> Cause {
    match client.client().fatal_error() {
        Some((code, text)) => Cause::of_fatal(code, &text),
        None => Cause::of_transaction(error),
    }
}

fn headers_of(output: &OutputRecord<'_>) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(output.headers.len());
    for header in &output.headers {
        headers = headers.insert(Header { key: &header.name, value: header.value.as_deref() });
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_tells_in_its_log_is_read() {
        let told = |facility, message| Told::by(facility, message);
        let lost = "[thrd:127.0.0.1:9092/1]: 127.0.0.1:9092/1: Broker changed state UP -> DOWN";
        assert_eq!(told("STATE", lost), Some(Told::ConnectionLost));
        let unused = lost.replace("UP -> DOWN", "CONNECT -> DOWN");
        assert_eq!(told("STATE", &unused), None);
        let because = |reason| {
            let refused = "[thrd:main]: TxnCoordinator/1: Failed to add partition \"forms\" [0] to transaction";
            Told::by("ADDPARTS", &format!("{refused}: Broker: {reason}"))
        };
        assert_eq!(because("Topic authorization failed"), Some(Told::KafkaTopicRefused("forms".to_owned())));
        assert_eq!(because("Operation not attempted"), None, "the fault is another's");
        assert_eq!(told("TXNERR", "whatever"), Some(Told::TransactionFailed));
        assert_eq!(told("FAIL", lost), None);
    }
}
