//! What ends the process: nothing that waiting or replaying could mend.

use rdkafka::error::KafkaError;

use crate::kafka::errors::Cause;

/// Why the process cannot go on. Names Kafka topics and positions, never content.
#[derive(Debug, thiserror::Error)]
pub enum FatalError {
    /// An option of the Kafka client is not acceptable.
    #[error("the Kafka client refuses its configuration")]
    ClientConfiguration(#[source] KafkaError),
    /// The brokers refuse the producer for a reason that only an operator can change.
    #[error("the transactional producer {transactional_id} cannot run; check its ACLs and the broker's limits")]
    Producer {
        /// The transactional id.
        transactional_id: String,
        /// What the client says.
        #[source]
        cause: Cause,
    },
    /// Two live processes use one instance id.
    #[error(
        "the transactional producer {transactional_id} was fenced twice within {within_seconds} s: another live process \
         uses the same application and instance id; give each process its own instance id, or none"
    )]
    FencedAgain {
        /// The transactional id.
        transactional_id: String,
        /// The time in which both happened.
        within_seconds: u64,
    },
    /// The consumer cannot run.
    #[error("the consumer cannot run as a member of the group {group}")]
    Consumer {
        /// The consumer group.
        group: String,
        /// What the client says.
        #[source]
        cause: KafkaError,
    },
    /// `onError: stop` met an evaluation error.
    #[error(
        "stopped by onError: {class} at {kafka_topic}:{partition}:{offset}; nothing of this record was sent, correct \
         the criterion or choose another policy, and start again"
    )]
    StoppedByPolicy {
        /// The ingest Kafka topic.
        kafka_topic: String,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: i64,
        /// The dead-letter class it would have had.
        class: &'static str,
    },
    /// The thread that looks at the cluster before the start could not be started or ended in a panic.
    #[error("the start ended unexpectedly; this is a defect of fhir-fanout, nothing was read yet")]
    StartFailed,
    /// A task's thread could not be started or ended in a panic.
    #[error("task {task} ended unexpectedly; this is a defect of fhir-fanout, nothing uncommitted was lost")]
    TaskPanicked {
        /// The task.
        task: usize,
    },
}
