//! One run on one cluster: set up, break things for a while, let everything come to an end, judge.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::fleet::{Fleet, Identity};
use super::log::{Entry, say};
use super::nemesis::{Nemesis, STANDSTILL};
use super::options::Options;
use super::plan::Plan;
use super::publisher::Publisher;
use super::stage::Stage;
use super::watch::Watch;
use crate::kafka::{Admin, Isolation, disk};
use crate::oracle::stream::Fate;
use crate::oracle::{Ending, Verdict};

/// How long the end of a run may take.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
const CONSUMED_WITHIN: Duration = Duration::from_secs(120);

/// What came of a run on one cluster.
pub(super) struct Outcome {
    pub(super) nodes: usize,
    pub(super) entries: Vec<Entry>,
    /// What is wrong besides the checker's findings.
    pub(super) problems: Vec<String>,
    /// What is worth knowing and no fault.
    pub(super) notes: Vec<String>,
    pub(super) verdict: Verdict,
    /// Committed events in the ingest.
    pub(super) events: usize,
    /// Events whose publishers aborted them, or died before the commit.
    pub(super) aborted: usize,
    /// From the first event to the verdict.
    pub(super) lasted: Duration,
    /// Records in the outputs' Kafka topics that no `read_committed` reader sees, transaction markers included.
    pub(super) invisible: i64,
    /// How often the brokers say that they have left out transaction markers: more than 0 is a fault of Kafka, when no
    /// Kafka topic was deleted.
    pub(super) skipped_markers: usize,
    /// What the brokers kept on disk.
    pub(super) disk_bytes: u64,
}

pub(super) fn run(options: &Options, nodes: usize, time: Duration, seed: u64, logs: &Path) -> anyhow::Result<Outcome> {
    say(&format!("starting Apache Kafka: {nodes} node{}", if nodes == 1 { "" } else { "s" }));
    let stage = Stage::new(options, nodes, seed, time)?;
    let result = on_stage(options, &stage, time, seed, logs);
    if options.keep_logs || result.as_ref().map_or(true, |outcome| !outcome.is_good()) {
        for node in 0..nodes {
            let log = stage.cluster.node(node).log();
            let _ = std::fs::copy(log, logs.join(format!("kafka-{nodes}-nodes-{}.log", node + 1)));
        }
    }
    result
}

fn on_stage(options: &Options, stage: &Stage, time: Duration, seed: u64, logs: &Path) -> anyhow::Result<Outcome> {
    let watch = Watch::start(stage)?;
    let mut fleet = Fleet::new(stage, &watch.shared, logs, options.instances);
    // One comes under a new name each time, one stays a static member, further ones keep their names.
    for index in 0..options.instances {
        let slot = fleet.add([Identity::Random, Identity::Static, Identity::Stable][index % 3]);
        fleet.start(slot)?;
    }
    (0..fleet.slots.len()).try_for_each(|slot| fleet.wait_ready(slot)).inspect_err(|_| fleet.keep_logs())?;
    let publisher = Publisher::start(stage, options.rate, seed)?;
    let begin = Instant::now();
    let mut nemesis = Nemesis {
        stage,
        residents: fleet.slots.len(),
        fleet,
        watch: Arc::clone(&watch.shared),
        publisher: Arc::clone(&publisher.shared),
        problems: Vec::new(),
        notes: Vec::new(),
    };
    let mut entries = Vec::new();
    if let Err(error) = disturb(options, &mut nemesis, begin, time, seed, &mut entries) {
        say(&format!("    {error:#}"));
        nemesis.fleet.keep_stacks();
        nemesis.problems.push(format!("{error:#}"));
    }
    let outcome = finish(stage, &mut nemesis, watch, publisher, entries, begin);
    nemesis.fleet.keep_logs();
    outcome
}

/// Fault after fault, until the time is over or something is wrong.
fn disturb(
    options: &Options,
    nemesis: &mut Nemesis<'_>,
    begin: Instant,
    time: Duration,
    seed: u64,
    entries: &mut Vec<Entry>,
) -> anyhow::Result<()> {
    let mut plan = Plan::new(seed, options.only.clone());
    nemesis.watch.flow.wait(STANDSTILL).context("nothing came out at the beginning")?;
    while begin.elapsed() < time {
        let step = plan.next().context("no fault has such a name")?;
        std::thread::sleep(step.quiet);
        let at = begin.elapsed();
        let mut entry = nemesis.make(&step.fault)?;
        entry.at = at;
        entry.nodes = nemesis.stage.cluster.node_count();
        let events = nemesis.watch.events.load(Ordering::Relaxed);
        say(&format!("{:>7.1} s {:>8} events  {}", at.as_secs_f64(), events, entry.line()));
        entries.push(entry);
        let found = nemesis.watch.found.load(Ordering::Relaxed);
        anyhow::ensure!(found == 0, "{found} findings: no more faults are made");
    }
    Ok(())
}

/// No faults any more: everything that was said has to come out, and nothing else.
fn finish(
    stage: &Stage,
    nemesis: &mut Nemesis<'_>,
    watch: Watch,
    publisher: Publisher,
    mut entries: Vec<Entry>,
    begin: Instant,
) -> anyhow::Result<Outcome> {
    heal(stage, nemesis)?;
    stage.restore()?;
    let fates = publisher.stop()?;
    let cluster = &stage.cluster;
    let admin = Admin::new(cluster)?;
    let mut ending = Ending::default();
    admin.wait_settled(&stage.ingest, SETTLED_WITHIN).context("a publisher's transaction stays open")?;
    let group = nemesis.fleet.group().to_owned();
    if admin.wait_consumed(cluster, &group, &stage.ingest, CONSUMED_WITHIN).is_err() {
        ending.unconsumed = admin.unconsumed(cluster, &group, &stage.ingest)?;
    }
    stop_all(nemesis)?;
    let outputs = stage.outputs();
    for kafka_topic in outputs.keys() {
        if admin.wait_settled(kafka_topic, SETTLED_WITHIN).is_err() {
            ending.unsettled.push(kafka_topic.clone());
        }
    }
    let shared = Arc::clone(&watch.shared);
    let all: Vec<&String> = std::iter::once(&stage.ingest).chain(outputs.keys()).collect();
    let (stream, lying) = watch.finish(cluster, &all)?;
    let committed = admin.committed_offsets(&group, &stage.ingest)?;
    ending.committed =
        committed.into_iter().map(|(partition, offset)| ((stage.ingest.clone(), partition), offset)).collect();
    let high = admin.end_offsets(&stage.ingest, Isolation::ReadUncommitted)?;
    let mut written = 0;
    for kafka_topic in outputs.keys() {
        written += admin.end_offsets(kafka_topic, Isolation::ReadUncommitted)?.values().sum::<i64>();
    }
    let events = stream.events();
    for entry in &mut entries {
        entry.interrupted.retain(|position| !shared.is_refuted(position));
    }
    let verdict = stream.finish(&ending, &high, &fates);
    let skipped_markers = skipped_markers(stage);
    if skipped_markers > 0 && !entries.iter().any(|entry| entry.deleted) {
        let note = format!("Kafka left out {skipped_markers} transaction markers, and no Kafka topic was deleted");
        nemesis.notes.push(note);
    }
    Ok(Outcome {
        nodes: cluster.node_count(),
        entries,
        problems: std::mem::take(&mut nemesis.problems),
        notes: std::mem::take(&mut nemesis.notes),
        verdict,
        events,
        aborted: fates.iter().filter(|fate| **fate == Fate::Aborted).count(),
        lasted: begin.elapsed(),
        invisible: written - lying,
        skipped_markers,
        disk_bytes: disk::size(cluster.folder()),
    })
}

fn skipped_markers(stage: &Stage) -> usize {
    let logs = (0..stage.cluster.node_count()).map(|index| stage.cluster.node(index).log());
    let texts = logs.map(|log| std::fs::read(log).unwrap_or_default());
    texts
        .map(|text| String::from_utf8_lossy(&text).matches("likely deleted already and hence can be skipped").count())
        .sum()
}

/// Every node has room and runs again, the network is whole and nobody is held, whatever an interrupted fault left.
fn heal(stage: &Stage, nemesis: &mut Nemesis<'_>) -> anyhow::Result<()> {
    (0..nemesis.residents).for_each(|index| stage.cluster.link(index).heal());
    for service in nemesis.fleet.slots.iter_mut().filter_map(|slot| slot.service.as_mut()) {
        service.resume()?;
    }
    nemesis.publisher.release();
    for index in 0..stage.cluster.node_count() {
        let mut node = stage.cluster.node(index);
        if stage.has_disks {
            node.disk()?.free()?;
        }
        if node.is_running() {
            node.resume()?;
        } else {
            node.start()?;
        }
    }
    Ok(())
}

/// Ends all instances in order; one that is frozen goes on first.
fn stop_all(nemesis: &mut Nemesis<'_>) -> anyhow::Result<()> {
    for slot in 0..nemesis.fleet.slots.len() {
        if nemesis.fleet.slots[slot].service.is_some() {
            nemesis.fleet.service(slot)?.resume()?;
            nemesis.terminate(slot, &mut Entry::default())?;
        }
    }
    Ok(())
}

impl Outcome {
    /// Whether the service did all that it promises.
    pub(super) fn is_good(&self) -> bool {
        self.verdict.is_clean() && self.verdict.expected > 0 && self.problems.is_empty()
    }

    pub(super) fn kills(&self) -> usize {
        self.entries.iter().map(|entry| entry.kills).sum()
    }

    pub(super) fn interrupted(&self) -> usize {
        self.entries.iter().map(|entry| entry.interrupted.len()).sum()
    }
}
