//! Another `topics.yaml` while the service runs.
//!
//! ```text
//! files have changed, or SIGHUP -> load -> compare -> ask the cluster -> prepare -> plan for the tasks
//!                                    |        |             |                        (each between two batches)
//!                                    v        v             v
//!                                 invalid  needs a      Kafka topics
//!                                          restart      are missing     the old plan stands, and all are told why
//! ```
//!
//! **Promises.** A plan is taken over whole or not at all. It is checked as at a start; what criteria need is prepared for
//! the types of events that have come so far, so that no task waits for it. A batch is processed with one plan.
//! **Retries.** An edit that only the cluster stands against is tried again until it fits or is edited anew.
//! **Fails** never: what is wrong is said in log, metrics and status, and the old plan runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::limits::{SharedLimits, limits_of};
use super::stop::StopSignal;
use super::versioned::Versioned;
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::environment::Environment;
use crate::config::settings::Settings;
use crate::config::topics::{self, LoadedTopics};
use crate::config::watch::Watch;
use crate::domain::fhirpath::{FhirPath, Severity};
use crate::domain::plan::Plan;
use crate::domain::plan_diff::{PlanDiff, Takeover, diff};
use crate::kafka::admin::start_check::{ForeignServers, StartProblem, StartReport, check_start, roles};
use crate::kafka::admin::{Admin, AdminError};
use crate::ops::configuration::{Problem, RefusalReason, RefusedEdit};
use crate::ops::status::Status;
use crate::telemetry::{chain, occurrence};

/// How often the stop signal and the wish for a reload are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How long one question to the brokers may take.
const ANSWER: Duration = Duration::from_secs(5);

/// After this time an edit that only the cluster stands against is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The same while no broker answers.
const TRY_SOON: Duration = Duration::from_secs(1);

/// How long files must not change that did so while they were read.
const REST: Duration = Duration::from_millis(200);

/// Where the configuration comes from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// `topics.yaml`.
    pub topics: PathBuf,
    /// The file with the settings, if there is one.
    pub settings: Option<PathBuf>,
    /// The environment, as it was at the start.
    pub environment: Environment,
}

impl Sources {
    /// How the files stand now.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch::new(&self.topics, self.settings.as_slice(), &self.environment)
    }
}

/// The wish that the configuration be looked at now.
#[derive(Debug, Clone, Default)]
pub struct ReloadSignal(Arc<AtomicBool>);

impl ReloadSignal {
    /// Wishes it.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

/// What a reload changes.
pub struct Reloader {
    /// Where the configuration comes from.
    pub sources: Sources,
    /// How the files stood before they were read for the plan that runs.
    pub watch: Watch,
    /// SIGHUP.
    pub signal: ReloadSignal,
    /// The settings of the start: they stand until the next one.
    pub settings: Arc<Settings>,
    /// What the tasks run.
    pub plan: Arc<Versioned<Arc<Plan>>>,
    /// What the Kafka topics of the plan take.
    pub limits: Arc<SharedLimits>,
    /// Where it is shown what became of an edit.
    pub status: Arc<Status>,
    /// What ends it.
    pub stop: StopSignal,
}

/// What became of an edit.
enum Outcome {
    TakenOver(PlanDiff),
    /// It decides the same as what runs.
    Same,
    Refused(RefusalReason, Vec<Problem>),
    /// No broker answers.
    NotYet,
    /// The files changed while they were read: half of one may be a valid configuration.
    StillWritten,
}

/// When the files are to be read.
#[derive(Debug, Clone, Copy)]
struct Due {
    at: Instant,
    /// Whether it was said before why they were not taken over.
    told: bool,
}

impl Reloader {
    /// Follows the files until the process stops.
    pub fn follow(mut self) {
        let every = self.settings.reload_interval;
        let (mut looked, mut due) = (Instant::now(), None::<Due>);
        while !self.stop.is_stopped() {
            thread::sleep(LOOK);
            let asked = self.signal.take();
            let look = !every.is_zero() && looked.elapsed() >= every;
            if look {
                looked = Instant::now();
            }
            if asked {
                self.watch.learn();
            }
            if asked || (look && self.watch.has_changed()) {
                self.look_at_settings();
                due = Some(Due { at: Instant::now(), told: false });
            }
            if let Some(now) = due.filter(|due| Instant::now() >= due.at) {
                due = self.reload(now.told);
            }
        }
    }

    /// Settings count from the next start: says so when there are others, and whether they would do.
    fn look_at_settings(&self) {
        let (settings, diagnostics) = Settings::load(self.sources.settings.as_deref(), &self.sources.environment);
        for problem in diagnostics.iter().filter(|problem| problem.severity == Severity::Error) {
            occurrence::configuration_problem(Some(&problem.location()), &problem.message, problem.hint.as_deref());
        }
        let changed = diagnostics.has_errors() || settings != *self.settings;
        let mut news = false;
        self.status
            .configuration()
            .update(|report| news = std::mem::replace(&mut report.settings_changed, changed) != changed);
        if news && changed {
            occurrence::settings_changed(diagnostics.has_errors());
        }
    }

    /// Tries to take over what the files say. Returns when to try again, where that may help; what was told already is
    /// not told again.
    fn reload(&mut self, told: bool) -> Option<Due> {
        match self.attempt() {
            Outcome::TakenOver(diff) => {
                occurrence::configuration_taken_over(&diff);
                None
            }
            Outcome::Same => {
                self.status.configuration().update(|report| report.refused = None);
                occurrence::configuration_unchanged();
                None
            }
            Outcome::Refused(reason, problems) => {
                let refused = RefusedEdit { at: Timestamp::now(), reason, problems };
                let before = self.status.configuration().report().refused;
                if !told || before.is_none_or(|before| before.problems != refused.problems) {
                    occurrence::configuration_refused(&refused);
                    self.status.configuration().update(|report| report.refused = Some(refused));
                }
                (reason == RefusalReason::Cluster).then(|| Due { at: Instant::now() + TRY_AGAIN, told: true })
            }
            Outcome::NotYet => {
                if !told {
                    tracing::warn!("no broker answers: the new configuration is checked when one does");
                }
                Some(Due { at: Instant::now() + TRY_SOON, told: true })
            }
            // Tried again of itself: whoever writes now makes an edit, to be found as one, or told by SIGHUP.
            Outcome::StillWritten if told => None,
            Outcome::StillWritten => {
                self.watch.learn();
                Some(Due { at: Instant::now() + REST, told })
            }
        }
    }

    fn attempt(&self) -> Outcome {
        if !self.watch.is_at_rest() {
            return Outcome::StillWritten;
        }
        let fhirpath = Arc::new(FhirPath::new());
        let Sources { topics, environment, .. } = &self.sources;
        let (loaded, diagnostics) = topics::load(topics, &self.settings, environment, &fhirpath);
        if !self.watch.is_at_rest() {
            return Outcome::StillWritten;
        }
        let Some(LoadedTopics { plan, foreign_bootstrap, .. }) = loaded else {
            return Outcome::Refused(RefusalReason::Invalid, errors(&diagnostics));
        };
        let running = self.plan.newest();
        // The servers that destinations name are no part of the plan: the cluster is asked about them below.
        if plan.hash == running.hash && foreign_bootstrap.is_empty() {
            return Outcome::Same;
        }
        let diff = diff(&running, &plan);
        if diff.needs_restart() {
            return Outcome::Refused(RefusalReason::NeedsRestart, restarts(&diff));
        }
        let foreign: Vec<ForeignServers> = foreign_bootstrap.into_iter().map(ForeignServers::from).collect();
        let report = match self.ask_cluster(&plan, &foreign) {
            Ok(report) => report,
            Err(AdminError::BrokersAway(_)) => return Outcome::NotYet,
            Err(error) => return Outcome::Refused(RefusalReason::Cluster, vec![of_cluster(chain(&error).to_string())]),
        };
        let fatal: Vec<Problem> =
            report.problems.iter().filter(|problem| is_fatal(problem, &running)).map(of_cluster).collect();
        if !fatal.is_empty() {
            return Outcome::Refused(RefusalReason::Cluster, fatal);
        }
        if plan.hash == running.hash {
            return Outcome::Same;
        }
        for problem in report.problems.iter().filter(|problem| !problem.is_fatal()) {
            occurrence::cluster_may_surprise(problem);
        }
        for warning in &diagnostics {
            occurrence::configuration_warning(&warning.location(), &warning.message, warning.hint.as_deref());
        }
        plan.prepare_as(&running);
        self.take_over(plan, &report);
        Outcome::TakenOver(diff)
    }

    fn ask_cluster(&self, plan: &Plan, foreign: &[ForeignServers]) -> Result<StartReport, AdminError> {
        let admin = Admin::new(&self.settings.kafka)?.with_timeout(ANSWER);
        check_start(&admin, &self.settings.kafka, plan, foreign)
    }

    /// The limits first: no task may have the plan without knowing what its Kafka topics take.
    fn take_over(&self, plan: Plan, report: &StartReport) {
        self.limits.set(limits_of(&self.settings.kafka, self.settings.max_message_bytes, &report.limits));
        let hash = plan.hash.clone();
        self.plan.set(Arc::new(plan));
        let version = self.plan.version();
        self.status.configuration().update(|report| {
            report.plan = hash;
            report.version = version;
            report.since = Some(Timestamp::now());
            report.reloads += 1;
            report.refused = None;
        });
    }
}

/// What forbids to take a plan over. A Kafka topic that the plan before it has as well is no matter of the edit: the
/// tasks deal with it.
fn is_fatal(problem: &StartProblem, running: &Plan) -> bool {
    match problem {
        StartProblem::MissingKafkaTopic { kafka_topic, .. } => !roles(running).contains_key(kafka_topic.as_str()),
        problem => problem.is_fatal(),
    }
}

fn errors(diagnostics: &Diagnostics) -> Vec<Problem> {
    let problem = |found: &Diagnostic| Problem {
        place: Some(found.location()),
        message: found.message.clone(),
        hint: found.hint.clone(),
    };
    diagnostics.iter().filter(|found| found.severity == Severity::Error).map(problem).collect()
}

fn restarts(diff: &PlanDiff) -> Vec<Problem> {
    let changes = diff.changes().iter().filter(|change| change.takes_effect == Takeover::Restart);
    changes
        .map(|change| Problem {
            place: None,
            message: format!("{change} only"),
            hint: Some("restart the instances one after the other, or take this part of the edit back".to_owned()),
        })
        .collect()
}

fn of_cluster(message: impl ToString) -> Problem {
    Problem { place: None, message: message.to_string(), hint: None }
}
