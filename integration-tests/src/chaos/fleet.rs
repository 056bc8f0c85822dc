//! The instances of the service: who runs, as whom, and the proof of what a kill interrupted.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::stage::Stage;
use super::watch;
use crate::kafka::coordinators::{self, OpenTransaction};
use crate::kafka::{Isolation, KafkaCluster, Position};
use crate::oracle::stream::origin;
use crate::service::{Service, ServiceSpec};
use crate::wait;

/// As whom an instance is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// Under a new name each time, as by default.
    Random,
    /// Under the same name.
    Stable,
    /// Under the same name, and as a static member of the group.
    Static,
}

impl Identity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Random => "random id",
            Self::Stable => "stable id",
            Self::Static => "static member",
        }
    }
}

/// A place for an instance.
pub(super) struct Slot {
    pub(super) identity: Identity,
    /// The instance id of the running or last process.
    pub(super) id: String,
    pub(super) service: Option<Service>,
}

/// All instances.
pub(super) struct Fleet {
    cluster: Arc<KafkaCluster>,
    spec: ServiceSpec,
    outputs: std::collections::BTreeMap<String, usize>,
    watch: Arc<watch::Shared>,
    logs: PathBuf,
    links: usize,
    started: usize,
    pub(super) slots: Vec<Slot>,
}

/// How long a task may be silent after outputs flow again.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// How often a moment with an open transaction is looked for.
const MOMENTS: u64 = 60;

impl Fleet {
    pub(super) fn new(stage: &Stage, watch: &Arc<watch::Shared>, logs: &Path, links: usize) -> Self {
        Self {
            cluster: Arc::clone(&stage.cluster),
            spec: stage.spec.clone(),
            outputs: stage.outputs(),
            watch: Arc::clone(watch),
            logs: logs.to_owned(),
            links,
            started: 0,
            slots: Vec::new(),
        }
    }

    /// The consumer group.
    pub(super) fn group(&self) -> &str {
        self.spec.group()
    }

    /// A place more, without an instance yet.
    pub(super) fn add(&mut self, identity: Identity) -> usize {
        let id = format!("s{}", self.slots.len());
        self.slots.push(Slot { identity, id, service: None });
        self.slots.len() - 1
    }

    /// Starts an instance where none runs; it is not waited for.
    pub(super) fn start(&mut self, slot: usize) -> anyhow::Result<()> {
        self.started += 1;
        let place = &mut self.slots[slot];
        if place.identity == Identity::Random {
            place.id = format!("r{}", self.started);
        }
        let mut spec = self.spec.clone().setting("INSTANCE_ID", &place.id);
        if place.identity == Identity::Static {
            spec = spec.setting("STATIC_MEMBERSHIP", "true");
        }
        // Those that stay have a network of their own that can be broken.
        if slot < self.links {
            spec = spec.through(self.cluster.link(slot));
        }
        place.service = Some(spec.spawn()?);
        Ok(())
    }

    pub(super) fn service(&mut self, slot: usize) -> anyhow::Result<&mut Service> {
        self.slots[slot].service.as_mut().context("no instance runs there")
    }

    pub(super) fn wait_ready(&mut self, slot: usize) -> anyhow::Result<()> {
        let service = self.service(slot)?;
        wait::until_some("the instance to be ready", Duration::from_secs(90), || match service.exit_status() {
            Ok(None) => service.is_ready().then_some(Ok(())),
            other => Some(Err(anyhow::anyhow!("it ended: {other:?}"))),
        })?
    }

    /// The first part of the transactional ids of an instance's tasks.
    pub(super) fn transactional_ids(&self, slot: usize) -> String {
        format!("{}-{}-", self.group(), self.slots[slot].id)
    }

    fn open_transactions(&self, slot: usize) -> anyhow::Result<Vec<OpenTransaction>> {
        let mut open = coordinators::open_transactions(&self.cluster, &self.transactional_ids(slot), &self.outputs)?;
        open.retain(|transaction| !transaction.first_records.is_empty());
        Ok(open)
    }

    /// Freezes an instance at a moment at which a transaction of it is open and has records: whether there was one.
    pub(super) fn freeze_in_transaction(&mut self, slot: usize) -> anyhow::Result<bool> {
        for moment in 1..=MOMENTS {
            self.service(slot)?.pause()?;
            if self.open_transactions(slot).is_ok_and(|open| !open.is_empty()) {
                return Ok(true);
            }
            if moment < MOMENTS {
                self.service(slot)?.resume()?;
                // Another moment of its cycle.
                std::thread::sleep(Duration::from_millis(7 + moment * 3 % 31));
            }
        }
        Ok(false)
    }

    /// Kills an instance and keeps its log.
    pub(super) fn kill(&mut self, slot: usize) -> anyhow::Result<()> {
        self.service(slot)?.kill9()?;
        self.retire(slot);
        Ok(())
    }

    /// Keeps the log of an instance that has ended.
    pub(super) fn retire(&mut self, slot: usize) {
        if let Some(service) = self.slots[slot].service.take() {
            let name = format!("instance-{}-{}.log", self.started, self.slots[slot].id);
            let _ = std::fs::write(self.logs.join(name), service.log());
        }
    }

    /// Which transactions the last instance of a place has left open, now that it is dead, with one record of each as it
    /// lies in its Kafka topic, uncommitted.
    pub(super) fn interrupted(&self, slot: usize) -> Vec<Position> {
        // Brokers that cannot be asked prove nothing.
        let open = self.open_transactions(slot).unwrap_or_default();
        let first = open.into_iter().filter_map(|transaction| transaction.first_records.into_iter().next());
        let witnesses: Vec<Position> = first.filter(|position| self.is_there_uncommitted(position)).collect();
        witnesses.iter().for_each(|position| self.watch.add_witness(position.clone()));
        witnesses
    }

    fn is_there_uncommitted(&self, position: &Position) -> bool {
        let record = crate::kafka::follow::one(&self.cluster, position, Isolation::ReadUncommitted);
        record.is_ok_and(|record| origin(&record).is_some())
    }

    /// Instances that run and have a task that gives no sign of life.
    pub(super) fn hanging(&mut self) -> Vec<String> {
        let mut hanging = Vec::new();
        for slot in &self.slots {
            let Some(service) = &slot.service else { continue };
            let is_alive = || service.get("/health/live").is_ok_and(|(status, _)| status == 200);
            if wait::until("a sign of life", SIGN_OF_LIFE, is_alive).is_err() {
                hanging.push(format!("{} ({})", slot.id, slot.identity.name()));
            }
        }
        hanging
    }

    /// Keeps the stacks of all threads of all instances, where gdb is there.
    pub(super) fn keep_stacks(&self) {
        for slot in &self.slots {
            let Some(service) = &slot.service else { continue };
            let arguments = ["-batch", "-ex", "thread apply all backtrace 40", "-p", &service.id().to_string()];
            if let Ok(output) = Command::new("gdb").args(arguments).stdin(Stdio::null()).output() {
                let _ = std::fs::write(self.logs.join(format!("stacks-{}.txt", slot.id)), output.stdout);
            }
        }
    }

    /// Instances that have ended by themselves, with their exit status and how to call it.
    pub(super) fn ended(&mut self) -> Vec<(usize, ExitStatus, String)> {
        let mut ended = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if let Some(Ok(Some(status))) = slot.service.as_mut().map(Service::exit_status) {
                ended.push((index, status, format!("{} ({}): {status}", slot.id, slot.identity.name())));
            }
        }
        ended
    }

    /// Keeps all logs there are.
    pub(super) fn keep_logs(&mut self) {
        for index in 0..self.slots.len() {
            if let Some(service) = &self.slots[index].service {
                let name = format!("instance-last-{}.log", self.slots[index].id);
                let _ = std::fs::write(self.logs.join(name), service.log());
            }
        }
    }
}
