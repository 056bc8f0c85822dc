//! Every option of the Kafka clients, with the reason it is set.
//!
//! The user's own options come between the defaults and what exactly-once needs: the latter always wins, and the
//! settings refuse to name it in the first place.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

use crate::config::settings::Settings;

/// Who a client belongs to: one task of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// `<application>-<instance>-<task>`: transactional id, client id, and group instance id where one is used.
    pub id: String,
}

impl ClientIdentity {
    /// The identity of a task.
    #[must_use]
    pub fn new(application_id: &str, instance_id: &str, task: usize) -> Self {
        Self { id: format!("{application_id}-{instance_id}-{task}") }
    }
}

/// Options of a task's consumer.
#[must_use]
pub fn consumer(settings: &Settings, identity: &ClientIdentity) -> ClientConfig {
    let mut config = reader(settings);
    let broker_keeps_group = settings.kafka.broker_keeps_group();
    if !broker_keeps_group {
        // Partitions move one by one, and the others go on.
        config.set("partition.assignment.strategy", "cooperative-sticky");
        // A rebalance is noticed with a heartbeat, and a cooperative one takes two of them.
        config.set("heartbeat.interval.ms", (settings.session_timeout.as_millis() / 20).max(100).to_string());
    }
    // Partitions that are added later are found within a minute, not five.
    config.set("topic.metadata.refresh.interval.ms", "60000");
    config.set("client.id", &identity.id);
    // The lag is read from the client's statistics.
    config.set("statistics.interval.ms", "1000");
    for (name, value) in settings.kafka.consumer_options() {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &settings.kafka.bootstrap_servers);
    config.set("group.id", &settings.application_id);
    // What an aborted transaction of a publisher wrote was never said.
    config.set("isolation.level", "read_committed");
    // Offsets are committed inside the transactions, and nowhere else.
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    // Where a group starts is our decision (startFrom); a position that is gone must stop, not skip patients' events.
    config.set("auto.offset.reset", "error");
    // A misspelt ingest Kafka topic is an error, not a new Kafka topic.
    config.set("allow.auto.create.topics", "false");
    if !broker_keeps_group {
        // With `group.protocol=consumer` the broker's own time holds (group.consumer.session.timeout.ms).
        config.set("session.timeout.ms", settings.session_timeout.as_millis().to_string());
    }
    // The client says when a Kafka topic was made anew; the consumer listens to it (see `kafka::consumer`).
    config.set("debug", with_debug(config.get("debug"), "topic")).set_log_level(RDKafkaLogLevel::Debug);
    if settings.static_membership {
        config.set("group.instance.id", &identity.id);
    }
    config
}

/// Options of a task's transactional producer.
#[must_use]
pub fn producer(settings: &Settings, identity: &ClientIdentity) -> ClientConfig {
    let mut config = base(settings);
    config.set("client.id", &identity.id);
    // While a batch is processed its outputs gather, so that a request has many of them: each partition has requests of
    // its own. The end of the batch sends what is left at once (see `kafka::native`).
    config.set("linger.ms", "20");
    // Room for the outputs of a batch, not for a gigabyte (the client's default).
    config.set("queue.buffering.max.kbytes", "131072");
    // After a commit the next transaction's first request may come too early (CONCURRENT_TRANSACTIONS): try again
    // soon. The client's default of 100 ms would be most of a small transaction. Each further time it waits twice as long.
    config.set("retry.backoff.ms", "2");
    // A Kafka topic that is unknown for this long is gone: the client's default of 30 s outlasts the transaction.
    config.set("topic.metadata.propagation.max.ms", "5000");
    for (name, value) in settings.kafka.producer_options() {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &settings.kafka.bootstrap_servers);
    config.set("transactional.id", &identity.id);
    config.set("enable.idempotence", "true");
    // What was delivered is counted by the client; only what failed has a story to tell (see `kafka::producer`).
    config.set("delivery.report.only.error", "true");
    config.set("acks", "all");
    // Keys land on the partitions where Java clients put them.
    config.set("partitioner", "murmur2_random");
    config.set("message.max.bytes", settings.max_message_bytes.to_string());
    // How long a hanging transaction of a crashed instance holds the readers back.
    config.set("transaction.timeout.ms", settings.transaction_timeout.as_millis().to_string());
    // The client says when a connection breaks; the producer listens to it (see `kafka::producer`).
    config.set("debug", with_debug(config.get("debug"), "broker")).set_log_level(RDKafkaLogLevel::Debug);
    // A record that is not delivered within the transaction is of no use after it.
    config.set("delivery.timeout.ms", settings.transaction_timeout.as_millis().to_string());
    config
}

/// What the user wants to know of the client, and this.
fn with_debug(wanted: Option<&str>, context: &str) -> String {
    wanted.filter(|wanted| !wanted.is_empty()).map_or(context.to_owned(), |wanted| format!("{wanted},{context}"))
}

/// How large the batches of a producer may be (its `batch.size`) when one of its Kafka topics takes no more than this. A
/// single record that is larger goes alone.
///
/// The broker compares `max.message.bytes` with the batch of records that arrives, not with a record: a batch over it is
/// refused with all that is in it, although each record would be taken.
#[must_use]
pub fn largest_batch(settings: &Settings, smallest_limit: usize) -> usize {
    let wanted = settings.kafka.producer_options().find(|(name, _)| *name == "batch.size");
    let wanted = wanted.and_then(|(_, bytes)| bytes.parse().ok()).unwrap_or(LIBRDKAFKA_BATCH_BYTES);
    smallest_limit.clamp(1, wanted)
}

/// The client's default of `batch.size`.
const LIBRDKAFKA_BATCH_BYTES: usize = 1_000_000;

/// Options of the clients that only ask: cluster, Kafka topics, committed positions.
#[must_use]
pub fn inquirer(settings: &Settings) -> ClientConfig {
    let mut config = base(settings);
    for (name, value) in settings.kafka.common_options() {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &settings.kafka.bootstrap_servers);
    config.set("group.id", &settings.application_id);
    config.set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false");
    config.set("allow.auto.create.topics", "false");
    config
}

/// The same for a question that must not wait: committed positions without those that a transaction holds back.
#[must_use]
pub fn hasty_inquirer(settings: &Settings) -> ClientConfig {
    let mut config = inquirer(settings);
    config.set("isolation.level", "read_uncommitted");
    config
}

/// Options of a consumer that looks at traffic and is never noticed (see `kafka::traffic`).
#[must_use]
pub fn observer(settings: &Settings) -> ClientConfig {
    let mut config = reader(settings);
    // Whatever makes a member of a group has no place here.
    for (name, value) in settings.kafka.consumer_options().filter(|(name, _)| !name.starts_with("group.")) {
        config.set(name, value);
    }
    config.set("bootstrap.servers", &settings.kafka.bootstrap_servers);
    config.set("client.id", format!("{}-dry-run", settings.application_id));
    // The client wants one to assign partitions. It never comes into being, since nothing is subscribed to or committed;
    // and should that ever change by mistake, it is not the service's.
    config.set("group.id", format!("{}-dry-run", settings.application_id));
    config.set("isolation.level", "read_committed");
    config.set("enable.auto.commit", "false");
    config.set("enable.auto.offset.store", "false");
    // Retention may be faster: then it is read from what is left.
    config.set("auto.offset.reset", "earliest");
    // The end is told, also where no record stands at it.
    config.set("enable.partition.eof", "true");
    config.set("allow.auto.create.topics", "false");
    config
}

/// Of the consumers that read much: bounded memory, records of any size, no damaged ones.
fn reader(settings: &Settings) -> ClientConfig {
    let mut config = base(settings);
    // Fetched ahead per task: with the batch itself this bounds the memory (the client's default is 64 MiB a consumer).
    config.set("queued.max.messages.kbytes", "8192");
    // No single answer of a broker may hold more than half of that (the default is 50 MiB).
    config.set("fetch.max.bytes", "4194304");
    // But a single record is taken whatever its size: over the client's default of 100 MB it would be asked for without
    // end, and its partition would stand still. What a record may be is for its Kafka topic to say.
    config.set("receive.message.max.bytes", i32::MAX.to_string());
    // A full queue is looked at again soon: the default of 1 s leaves a task that has caught up with its queue idle.
    config.set("fetch.queue.backoff.ms", "10");
    // A damaged record is an error here, not a wrong result later; Java clients check it too.
    config.set("check.crcs", "true");
    config
}

fn base(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("client.id", &settings.application_id);
    // Firewalls and load balancers drop idle connections silently.
    config.set("socket.keepalive.enable", "true");
    // Back soon after a broker's restart.
    config.set("reconnect.backoff.max.ms", "2000");
    // The service says itself, once, when brokers are away.
    config.set("log.connection.close", "false");
    config.set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// Passes a line of the client library's log on.
pub(super) fn log_line(client: &str, level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::warn!(target: "librdkafka", client, facility, said = message, "kafka client");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            tracing::info!(target: "librdkafka", client, facility, said = message, "kafka client");
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(target: "librdkafka", client, facility, said = message, "kafka client");
        }
    }
}

/// Says an error of the client library that belongs to no call: mostly connections that come and go. While brokers are
/// away the library repeats itself many times a second, for each of its clients: once in a while is enough.
pub(super) fn log_error(client: &str, error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::AllBrokersDown) if NO_BROKER.is_due(Instant::now()) => {
            tracing::warn!(target: "librdkafka", client, reason, "no broker can be reached");
        }
        Some(code) if is_about_connections(code) => {
            tracing::debug!(target: "librdkafka", client, reason, "a broker cannot be reached");
        }
        _ => tracing::warn!(target: "librdkafka", client, %error, reason, "kafka client error"),
    }
}

/// Whether an error only says that brokers cannot be reached at the moment; the client tries again by itself.
#[must_use]
pub fn is_about_connections(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve
    )
}

/// When it was said last that no broker can be reached.
static NO_BROKER: Throttle = Throttle(Mutex::new(None));

/// Lets something through at most once in a while.
struct Throttle(Mutex<Option<Instant>>);

impl Throttle {
    const PAUSE: Duration = Duration::from_secs(30);

    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.duration_since(last) >= Self::PAUSE);
        if due {
            *last = Some(now);
        }
        due
    }
}

/// The context of the clients that only ask. Their errors come back with the answers; what the client library says
/// beside them, again and again while it tries, is for debugging.
#[derive(Debug, Clone, Default)]
pub struct InquirerContext;

impl ClientContext for InquirerContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line("inquirer", level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", client = "inquirer", %error, reason, "kafka client error");
    }
}

impl ConsumerContext for InquirerContext {}

impl ProducerContext for InquirerContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;
    use crate::config::settings::Settings;

    #[test]
    fn what_repeats_itself_is_said_once_in_a_while() {
        let throttle = Throttle(Mutex::new(None));
        let start = Instant::now();
        let said = [0, 1, 29, 30, 31, 61].map(|second| throttle.is_due(start + Duration::from_secs(second)));
        assert_eq!(said, [true, false, false, true, false, true]);
    }

    #[test]
    fn batches_fit_into_the_smallest_kafka_topic() {
        let mut settings = Settings::default();
        assert_eq!(largest_batch(&settings, 1_048_588), LIBRDKAFKA_BATCH_BYTES);
        assert_eq!([5_000, 0].map(|limit| largest_batch(&settings, limit)), [5_000, 1]);
        settings.kafka.producer = [("batch.size".to_owned(), "2000".to_owned())].into_iter().collect();
        assert_eq!(largest_batch(&settings, 5_000), 2_000, "a smaller wish of the user stands");
    }

    #[test]
    fn a_group_that_the_broker_keeps_gets_none_of_the_options_that_it_refuses() {
        let mut settings = Settings::default();
        settings.kafka.consumer = [("group.protocol".to_owned(), "consumer".to_owned())].into_iter().collect();
        let config = consumer(&settings, &ClientIdentity::new("app", "one", 0));
        for name in ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"] {
            assert_eq!(config.get(name), None, "{name}");
        }
        config.create::<BaseConsumer>().expect("the client takes it");
    }

    #[test]
    fn an_observer_is_of_no_group_that_runs_and_commits_nothing() {
        let mut settings = Settings::default();
        let wishes = [("group.protocol", "consumer"), ("enable.auto.commit", "true"), ("client.rack", "a")];
        settings.kafka.consumer = wishes.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let config = observer(&settings);
        assert_eq!(config.get("group.protocol"), None);
        assert_ne!(config.get("group.id"), Some(settings.application_id.as_str()));
        for name in ["enable.auto.commit", "enable.auto.offset.store", "allow.auto.create.topics"] {
            assert_eq!(config.get(name), Some("false"), "{name}");
        }
        assert_eq!(config.get("client.rack"), Some("a"), "other wishes stand");
        config.create::<BaseConsumer>().expect("the client takes it");
    }

    #[test]
    fn what_exactly_once_needs_wins_over_the_users_options() {
        let mut settings = Settings::default();
        let wishes = [("isolation.level", "read_uncommitted"), ("acks", "1"), ("enable.auto.commit", "true")];
        settings.kafka.options = wishes.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let identity = ClientIdentity::new("app", "one", 0);

        let consumer = consumer(&settings, &identity);
        let producer = producer(&settings, &identity);

        assert_eq!(consumer.get("isolation.level"), Some("read_committed"));
        assert_eq!(consumer.get("enable.auto.commit"), Some("false"));
        assert_eq!(producer.get("acks"), Some("all"));
        assert_eq!(producer.get("transactional.id"), Some("app-one-0"));
    }
}
