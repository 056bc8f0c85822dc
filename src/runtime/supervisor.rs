//! From a checked configuration to running tasks, and from the stop signal to the end.
//!
//! ```text
//! wait for brokers -> check Kafka topics and cluster -> commit startFrom for a new group -> tasks -> join them
//! ```

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::errors::FatalError;
use super::limits::{self, SharedLimits, limits_of};
use super::reload::{ReloadSignal, Reloader, Sources};
use super::stop::StopSignal;
use super::task::{self, TaskSetup};
use super::versioned::Versioned;
use crate::config::settings::Settings;
use crate::config::watch::Watch;
use crate::domain::plan::Plan;
use crate::kafka::admin::start_check::{ForeignServers, StartProblem, StartReport, check_start};
use crate::kafka::admin::{Admin, AdminError};
use crate::kafka::client_options::ClientIdentity;
use crate::kafka::producer;
use crate::kafka::start_positions::{self, Unsettled};
use crate::ops::status::Status;
use crate::telemetry::{chain, occurrence};

/// Pause between two questions to brokers that are away.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// How long one question may take: short, so that a stop is seen while brokers are away.
const ANSWER: Duration = Duration::from_secs(5);

/// How often the supervisor looks at the stop signal.
const LOOK: Duration = Duration::from_millis(50);

/// Why the service did not run, or stopped running.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The cluster does not fit the configuration; each problem names its remedy.
    #[error("the Kafka cluster does not fit the configuration: {}", list(.0))]
    ClusterDoesNotFit(Vec<StartProblem>),
    /// The Kafka client or the cluster refuses the service.
    #[error("the Kafka cluster refuses the service")]
    Admin(#[source] AdminError),
    /// A task cannot go on.
    #[error(transparent)]
    Fatal(#[from] FatalError),
}

/// How a run without an error ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All threads have ended.
    InOrder,
    /// After the stop, threads that waited for brokers were left behind, still inside the Kafka client.
    ThreadsLeftBehind,
}

/// What brings another plan while the service runs.
#[derive(Debug)]
pub struct Edits {
    /// Where the configuration comes from.
    pub sources: Sources,
    /// How it stood before it was read: what is edited while the service starts is an edit.
    pub watch: Watch,
    /// The wish that it be looked at now.
    pub signal: ReloadSignal,
}

/// Runs the service until it is told to stop or cannot go on. After the stop it returns in bounded time, whatever the
/// brokers do.
///
/// # Errors
/// See [`RunError`].
pub fn run(
    settings: Arc<Settings>,
    plan: Arc<Plan>,
    foreign: &[ForeignServers],
    edits: Edits,
    status: Arc<Status>,
    stop: StopSignal,
) -> Result<Ended, RunError> {
    #[cfg(feature = "fail-points")]
    super::io::fail_points::set_up();
    let instance_id = settings.instance_id.clone().unwrap_or_else(random_instance_id);
    occurrence::process_started(&plan.hash, &settings.application_id, &instance_id, settings.tasks.get());
    let report = match prepare(&settings, &plan, foreign, &status, &stop)? {
        Prepared::Ready(report) => report,
        Prepared::Stopped(ended) => return Ok(ended),
    };
    let limits = limits_of(&settings.kafka, settings.max_message_bytes, &report.limits);
    let limits = Arc::new(SharedLimits::new(limits));
    status.configuration().update(|report| {
        report.plan.clone_from(&plan.hash);
        report.since = Some(Timestamp::now());
    });
    let plan = Arc::new(Versioned::new(plan));
    let setups = (0..settings.tasks.get()).map(|number| TaskSetup {
        number,
        identity: ClientIdentity::new(&settings.application_id, &instance_id, number),
        settings: Arc::clone(&settings),
        plan: Arc::clone(&plan),
        limits: Arc::clone(&limits),
        status: Arc::clone(&status),
        stop: stop.clone(),
    });
    let (sender, ended) = mpsc::channel();
    let mut running = 0;
    for setup in setups {
        start(setup, sender.clone())?;
        running += 1;
    }
    drop(sender);
    let asking = keep_limits_true(Arc::clone(&limits), &settings, &plan, &stop);
    let reloader = Reloader {
        sources: edits.sources,
        watch: edits.watch,
        signal: edits.signal,
        settings: Arc::clone(&settings),
        plan,
        limits,
        status,
        stop: stop.clone(),
    };
    let reloading = follow_edits(reloader);
    let how = wait_for_tasks(&ended, running, &settings, &stop)?;
    // They may be in the middle of a question, which is nothing to wait for.
    let mut helpers = [asking, reloading].into_iter().flatten();
    let alone = helpers.all(|thread| thread.is_finished()) && !producer::threads_left_behind();
    Ok(if alone { how } else { Ended::ThreadsLeftBehind })
}

/// Asks for the limits of the Kafka topics while the tasks run. Without the thread, those of the start stay.
fn keep_limits_true(
    limits: Arc<SharedLimits>,
    settings: &Arc<Settings>,
    plan: &Arc<Versioned<Arc<Plan>>>,
    stop: &StopSignal,
) -> Option<thread::JoinHandle<()>> {
    let (settings, plan, stop) = (Arc::clone(settings), Arc::clone(plan), stop.clone());
    let ask = move || limits::keep_true(&limits, &settings, &plan, &stop);
    thread::Builder::new().name("limits".to_owned()).spawn(ask).ok()
}

/// Takes over edits of the configuration while the tasks run. Without the thread, that of the start stays.
fn follow_edits(reloader: Reloader) -> Option<thread::JoinHandle<()>> {
    let thread = thread::Builder::new().name("reload".to_owned()).spawn(move || reloader.follow());
    if let Err(error) = &thread {
        tracing::warn!(%error, "no thread to follow edits of the configuration: they count from the next start");
    }
    thread.ok()
}

/// What came of the questions before the start.
enum Prepared {
    Ready(StartReport),
    Stopped(Ended),
}

/// Asks the cluster what has to be known before the start; on a thread of its own, since a single answer can take
/// longer than a stop may.
fn prepare(
    settings: &Arc<Settings>,
    plan: &Arc<Plan>,
    foreign: &[ForeignServers],
    status: &Arc<Status>,
    stop: &StopSignal,
) -> Result<Prepared, RunError> {
    let (sender, prepared) = mpsc::channel();
    let ask = {
        let (settings, plan, status, stop) = (Arc::clone(settings), Arc::clone(plan), Arc::clone(status), stop.clone());
        let foreign = foreign.to_vec();
        move || {
            let mut report = check_cluster(&settings, &plan, &foreign, &status, &stop);
            if let Ok(Some(_)) = report
                && let Err(error) = settle_new_group(&settings, &plan, &status, &stop)
            {
                report = Err(error);
            }
            // Nobody waits any more only when the process is ending.
            let _ = sender.send(report);
        }
    };
    thread::Builder::new().name("start".to_owned()).spawn(ask).map_err(|_| FatalError::StartFailed)?;
    let mut bound = StopBound::new(settings.shutdown_timeout);
    loop {
        match prepared.recv_timeout(LOOK) {
            Ok(Ok(Some(report))) => return Ok(Prepared::Ready(report)),
            Ok(Ok(None)) => return Ok(Prepared::Stopped(Ended::InOrder)),
            Ok(Err(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) if bound.is_over(stop) => {
                tracing::warn!("brokers do not answer, leaving the start unfinished");
                return Ok(Prepared::Stopped(Ended::ThreadsLeftBehind));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(FatalError::StartFailed.into()),
        }
    }
}

/// How long after the stop something is still waited for.
struct StopBound {
    time: Duration,
    until: Option<Instant>,
}

impl StopBound {
    fn new(time: Duration) -> Self {
        Self { time, until: None }
    }

    fn is_over(&mut self, stop: &StopSignal) -> bool {
        stop.is_stopped() && {
            let now = Instant::now();
            now >= *self.until.get_or_insert(now + self.time)
        }
    }
}

/// Asks until the brokers answer; `None` when the process was stopped meanwhile.
fn check_cluster(
    settings: &Settings,
    plan: &Plan,
    foreign: &[ForeignServers],
    status: &Status,
    stop: &StopSignal,
) -> Result<Option<StartReport>, RunError> {
    let admin = Admin::new(&settings.kafka).map_err(RunError::Admin)?.with_timeout(ANSWER);
    let mut said = false;
    while !stop.is_stopped() {
        status.beat();
        match check_start(&admin, &settings.kafka, plan, foreign) {
            Ok(report) => {
                let (fatal, passing): (Vec<_>, Vec<_>) =
                    report.problems.iter().cloned().partition(StartProblem::is_fatal);
                for problem in &passing {
                    occurrence::cluster_may_surprise(problem);
                }
                if fatal.is_empty() {
                    return Ok(Some(report));
                }
                return Err(RunError::ClusterDoesNotFit(fatal));
            }
            Err(error @ AdminError::BrokersAway(_)) => {
                if !said {
                    said = true;
                    tracing::warn!(error = %chain(&error), "no broker answers, waiting");
                }
                thread::sleep(ASK_AGAIN);
            }
            Err(error) => return Err(RunError::Admin(error)),
        }
    }
    Ok(None)
}

/// Tried until it succeeds: without it, a group whose first instance crashes early would start elsewhere.
fn settle_new_group(settings: &Settings, plan: &Plan, status: &Status, stop: &StopSignal) -> Result<(), RunError> {
    while !stop.is_stopped() {
        status.beat();
        match start_positions::settle_new_group(settings, plan) {
            Ok(()) => break,
            Err(Unsettled::NotReadable(kafka_topic)) => {
                return Err(RunError::ClusterDoesNotFit(vec![StartProblem::IngestNotReadable { kafka_topic }]));
            }
            Err(Unsettled::GroupForbidden(cause)) => {
                return Err(FatalError::Consumer { group: settings.application_id.clone(), cause }.into());
            }
            Err(Unsettled::NotYet(error)) => {
                tracing::warn!(%error, "positions of the consumer group not known yet, asking again");
                thread::sleep(ASK_AGAIN);
            }
        }
    }
    Ok(())
}

fn start(setup: TaskSetup, sender: Sender<(usize, thread::Result<Result<(), FatalError>>)>) -> Result<(), FatalError> {
    let number = setup.number;
    thread::Builder::new()
        .name(format!("task-{number}"))
        .spawn(move || {
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| task::run(setup)));
            // Nobody listens any more only when the process is ending.
            let _ = sender.send((number, ended));
        })
        .map(drop)
        .map_err(|_| FatalError::TaskPanicked { task: number })
}

/// Waits for all tasks; the first that fails stops the others. After a stop the wait is bounded: a task that hangs on
/// brokers that are away is left behind, and what it had not committed is processed by the next owner.
fn wait_for_tasks(
    ended: &Receiver<(usize, thread::Result<Result<(), FatalError>>)>,
    mut running: usize,
    settings: &Settings,
    stop: &StopSignal,
) -> Result<Ended, FatalError> {
    let mut failure = None;
    let mut bound = StopBound::new(settings.shutdown_timeout);
    let mut how = Ended::InOrder;
    while running > 0 {
        if bound.is_over(stop) {
            tracing::warn!(tasks = running, "tasks did not end in time, leaving their open batches to the next owner");
            how = Ended::ThreadsLeftBehind;
            break;
        }
        match ended.recv_timeout(LOOK) {
            Ok((task, result)) => {
                running -= 1;
                let result = result.unwrap_or(Err(FatalError::TaskPanicked { task }));
                if let Err(error) = result {
                    occurrence::task_failed(task, &chain(&error));
                    failure.get_or_insert(error);
                    stop.stop();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    failure.map_or(Ok(how), Err)
}

/// Random, so that two instances never share a transactional id by accident.
fn random_instance_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn list(problems: &[StartProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
