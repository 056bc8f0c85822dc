//! Kafka errors, named by what has to be done about them.

use std::fmt;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What an error of the Kafka client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// Call again until the deadline.
    Retry,
    /// Abort the transaction and process its records again.
    AbortAndReplay,
    /// This producer is of no use any more: make a new one with the same transactional id.
    RebuildProducer,
    /// Nothing that the service does can help: stop the process and say why.
    StopProcess,
}

/// An error of the Kafka client with its consequence. Its text comes from the client library and names no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What to do about it.
    pub consequence: Consequence,
    /// The error's code.
    pub code: Option<RDKafkaErrorCode>,
    /// Whether another producer with the same transactional id, or the transaction's time-out, has fenced this one.
    pub fenced: bool,
    /// Whether requests of a former transaction of this producer may still be under way.
    pub connection_lost: bool,
    text: String,
}

impl Cause {
    /// A cause that the service found itself.
    pub fn new(consequence: Consequence, text: impl Into<String>) -> Self {
        Self { consequence, code: None, fenced: false, connection_lost: false, text: text.into() }
    }

    /// A connection broke while a transaction was open: what was under way on it may arrive in the next one.
    pub fn connection_lost() -> Self {
        let text = "a connection broke in the last transaction, and what was under way may still arrive";
        Self { connection_lost: true, ..Self::new(Consequence::RebuildProducer, text) }
    }

    /// Classifies an error of a transactional call.
    pub fn of_transaction(error: &KafkaError) -> Self {
        let code = error.rdkafka_error_code();
        Self {
            consequence: transaction_consequence(error, code),
            code,
            fenced: code.is_some_and(is_fenced),
            connection_lost: false,
            text: error.to_string(),
        }
    }

    /// Classifies the fatal error that a producer reports about itself, where it has one.
    pub fn of_fatal(code: RDKafkaErrorCode, text: &str) -> Self {
        let consequence = if stops_the_process(code) { Consequence::StopProcess } else { Consequence::RebuildProducer };
        Self { consequence, code: Some(code), fenced: is_fenced(code), connection_lost: false, text: text.to_owned() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Cause {}

fn transaction_consequence(error: &KafkaError, code: Option<RDKafkaErrorCode>) -> Consequence {
    if code.is_some_and(stops_the_process) {
        return Consequence::StopProcess;
    }
    match error {
        KafkaError::Transaction(transaction) if transaction.is_fatal() => Consequence::RebuildProducer,
        KafkaError::Transaction(transaction) if transaction.txn_requires_abort() => Consequence::AbortAndReplay,
        KafkaError::Transaction(transaction) if transaction.is_retriable() => Consequence::Retry,
        _ if code.is_some_and(is_about_the_group) => Consequence::AbortAndReplay,
        _ => Consequence::RebuildProducer,
    }
}

/// The producer's epoch is not the newest: another producer with its id was initialised, or its transaction timed out.
fn is_fenced(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch)
}

/// The consumer's membership has moved on; the next poll brings the rebalance that tells how.
fn is_about_the_group(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::RebalanceInProgress
            | RDKafkaErrorCode::FencedInstanceId
    )
}

/// Rights and limits that only an operator can change.
fn stops_the_process(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::InvalidTransactionTimeout
            | RDKafkaErrorCode::UnsupportedVersion
            | RDKafkaErrorCode::UnsupportedFeature
            | RDKafkaErrorCode::SaslAuthenticationFailed
    )
}

/// Why a broker will never take an output, however often it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This record is larger than its Kafka topic takes.
    TooLarge,
    /// This record is not acceptable (for example a null key for a compacted Kafka topic).
    Record,
    /// The destination takes nothing: its Kafka topic is gone or not allowed.
    Destination,
}

impl Refusal {
    /// The refusal that a delivery error means; `None` for errors that pass.
    #[must_use]
    pub fn of(code: RDKafkaErrorCode) -> Option<Self> {
        match code {
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::MessageBatchTooLarge
            | RDKafkaErrorCode::InvalidMessageSize => Some(Self::TooLarge),
            RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::InvalidTimestamp
            | RDKafkaErrorCode::PolicyViolation
            | RDKafkaErrorCode::UnsupportedCompressionType => Some(Self::Record),
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::InvalidTopic => Some(Self::Destination),
            _ => None,
        }
    }
}
