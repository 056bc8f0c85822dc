//! Makes the faults, and measures how long outputs take to flow again.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::fleet::{Fleet, Identity};
use super::log::{Entry, say};
use super::plan::{Again, Broker, Fault, Leave};
use super::stage::{BROKER_SESSION_TIMEOUT, SESSION_TIMEOUT, Stage, TRANSACTION_SCAN, TRANSACTION_TIMEOUT};
use super::{publisher, watch};
use crate::kafka::coordinators;
use crate::moment::freeze_between_transactions;
use crate::wait;

/// Longer than this without outputs is no recovery but a standstill: the run ends there, with all logs.
pub(super) const STANDSTILL: Duration = Duration::from_secs(90);
/// After kill -9 and an immediate restart of a static member.
const STATIC_BOUND: Duration = Duration::from_secs(3);
/// After SIGTERM.
const STOP_BOUND: Duration = Duration::from_secs(2);

/// Within which outputs have to flow after kill -9 of one of several instances.
pub(super) fn bound() -> Duration {
    SESSION_TIMEOUT.max(TRANSACTION_TIMEOUT + TRANSACTION_SCAN) + Duration::from_secs(2)
}

/// Who makes the faults.
pub(super) struct Nemesis<'r> {
    pub(super) stage: &'r Stage,
    pub(super) fleet: Fleet,
    pub(super) watch: Arc<watch::Shared>,
    pub(super) publisher: Arc<publisher::Shared>,
    /// Slots of the instances that stay.
    pub(super) residents: usize,
    /// What the service did that it must not do, besides what the checker finds.
    pub(super) problems: Vec<String>,
    /// What an operator would want to know, and what is no fault of exactly-once.
    pub(super) notes: Vec<String>,
}

impl Nemesis<'_> {
    /// Makes a fault, waits until outputs flow again and everybody is back.
    ///
    /// # Errors
    /// When outputs do not flow again.
    pub(super) fn make(&mut self, fault: &Fault) -> anyhow::Result<Entry> {
        let mut entry = Entry { kind: fault.name().to_owned(), ..Entry::default() };
        let result = self.dispatch(fault, &mut entry);
        result.with_context(|| format!("after {}", entry.line()))?;
        for (slot, _, how) in self.fleet.ended() {
            say(&format!("    an instance ended by itself: {how}"));
            self.notes
                .push(format!("an instance ended by itself, and was started again, after {}: {how}", entry.line()));
            self.fleet.retire(slot);
            self.fleet.start(slot)?;
            self.fleet.wait_ready(slot)?;
        }
        let hanging = self.fleet.hanging();
        anyhow::ensure!(hanging.is_empty(), "after {}: a task hangs in {}", entry.line(), hanging.join(", "));
        Ok(entry)
    }

    fn dispatch(&mut self, fault: &Fault, entry: &mut Entry) -> anyhow::Result<()> {
        match *fault {
            Fault::Kill { slot, aimed, again } => self.kill(slot % self.residents, aimed, again, entry),
            Fault::KillAgain { slot, after } => self.kill_again(slot % self.residents, after, entry),
            Fault::KillAll { again } => self.kill_all(again, entry),
            Fault::Zombie { slot, frozen } => self.zombie(slot % self.residents, frozen, entry),
            Fault::Hiccup { slot, frozen } => self.hiccup(slot % self.residents, frozen, entry),
            Fault::Term { slot } => self.term(slot % self.residents, entry),
            Fault::JoinLeave { identity, stay, leave } => self.join_and_leave(identity, stay, leave, entry),
            Fault::KillBroker { broker, down } => self.kill_broker(None, broker, down, entry),
            Fault::KillBoth { slot, broker, down } => {
                self.kill_broker(Some(slot % self.residents), broker, down, entry)
            }
            Fault::StopBroker { broker, down } => self.stop_broker(broker, down, entry),
            Fault::FreezeBroker { node, frozen } => self.freeze_broker(node, frozen, entry),
            Fault::RollingRestart => self.rolling_restart(entry),
            Fault::Cut { slot, cut, time } => self.cut(slot % self.residents, cut, time, entry),
            Fault::KillBehindCut { slot, time } => self.kill_behind_cut(slot % self.residents, time, entry),
            Fault::Slow { slot, delay, time } => self.slow(slot % self.residents, delay, time, entry),
            Fault::Reset { slot, times } => self.reset(slot % self.residents, times, entry),
            Fault::Request { slot, api, fault } => self.request(slot % self.residents, api, fault, entry),
            Fault::KillPublisher { again } => self.kill_publisher(again, entry),
            Fault::TakeRight { right, destination, time } => self.take_right(right, destination, time, entry),
            Fault::FillDisk { node } => self.fill_disk(node, entry),
            Fault::DeleteDestination { destination, gone } => self.delete_destination(destination, gone, entry),
            Fault::LowerLimit { destination, bytes, time } => self.lower_limit(destination, bytes, time, entry),
        }
    }

    /// From now on only outputs of events that are still to be published count.
    pub(super) fn arm(&self) {
        self.watch.flow.arm(self.publisher.next());
    }

    pub(super) fn recover(&self, since: Instant, entry: &mut Entry) -> anyhow::Result<()> {
        let reached = self.watch.flow.wait(STANDSTILL)?;
        entry.recovery = Some(reached.saturating_duration_since(since));
        Ok(())
    }

    /// Waits for what flows at all, not measured.
    pub(super) fn flows(&self) -> anyhow::Result<()> {
        self.arm();
        self.watch.flow.wait(STANDSTILL).map(drop)
    }

    pub(super) fn name(&self, slot: usize) -> String {
        format!("{} ({})", self.fleet.slots[slot].id, self.fleet.slots[slot].identity.name())
    }

    /// Kills the instance and finds out what that interrupted.
    pub(super) fn kill_now(&mut self, slot: usize, entry: &mut Entry) -> anyhow::Result<Instant> {
        let since = Instant::now();
        self.fleet.kill(slot)?;
        self.arm();
        entry.kills += 1;
        entry.interrupted.extend(self.fleet.interrupted(slot).into_iter().next());
        Ok(since)
    }

    fn kill(&mut self, slot: usize, aimed: bool, again: Again, entry: &mut Entry) -> anyhow::Result<()> {
        entry.detail = format!("{}, started again after {} ms", self.name(slot), again.delay().as_millis());
        if aimed {
            self.fleet.freeze_in_transaction(slot)?;
        }
        let since = self.kill_now(slot, entry)?;
        let identity = self.fleet.slots[slot].identity;
        let is_at_once = again == Again::AtOnce;
        let back = match (identity, is_at_once) {
            (Identity::Random, true) => "a new one at once",
            (Identity::Random, false) => "a new one later",
            (Identity::Stable, true) => "back at once under its id",
            (Identity::Stable, false) => "back later under its id",
            (Identity::Static, true) => "back at once as a static member",
            (Identity::Static, false) => "back later as a static member",
        };
        entry.kind = format!("kill -9 of an instance, {back}");
        entry.bound = Some(if identity == Identity::Static && is_at_once { STATIC_BOUND } else { bound() });
        sleep(again.delay());
        self.fleet.start(slot)?;
        self.recover(since, entry)?;
        self.fleet.wait_ready(slot)
    }

    fn kill_again(&mut self, slot: usize, after: Duration, entry: &mut Entry) -> anyhow::Result<()> {
        entry.detail = format!("{}, the next one after {} ms", self.name(slot), after.as_millis());
        self.kill_now(slot, entry)?;
        self.fleet.start(slot)?;
        sleep(after);
        let since = self.kill_now(slot, entry)?;
        self.fleet.start(slot)?;
        self.recover(since, entry)?;
        self.fleet.wait_ready(slot)
    }

    fn kill_all(&mut self, again: Again, entry: &mut Entry) -> anyhow::Result<()> {
        entry.detail = format!("started again after {} ms", again.delay().as_millis());
        let since = Instant::now();
        for slot in 0..self.residents {
            self.fleet.service(slot)?.pause()?;
        }
        for slot in 0..self.residents {
            self.kill_now(slot, entry)?;
        }
        sleep(again.delay());
        for slot in 0..self.residents {
            self.fleet.start(slot)?;
        }
        self.recover(since, entry)?;
        (0..self.residents).try_for_each(|slot| self.fleet.wait_ready(slot))
    }

    fn zombie(&mut self, slot: usize, frozen: Duration, entry: &mut Entry) -> anyhow::Result<()> {
        let since = Instant::now();
        let is_open = self.fleet.freeze_in_transaction(slot)?;
        let open = if is_open { "a transaction open" } else { "no transaction open" };
        entry.detail = format!("{}, {} ms, {open}", self.name(slot), frozen.as_millis());
        let since = if is_open { Instant::now() } else { since };
        if !is_open {
            self.fleet.service(slot)?.pause()?;
        }
        self.arm();
        self.recover(since, entry)?;
        sleep(frozen.saturating_sub(since.elapsed()));
        self.fleet.service(slot)?.resume()?;
        // It finds out that others have taken over, gives its transaction up and comes back.
        self.fleet.wait_ready(slot)?;
        self.flows()
    }

    fn hiccup(&mut self, slot: usize, frozen: Duration, entry: &mut Entry) -> anyhow::Result<()> {
        entry.detail = format!("{}, {} ms", self.name(slot), frozen.as_millis());
        let since = Instant::now();
        self.fleet.service(slot)?.pause()?;
        self.arm();
        sleep(frozen);
        self.fleet.service(slot)?.resume()?;
        self.recover(since, entry)
    }

    fn term(&mut self, slot: usize, entry: &mut Entry) -> anyhow::Result<()> {
        entry.detail = self.name(slot);
        let since = Instant::now();
        self.terminate(slot, entry)?;
        self.arm();
        self.fleet.start(slot)?;
        self.recover(since, entry)?;
        self.fleet.wait_ready(slot)
    }

    /// Ends an instance in order: exit code 0, nothing left uncommitted.
    pub(super) fn terminate(&mut self, slot: usize, entry: &mut Entry) -> anyhow::Result<()> {
        let name = self.name(slot);
        let (status, time) = self.fleet.service(slot)?.sigterm()?;
        self.fleet.retire(slot);
        entry.stopped_in = Some(time);
        if !status.success() {
            self.problems.push(format!("{name} ended with {status} after SIGTERM"));
        }
        if !self.fleet.interrupted(slot).is_empty() {
            self.problems.push(format!("{name} left a transaction open after SIGTERM"));
        }
        if time > STOP_BOUND {
            self.notes.push(format!("{name} took {:.2} s to end after SIGTERM", time.as_secs_f64()));
        }
        Ok(())
    }

    fn join_and_leave(
        &mut self,
        identity: Identity,
        stay: Duration,
        leave: Leave,
        entry: &mut Entry,
    ) -> anyhow::Result<()> {
        let slot = self.fleet.slots.iter().skip(self.residents).position(|slot| slot.identity == identity);
        let slot = slot.map_or_else(|| self.fleet.add(identity), |index| index + self.residents);
        self.fleet.start(slot)?;
        self.fleet.wait_ready(slot)?;
        entry.detail = format!("{} stays {} ms", self.name(slot), stay.as_millis());
        sleep(stay);
        let since = match leave {
            Leave::Kill => {
                entry.kind += " by kill -9";
                entry.bound = Some(bound());
                self.kill_now(slot, entry)?
            }
            Leave::Term => {
                entry.kind += " by SIGTERM";
                let since = Instant::now();
                self.terminate(slot, entry)?;
                self.arm();
                since
            }
        };
        self.recover(since, entry)
    }

    fn node(&self, broker: Broker) -> usize {
        let nodes = self.stage.cluster.node_count();
        let cluster = &self.stage.cluster;
        let found = match broker {
            Broker::Any(node) => Ok(node % nodes),
            Broker::GroupCoordinator => coordinators::of_group(cluster, self.fleet.group()),
            Broker::TransactionCoordinator => {
                coordinators::of_transactions(cluster, &format!("{}0", self.fleet.transactional_ids(0)))
            }
        };
        found.unwrap_or_default()
    }

    /// On a single node: a moment at which no transaction is open, with everybody held, see
    /// [`freeze_between_transactions`] for why; [`Self::release`] lets go.
    pub(super) fn hold(&mut self) -> anyhow::Result<()> {
        if self.stage.cluster.node_count() > 1 {
            return Ok(());
        }
        for _ in 0..20 {
            self.publisher.hold()?;
            let residents = self.fleet.slots.iter_mut().take(self.residents);
            let mut services: Vec<_> = residents.filter_map(|slot| slot.service.as_mut()).collect();
            if freeze_between_transactions(&self.stage.cluster, &mut services)? {
                return Ok(());
            }
            self.release()?;
            sleep(Duration::from_millis(200));
        }
        anyhow::bail!("no moment without an open transaction was found")
    }

    pub(super) fn release(&mut self) -> anyhow::Result<()> {
        if self.stage.cluster.node_count() > 1 {
            return Ok(());
        }
        for slot in 0..self.residents {
            if self.fleet.slots[slot].service.is_some() {
                self.fleet.service(slot)?.resume()?;
            }
        }
        self.publisher.release();
        Ok(())
    }

    fn kill_broker(
        &mut self,
        slot: Option<usize>,
        broker: Broker,
        down: Duration,
        entry: &mut Entry,
    ) -> anyhow::Result<()> {
        let node = self.node(broker);
        entry.detail = format!("node {}, down for {} ms", node + 1, down.as_millis());
        self.hold()?;
        let mut since = Instant::now();
        if let Some(slot) = slot {
            entry.detail += &format!(", with {}", self.name(slot));
            since = self.kill_now(slot, entry)?;
        }
        self.stage.cluster.node(node).kill()?;
        self.arm();
        self.release()?;
        entry.kills += 1;
        sleep(down);
        self.stage.cluster.node(node).start()?;
        if let Some(slot) = slot {
            self.fleet.start(slot)?;
        }
        self.back_with_broker(since, entry)?;
        slot.map_or(Ok(()), |slot| self.fleet.wait_ready(slot))
    }

    /// Recovery after a broker's restart; the next fault comes when all replicas are in sync.
    fn back_with_broker(&mut self, since: Instant, entry: &mut Entry) -> anyhow::Result<()> {
        self.recover(since, entry)?;
        coordinators::wait_in_sync(&self.stage.cluster, STANDSTILL)
    }

    fn stop_broker(&mut self, broker: Broker, down: Duration, entry: &mut Entry) -> anyhow::Result<()> {
        let node = self.node(broker);
        entry.detail = format!("node {}, down for {} ms", node + 1, down.as_millis());
        self.hold()?;
        let since = Instant::now();
        self.stage.cluster.node(node).stop()?;
        self.arm();
        self.release()?;
        sleep(down);
        self.stage.cluster.node(node).start()?;
        self.back_with_broker(since, entry)
    }

    fn freeze_broker(&mut self, node: usize, frozen: Duration, entry: &mut Entry) -> anyhow::Result<()> {
        let nodes = self.stage.cluster.node_count();
        // A single node that is fenced loses markers, see [`Self::hold`].
        let frozen = if nodes == 1 { frozen.min(BROKER_SESSION_TIMEOUT / 2) } else { frozen };
        let node = node % nodes;
        entry.detail = format!("node {}, {} ms", node + 1, frozen.as_millis());
        let since = Instant::now();
        self.stage.cluster.node(node).pause()?;
        self.arm();
        sleep(frozen);
        self.stage.cluster.node(node).resume()?;
        self.back_with_broker(since, entry)
    }

    fn rolling_restart(&mut self, entry: &mut Entry) -> anyhow::Result<()> {
        let nodes = self.stage.cluster.node_count();
        entry.detail = format!("{nodes} nodes; measured after the last one");
        let mut since = Instant::now();
        for node in 0..nodes {
            self.hold()?;
            since = Instant::now();
            self.stage.cluster.node(node).stop()?;
            self.arm();
            self.release()?;
            self.stage.cluster.node(node).start()?;
            coordinators::wait_in_sync(&self.stage.cluster, STANDSTILL)?;
        }
        self.recover(since, entry)
    }

    fn kill_publisher(&mut self, again: Duration, entry: &mut Entry) -> anyhow::Result<()> {
        entry.detail = format!("its successor comes after {} ms", again.as_millis());
        self.publisher.kill_one(again);
        let since =
            wait::until_some("a publisher in mid-transaction", Duration::from_secs(60), || self.publisher.killed())?;
        self.arm();
        self.recover(since, entry)
    }
}
