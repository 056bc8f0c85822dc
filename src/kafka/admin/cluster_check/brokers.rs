//! What the brokers allow, and whether they keep the state of transactions safe.

use super::super::Options;
use super::{Case, Finding, Severity, Verdict};

pub(super) fn judge(case: &Case<'_>, verdict: &mut Verdict) {
    let unread: Vec<String> =
        case.facts.brokers.iter().filter(|(_, options)| options.is_none()).map(|(id, _)| id.to_string()).collect();
    if !unread.is_empty() {
        verdict.not_checked.push(format!(
            "transaction.max.timeout.ms, session time-outs and version of the brokers {}: their options may not be read \
             (right DescribeConfigs on the cluster)",
            unread.join(", ")
        ));
    }
    for (id, options) in case.facts.brokers.iter().filter_map(|(id, options)| Some((*id, options.as_ref()?))) {
        verdict.findings.extend(transaction_time_out(case, id, options));
        verdict.findings.extend(session_time_out(case, id, options));
        verdict.findings.extend(version(id, options));
    }
    verdict.findings.extend(transaction_state(case));
}

fn transaction_time_out(case: &Case<'_>, id: i32, options: &Options) -> Option<Finding> {
    let wanted = case.settings.transaction_timeout.as_millis();
    let most = options.number("transaction.max.timeout.ms")?;
    let what = format!(
        "transactionTimeoutMs is {wanted}, and broker {id} takes at most {most} (transaction.max.timeout.ms): the service ends \
         with code 2"
    );
    let remedy = format!(
        "transactionTimeoutMs: {most}, or transaction.max.timeout.ms={wanted} in every broker's server.properties"
    );
    (i128::from(most) < i128::try_from(wanted).ok()?)
        .then(|| Finding::new(Severity::Error, "transaction-timeout", what).remedy(remedy))
}

fn session_time_out(case: &Case<'_>, id: i32, options: &Options) -> Option<Finding> {
    if case.settings.kafka.broker_keeps_group() {
        return None; // The broker's own time holds.
    }
    let wanted = i64::try_from(case.settings.session_timeout.as_millis()).ok()?;
    let (least, most) =
        (options.number("group.min.session.timeout.ms")?, options.number("group.max.session.timeout.ms")?);
    let what = format!(
        "sessionTimeoutMs is {wanted}, and broker {id} takes {least} to {most} (group.min.session.timeout.ms, \
         group.max.session.timeout.ms): the service cannot join its group"
    );
    let remedy = format!("sessionTimeoutMs: {}", wanted.clamp(least, most));
    (!(least..=most).contains(&wanted)).then(|| Finding::new(Severity::Error, "session-timeout", what).remedy(remedy))
}

/// Brokers do not tell their version; those before 4.0 tell the one of their protocol.
fn version(id: i32, options: &Options) -> Option<Finding> {
    let protocol = options.get(PROTOCOL)?;
    let what = format!(
        "broker {id} speaks the protocol of Kafka {protocol}: fencing by the group's generation, which exactly-once rests on, came \
         with 2.5"
    );
    let remedy = format!("brokers of Kafka 2.5 or newer, {PROTOCOL}=2.5 or newer");
    is_before_2_5(protocol).then(|| Finding::new(Severity::Error, "broker-version", what).remedy(remedy))
}

/// Of `2.4-IV1` or `3.9`.
fn is_before_2_5(protocol: &str) -> bool {
    let digits = protocol.split('-').next().unwrap_or_default();
    let mut parts = digits.split('.').map(|part| part.parse::<u32>().ok());
    match (parts.next().flatten(), parts.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) < (2, 5),
        _ => false,
    }
}

/// The state of transactions, as it is laid out; before the first of them, as the brokers would.
fn transaction_state(case: &Case<'_>) -> Option<Finding> {
    let laid_out = case.facts.start.layouts.get("__transaction_state").map(|layout| layout.replicas);
    let configured = || {
        let of_brokers = case.facts.brokers.values().flatten();
        of_brokers.filter_map(|options| options.number("transaction.state.log.replication.factor")).min()
    };
    let replicas = laid_out.or_else(|| usize::try_from(configured()?).ok())?;
    let what = "the state of transactions (__transaction_state) has one replica: while its broker is away no transaction ends, and \
                when it is lost open ones stay for ever";
    let remedy = "transaction.state.log.replication.factor=3 and transaction.state.log.min.isr=2 in server.properties before \
                  the first transaction, or kafka-reassign-partitions.sh";
    (replicas == 1).then(|| Finding::new(Severity::Warning, "transaction-state", what).remedy(remedy))
}

/// Gone with Kafka 4.0, which knows no older protocol than 2.1 of clients and none of brokers.
pub(super) const PROTOCOL: &str = "inter.broker.protocol.version";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_apart() {
        for old in ["2.4-IV1", "1.1", "0.11.0-IV2", "2.0"] {
            assert!(is_before_2_5(old), "{old}");
        }
        for new in ["2.5-IV0", "2.8", "3.9-IV0", "10.0", "unheard of"] {
            assert!(!is_before_2_5(new), "{new}");
        }
    }
}
