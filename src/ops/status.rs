//! What the tasks are doing, shared between the tasks, the supervisor and the HTTP server without a lock.
//!
//! ```text
//!            +--------------------------------------------+
//!            |   Joining  <->  Running  <->  Paused       |
//! Starting ->|      ^-----------> Blocked <----^          |-> Stopping -> Stopped
//!            +--------------------------------------------+
//!                each of the four may follow each other
//! any state -> Stopped: the task ended with an error
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::configuration::Configuration;

/// A task that gave no sign of life for this long is not alive.
pub const HEARTBEAT_LIMIT: Duration = Duration::from_secs(60);

/// What a task is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TaskState {
    /// Waits for the brokers and builds its clients.
    Starting,
    /// Joins the consumer group.
    Joining,
    /// Processes batches.
    Running,
    /// Waits for the brokers; its partitions are paused.
    Paused,
    /// Waits for a destination that refuses everything.
    Blocked,
    /// Finishes its batch and leaves the group.
    Stopping,
    /// Ended.
    Stopped,
}

impl TaskState {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Starting, Self::Joining, Self::Running, Self::Paused, Self::Blocked, Self::Stopping, Self::Stopped];

    /// The state as metrics and health name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Joining => "joining",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Blocked => "blocked",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// Whether a task in this state may enter `next`; entering the state it is in is always allowed.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        if self == next {
            return true;
        }
        match self {
            Self::Starting | Self::Joining | Self::Running | Self::Paused | Self::Blocked => next != Self::Starting,
            Self::Stopping => next == Self::Stopped,
            Self::Stopped => false,
        }
    }

    fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Stopped)
    }
}

/// One task's cells: written by the task, read by everyone.
#[derive(Debug)]
pub struct TaskStatus {
    started: Instant,
    state: AtomicU8,
    joined: AtomicBool,
    heartbeat_ms: AtomicU64,
    partitions: AtomicU32,
    plan_version: AtomicU64,
}

impl TaskStatus {
    fn new(started: Instant) -> Self {
        Self {
            started,
            state: AtomicU8::new(TaskState::Starting as u8),
            joined: AtomicBool::new(false),
            heartbeat_ms: AtomicU64::new(0),
            partitions: AtomicU32::new(0),
            plan_version: AtomicU64::new(0),
        }
    }

    /// A sign of life: at each turn of the task's loop and inside everything that waits.
    pub fn beat(&self) {
        self.heartbeat_ms.store(millis(self.started.elapsed()), Ordering::Relaxed);
    }

    /// Enters a state, with a sign of life. False, and nothing changes, when the diagram has no such arrow.
    pub fn enter(&self, next: TaskState) -> bool {
        self.beat();
        self.state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| {
                TaskState::from_number(now).may_become(next).then_some(next as u8)
            })
            .is_ok()
    }

    /// A rebalance callback told the whole assignment; none is an answer as well. The task has joined from then on.
    pub fn assigned(&self, partitions: usize) {
        self.partitions.store(u32::try_from(partitions).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.joined.store(true, Ordering::Release);
    }

    /// The task runs the plan of this version from now on.
    pub fn plan_taken_over(&self, version: u64) {
        self.plan_version.store(version, Ordering::Release);
    }

    /// The version of the plan that the task runs.
    #[must_use]
    pub fn plan_version(&self) -> u64 {
        self.plan_version.load(Ordering::Acquire)
    }

    /// What the task is doing.
    #[must_use]
    pub fn state(&self) -> TaskState {
        TaskState::from_number(self.state.load(Ordering::Acquire))
    }

    /// Whether a first assignment, possibly empty, has come.
    #[must_use]
    pub fn has_joined(&self) -> bool {
        self.joined.load(Ordering::Acquire)
    }

    /// How many partitions the task is assigned.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions.load(Ordering::Relaxed)
    }

    /// Time from the last sign of life to a time since the process's start.
    fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_millis(self.heartbeat_ms.load(Ordering::Relaxed)))
    }
}

/// What the process is doing.
#[derive(Debug)]
pub struct Status {
    started: Instant,
    stopping: AtomicBool,
    tasks: Vec<TaskStatus>,
    configuration: Configuration,
}

/// A task as the health page shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskReport {
    /// Its number, from 0.
    pub task: usize,
    /// Its state's name.
    pub state: &'static str,
    /// Whether it has joined the group.
    pub joined: bool,
    /// How many partitions it is assigned.
    pub partitions: u32,
    /// Time since its last sign of life.
    pub heartbeat_age_ms: u64,
}

impl Status {
    /// The status of a process with this many tasks, all of them starting.
    #[must_use]
    pub fn new(tasks: usize) -> Arc<Self> {
        let started = Instant::now();
        let tasks = (0..tasks).map(|_| TaskStatus::new(started)).collect();
        let configuration = Configuration::default();
        Arc::new(Self { started, stopping: AtomicBool::new(false), tasks, configuration })
    }

    /// Which configuration it runs.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// How many tasks run the newest plan already; each takes it over between two batches.
    #[must_use]
    pub fn tasks_on_newest_plan(&self) -> usize {
        let newest = self.configuration.report().version;
        self.tasks.iter().filter(|task| task.plan_version() == newest).count()
    }

    /// The cells of a task.
    ///
    /// # Panics
    /// When there is no such task: their number is fixed at the start.
    #[must_use]
    pub fn task(&self, task: usize) -> &TaskStatus {
        &self.tasks[task]
    }

    /// All tasks.
    #[must_use]
    pub fn tasks(&self) -> &[TaskStatus] {
        &self.tasks
    }

    /// A sign of life for every task: for the supervisor, while it waits before they run.
    pub fn beat(&self) {
        self.tasks.iter().for_each(TaskStatus::beat);
    }

    /// The process drains: not ready from now on.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether [`Status::stop`] was called.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whether every task gave a sign of life in the last 60 s; one that ended counts as alive only while the process
    /// stops.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.is_live_at(self.started.elapsed())
    }

    fn is_live_at(&self, now: Duration) -> bool {
        self.tasks.iter().all(|task| match task.state() {
            TaskState::Stopped => self.is_stopping(),
            _ => task.silence(now) < HEARTBEAT_LIMIT,
        })
    }

    /// Whether every task has had its first assignment, possibly empty, and none is on its way out.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_stopping()
            && self
                .tasks
                .iter()
                .all(|task| task.has_joined() && !matches!(task.state(), TaskState::Stopping | TaskState::Stopped))
    }

    /// The tasks as the health page shows them.
    #[must_use]
    pub fn report(&self) -> Vec<TaskReport> {
        let now = self.started.elapsed();
        let report = |(task, cells): (usize, &TaskStatus)| TaskReport {
            task,
            state: cells.state().name(),
            joined: cells.has_joined(),
            partitions: cells.partitions(),
            heartbeat_age_ms: millis(cells.silence(now)),
        };
        self.tasks.iter().enumerate().map(report).collect()
    }

    /// How many tasks are in each state.
    #[must_use]
    pub fn by_state(&self) -> [(&'static str, u32); TaskState::ALL.len()] {
        let mut counts = TaskState::ALL.map(|state| (state.name(), 0));
        for task in &self.tasks {
            counts[task.state() as usize].1 += 1;
        }
        counts
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskState::{Blocked, Joining, Paused, Running, Starting, Stopped, Stopping};

    #[test]
    fn the_arrows_of_the_diagram_and_no_others() {
        let allowed = |from: TaskState, to: TaskState| match (from, to) {
            (from, to) if from == to => true,
            (_, Starting) | (Stopped, _) => false,
            (Stopping, to) => to == Stopped,
            (Starting | Joining | Running | Paused | Blocked, _) => true,
        };
        for from in TaskState::ALL {
            for to in TaskState::ALL {
                let status = Status::new(1);
                let task = status.task(0);
                assert!(from == Starting || task.enter(from), "{from:?} is reachable");
                assert_eq!(task.enter(to), allowed(from, to), "{from:?} -> {to:?}");
                assert_eq!(task.state(), if allowed(from, to) { to } else { from }, "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn ready_when_every_task_has_its_first_assignment() {
        let status = Status::new(2);
        assert!(!status.is_ready());
        status.task(0).enter(Running);
        status.task(0).assigned(4);
        assert!(!status.is_ready(), "task 1 has not joined");
        status.task(1).enter(Running);
        status.task(1).assigned(0);
        assert!(status.is_ready(), "an empty assignment is an assignment");
        status.task(1).enter(Paused);
        status.task(0).enter(Blocked);
        assert!(status.is_ready(), "waiting tasks are members still");
        status.task(1).enter(Stopping);
        assert!(!status.is_ready());
    }

    #[test]
    fn not_ready_while_the_process_stops() {
        let status = Status::new(1);
        status.task(0).enter(Running);
        status.task(0).assigned(1);
        assert!(status.is_ready());
        status.stop();
        assert!(!status.is_ready());
    }

    #[test]
    fn alive_for_sixty_seconds_after_a_heartbeat() {
        let status = Status::new(2);
        let beat = |task: usize, at: u64| status.task(task).heartbeat_ms.store(at, Ordering::Relaxed);
        beat(0, 1_000);
        beat(1, 5_000);
        assert!(status.is_live_at(Duration::from_millis(60_999)));
        assert!(!status.is_live_at(Duration::from_millis(61_000)), "task 0 was silent for 60 s");
        beat(0, 61_000);
        assert!(status.is_live_at(Duration::from_millis(64_999)));
        assert!(!status.is_live_at(Duration::from_millis(65_000)), "task 1 was silent for 60 s");
    }

    #[test]
    fn a_task_that_ended_is_alive_only_while_the_process_stops() {
        let status = Status::new(2);
        status.task(0).enter(Stopped);
        assert!(!status.is_live());
        status.stop();
        assert!(status.is_live());
    }

    #[test]
    fn counts_tasks_by_state() {
        let status = Status::new(3);
        status.task(2).enter(Running);
        let counts = status.by_state();
        assert_eq!(counts[Starting as usize], ("starting", 2));
        assert_eq!(counts[Running as usize], ("running", 1));
        assert_eq!(counts[Joining as usize], ("joining", 0));
        assert_eq!(status.report()[2].state, "running");
    }
}
