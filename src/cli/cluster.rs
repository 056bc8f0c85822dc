//! `fhir-fanout topics check` and `validate --against-cluster`: what only the cluster can tell.

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::args::{CheckOptions, Files, Format};
use super::load::Loaded;
use super::output::{self, line, many, problem};
use super::{Exit, load};
use crate::config::diagnostic::Colour;
use crate::config::settings::{LogFormat, LogSettings};
use crate::kafka::admin::cluster_check::{self, ClusterFacts, Commands, Finding, Severity, Verdict};
use crate::kafka::admin::start_check::{Role, roles};
use crate::kafka::admin::{Admin, Options};
use crate::telemetry::{chain, logging};

/// `fhir-fanout topics check`.
#[must_use]
pub fn check(options: &CheckOptions) -> Exit {
    match load::load(&options.files) {
        Ok(loaded) => ask_and_print(&loaded, &options.files, options.format),
        Err(refused) => {
            refused.print();
            Exit::InvalidConfiguration
        }
    }
}

/// The same for a configuration that is loaded already, for people.
#[must_use]
pub fn check_loaded(loaded: &Loaded, files: &Files) -> Exit {
    ask_and_print(loaded, files, Format::Human)
}

/// The same as JSON; nothing where the cluster does not answer, which is told on standard error.
#[must_use]
pub fn checked(loaded: &Loaded, files: &Files) -> (Option<Value>, Exit) {
    match judged(loaded, files) {
        Some((facts, verdict)) => (Some(as_json(loaded, &facts, &verdict)), exit(&verdict)),
        None => (None, Exit::Fatal),
    }
}

fn ask_and_print(loaded: &Loaded, files: &Files, format: Format) -> Exit {
    let Some((facts, verdict)) = judged(loaded, files) else { return Exit::Fatal };
    match format {
        Format::Human => print(loaded, &facts, &verdict),
        Format::Json => line(as_json(loaded, &facts, &verdict)),
    }
    exit(&verdict)
}

fn exit(verdict: &Verdict) -> Exit {
    if verdict.count(Severity::Error) == 0 { Exit::Success } else { Exit::InvalidConfiguration }
}

fn judged(loaded: &Loaded, files: &Files) -> Option<(ClusterFacts, Verdict)> {
    // What the Kafka client finds wrong (a name, a certificate, a password) it tells the log only.
    let log = LogSettings { format: LogFormat::Text, level: "warn".to_owned() };
    if let Err(error) = logging::install(&log) {
        problem(format_args!("warning: {}", chain(&error)));
    }
    let facts = match ask(loaded) {
        Ok(facts) => facts,
        Err(error) => {
            problem(format_args!("error: {error:#}"));
            return None;
        }
    };
    let commands = commands(loaded, files);
    let verdict = cluster_check::judge(&loaded.plan, &loaded.settings, &facts, &commands, Timestamp::now());
    Some((facts, verdict))
}

fn ask(loaded: &Loaded) -> anyhow::Result<ClusterFacts> {
    let servers = &loaded.settings.kafka.bootstrap_servers;
    let admin = Admin::new(&loaded.settings.kafka).context("cannot set up the Kafka client")?;
    let facts = cluster_check::ask(&admin, &loaded.settings, &loaded.plan, &loaded.foreign);
    facts.with_context(|| format!("cannot ask {servers}"))
}

fn commands(loaded: &Loaded, files: &Files) -> Commands {
    let config = files.config.as_ref().map(|config| format!(" --config {}", config.display())).unwrap_or_default();
    Commands {
        servers: loaded.settings.kafka.bootstrap_servers.clone(),
        files: format!("--topics {}{config}", files.topics.display()),
    }
}

fn print(loaded: &Loaded, facts: &ClusterFacts, verdict: &Verdict) {
    let colour = output::colour(&std::io::stdout());
    line(format_args!("cluster {}, {}", facts.start.cluster_id, many(facts.brokers.len(), "broker")));
    let widest = roles(&loaded.plan).keys().map(|name| name.len()).max().unwrap_or(0);
    for (name, role) in roles(&loaded.plan) {
        line(format_args!("{role:<11}  {name:<widest$}  {}", described(facts, name)));
    }
    line("");
    for finding in &verdict.findings {
        line(rendered(finding, colour));
    }
    for what in &verdict.not_checked {
        line(format_args!("not checked: {what}"));
    }
    let counted = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let counted = counted.map(|(severity, noun)| many(verdict.count(severity), noun)).join(", ");
    let fits = if verdict.count(Severity::Error) == 0 { "fits" } else { "does not fit" };
    line(format_args!("{}: the cluster {fits} ({counted})", loaded.settings.kafka.bootstrap_servers));
}

/// How a Kafka topic is laid out and set up, in one line.
fn described(facts: &ClusterFacts, name: &str) -> String {
    let Some(layout) = facts.start.layouts.get(name) else { return "missing".to_owned() };
    let mut said = format!("{}, {}", many(layout.partitions, "partition"), many(layout.replicas, "replica"));
    let Some(options) = facts.options.get(name) else { return said };
    for option in SHOWN {
        if let Some(value) = options.get(option) {
            said += &format!(", {option} {value}");
        }
    }
    said
}

/// The options of Kafka topics that findings are about.
const SHOWN: [&str; 4] = ["min.insync.replicas", "cleanup.policy", "retention.ms", "max.message.bytes"];

fn rendered(finding: &Finding, colour: Colour) -> String {
    let ink = match finding.severity {
        Severity::Error => colour.red(),
        Severity::Warning => colour.yellow(),
        Severity::Note => colour.blue(),
    };
    let about = finding.kafka_topic.as_deref().map(|name| format!("{name}: ")).unwrap_or_default();
    let mut said = format!("{}: {}{}", ink.paint(finding.severity.name()), colour.bold().paint(&about), finding.what);
    if let Some(remedy) = &finding.remedy {
        said += &format!("\n  {} {remedy}", colour.blue().paint("->"));
    }
    said
}

fn as_json(loaded: &Loaded, facts: &ClusterFacts, verdict: &Verdict) -> Value {
    let kafka_topic = |(name, role): (&str, Role)| {
        let layout = facts.start.layouts.get(name);
        let option = |option: &str| facts.options.get(name).and_then(|options: &Options| options.get(option));
        json!({
            "kafkaTopic": name,
            "role": role.to_string(),
            "exists": layout.is_some(),
            "partitions": layout.map(|layout| layout.partitions),
            "replicas": layout.map(|layout| layout.replicas),
            "options": SHOWN.iter().filter_map(|name| Some(((*name).to_owned(), option(name)?.into()))).collect::<serde_json::Map<_, _>>(),
        })
    };
    let finding = |finding: &Finding| {
        json!({
            "severity": finding.severity.name(),
            "check": finding.check,
            "kafkaTopic": finding.kafka_topic,
            "what": finding.what,
            "remedy": finding.remedy,
        })
    };
    json!({
        "cluster": facts.start.cluster_id,
        "bootstrapServers": loaded.settings.kafka.bootstrap_servers,
        "kafkaTopics": roles(&loaded.plan).into_iter().map(kafka_topic).collect::<Vec<_>>(),
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "notChecked": verdict.not_checked,
        "errors": verdict.count(Severity::Error),
        "warnings": verdict.count(Severity::Warning),
        "notes": verdict.count(Severity::Note),
    })
}
