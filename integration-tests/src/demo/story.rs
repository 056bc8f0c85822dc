//! The demo's steps, from nothing to a running service that is watched.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::options::{Options, repository};
use super::running::Running;
use super::screen::Screen;
use super::service;
use super::topics::Layout;
use crate::events::hospitals::HOSPITALS;
use crate::events::{ClinicalDay, DayOptions};
use crate::kafka::artifacts::KAFKA_VERSION;
use crate::kafka::{Admin, ClusterOptions, KafkaCluster};
use crate::wait;

/// One record in this many is broken on purpose.
const BROKEN_EVERY: u32 = 100;
/// Partitions of every Kafka topic: enough for both tasks to have some.
const PARTITIONS: &str = "4";
/// Events a second after the check, to keep the picture moving.
const TRICKLE: u32 = 2;

/// Tells the story to its end.
///
/// # Errors
/// When something does not start, ends by itself or does not add up.
pub(super) fn tell(options: &Options, screen: &mut Screen) -> anyhow::Result<()> {
    let mut day = sample_day(options.seed);
    if let Some(count) = options.print_events {
        day.take(count).for_each(|event| screen.raw(event.value.as_deref().unwrap_or_default()));
        return Ok(());
    }
    let stop = stop_on_signals()?;
    let layout = Layout::read(&options.topics)?;
    screen.title("fhir-fanout demo: hospital events fan out through a real Apache Kafka, each exactly once");
    let program = build(screen)?;
    let cluster = start_kafka(screen)?;
    create_kafka_topics(screen, options, &program, &cluster)?;
    wait_for_kafka_topics(&cluster, &layout)?;
    let mut running = start_service(screen, options, layout, &program, &cluster)?;

    screen.step(&format!(
        "Publish {} events of {} hospitals, {} a second",
        options.events,
        HOSPITALS.len(),
        options.rate
    ));
    screen.note(
        "Registrations, encounters, lab results, forms and orders, keyed by patient; 1 in 100 is broken on purpose.",
    );
    running.publish_and_watch(screen, &mut day, Some(options.events), options.rate, &stop)?;
    if stop.load(Ordering::Relaxed) {
        return running.end(screen);
    }
    running.show_one(screen)?;
    running.check(screen)?;
    if !options.once {
        linger(screen, &mut running, &mut day, &cluster, &stop)?;
    }
    running.end(screen)
}

fn sample_day(seed: u64) -> ClinicalDay {
    ClinicalDay::new(DayOptions {
        seed,
        // Broken records are what the demo shows of dead letters; events without a state are for the tests.
        previous_percent: 100,
        bare_deletes: false,
        broken_every: Some(BROKEN_EVERY),
        ..DayOptions::default()
    })
}

/// Sets a flag at the first Ctrl-C or SIGTERM; the second ends the process, and what it started with it.
///
/// Signals are handled, not blocked: the service would inherit a blocked SIGTERM and never hear of its end.
fn stop_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate) = {
        let _within = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                let number = tokio::select! {
                    _ = interrupt.recv() => 2,
                    _ = terminate.recv() => 15,
                };
                if flag.swap(true, Ordering::Relaxed) {
                    std::process::exit(128 + number);
                }
            }
        });
    });
    Ok(stop)
}

fn build(screen: &mut Screen) -> anyhow::Result<PathBuf> {
    screen.step("Build the service");
    let started = Instant::now();
    let program = service::build()?;
    screen.done(started, &format!("{}", relative(&program).display()));
    Ok(program)
}

fn start_kafka(screen: &mut Screen) -> anyhow::Result<KafkaCluster> {
    screen.step(&format!("Start Apache Kafka {KAFKA_VERSION}"));
    screen.note(
        "One broker in KRaft mode on this machine, in a temporary folder; its jars come from Maven Central, once.",
    );
    let started = Instant::now();
    let cluster = KafkaCluster::start(&ClusterOptions::long_lived())?;
    screen.done(started, cluster.bootstrap_servers());
    Ok(cluster)
}

fn create_kafka_topics(
    screen: &mut Screen,
    options: &Options,
    program: &Path,
    cluster: &KafkaCluster,
) -> anyhow::Result<()> {
    screen.step("Create the Kafka topics");
    screen.note(&format!("fhir-fanout topics create --topics {} --with-ingest", relative(&options.topics).display()));
    let started = Instant::now();
    let output = Command::new(program)
        .args(["topics", "create", "--with-ingest", "--partitions", PARTITIONS, "--replication-factor", "1"])
        .arg("--topics")
        .arg(&options.topics)
        .env("FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS", cluster.bootstrap_servers())
        .output()
        .context("cannot start the service's binary")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    anyhow::ensure!(output.status.success(), "`topics create` failed:\n{said}");
    screen.body(said.trim());
    screen.done(started, "");
    Ok(())
}

/// A broker may confirm a new Kafka topic a moment before it tells others about it.
fn wait_for_kafka_topics(cluster: &KafkaCluster, layout: &Layout) -> anyhow::Result<()> {
    let admin = Admin::new(cluster)?;
    for kafka_topic in layout.all_kafka_topics() {
        wait::until("the new Kafka topics", Duration::from_secs(30), || {
            matches!(admin.partitions(&kafka_topic), Ok(Some(_)))
        })?;
    }
    Ok(())
}

fn start_service(
    screen: &mut Screen,
    options: &Options,
    layout: Layout,
    program: &Path,
    cluster: &KafkaCluster,
) -> anyhow::Result<Running> {
    screen.step("Start the service");
    screen.note(&format!("fhir-fanout run --topics {}", relative(&options.topics).display()));
    let started = Instant::now();
    let running = Running::start(layout, program, &options.topics, cluster)?;
    screen.done(started, "ready");
    Ok(running)
}

/// Leaves everything running, with some events a second, until Ctrl-C.
fn linger(
    screen: &mut Screen,
    running: &mut Running,
    day: &mut ClinicalDay,
    cluster: &KafkaCluster,
    stop: &AtomicBool,
) -> anyhow::Result<()> {
    screen.step(&format!("It goes on with {TRICKLE} events a second, until you press Ctrl-C"));
    screen.body(&running.addresses(cluster.bootstrap_servers()));
    running.publish_and_watch(screen, day, None, TRICKLE, stop)
}

/// A path as a user in the repository's folder would write it.
fn relative(path: &Path) -> &Path {
    let own = repository();
    match path.strip_prefix(&own) {
        Ok(short) => short,
        Err(_) => path,
    }
}
