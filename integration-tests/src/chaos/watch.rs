//! The reader: reads the ingest and everything that comes out with `read_committed`, and has it judged at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::flow::Flow;
use super::stage::Stage;
use crate::kafka::{Follower, Isolation, KafkaCluster, Position, ReadRecord, read};
use crate::oracle::intervention::{Offsets, Span};
use crate::oracle::stream::{Stream, origin};

/// What the reader is told to do.
pub(super) enum Order {
    /// Read a Kafka topic no more: it goes.
    Leave(String),
    /// Read a Kafka topic with so many partitions from its start.
    Follow(String, usize),
    /// A destination's Kafka topic is gone, and with it what was not read of this part of the ingest.
    Deleted { destination: &'static str, unread: Span },
    /// A destination's Kafka topic takes only batches of so many bytes, from here on.
    LimitLowered { destination: &'static str, bytes: usize, from: Offsets },
    /// It takes all again.
    LimitRaised { destination: &'static str, until: Offsets },
}

/// What the reader tells while it reads.
pub(super) struct Shared {
    stop: AtomicBool,
    /// With whom to tell when it is done.
    orders: Sender<(Order, Sender<()>)>,
    /// Committed events seen in the ingest.
    pub(super) events: AtomicUsize,
    /// Findings so far.
    pub(super) found: AtomicUsize,
    /// Records of transactions that a kill left open: no `read_committed` reader may ever see them.
    witnesses: Mutex<BTreeSet<Position>>,
    /// Those of them that were seen: their transactions were committed after all.
    refuted: Mutex<BTreeSet<Position>>,
    pub(super) flow: Flow,
}

impl Shared {
    /// Has the reader do something, and waits until it is done.
    pub(super) fn tell(&self, order: Order) -> anyhow::Result<()> {
        let (done, answer) = mpsc::channel();
        self.orders.send((order, done)).ok().context("the reader has ended")?;
        answer.recv_timeout(DONE_WITHIN).context("the reader does not do what it is told")
    }

    pub(super) fn add_witness(&self, position: Position) {
        self.witnesses.lock().unwrap_or_else(PoisonError::into_inner).insert(position);
    }

    pub(super) fn is_refuted(&self, position: &Position) -> bool {
        self.refuted.lock().unwrap_or_else(PoisonError::into_inner).contains(position)
    }
}

/// The reader of a run, on a thread of its own.
pub(super) struct Watch {
    pub(super) shared: Arc<Shared>,
    thread: JoinHandle<anyhow::Result<Reader>>,
}

/// What was read, and up to where.
pub(super) struct Reader {
    ingest: String,
    follower: Follower,
    stream: Stream,
    /// Outputs that lie in the Kafka topics as they are now.
    lying: BTreeMap<String, i64>,
    shared: Arc<Shared>,
    orders: Receiver<(Order, Sender<()>)>,
}

const DONE_WITHIN: Duration = Duration::from_secs(30);

impl Watch {
    pub(super) fn start(stage: &Stage) -> anyhow::Result<Self> {
        let outputs = stage.outputs();
        let (sender, orders) = mpsc::channel();
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            orders: sender,
            events: AtomicUsize::new(0),
            found: AtomicUsize::new(0),
            witnesses: Mutex::default(),
            refuted: Mutex::default(),
            flow: Flow::new(stage.ingest_partitions(), &stage.destinations),
        });
        let mut all = outputs.clone();
        all.insert(stage.ingest.clone(), stage.ingest_partitions());
        let mut reader = Reader {
            ingest: stage.ingest.clone(),
            follower: Follower::new(&stage.cluster, &all, Isolation::ReadCommitted)?,
            stream: Stream::new(stage.numbered(), stage.ingest_partitions(), outputs),
            lying: BTreeMap::new(),
            shared: Arc::clone(&shared),
            orders,
        };
        let thread = std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
            reader.follow()?;
            Ok(reader)
        })?;
        Ok(Self { shared, thread })
    }

    /// Ends the reader and reads what is left, up to the end. Also gives how many outputs lie in the Kafka topics as they
    /// are now.
    ///
    /// # Errors
    /// When the reader had failed, or the ends are not reached.
    pub(super) fn finish(self, cluster: &KafkaCluster, kafka_topics: &[&String]) -> anyhow::Result<(Stream, i64)> {
        self.shared.stop.store(true, Ordering::SeqCst);
        let mut reader = match self.thread.join() {
            Ok(result) => result?,
            Err(_) => anyhow::bail!("the reader panicked"),
        };
        let nowhere = BTreeMap::new();
        for kafka_topic in kafka_topics {
            let from = reader.follower.next().get(*kafka_topic).unwrap_or(&nowhere);
            let within = Duration::from_secs(60);
            let rest = read::to_end_from(cluster, kafka_topic, Isolation::ReadCommitted, from, within)
                .context("what is left was not read")?;
            rest.into_iter().for_each(|record| reader.take(record, Instant::now()));
        }
        Ok((reader.stream, reader.lying.values().sum()))
    }
}

impl Reader {
    fn follow(&mut self) -> anyhow::Result<()> {
        while !self.shared.stop.load(Ordering::SeqCst) {
            while let Ok((order, done)) = self.orders.try_recv() {
                self.obey(order)?;
                // Who asked may have given up.
                let _ = done.send(());
            }
            if let Some(record) = self.follower.poll(Duration::from_millis(50))? {
                self.take(record, Instant::now());
            }
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) -> anyhow::Result<()> {
        match order {
            Order::Leave(kafka_topic) => {
                // Other records will lie at the same offsets.
                let is_other = |position: &Position| position.kafka_topic != kafka_topic;
                self.shared.witnesses.lock().unwrap_or_else(PoisonError::into_inner).retain(is_other);
                self.follower.leave(&kafka_topic)?;
                self.lying.remove(&kafka_topic);
            }
            Order::Follow(kafka_topic, partitions) => self.follower.follow(&kafka_topic, partitions)?,
            Order::Deleted { destination, unread } => self.stream.destination_deleted(destination, unread),
            Order::LimitLowered { destination, bytes, from } => self.stream.limit_lowered(destination, bytes, from),
            Order::LimitRaised { destination, until } => self.stream.limit_raised(destination, &until),
        }
        Ok(())
    }

    fn take(&mut self, record: ReadRecord, at: Instant) {
        if record.position.kafka_topic == self.ingest {
            self.shared.events.fetch_add(1, Ordering::Relaxed);
            self.stream.ingest(&record);
        } else {
            match self.lying.get_mut(&record.position.kafka_topic) {
                Some(lying) => *lying += 1,
                None => drop(self.lying.insert(record.position.kafka_topic.clone(), 1)),
            }
            if let Some(origin) = origin(&record) {
                let Position { kafka_topic, partition, .. } = &record.position;
                self.shared.flow.saw(origin, kafka_topic, *partition, at);
            }
            self.look_for_witness(&record.position);
            self.stream.output(record);
        }
        self.shared.found.store(self.stream.found(), Ordering::Relaxed);
    }

    fn look_for_witness(&self, position: &Position) {
        if self.shared.witnesses.lock().unwrap_or_else(PoisonError::into_inner).contains(position) {
            self.shared.refuted.lock().unwrap_or_else(PoisonError::into_inner).insert(position.clone());
        }
    }
}
