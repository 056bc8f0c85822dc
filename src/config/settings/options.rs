//! librdkafka options that a user may not set, and the check of those that may.
//!
//! What exactly-once needs cannot be overridden; what has a setting of its own is set there, so that the service and its
//! clients never disagree about it.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::config::diagnostic::Diagnostic;
use crate::config::document::{Place, nearest};

/// An option that the service sets itself: why, and what to use instead.
struct Protected {
    names: &'static [&'static str],
    why: &'static str,
    instead: &'static str,
}

static PROTECTED: &[Protected] = &[
    Protected {
        names: &["bootstrap.servers", "metadata.broker.list"],
        why: "it has a setting of its own",
        instead: "set kafka.bootstrapServers",
    },
    Protected {
        names: &["group.id", "transactional.id"],
        why: "exactly-once ties the consumer group and the transactional ids together",
        instead: "set applicationId and instanceId",
    },
    Protected {
        names: &["group.instance.id"],
        why: "each task needs one of its own",
        instead: "set staticMembership and instanceId",
    },
    Protected {
        names: &["isolation.level"],
        why: "exactly-once reads committed records only",
        instead: "leave it out; it is read_committed",
    },
    Protected {
        names: &[
            "enable.auto.commit",
            "auto.commit.enable",
            "auto.commit.interval.ms",
            "enable.auto.offset.store",
            "offset.store.method",
            "offset.store.path",
            "offset.store.sync.interval.ms",
        ],
        why: "offsets are committed inside of the transactions, never by the consumer",
        instead: "leave it out",
    },
    Protected {
        names: &["auto.offset.reset"],
        why: "a position that is lost must never be replaced silently",
        instead: "set startFrom of the ingest in topics.yaml",
    },
    Protected {
        names: &["allow.auto.create.topics"],
        why: "a misspelled Kafka topic would be created in place of an error",
        instead: "create Kafka topics with `fhir-fanout topics create`",
    },
    Protected {
        names: &["socket.max.fails"],
        why: "a request that times out has to break its connection, or it may arrive in the next transaction",
        instead: "leave it out",
    },
    Protected {
        names: &["enable.partition.eof", "delivery.report.only.error"],
        why: "the tasks rely on what it does",
        instead: "leave it out",
    },
    Protected {
        names: &[
            "acks",
            "request.required.acks",
            "enable.idempotence",
            "enable.gapless.guarantee",
            "max.in.flight",
            "max.in.flight.requests.per.connection",
            "retries",
            "message.send.max.retries",
        ],
        why: "exactly-once needs the idempotent producer's own value",
        instead: "leave it out",
    },
    Protected {
        names: &["partitioner"],
        why: "keys must land where Java clients put them: murmur2_random",
        instead: "leave it out",
    },
    Protected {
        names: &["transaction.timeout.ms", "message.timeout.ms", "delivery.timeout.ms"],
        why: "the transaction's time bounds it",
        instead: "set transactionTimeoutMs",
    },
    Protected { names: &["session.timeout.ms"], why: "it has a setting of its own", instead: "set sessionTimeoutMs" },
    Protected {
        names: &["message.max.bytes"],
        why: "notifications are measured against it before they are sent",
        instead: "set maxMessageBytes",
    },
];

/// Options that are set often; only to find the one that a misspelled name was meant to be.
static COMMON: &[&str] = &[
    "client.id",
    "client.rack",
    "compression.codec",
    "compression.level",
    "compression.type",
    "fetch.max.bytes",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "heartbeat.interval.ms",
    "linger.ms",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queued.max.messages.kbytes",
    "queued.min.messages",
    "receive.message.max.bytes",
    "reconnect.backoff.max.ms",
    "retry.backoff.ms",
    "sasl.kerberos.service.name",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "socket.keepalive.enable",
    "socket.timeout.ms",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.ca.pem",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "statistics.interval.ms",
];

/// What is wrong with an option, if anything. Never shows the value.
pub(super) fn problem(name: &str, value: &str, place: &Place) -> Option<Diagnostic> {
    if let Some(row) = PROTECTED.iter().find(|row| row.names.contains(&name)) {
        return Some(place.error(format!("option `{name}` cannot be set: {}", row.why)).hint(row.instead));
    }
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => None,
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            let problem = place.error(format!("librdkafka has no option `{name}`"));
            let known = COMMON.iter().copied();
            Some(problem.hint(match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "see the table of options in librdkafka's CONFIGURATION.md".to_owned(),
            }))
        }
        Err(_) => {
            let problem = place.error(format!("librdkafka does not take the value of option `{name}`"));
            Some(problem.hint("see the table of options in librdkafka's CONFIGURATION.md; the value is not shown here"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn librdkafka_knows_every_name_of_the_tables() {
        for name in PROTECTED.iter().flat_map(|row| row.names).chain(COMMON) {
            let unknown = matches!(
                ClientConfig::new().set(*name, "x").create_native_config(),
                Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..))
            );
            assert!(!unknown, "{name}");
        }
    }
}
