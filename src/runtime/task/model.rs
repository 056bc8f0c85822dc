//! The task's loop against every answer that its I/O can give, in every order that a script can bring about.
//!
//! A run: processes one after the other work on the same scripted cluster; each ends by a crash, a stop or an error that
//! the script makes, until everything is through. The cluster notes what must never be: see the invariants in
//! ARCHITECTURE.md, whose numbers its findings carry.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::{Task, TaskSetup};
use crate::config::settings::Settings;
use crate::kafka::client_options::ClientIdentity;
use crate::ops::status::Status;
use crate::runtime::errors::FatalError;
use crate::runtime::io::scripted::cluster::{Cluster, TRANSACTION_TIMEOUT};
use crate::runtime::io::scripted::ingest::{KAFKA_TOPICS, Unusual};
use crate::runtime::io::scripted::script::{Call, Fault, Script, Step};
use crate::runtime::io::scripted::{Crash, ScriptedIo, World};

/// More processes than a script has ends for them.
const PROCESSES: usize = 100;

/// One run.
#[derive(Debug, Clone)]
struct Run {
    steps: Vec<Step>,
    unusual: Unusual,
    /// Records of a batch at the most.
    max_records: usize,
    /// Whether a process has the transactional id of the one before it.
    stable_id: bool,
}

impl Run {
    /// With these faults, and nothing else unusual.
    fn new(steps: &[Step]) -> Self {
        Self { steps: steps.to_vec(), unusual: Unusual::default(), max_records: 4, stable_id: true }
    }

    /// Runs it. What the cluster noted is an error; so is an end that the script did not make.
    fn go(&self) -> Result<World, String> {
        let world = World::new(Cluster::new(Script::new(&self.steps), self.unusual.clone()));
        for process in 0..PROCESSES {
            world.cluster.borrow_mut().start_process();
            let id = if self.stable_id { "app-one-0".to_owned() } else { format!("app-{process}-0") };
            let ended = catch_unwind(AssertUnwindSafe(|| self.process(&world, id)));
            match ended {
                Err(thrown) => throw_on_unless_crash(thrown),
                Ok(Err(error)) if !world.cluster.borrow().may_end => return Err(format!("ended by itself: {error}")),
                Ok(_) => {}
            }
            let cluster = world.cluster.borrow();
            if let Some(violation) = cluster.violations.first() {
                return Err(violation.clone());
            }
            if cluster.is_through() {
                drop(cluster);
                check_visible(&world)?;
                return Ok(world);
            }
        }
        Err(format!("{PROCESSES} processes did not get it done"))
    }

    fn process(&self, world: &World, transactional_id: String) -> Result<(), FatalError> {
        let setup = self.setup(world, transactional_id.clone());
        let io = ScriptedIo::new(world, transactional_id);
        Task::new(&setup, &io).run()
    }

    fn setup(&self, world: &World, transactional_id: String) -> TaskSetup {
        let mut settings = Settings { transaction_timeout: TRANSACTION_TIMEOUT, ..Settings::default() };
        settings.batch.max_records = self.max_records;
        settings.batch.linger = Duration::from_millis(10);
        TaskSetup {
            number: 0,
            identity: ClientIdentity { id: transactional_id },
            settings: Arc::new(settings),
            plan: Arc::clone(&world.changes.plan.shared),
            limits: Arc::clone(&world.changes.limits.shared),
            status: Status::new(1),
            stop: world.cluster.borrow().stop.clone(),
        }
    }
}

fn throw_on_unless_crash(thrown: Box<dyn Any + Send>) {
    if !thrown.is::<Crash>() {
        resume_unwind(thrown);
    }
}

/// Looks at all that readers have seen once more, as a whole: each record's outputs once, in the order of the records.
fn check_visible(world: &World) -> Result<(), String> {
    let cluster = world.cluster.borrow();
    for (partition, records) in (0..).zip(&cluster.ingest.partitions) {
        let mut seen = cluster.visible.iter().filter(|sent| sent.partition == partition).peekable();
        for record in records {
            let mut came = Vec::new();
            while let Some(sent) = seen.next_if(|sent| sent.offset == record.offset) {
                came.push(sent.clone());
            }
            if !record.outcomes.contains(&came) {
                return Err(format!("{partition}:{} has {} outputs, not its own", record.offset, came.len()));
            }
        }
        if let Some(extra) = seen.next() {
            return Err(format!("{partition}:{} is seen once more, or out of order", extra.offset));
        }
    }
    Ok(())
}

fn step(call: Call, after: u8, fault: Fault) -> Step {
    Step { call, after, fault }
}

fn any_step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        1 => Just(Fault::CrashBefore),
        1 => Just(Fault::CrashAfter),
        6 => (0_u8..45).prop_map(Fault::Fails),
    ];
    // Half of them soon after one another: faults on the way back from faults are where mistakes hide.
    let after = prop_oneof![1 => 0_u8..3, 1 => 0_u8..25];
    (prop::sample::select(Call::ALL.to_vec()), after, fault).prop_map(|(call, after, fault)| step(call, after, fault))
}

fn any_unusual() -> impl Strategy<Value = Unusual> {
    let records = || prop::collection::vec((0..3_i32, 0..14_usize), 1..4);
    let guilty = prop_oneof![2 => Just(Vec::new()), 1 => records()];
    let costly = prop_oneof![4 => Just(Vec::new()), 1 => records()];
    let gone = prop_oneof![
        3 => Just(None),
        1 => (prop::sample::select(KAFKA_TOPICS.to_vec()), 1..90_u64).prop_map(Some),
    ];
    let changes_after = || prop_oneof![3 => Just(None), 1 => (1..20_usize).prop_map(Some)];
    (guilty, any::<bool>(), gone, costly, changes_after(), changes_after()).prop_map(
        |(guilty, dead_letters_instead, gone, costly, limits_change_after, plan_changes_after)| Unusual {
            guilty,
            dead_letters_instead,
            gone,
            costly,
            limits_change_after,
            plan_changes_after,
        },
    )
}

fn any_run() -> impl Strategy<Value = Run> {
    (prop::collection::vec(any_step(), 0..24), any_unusual(), 1..9_usize, any::<bool>())
        .prop_map(|(steps, unusual, max_records, stable_id)| Run { steps, unusual, max_records, stable_id })
}

/// Runs of one test: some seconds' worth, or what PROPTEST_CASES asks for.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_its_io_answers_the_task_loses_doubles_and_tears_nothing(run in any_run()) {
        if let Err(found) = run.go() {
            prop_assert!(false, "{found}");
        }
    }
}

#[test]
fn without_faults_everything_goes_through_in_one_process() {
    let world = Run::new(&[]).go().expect("nothing is wrong");
    assert!(world.cluster.borrow().visible.len() > 40, "the run proves something");
    assert_eq!(world.cluster.borrow().unknown_commits, 0);
}

/// What comes before it opens a transaction, which it then outlives: it has to be tried with less before it, until it is
/// through with its criteria before its own first output opens one.
#[test]
fn a_costly_record_behind_others_does_not_outlive_its_transactions_for_ever() {
    for max_records in [1, 2, 4, 8, 100] {
        for number in 0..14 {
            let unusual = Unusual { costly: vec![(1, number)], ..Unusual::default() };
            let run = Run { unusual, max_records, ..Run::new(&[]) };
            if let Err(found) = run.go() {
                panic!("{found}\nin {run:?}");
            }
        }
    }
}

/// A fault at each call, in each way: alone, and on the way back from others.
#[test]
fn each_call_may_fail_in_each_way_and_the_process_die_before_and_after_it() {
    let ways = (0..9).map(Fault::Fails).chain([Fault::CrashBefore, Fault::CrashAfter]);
    let faults: Vec<Fault> = ways.collect();
    // A delivery that fails leads to an abort and a pause, a commit without an answer to a new producer and a question.
    let trouble = [step(Call::Deliver, 0, Fault::Fails(0)), step(Call::Commit, 0, Fault::Fails(2))];
    for call in Call::ALL {
        let mut met = 0;
        for (fault, after) in faults.iter().flat_map(|fault| [0, 1, 3].map(|after| (*fault, after))) {
            let alone = vec![step(call, after, fault)];
            let on_the_way_back = [&trouble[..], &alone].concat();
            for steps in [alone, on_the_way_back] {
                let run = Run::new(&steps);
                let world = run.go().unwrap_or_else(|found| panic!("{found}\nin {run:?}"));
                met += usize::from(world.cluster.borrow().script.is_over());
            }
        }
        assert!(met >= faults.len(), "{call:?} met its fault in {met} runs only");
    }
}

/// Resume, then rebuild and read back; never abort after the end was asked for (the cluster looks for that itself).
#[test]
fn a_commit_without_an_answer_is_read_back_however_it_has_ended() {
    // The answer lost, the request lost, the request late; then the same with an error that could be taken for a "no".
    for way in 1..=7 {
        for (after, stable_id) in [(0, true), (1, false), (2, true)] {
            let unknown = step(Call::Commit, after, Fault::Fails(way));
            let away = [
                step(Call::Initialise, 1, Fault::Fails(0)),
                step(Call::Initialise, 0, Fault::Fails(0)),
                step(Call::Committed, 0, Fault::Fails(0)),
            ];
            let gone = [step(Call::Committed, 0, Fault::Fails(0)), step(Call::Poll, 30, Fault::Fails(2))];
            let scripts = [vec![unknown], [&[unknown][..], &away].concat(), [&[unknown][..], &gone].concat()];
            for steps in scripts {
                let run = Run { stable_id, ..Run::new(&steps) };
                let world = run.go().unwrap_or_else(|found| panic!("{found}\nin {run:?}"));
                assert_eq!(world.cluster.borrow().unknown_commits, 1, "the script's own, in {run:?}");
            }
        }
    }
}
