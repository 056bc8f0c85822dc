//! Questions to the cluster and creation of Kafka topics: what [`start_check`], [`cluster_check`] and `fhir-fanout topics
//! create` need.
//!
//! Calls block. Each has its own time limit; brokers that do not answer are [`AdminError::BrokersAway`], and the caller
//! waits and asks again. Nothing here creates a Kafka topic by accident: metadata is always asked for all Kafka topics,
//! since a question for one by name creates it on clusters with `auto.create.topics.enable`.

pub mod cluster_check;
pub mod rights;
pub mod start_check;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, Producer as _};

use self::rights::{GroupRights, Rights};
use super::client_options::InquirerContext;
use super::native;
use crate::config::settings::KafkaSettings;

/// How long one question may take, with the search for a broker.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long brokers may take to make a Kafka topic; the request waits 5 s longer.
const CREATE_TIMEOUT: Duration = Duration::from_secs(30);

/// A request failed; named by what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No broker answered in time: wait and ask again.
    #[error("no broker answered in time")]
    BrokersAway(#[source] KafkaError),
    /// The cluster or the client library refuses: asking again does not help.
    #[error("the request was refused")]
    Refused(#[source] KafkaError),
    /// The thread that waits for the answer could not be set up.
    #[error("cannot wait for the brokers' answer")]
    Runtime(#[source] std::io::Error),
}

impl From<KafkaError> for AdminError {
    fn from(error: KafkaError) -> Self {
        let code = match &error {
            KafkaError::AdminOp(code) => Some(*code),
            error => error.rdkafka_error_code(),
        };
        match code {
            Some(code) if passes(code) => Self::BrokersAway(error),
            _ => Self::Refused(error),
        }
    }
}

/// Whether an error is of brokers that are away or change places, and so goes away by itself.
fn passes(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::MessageTimedOut
            | Code::TimedOutQueue
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotController
            | Code::NetworkException
    )
}

/// What a Kafka topic takes and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `max.message.bytes`: the largest batch of records, as it travels.
    pub max_message_bytes: usize,
    /// `cleanup.policy` contains `compact`: records without a key are refused.
    pub compacted: bool,
}

/// How a Kafka topic is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Its partitions.
    pub partitions: usize,
    /// The replicas of the partition that has the fewest.
    pub replicas: usize,
    /// The replicas that are in sync, of the partition that has the fewest.
    pub in_sync: usize,
    /// Partitions that nobody leads: they take and give nothing.
    pub leaderless: usize,
}

/// The options of a Kafka topic or broker by their names, those that have a value; secrets have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options(BTreeMap<String, String>);

impl Options {
    /// The value of an option.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The same as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// Its limits, where they are told.
    #[must_use]
    pub fn limits(&self) -> Option<Limits> {
        Some(Limits {
            max_message_bytes: self.get(MAX_MESSAGE_BYTES)?.parse().ok()?,
            compacted: self.cleans_up_by("compact"),
        })
    }

    /// Whether `cleanup.policy` contains this.
    #[must_use]
    pub fn cleans_up_by(&self, policy: &str) -> bool {
        self.get("cleanup.policy").is_some_and(|policies| policies.split(',').any(|word| word.trim() == policy))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Options {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(options: I) -> Self {
        Self(options.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// A Kafka topic to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKafkaTopic {
    /// Its name.
    pub name: String,
    /// Its partitions; `None`: the brokers' default.
    pub partitions: Option<i32>,
    /// Its replication factor; `None`: the brokers' default.
    pub replication_factor: Option<i32>,
    /// Its `max.message.bytes`.
    pub max_message_bytes: usize,
}

/// What became of a Kafka topic to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is there now; in a dry run, the brokers would have made it.
    New,
    /// It was there; nothing was changed.
    AlreadyThere,
}

/// A client for questions and the creation of Kafka topics.
pub struct Admin {
    client: AdminClient<InquirerContext>,
    /// Asks for metadata, and is polled after it: the library's admin client never hands over what librdkafka logs,
    /// and that is where the cause stands when no broker answers (a name, a certificate, a password).
    asker: BaseProducer<InquirerContext>,
    runtime: tokio::runtime::Runtime,
    timeout: Duration,
}

impl Admin {
    /// A client for the service's own cluster. Makes no connection yet, so that brokers may be away.
    ///
    /// # Errors
    /// [`AdminError::Refused`] when librdkafka does not take the options.
    pub fn new(kafka: &KafkaSettings) -> Result<Self, AdminError> {
        Self::for_servers(&kafka.bootstrap_servers, kafka)
    }

    /// The same for other servers, with the options of the service's own cluster.
    ///
    /// # Errors
    /// As [`Admin::new`].
    pub fn for_servers(bootstrap_servers: &str, kafka: &KafkaSettings) -> Result<Self, AdminError> {
        let mut config = ClientConfig::new();
        // The default names the library; operators look for the service in the brokers' logs and quotas.
        config.set("client.id", "fhir-fanout-admin");
        for (name, value) in kafka.common_options() {
            config.set(name, value);
        }
        // Last: it is a setting of its own, not one of the options.
        config.set("bootstrap.servers", bootstrap_servers);
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(AdminError::Runtime)?;
        let client = config.create_with_context(InquirerContext)?;
        let asker = config.create_with_context(InquirerContext)?;
        Ok(Self { client, asker, runtime, timeout: REQUEST_TIMEOUT })
    }

    /// The same client with another time limit for each question (10 s by default).
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The cluster's id; `None` when no broker tells it in time.
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        let cluster_id = self.asker.client().fetch_cluster_id(self.timeout);
        self.hand_over_log();
        cluster_id
    }

    /// The Kafka topics that the service may see, and how they are laid out.
    ///
    /// # Errors
    /// [`AdminError`]
    pub fn kafka_topics(&self) -> Result<BTreeMap<String, Layout>, AdminError> {
        let metadata = self.asker.client().fetch_metadata(None, self.timeout);
        self.hand_over_log();
        let metadata = metadata?;
        let known = metadata.topics().iter().filter(|topic| topic.error().is_none());
        let layout = |topic: &MetadataTopic| Layout {
            partitions: topic.partitions().len(),
            replicas: topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0),
            in_sync: topic.partitions().iter().map(|partition| partition.isr().len()).min().unwrap_or(0),
            leaderless: topic.partitions().iter().filter(|partition| partition.leader() < 0).count(),
        };
        Ok(known.map(|topic| (topic.name().to_owned(), layout(topic))).collect())
    }

    /// The limits of Kafka topics that exist. One whose configuration the service may not read is absent.
    ///
    /// # Errors
    /// [`AdminError`]
    pub fn limits(&self, kafka_topics: &[&str]) -> Result<BTreeMap<String, Limits>, AdminError> {
        let options = self.kafka_topic_options(kafka_topics)?;
        Ok(options.into_iter().filter_map(|(name, options)| Some((name, options.limits()?))).collect())
    }

    /// The options of Kafka topics that exist. One whose configuration the service may not read is absent.
    ///
    /// # Errors
    /// [`AdminError`]
    pub fn kafka_topic_options(&self, kafka_topics: &[&str]) -> Result<BTreeMap<String, Options>, AdminError> {
        if kafka_topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let resources: Vec<_> = kafka_topics.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        let answers = self.describe_configs(&resources)?;
        // Results come in the order of the request; an error names no resource.
        let described = kafka_topics.iter().zip(answers);
        Ok(described.filter_map(|(name, answer)| Some(((*name).to_owned(), answer?))).collect())
    }

    /// The options of each broker; `None` where they may not be read.
    ///
    /// # Errors
    /// [`AdminError`]
    pub fn broker_options(&self) -> Result<BTreeMap<i32, Option<Options>>, AdminError> {
        let metadata = self.asker.client().fetch_metadata(None, self.timeout);
        self.hand_over_log();
        let brokers: Vec<i32> = metadata?.brokers().iter().map(rdkafka::metadata::MetadataBroker::id).collect();
        // Each broker is asked for its own, by a request of its own.
        let of_broker = |id: i32| {
            let answers = self.describe_configs(&[ResourceSpecifier::Broker(id)])?;
            Ok((id, answers.into_iter().next().flatten()))
        };
        brokers.into_iter().map(of_broker).collect()
    }

    fn describe_configs(&self, resources: &[ResourceSpecifier<'_>]) -> Result<Vec<Option<Options>>, AdminError> {
        let options = AdminOptions::new().request_timeout(Some(self.timeout));
        let answers = self.runtime.block_on(self.client.describe_configs(resources, &options))?;
        // The library takes the answer to who may not read them for one without any.
        let options = |config| Some(options_of(config)).filter(|options| !options.0.is_empty());
        Ok(answers.into_iter().map(|answer| options(answer.ok()?)).collect())
    }

    /// What the service may do with Kafka topics; those of which the brokers do not tell it are absent.
    ///
    /// # Errors
    /// [`AdminError`]
    pub fn rights(&self, kafka_topics: &[&str]) -> Result<BTreeMap<String, Rights>, AdminError> {
        Ok(native::rights::on_kafka_topics(self.asker.client(), kafka_topics, self.timeout)?)
    }

    /// What the service may do with a consumer group, as far as the brokers tell it.
    #[must_use]
    pub fn group_rights(&self, group: &str) -> GroupRights {
        match native::rights::on_group(self.asker.client(), group, self.timeout) {
            Ok(told) => told.map_or(GroupRights::Unknown, GroupRights::Told),
            Err(KafkaError::AdminOp(RDKafkaErrorCode::GroupAuthorizationFailed)) => GroupRights::Forbidden,
            Err(_) => GroupRights::Unknown,
        }
    }

    /// Makes a Kafka topic, or asks the brokers whether they would.
    ///
    /// # Errors
    /// [`AdminError`]; for example too few brokers for the replication factor, or no right to create.
    pub fn create(&self, kafka_topic: &NewKafkaTopic, dry_run: bool) -> Result<Created, AdminError> {
        let bytes = kafka_topic.max_message_bytes.to_string();
        let request = NewTopic::new(
            &kafka_topic.name,
            kafka_topic.partitions.unwrap_or(BROKER_DEFAULT),
            TopicReplication::Fixed(kafka_topic.replication_factor.unwrap_or(BROKER_DEFAULT)),
        )
        .set(MAX_MESSAGE_BYTES, &bytes);
        let options = AdminOptions::new()
            .request_timeout(Some(CREATE_TIMEOUT + Duration::from_secs(5)))
            // Without it the answer comes before the Kafka topic is there.
            .operation_timeout(Some(CREATE_TIMEOUT))
            .validate_only(dry_run);
        let answers = self.runtime.block_on(self.client.create_topics([&request], &options))?;
        match answers.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(Created::AlreadyThere),
            Some(Err((_, code))) => Err(KafkaError::AdminOp(code).into()),
            Some(Ok(_)) | None => Ok(Created::New),
        }
    }

    /// Log lines wait in the client's queue until it is polled.
    fn hand_over_log(&self) {
        self.asker.poll(Duration::from_millis(10));
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Admin")
    }
}

/// What `CreateTopics` takes for "as the brokers are configured" (KIP-464).
const BROKER_DEFAULT: i32 = -1;

const MAX_MESSAGE_BYTES: &str = "max.message.bytes";

fn options_of(config: ConfigResource) -> Options {
    config.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::{ConfigEntry, ConfigSource, OwnedResourceSpecifier};

    use super::*;

    #[test]
    fn brokers_that_are_away_are_waited_for_and_refusals_are_not() {
        let away = KafkaError::MetadataFetch(RDKafkaErrorCode::BrokerTransportFailure);
        assert!(matches!(AdminError::from(away), AdminError::BrokersAway(_)));
        let timed_out = KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut);
        assert!(matches!(AdminError::from(timed_out), AdminError::BrokersAway(_)));
        let refused = KafkaError::AdminOp(RDKafkaErrorCode::ClusterAuthorizationFailed);
        assert!(matches!(AdminError::from(refused), AdminError::Refused(_)));
        let replication = KafkaError::AdminOp(RDKafkaErrorCode::InvalidReplicationFactor);
        assert!(matches!(AdminError::from(replication), AdminError::Refused(_)));
    }

    #[test]
    fn an_unknown_option_is_refused_before_any_connection() {
        let mut kafka = crate::config::settings::Settings::default().kafka;
        kafka.options = [("no.such.option".to_owned(), "1".to_owned())].into_iter().collect();
        assert!(matches!(Admin::new(&kafka), Err(AdminError::Refused(_))));
    }

    fn described(entries: &[(&str, &str)]) -> ConfigResource {
        let entry = |(name, value): &(&str, &str)| ConfigEntry {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
            source: ConfigSource::DynamicTopic,
            is_read_only: false,
            is_default: false,
            is_sensitive: false,
        };
        let specifier = OwnedResourceSpecifier::Topic("forms".to_owned());
        ConfigResource { specifier, entries: entries.iter().map(entry).collect() }
    }

    #[test]
    fn limits_are_read_from_the_configuration() {
        let both = described(&[("max.message.bytes", "1048588"), ("cleanup.policy", "delete, compact")]);
        assert_eq!(options_of(both).limits(), Some(Limits { max_message_bytes: 1_048_588, compacted: true }));
        let delete = described(&[("max.message.bytes", "100"), ("cleanup.policy", "delete")]);
        assert_eq!(options_of(delete).limits(), Some(Limits { max_message_bytes: 100, compacted: false }));
        assert_eq!(options_of(described(&[("cleanup.policy", "delete")])).limits(), None);
    }
}
