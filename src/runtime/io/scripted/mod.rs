//! A task's I/O by script: every call can fail in each of its ways, the group can move on at every poll, and the process
//! can die before and after every call.
//!
//! It is no mock of Kafka's guarantees: those are tested on a real Kafka. Here the question is what the task's loop does
//! with any answer, in any order; [`cluster::Cluster`] keeps just the rules that make the answers possible ones.

pub(crate) mod cluster;
pub(crate) mod ingest;
mod member;
mod producer;
pub(crate) mod script;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;

use self::cluster::Cluster;
use self::member::ScriptedMember;
use self::producer::{Idle, New, Open};
use self::script::{Call, Fault};
use super::TaskIo;
use crate::domain::plan::Plan;
use crate::runtime::limits::SharedLimits;
use crate::runtime::versioned::Versioned;

/// The end of a process by script: thrown, never printed.
#[derive(Debug)]
pub(crate) struct Crash;

/// The cluster, as task and test share it.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub cluster: Rc<RefCell<Cluster>>,
    /// Handles of open transactions that the task holds.
    pub open_transactions: Rc<Cell<usize>>,
    pub changes: Rc<Changes>,
}

/// What changes while a task runs, whatever it does.
#[derive(Debug)]
pub(crate) struct Changes {
    pub limits: ChangingLimits,
    pub plan: ChangingPlan,
}

/// How large a record each Kafka topic takes: all outputs fit, but batches have to be larger and smaller.
#[derive(Debug)]
pub(crate) struct ChangingLimits {
    pub shared: Arc<SharedLimits>,
    /// After how many polls they change, over and over.
    after: Option<usize>,
    polls: Cell<usize>,
}

impl ChangingLimits {
    fn new(after: Option<usize>) -> Self {
        Self { shared: Arc::new(SharedLimits::new(ingest::limits(false))), after, polls: Cell::new(0) }
    }

    fn polled(&self) {
        self.polls.set(self.polls.get() + 1);
        if let Some(often) = self.after {
            self.shared.set(ingest::limits(self.polls.get() / often % 2 == 1));
        }
    }
}

/// The plan is replaced so often at the most: with another plan each time, what was found out about an output that is
/// refused would be found out anew for ever.
const CHANGES: usize = 7;

/// The plan, and how often it was replaced.
#[derive(Debug)]
pub(crate) struct ChangingPlan {
    pub shared: Arc<Versioned<Arc<Plan>>>,
    plans: [Arc<Plan>; 2],
    /// After how many polls the other one runs, over and over.
    after: Option<usize>,
    polls: Cell<usize>,
}

impl ChangingPlan {
    fn new(plans: &[Arc<Plan>; 2], after: Option<usize>) -> Self {
        let shared = Arc::new(Versioned::new(Arc::clone(&plans[0])));
        Self { shared, plans: plans.clone(), after, polls: Cell::new(0) }
    }

    fn polled(&self) {
        self.polls.set(self.polls.get() + 1);
        let changes =
            self.after.filter(|often| self.polls.get().is_multiple_of(*often)).map(|often| self.polls.get() / often);
        if let Some(change) = changes.filter(|change| *change <= CHANGES) {
            self.shared.set(Arc::clone(&self.plans[change % 2]));
        }
    }
}

impl World {
    pub(crate) fn new(cluster: Cluster) -> Self {
        let changes = Changes {
            limits: ChangingLimits::new(cluster.unusual.limits_change_after),
            plan: ChangingPlan::new(&cluster.ingest.plans, cluster.unusual.plan_changes_after),
        };
        let (cluster, changes) = (Rc::new(RefCell::new(cluster)), Rc::new(changes));
        Self { cluster, open_transactions: Rc::default(), changes }
    }

    /// One call into the cluster; `act` is told in which way it has to fail, if it has to.
    fn call<R>(&self, call: Call, act: impl FnOnce(&mut Cluster, Option<u8>) -> R) -> R {
        if call == Call::Poll {
            self.changes.limits.polled();
            self.changes.plan.polled();
        }
        let fault = self.cluster.borrow_mut().script.draw(call);
        let way = match fault {
            Some(Fault::CrashBefore) => std::panic::resume_unwind(Box::new(Crash)),
            Some(Fault::Fails(way)) => Some(way),
            Some(Fault::CrashAfter) | None => None,
        };
        let answer = act(&mut self.cluster.borrow_mut(), way);
        if fault == Some(Fault::CrashAfter) {
            std::panic::resume_unwind(Box::new(Crash));
        }
        answer
    }
}

/// The I/O of one process.
pub(crate) struct ScriptedIo {
    world: World,
    member: ScriptedMember,
    transactional_id: String,
}

impl ScriptedIo {
    pub(crate) fn new(world: &World, transactional_id: String) -> Self {
        let world = world.clone();
        Self { member: ScriptedMember(world.clone()), world, transactional_id }
    }
}

impl TaskIo for ScriptedIo {
    type Member = ScriptedMember;
    type Generation = u64;
    type New = New;
    type Idle = Idle;
    type Open = Open;

    fn member(&self) -> &ScriptedMember {
        &self.member
    }

    fn new_producer(&self, _largest_batch: usize) -> Result<New, KafkaError> {
        Ok(New { world: self.world.clone(), id: self.transactional_id.clone() })
    }

    fn now(&self) -> Instant {
        self.world.cluster.borrow().now()
    }

    fn sleep(&self, time: Duration) {
        self.world.cluster.borrow_mut().pass(time);
    }
}
