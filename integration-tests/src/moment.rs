//! Finds a moment at which an instance has a transaction open, and proves that it was one.
//!
//! The instance is frozen (SIGSTOP) and looked at in peace. A partition's last stable offset is the first offset of the
//! oldest transaction that is open in it: when the record that lies there comes from a partition that the frozen
//! instance reads, the transaction is the instance's, and nobody ends it before its time is over.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::kafka::{Isolation, KafkaCluster, Position, coordinators, read};
use crate::oracle::history::parse_source;
use crate::scene::Scene;
use crate::service::Service;
use crate::wait;

/// How many moments are tried.
const ATTEMPTS: usize = 60;

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(20);

/// A transaction whose end may be on its way to the brokers is looked at once more after this.
const ON_ITS_WAY: Duration = Duration::from_millis(250);

/// An instance that was frozen.
#[derive(Debug)]
pub struct Frozen {
    /// When it fell silent.
    pub at: Instant,
    /// Where a record lies that it had sent and not committed; `None` when there was none to see.
    pub uncommitted: Option<Position>,
}

/// Freezes an instance that reads these partitions at a moment at which a transaction of its is open, or at one at which
/// none is to be seen. Records have to flow meanwhile.
///
/// # Errors
/// When no such moment is found.
pub fn freeze(
    scene: &Scene<'_>,
    service: &mut Service,
    partitions: &[i32],
    in_transaction: bool,
) -> anyhow::Result<Frozen> {
    for _ in 0..ATTEMPTS {
        service.pause()?;
        let at = Instant::now();
        let mut uncommitted = uncommitted(scene, partitions)?;
        if let Some(first) = &uncommitted {
            std::thread::sleep(ON_ITS_WAY);
            if stable_end(scene, first)? != first.offset {
                uncommitted = None;
            }
        }
        if uncommitted.is_some() == in_transaction {
            return Ok(Frozen { at, uncommitted });
        }
        service.resume()?;
        // Another moment of its work, not always the one after waking up.
        std::thread::sleep(Duration::from_millis(rand::random_range(10..80)));
    }
    anyhow::bail!("{ATTEMPTS} moments were tried, and in none of them in_transaction was {in_transaction}")
}

/// Freezes instances while no transaction is open in the whole cluster, nor an end of one on its way; tells whether that
/// came off. Nothing that makes them begin one may come in meanwhile.
///
/// A test has to do so before it takes the only broker of a cluster away. Kafka 4 loses transaction markers when its
/// only node restarts: the coordinator loads its transactions while the cluster's metadata still calls the node the
/// leader of everything, then the node is registered anew, no partition has a leader for a moment, and the coordinator
/// takes them for deleted and skips their markers (KAFKA-20734). What was aborted then shows with the next commit of the
/// same producer, and no client can do anything about it. Other nodes take the partitions over where there are some.
///
/// # Errors
/// When the cluster does not answer.
pub fn freeze_between_transactions(cluster: &KafkaCluster, services: &mut [&mut Service]) -> anyhow::Result<bool> {
    let idle = wait::until("the end of all transactions", Duration::from_secs(10), || {
        coordinators::unfinished(cluster).is_ok_and(|ids| ids.is_empty())
    });
    for service in &mut *services {
        service.pause()?;
    }
    std::thread::sleep(ON_ITS_WAY);
    if idle.is_ok() && coordinators::unfinished(cluster)?.is_empty() {
        return Ok(true);
    }
    for service in services {
        service.resume()?;
    }
    Ok(false)
}

/// The first record of a transaction that is open now and comes from one of these ingest partitions.
fn uncommitted(scene: &Scene<'_>, partitions: &[i32]) -> anyhow::Result<Option<Position>> {
    for kafka_topic in &scene.destinations {
        let stable = scene.admin.end_offsets(kafka_topic, Isolation::ReadCommitted)?;
        let high = scene.admin.end_offsets(kafka_topic, Isolation::ReadUncommitted)?;
        if stable.iter().all(|(partition, end)| *end == high[partition]) {
            continue;
        }
        for record in read::to_end_from(scene.cluster, kafka_topic, Isolation::ReadUncommitted, &stable, LOOK)? {
            let source = record.header("fhir-source").and_then(parse_source).context("an output without a source")?;
            let is_first = stable.get(&record.position.partition) == Some(&record.position.offset);
            if is_first && partitions.contains(&source.source.partition) {
                return Ok(Some(record.position));
            }
        }
    }
    Ok(None)
}

fn stable_end(scene: &Scene<'_>, position: &Position) -> anyhow::Result<i64> {
    let ends = scene.admin.end_offsets(&position.kafka_topic, Isolation::ReadCommitted)?;
    ends.get(&position.partition).copied().context("the partition is gone")
}
