//! Publishes numbered events at a steady rate: plainly, in committed and in aborted transactions that interleave, and
//! sometimes as a publisher that is killed in mid-transaction.
//!
//! Two threads, so that a transaction that waits for its coordinator does not stop the plain events: while brokers are
//! away their client keeps what is due, and catches up later.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::stage::{Stage, TRANSACTION_TIMEOUT};
use crate::kafka::{KafkaCluster, Record};
use crate::oracle::stream::{Fate, Numbered};
use crate::wait;

const TICK: Duration = Duration::from_millis(40);
/// The most that is published in a tick, to catch up.
const MOST: u32 = 150;
/// What may wait for brokers that are away.
const QUEUED: usize = 50_000;
const END_WITHIN: Duration = Duration::from_secs(60);

/// What publisher and others tell each other.
pub(super) struct Shared {
    next: AtomicU32,
    stop: AtomicBool,
    /// Whether nothing is to be published for a moment, and whether nothing is.
    hold: AtomicBool,
    held: [AtomicBool; 2],
    /// Asks for a kill, and for how long nobody takes the dead publisher's place.
    kill: Mutex<Option<Duration>>,
    fates: Mutex<Vec<Fate>>,
    /// When a publisher was killed in mid-transaction.
    killed: Mutex<Option<Instant>>,
}

impl Shared {
    /// The number of the next event: all later ones are larger.
    pub(super) fn next(&self) -> u32 {
        self.next.load(Ordering::SeqCst)
    }

    /// Publishes nothing until [`Self::release`]; on return no transaction of a publisher is open.
    pub(super) fn hold(&self) -> anyhow::Result<()> {
        self.hold.store(true, Ordering::SeqCst);
        wait::until("the publishers to pause", END_WITHIN, || self.held.iter().all(|held| held.load(Ordering::SeqCst)))
    }

    /// Goes on.
    pub(super) fn release(&self) {
        self.hold.store(false, Ordering::SeqCst);
    }

    fn fates(&self) -> MutexGuard<'_, Vec<Fate>> {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, number: u32, fate: Fate) {
        let mut fates = self.fates();
        let index = number as usize;
        if fates.len() <= index {
            fates.resize(index + 1, Fate::Unknown);
        }
        fates[index] = fate;
    }

    /// Asks for a publisher to be killed in its next transaction, and to be replaced after a while.
    pub(super) fn kill_one(&self, again: Duration) {
        *self.killed.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.kill.lock().unwrap_or_else(PoisonError::into_inner) = Some(again);
    }

    /// When that came to pass.
    pub(super) fn killed(&self) -> Option<Instant> {
        *self.killed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The publishers of a run, on a thread of their own.
pub(super) struct Publisher {
    pub(super) shared: Arc<Shared>,
    threads: [JoinHandle<anyhow::Result<()>>; 2],
}

impl Publisher {
    pub(super) fn start(stage: &Stage, rate: u32, seed: u64) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            next: AtomicU32::new(0),
            stop: AtomicBool::new(false),
            hold: AtomicBool::new(false),
            held: [AtomicBool::new(false), AtomicBool::new(false)],
            kill: Mutex::default(),
            fates: Mutex::default(),
            killed: Mutex::default(),
        });
        let plain = Work::new(stage, &shared, seed, Role::Plain, rate - rate / 4)?;
        let interleaved = Work::new(stage, &shared, seed, Role::Interleaved, rate / 4)?;
        Ok(Self { shared, threads: [plain.start()?, interleaved.start()?] })
    }

    /// Publishes no more, and waits until everything has its fate.
    pub(super) fn stop(self) -> anyhow::Result<Vec<Fate>> {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads {
            match thread.join() {
                Ok(result) => result.context("a publisher failed")?,
                Err(_) => anyhow::bail!("a publisher panicked"),
            }
        }
        Ok(std::mem::take(&mut self.shared.fates()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    Interleaved,
}

struct Work {
    role: Role,
    rate: u32,
    cluster: Arc<KafkaCluster>,
    numbered: Numbered,
    plain: Client,
    /// Two whose transactions interleave; one that was killed is missing until it is needed.
    transactional: Vec<Client>,
    away_until: Instant,
    shared: Arc<Shared>,
    random: ChaCha8Rng,
}

type Client = BaseProducer<Acknowledgements>;

impl Work {
    fn new(stage: &Stage, shared: &Arc<Shared>, seed: u64, role: Role, rate: u32) -> anyhow::Result<Self> {
        Ok(Self {
            role,
            rate,
            cluster: Arc::clone(&stage.cluster),
            numbered: stage.numbered(),
            plain: client(&stage.cluster, None, shared)?,
            transactional: Vec::new(),
            away_until: Instant::now(),
            shared: Arc::clone(shared),
            random: ChaCha8Rng::seed_from_u64(seed ^ 0x7075_626c),
        })
    }

    fn start(mut self) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
        Ok(std::thread::Builder::new().name("publisher".to_owned()).spawn(move || self.run())?)
    }

    fn run(&mut self) -> anyhow::Result<()> {
        let begin = Instant::now();
        let mut published = 0;
        let tick = if self.role == Role::Plain { TICK } else { TICK * 4 };
        while !self.shared.stop.load(Ordering::SeqCst) {
            let hold = self.shared.hold.load(Ordering::SeqCst);
            self.shared.held[self.role as usize].store(hold, Ordering::SeqCst);
            let due = (begin.elapsed().as_secs_f64() * f64::from(self.rate)) as u32;
            let due = due.saturating_sub(published).min(MOST);
            if self.plain.in_flight_count() as usize <= QUEUED && due > 0 && !hold {
                published += due;
                match self.role {
                    Role::Interleaved if Instant::now() >= self.away_until => self.interleaved(due)?,
                    _ => self.plain(due)?,
                }
            }
            self.plain.poll(tick);
        }
        let deadline = Instant::now() + END_WITHIN;
        while self.plain.in_flight_count() > 0 {
            anyhow::ensure!(Instant::now() < deadline, "events were not acknowledged within {END_WITHIN:?}");
            self.plain.poll(Duration::from_millis(20));
        }
        Ok(())
    }

    fn number(&self) -> u32 {
        self.shared.next.fetch_add(1, Ordering::SeqCst)
    }

    fn plain(&mut self, due: u32) -> anyhow::Result<()> {
        for _ in 0..due {
            let number = self.number();
            self.send_plainly(number)?;
        }
        Ok(())
    }

    /// A client that refuses is replaced; what it had not delivered keeps an unknown fate.
    fn send_plainly(&mut self, number: u32) -> anyhow::Result<()> {
        if send(&self.plain, &self.numbered, number).is_err() {
            self.plain = client(&self.cluster, None, &self.shared)?;
        }
        Ok(())
    }

    /// Two transactions at a time, and plain records between theirs.
    fn interleaved(&mut self, due: u32) -> anyhow::Result<()> {
        while self.transactional.len() < 2 {
            let id = format!("{}-publisher-{}", self.numbered.ingest, self.transactional.len());
            match opened(&self.cluster, &id, &self.shared) {
                Ok(client) => self.transactional.push(client),
                // Brokers are away: another time.
                Err(_) => return self.plain(due),
            }
        }
        let mut numbers = [Vec::new(), Vec::new()];
        if !self.transactional.iter().all(|client| client.begin_transaction().is_ok()) {
            self.transactional.clear();
            return self.plain(due);
        }
        for _ in 0..due {
            let number = self.number();
            match self.random.random_range(0..3) {
                2 => self.send_plainly(number)?,
                which => {
                    numbers[which].push(number);
                    send(&self.transactional[which], &self.numbered, number)?;
                }
            }
        }
        self.plain.poll(Duration::ZERO);
        let kill = self.shared.kill.lock().unwrap_or_else(PoisonError::into_inner).take();
        for (which, numbers) in numbers.into_iter().enumerate().rev() {
            // The later of the two is at the end of the list, where it can be taken away.
            match kill {
                Some(again) if which == 1 => self.kill(numbers, again),
                _ => self.end(which, numbers),
            }
        }
        Ok(())
    }

    /// Leaves the transaction open and the publisher dead. The next one with its id aborts it, or the broker does.
    fn kill(&mut self, numbers: Vec<u32>, again: Duration) {
        self.away_until = Instant::now() + again;
        if let Some(client) = self.transactional.pop() {
            let deadline = Instant::now() + Duration::from_secs(2);
            while client.in_flight_count() > 0 && Instant::now() < deadline {
                client.poll(Duration::from_millis(5));
            }
            drop(client);
            numbers.into_iter().for_each(|number| self.shared.set(number, Fate::Aborted));
            *self.shared.killed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// Commits three of four, aborts the others. Where that does not work the fate stays unknown, and the publisher
    /// begins anew with all of its transactions ended.
    fn end(&mut self, which: usize, numbers: Vec<u32>) {
        let commit = self.random.random_range(0..4) > 0;
        let Some(client) = self.transactional.get(which) else { return };
        let fate = if commit { Fate::Committed } else { Fate::Aborted };
        if ended(client, commit) {
            numbers.into_iter().for_each(|number| self.shared.set(number, fate));
        } else {
            // The other, if it is still open, ends when it is taken over.
            self.transactional.clear();
        }
    }
}

/// Whether the transaction ended as it had to.
fn ended(client: &Client, commit: bool) -> bool {
    // Longer than that the broker does not leave it open.
    let deadline = Instant::now() + TRANSACTION_TIMEOUT + Duration::from_secs(3);
    // An abort waits for delivery reports and does not serve them.
    while client.in_flight_count() > 0 && Instant::now() < deadline {
        client.poll(Duration::from_millis(5));
    }
    while Instant::now() < deadline {
        let within = Duration::from_secs(2);
        let result = if commit { client.commit_transaction(within) } else { client.abort_transaction(within) };
        match result {
            Ok(()) => return true,
            Err(KafkaError::Transaction(error)) if error.is_retriable() => {}
            Err(_) => return false,
        }
    }
    false
}

fn send(client: &Client, numbered: &Numbered, number: u32) -> anyhow::Result<()> {
    let Record { key, value, headers, .. } = numbered.record(number);
    let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
    let mut record = BaseRecord::with_opaque_to(&numbered.ingest, number as usize).key(&key).payload(&value);
    record = record.headers(headers.iter().fold(OwnedHeaders::new(), |headers, (name, value)| {
        headers.insert(Header { key: name, value: value.as_deref() })
    }));
    loop {
        match client.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                client.poll(Duration::from_millis(20));
                record = returned;
            }
            // A transaction that can only be aborted: that shows at its end.
            Err(_) if client.context().in_transactions => return Ok(()),
            Err((error, _)) => return Err(error).context("an event was not taken"),
        }
    }
}

fn opened(cluster: &KafkaCluster, id: &str, shared: &Arc<Shared>) -> anyhow::Result<Client> {
    let producer = client(cluster, Some(id), shared)?;
    producer.init_transactions(Duration::from_secs(5))?;
    Ok(producer)
}

fn client(cluster: &KafkaCluster, transactional_id: Option<&str>, shared: &Arc<Shared>) -> anyhow::Result<Client> {
    let mut config = cluster.client();
    config.set("enable.idempotence", "true").set("acks", "all").set("partitioner", "murmur2_random");
    config.set("linger.ms", "5").set("compression.type", "lz4");
    match transactional_id {
        Some(id) => {
            config.set("transactional.id", id);
            config.set("transaction.timeout.ms", TRANSACTION_TIMEOUT.as_millis().to_string());
        }
        // Never given up: brokers come back.
        None => {
            config.set("message.timeout.ms", "0");
        }
    }
    let context = Acknowledgements { shared: Arc::clone(shared), in_transactions: transactional_id.is_some() };
    Ok(config.create_with_context(context)?)
}

struct Acknowledgements {
    shared: Arc<Shared>,
    in_transactions: bool,
}

impl ClientContext for Acknowledgements {
    fn error(&self, _error: KafkaError, _reason: &str) {
        // Brokers come and go here on purpose.
    }
}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        // In a transaction its end decides.
        if let (Ok(_), false, Ok(number)) = (result, self.in_transactions, u32::try_from(number)) {
            self.shared.set(number, Fate::Committed);
        }
    }
}
