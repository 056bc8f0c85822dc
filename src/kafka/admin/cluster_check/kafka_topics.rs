//! Layout, replication, clean-up and message sizes of the Kafka topics.

use super::super::start_check::{Role, roles};
use super::{Case, Finding, MIN_INSYNC, Severity};
use crate::domain::plan::{Content, Destination, KeySource};

pub(super) fn judge(case: &Case<'_>, findings: &mut Vec<Finding>) {
    for (name, role) in roles(case.plan) {
        findings.extend(leaders(case, name));
        findings.extend(replication(case, name, role));
        if role == Role::Destination {
            findings.extend(fewer_partitions(case, name));
        }
    }
    findings.extend(dead_letters_compacted(case));
    for destination in &case.plan.destinations {
        findings.extend(compacted(case, destination));
        findings.extend(sizes(case, destination));
    }
}

fn leaders(case: &Case<'_>, name: &str) -> Option<Finding> {
    let layout = case.facts.start.layouts.get(name)?;
    let what =
        format!("{} of {} partitions have no leader: they take and give nothing", layout.leaderless, layout.partitions);
    let remedy = format!(
        "bring the brokers back that hold them: {} --describe --topic {name} --unavailable-partitions",
        case.commands.kafka("kafka-topics")
    );
    (layout.leaderless > 0).then(|| Finding::new(Severity::Error, "no-leader", what).about(name).remedy(remedy))
}

fn replication(case: &Case<'_>, name: &str, role: Role) -> Option<Finding> {
    let layout = case.facts.start.layouts.get(name)?;
    if layout.replicas == 1 && role == Role::Ingest {
        let what = "has one replica: when its broker is lost, events that were not read yet are lost";
        return Some(Finding::new(Severity::Note, "one-replica", what).about(name));
    }
    let needed = usize::try_from(case.facts.options.get(name)?.number(MIN_INSYNC)?).ok()?;
    let replicas = layout.replicas;
    let (severity, what, wanted) = if needed > replicas {
        let what = format!("{MIN_INSYNC} is {needed}, and it has {replicas} replicas: nothing is ever taken");
        (Severity::Error, what, replicas.saturating_sub(1).max(1))
    } else if replicas == 1 {
        return None; // Said already.
    } else if layout.in_sync < needed {
        let what = format!(
            "{} replicas of a partition are in sync, and {MIN_INSYNC} is {needed}: nothing is taken until a broker is back",
            layout.in_sync
        );
        return Some(Finding::new(Severity::Error, "not-in-sync", what).about(name));
    } else if needed == replicas {
        let what = format!(
            "{MIN_INSYNC} is {needed} of {replicas} replicas: while one broker is away, nothing is taken and processing waits"
        );
        (Severity::Warning, what, replicas - 1)
    } else if needed == 1 && role != Role::Ingest {
        let what = format!(
            "{MIN_INSYNC} is 1 of {replicas} replicas: what one broker alone has acknowledged is lost when it is lost"
        );
        (Severity::Warning, what, replicas - 1)
    } else {
        return None;
    };
    let finding = Finding::new(severity, "min-insync", what).about(name);
    Some(finding.remedy(case.commands.set(name, MIN_INSYNC, wanted)))
}

fn fewer_partitions(case: &Case<'_>, name: &str) -> Option<Finding> {
    let partitions = case.facts.start.layouts.get(name)?.partitions;
    let most = case.facts.start.ingest_partitions.values().max()?;
    let what = format!(
        "has {partitions} partitions, and the ingest up to {most}: its subscriber can share its work among fewer readers"
    );
    let remedy = format!(
        "{} --alter --topic {name} --partitions {most} (keys move to other partitions: do it before it matters)",
        case.commands.kafka("kafka-topics")
    );
    (partitions < *most).then(|| Finding::new(Severity::Note, "fewer-partitions", what).about(name).remedy(remedy))
}

fn dead_letters_compacted(case: &Case<'_>) -> Option<Finding> {
    let name = &case.plan.dead_letter_kafka_topic;
    let what = "is compacted: a dead letter goes when another of the same key comes, and one without a key is refused";
    let finding = Finding::new(Severity::Warning, "dead-letters-compacted", what).about(name);
    let compacted = case.facts.options.get(name)?.cleans_up_by("compact");
    compacted.then(|| finding.remedy(case.commands.set(name, "cleanup.policy", "delete")))
}

fn compacted(case: &Case<'_>, destination: &Destination) -> Option<Finding> {
    let name = &destination.kafka_topic;
    let has_key = destination.key != KeySource::None;
    let what = format!(
        "is compacted: of destination `{}` only the newest notification of each key stays for a subscriber that comes late",
        destination.id
    );
    let compacted = case.facts.options.get(name)?.cleans_up_by("compact");
    (has_key && compacted).then(|| Finding::new(Severity::Note, "compacted", what).about(name))
}

/// Whether what the ingest takes fits the destination.
fn sizes(case: &Case<'_>, destination: &Destination) -> Option<Finding> {
    let name = &destination.kafka_topic;
    let limits = &case.facts.start.limits;
    let ingest = case.plan.ingest.iter().filter_map(|ingest| limits.get(&ingest.kafka_topic));
    let ingest = ingest.map(|limits| limits.max_message_bytes).max()?;
    let own = case.settings.max_message_bytes;
    let taken = limits.get(name)?.max_message_bytes;
    let finding = |severity, what| Some(Finding::new(severity, "message-size", what).about(name));
    let becomes = "a larger notification becomes a dead letter (too-large)";
    if destination.content != Content::FullResource {
        return None;
    }
    if !case.settings.kafka.compresses() && taken < own.min(ingest) {
        let what = format!("takes messages of {taken} bytes, and the ingest of {ingest}: {becomes}");
        return Some(finding(Severity::Warning, what)?.remedy(case.commands.set(name, "max.message.bytes", own)));
    }
    if own < ingest {
        let what = format!("maxMessageBytes is {own}, and the ingest takes messages of {ingest} bytes: {becomes}");
        return Some(finding(Severity::Warning, what)?.remedy(format!("maxMessageBytes: {ingest}, or more")));
    }
    if !case.settings.kafka.compresses() && taken < own {
        let what = format!("takes messages of {taken} bytes, and maxMessageBytes is {own}: {becomes}");
        return Some(finding(Severity::Note, what)?.remedy(case.commands.set(name, "max.message.bytes", own)));
    }
    None
}
