//! Faults of the network between one instance and the brokers.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::log::Entry;
use super::nemesis::{Nemesis, STANDSTILL};
use super::plan::Cut;
use crate::proxy::{Api, Direction, Fault, Link};

impl Nemesis<'_> {
    fn link(&self, slot: usize) -> &Link {
        self.stage.cluster.link(slot)
    }

    fn cut_now(&self, slot: usize, cut: Cut) {
        let link = self.link(slot);
        match cut {
            Cut::BothWays => link.cut(),
            Cut::ToBrokers => link.cut_one_way(Direction::ToBroker),
            Cut::FromBrokers => link.cut_one_way(Direction::FromBroker),
            Cut::Refused => link.refuse(),
        }
    }

    /// The instance alone is cut off; others take over when that lasts.
    pub(super) fn cut(&mut self, slot: usize, cut: Cut, time: Duration, entry: &mut Entry) -> anyhow::Result<()> {
        entry.kind = format!("instance cut off, {}", cut.name());
        entry.detail = format!("{}, {} ms", self.name(slot), time.as_millis());
        let since = Instant::now();
        self.cut_now(slot, cut);
        self.arm();
        sleep(time);
        self.link(slot).heal();
        self.recover(since, entry)?;
        self.fleet.wait_ready(slot)
    }

    /// The instance is killed while what it said last is still under way, and arrives when others may have taken over.
    pub(super) fn kill_behind_cut(&mut self, slot: usize, time: Duration, entry: &mut Entry) -> anyhow::Result<()> {
        entry.detail = format!("{}, {} ms later its last requests arrive", self.name(slot), time.as_millis());
        self.cut_now(slot, Cut::ToBrokers);
        sleep(Duration::from_millis(50));
        let since = self.kill_now(slot, entry)?;
        sleep(time);
        self.link(slot).heal();
        self.fleet.start(slot)?;
        self.recover(since, entry)?;
        self.fleet.wait_ready(slot)
    }

    pub(super) fn slow(
        &mut self,
        slot: usize,
        delay: Duration,
        time: Duration,
        entry: &mut Entry,
    ) -> anyhow::Result<()> {
        let (each, all) = (delay.as_millis(), time.as_millis());
        entry.detail = format!("{}, {each} ms each way for {all} ms", self.name(slot));
        let since = Instant::now();
        self.link(slot).delay(delay);
        self.arm();
        sleep(time);
        self.link(slot).heal();
        self.recover(since, entry)
    }

    pub(super) fn reset(&mut self, slot: usize, times: u32, entry: &mut Entry) -> anyhow::Result<()> {
        entry.detail = format!("{}, {times} times", self.name(slot));
        let mut since = Instant::now();
        for _ in 0..times {
            since = Instant::now();
            self.link(slot).reset();
            sleep(Duration::from_millis(70));
        }
        self.arm();
        self.recover(since, entry)
    }

    /// A request of a transaction, or the answer to it, is lost, late, or arrives behind the client's back.
    pub(super) fn request(&mut self, slot: usize, api: Api, fault: Fault, entry: &mut Entry) -> anyhow::Result<()> {
        let what = match fault {
            Fault::None => "passes",
            Fault::LoseRequest => "is lost",
            Fault::LoseResponse => "is not answered",
            Fault::HoldRequest(_) => "is late",
            Fault::HoldResponse(_) => "is answered late",
            Fault::Strand(_) => "arrives behind the client's back",
        };
        entry.kind = format!("{api:?} {what}");
        entry.detail = format!("{} {fault:?}", self.name(slot));
        let watch = self.link(slot).next(api, fault);
        let is_met = watch.wait(1, Duration::from_secs(20)).is_ok();
        let since = Instant::now();
        self.arm();
        if is_met {
            // What is held goes on by itself.
            watch.wait_done(1, STANDSTILL)?;
        } else {
            // An instance without partitions has no transactions.
            entry.detail += ", not met";
        }
        self.recover(since, entry)?;
        self.link(slot).heal();
        self.fleet.wait_ready(slot)
    }
}
