//! `fhir-fanout topics create`: makes the Kafka topics that the configuration names and the cluster lacks.
//!
//! What exists is left alone, also where its limits differ: it may be shared. One line for each Kafka topic, as it is
//! done; one that cannot be made does not keep the others from being made.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::args::CreateOptions;
use super::output::{line, many, problem};
use super::{Exit, load};
use crate::config::settings::{LogFormat, LogSettings};
use crate::domain::plan::Plan;
use crate::kafka::admin::cluster_check::DEAD_LETTER_HEADROOM;
use crate::kafka::admin::start_check::{Role, roles};
use crate::kafka::admin::{Admin, Created, Limits, NewKafkaTopic};
use crate::telemetry::{chain, logging};

/// How long brokers may take to tell each other of a new Kafka topic.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// Pause between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Loads the configuration and creates what is missing.
#[must_use]
pub fn create(options: &CreateOptions) -> Exit {
    let loaded = match load::load(&options.files) {
        Ok(loaded) => loaded,
        Err(refused) => {
            refused.print();
            return Exit::InvalidConfiguration;
        }
    };
    // What the Kafka client finds wrong (a name, a certificate, a password) it tells the log only.
    let log = LogSettings { format: LogFormat::Text, level: "warn".to_owned() };
    if let Err(error) = logging::install(&log) {
        problem(format_args!("warning: {}", chain(&error)));
    }
    match create_missing(&loaded, options) {
        Ok(0) => Exit::Success,
        Ok(failed) => {
            problem(format_args!("{} not created", many(failed, "Kafka topic")));
            Exit::Fatal
        }
        Err(error) => {
            problem(format_args!("error: {error:#}"));
            Exit::Fatal
        }
    }
}

/// Creates what is missing; returns how many could not be created.
fn create_missing(loaded: &load::Loaded, options: &CreateOptions) -> anyhow::Result<usize> {
    let servers = &loaded.settings.kafka.bootstrap_servers;
    line(format_args!("asking {servers} for its Kafka topics"));
    let admin = Admin::new(&loaded.settings.kafka).context("cannot set up the Kafka client")?;
    let there = admin.kafka_topics().with_context(|| format!("cannot ask {servers} for its Kafka topics"))?;
    let ingest = loaded.plan.ingest.iter().map(|ingest| ingest.kafka_topic.as_str());
    let ingest: Vec<&str> = ingest.filter(|name| there.contains_key(*name)).collect();
    let limits = admin.limits(&ingest).context("cannot ask for the limits of the ingest Kafka topics")?;
    let mut failed = 0;
    let mut made = Vec::new();
    for (role, kafka_topic) in wanted(&loaded.plan, loaded.settings.max_message_bytes, &limits, options) {
        let name = &kafka_topic.name;
        if let Some(layout) = there.get(name) {
            line(format_args!("{role:<11}  {name}  exists ({} partitions), left alone", layout.partitions));
            continue;
        }
        match admin.create(&kafka_topic, options.dry_run) {
            Ok(Created::New) if options.dry_run => line(format_args!("{role:<11}  {name}  would be created")),
            Ok(Created::New) => {
                line(format_args!("{role:<11}  {name}  created"));
                made.push(name.clone());
            }
            Ok(Created::AlreadyThere) => line(format_args!("{role:<11}  {name}  exists, left alone")),
            Err(error) => {
                failed += 1;
                problem(format_args!("{role:<11}  {name}  not created: {:#}", anyhow::Error::from(error)));
            }
        }
    }
    wait_until_shown(&admin, &made)?;
    Ok(failed)
}

/// Waits until the brokers show the new Kafka topics to everyone: they tell of them a moment after they are made, and a
/// service that is started in between would not find them.
fn wait_until_shown(admin: &Admin, made: &[String]) -> anyhow::Result<()> {
    let until = Instant::now() + SHOWN_WITHIN;
    while !made.is_empty() {
        let there = admin.kafka_topics().context("cannot ask for the new Kafka topics")?;
        if made.iter().all(|name| there.contains_key(name)) {
            break;
        }
        anyhow::ensure!(Instant::now() < until, "the brokers took the new Kafka topics and do not show them");
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// The Kafka topics that should be there, and how they would be made.
fn wanted(
    plan: &Plan,
    max_message_bytes: usize,
    ingest_limits: &BTreeMap<String, Limits>,
    options: &CreateOptions,
) -> Vec<(Role, NewKafkaTopic)> {
    let largest_ingest = ingest_limits.values().map(|limits| limits.max_message_bytes).max().unwrap_or(0);
    let dead_letter = largest_ingest.max(max_message_bytes).saturating_add(DEAD_LETTER_HEADROOM);
    let new = |(name, role): (&str, Role)| {
        let max_message_bytes = if role == Role::DeadLetter { dead_letter } else { max_message_bytes };
        let kafka_topic = NewKafkaTopic {
            name: name.to_owned(),
            partitions: options.partitions,
            replication_factor: options.replication_factor,
            max_message_bytes,
        };
        (role, kafka_topic)
    };
    roles(plan).into_iter().filter(|(_, role)| options.with_ingest || *role != Role::Ingest).map(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Files;
    use crate::telemetry::sample_plan::sample_plan;

    fn options(with_ingest: bool) -> CreateOptions {
        CreateOptions {
            files: Files { topics: "topics.yaml".into(), config: None },
            partitions: Some(6),
            replication_factor: None,
            with_ingest,
            dry_run: false,
        }
    }

    fn wanted_bytes(ingest_bytes: usize, with_ingest: bool) -> Vec<(String, usize)> {
        let limits = Limits { max_message_bytes: ingest_bytes, compacted: false };
        let limits = BTreeMap::from([("fhir.changes".to_owned(), limits)]);
        let wanted = wanted(&sample_plan(), 1_000_000, &limits, &options(with_ingest));
        assert!(wanted.iter().all(|(_, kafka_topic)| kafka_topic.partitions == Some(6)));
        wanted.into_iter().map(|(_, kafka_topic)| (kafka_topic.name, kafka_topic.max_message_bytes)).collect()
    }

    fn sizes(of: &[(&str, usize)]) -> Vec<(String, usize)> {
        of.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect()
    }

    #[test]
    fn dead_letters_take_what_the_ingest_takes_and_its_headers() {
        let large =
            [("audit", 1_000_000), ("fhir.dead-letters", 5_000_000 + DEAD_LETTER_HEADROOM), ("forms", 1_000_000)];
        assert_eq!(wanted_bytes(5_000_000, false), sizes(&large));
        let small =
            [("audit", 1_000_000), ("fhir.dead-letters", 1_000_000 + DEAD_LETTER_HEADROOM), ("forms", 1_000_000)];
        assert_eq!(wanted_bytes(500, false), sizes(&small));
    }

    #[test]
    fn the_ingest_is_made_only_when_asked_for() {
        let names = |with_ingest| wanted_bytes(500, with_ingest).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert!(!names(false).contains(&"fhir.changes".to_owned()));
        assert!(names(true).contains(&"fhir.changes".to_owned()));
    }
}
