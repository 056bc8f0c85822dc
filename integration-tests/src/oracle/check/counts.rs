//! How often each expected output was seen: one byte each.

use std::collections::BTreeMap;

use crate::kafka::Position;

/// Counters by ingest record and the output's place among the record's outputs.
///
/// Only outputs that are expected get one, so that what an output says about itself cannot make it grow.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// By ingest Kafka topic and partition, then slot, then offset.
    by_partition: BTreeMap<String, BTreeMap<i32, Vec<Vec<u8>>>>,
}

impl Counts {
    /// Counts one more and gives the new count, which stops at 255.
    pub(super) fn add(&mut self, source: &Position, slot: usize) -> u8 {
        if !self.by_partition.contains_key(&source.kafka_topic) {
            self.by_partition.insert(source.kafka_topic.clone(), BTreeMap::new());
        }
        let partitions = self.by_partition.get_mut(&source.kafka_topic).expect("it was inserted above");
        let slots = partitions.entry(source.partition).or_default();
        if slots.len() <= slot {
            slots.resize_with(slot + 1, Vec::new);
        }
        let offset = usize::try_from(source.offset).expect("an expected output comes from a real offset");
        let counts = &mut slots[slot];
        if counts.len() <= offset {
            counts.resize(offset + 1, 0);
        }
        counts[offset] = counts[offset].saturating_add(1);
        counts[offset]
    }

    /// How often it was seen.
    pub(super) fn get(&self, source: &Position, slot: usize) -> u8 {
        let look = || {
            let slots = self.by_partition.get(&source.kafka_topic)?.get(&source.partition)?;
            slots.get(slot)?.get(usize::try_from(source.offset).ok()?).copied()
        };
        look().unwrap_or_default()
    }
}
