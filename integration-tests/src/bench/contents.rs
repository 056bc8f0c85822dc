//! What the destinations of a run hold, as numbers that can be compared.
//!
//! Programs write the same notifications in another order, so the order does not count: each record is hashed, and the
//! hashes are added up to 128 bits for each destination. A record that is missing, doubled or different changes the
//! sum. The hash is that of this build of the program: sums are good for comparison within one run, not for keeping.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::stage::Names;
use super::weight::Weight;

/// How long the destinations may take to give another record or end.
const SILENCE: Duration = Duration::from_secs(60);
/// A hash of the configuration, which only the service has.
const PLAN: &str = "fhir-plan";

/// What one destination holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Records that a `read_committed` consumer gets.
    pub(super) records: u64,
    /// Those with a key.
    pub(super) keys: u64,
    /// Bytes of their values.
    pub(super) value_bytes: u64,
    /// Bytes of their keys.
    pub(super) key_bytes: u64,
    /// Bytes of their headers, names and values.
    pub(super) header_bytes: u64,
    /// Sum over all records of the hash of key and value.
    pub(super) pairs: u128,
    /// Sum over all records of the hash of the time and the headers, but for the one that only the service has.
    pub(super) attributes: u128,
}

impl Contents {
    /// Adds a record.
    pub(super) fn add(&mut self, message: &impl Message) {
        let value = message.payload();
        self.records += 1;
        self.keys += u64::from(message.key().is_some());
        self.value_bytes += value.map_or(0, <[u8]>::len) as u64;
        self.key_bytes += message.key().map_or(0, <[u8]>::len) as u64;
        let mut pair = DefaultHasher::new();
        write(&mut pair, message.key());
        write(&mut pair, value);
        self.pairs = self.pairs.wrapping_add(finish(pair));
        let mut attributes = DefaultHasher::new();
        attributes.write_i64(message.timestamp().to_millis().unwrap_or(-1));
        for header in message.headers().into_iter().flat_map(Headers::iter) {
            self.header_bytes += (header.key.len() + header.value.map_or(0, <[u8]>::len)) as u64;
            if header.key != PLAN {
                write(&mut attributes, Some(header.key.as_bytes()));
                write(&mut attributes, header.value);
            }
        }
        self.attributes = self.attributes.wrapping_add(finish(attributes));
    }

    /// Bytes of all of it.
    pub(super) fn bytes(&self) -> u64 {
        self.value_bytes + self.key_bytes + self.header_bytes
    }

    /// What the outputs weigh when so many events made them.
    pub(super) fn weight(&self, events: u64) -> Weight {
        let average = |bytes: u64| usize::try_from(bytes / self.records.max(1)).unwrap_or(usize::MAX);
        Weight {
            per_event: self.records as f64 / events.max(1) as f64,
            key: self.keys > 0,
            value_bytes: average(self.value_bytes),
            header_bytes: average(self.header_bytes),
        }
    }
}

fn write(hasher: &mut DefaultHasher, bytes: Option<&[u8]>) {
    // The length in front: no two fields can be taken for one another. Null is no empty one.
    hasher.write_usize(bytes.map_or(usize::MAX, <[u8]>::len));
    hasher.write(bytes.unwrap_or_default());
}

/// 128 bits of a state that has more.
fn finish(mut hasher: DefaultHasher) -> u128 {
    let high = hasher.finish();
    hasher.write_u8(1);
    (u128::from(high) << 64) | u128::from(hasher.finish())
}

/// What the destinations hold, by their id.
pub(super) type Outputs = BTreeMap<String, Contents>;

/// Where two runs that should have written the same did not, in words; the order of records does not count.
pub(super) fn differences(expected: &Outputs, found: &Outputs) -> Vec<String> {
    let mut differences = Vec::new();
    for destination in expected.keys().chain(found.keys().filter(|id| !expected.contains_key(*id))) {
        let (one, other) = (
            expected.get(destination).copied().unwrap_or_default(),
            found.get(destination).copied().unwrap_or_default(),
        );
        let what = if one.records != other.records {
            format!("{} records instead of {}", other.records, one.records)
        } else if one.pairs != other.pairs {
            "as many records, but not the same keys and values".to_owned()
        } else if one.attributes != other.attributes {
            "the same keys and values, but not the same headers or times".to_owned()
        } else {
            continue;
        };
        differences.push(format!("{destination}: {what}"));
    }
    differences
}

/// Reads the destinations of a run and its dead letters to their ends with `read_committed`; dead letters are an error.
pub(super) fn read(bootstrap: &str, names: &Names, partitions: i32) -> anyhow::Result<Outputs> {
    let mut outputs: BTreeMap<String, Contents> =
        names.destinations.iter().map(|id| (names.kafka_topic(id), Contents::default())).collect();
    let dead_letters = dead_letters(bootstrap, names)?;
    anyhow::ensure!(dead_letters == 0, "{} has {dead_letters} dead letters", names.application);
    let wanted: Vec<_> = outputs.keys().map(|name| (name.clone(), partitions)).collect();
    outputs.extend(kafka_topics(bootstrap, &wanted)?);
    let prefix = names.kafka_topic("");
    let id = |name: String| name.strip_prefix(&prefix).map_or(name.clone(), str::to_owned);
    Ok(outputs.into_iter().map(|(name, contents)| (id(name), contents)).collect())
}

/// How many dead letters a run has.
pub(super) fn dead_letters(bootstrap: &str, names: &Names) -> anyhow::Result<u64> {
    let found = kafka_topics(bootstrap, &[(names.dead_letters.clone(), 1)])?;
    Ok(found.get(&names.dead_letters).map_or(0, |contents| contents.records))
}

fn kafka_topics(bootstrap: &str, wanted: &[(String, i32)]) -> anyhow::Result<Outputs> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench-e2e-reader")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()?;
    let mut list = TopicPartitionList::new();
    for (name, partitions) in wanted {
        for partition in 0..*partitions {
            list.add_partition_offset(name, partition, Offset::Beginning)?;
        }
    }
    consumer.assign(&list)?;
    let mut outputs = Outputs::new();
    let mut open = list.count();
    let mut heard = Instant::now();
    while open > 0 {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                if !outputs.contains_key(message.topic()) {
                    outputs.insert(message.topic().to_owned(), Contents::default());
                }
                outputs.get_mut(message.topic()).context("it was inserted above")?.add(&message);
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error).context("cannot read the destinations"),
            None => anyhow::ensure!(heard.elapsed() < SILENCE, "the destinations have no end"),
        }
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;
    use rdkafka::message::{Header, OwnedHeaders, OwnedMessage};

    use super::*;

    fn record(key: Option<&str>, value: &str, headers: &[(&str, &str)]) -> OwnedMessage {
        let mut owned = OwnedHeaders::new();
        for (key, value) in headers {
            owned = owned.insert(Header { key, value: Some(*value) });
        }
        let key = key.map(|key| key.as_bytes().to_vec());
        let time = Timestamp::CreateTime(5);
        OwnedMessage::new(Some(value.into()), key, "any".to_owned(), time, 0, 0, Some(owned))
    }

    fn outputs(records: &[OwnedMessage]) -> Outputs {
        let mut contents = Contents::default();
        records.iter().for_each(|record| contents.add(record));
        [("labs".to_owned(), contents)].into()
    }

    fn some() -> Vec<OwnedMessage> {
        let named = |name, value| record(Some(name), value, &[("fhir-source", value), ("fhir-plan", name)]);
        vec![named("a", "1"), named("b", "2"), named("c", "3"), named("a", "4")]
    }

    #[test]
    fn order_and_plan_make_no_difference() {
        let mut other: Vec<_> = some().into_iter().rev().collect();
        assert_eq!(differences(&outputs(&some()), &outputs(&other)), [""; 0]);
        other[3] = record(Some("a"), "1", &[("fhir-source", "1"), ("fhir-plan", "another")]);
        assert_eq!(differences(&outputs(&some()), &outputs(&other)), [""; 0]);
    }

    #[track_caller]
    fn differ(change: impl FnOnce(&mut Vec<OwnedMessage>), expected: &str) {
        let mut other = some();
        change(&mut other);
        assert_eq!(differences(&outputs(&some()), &outputs(&other)), [format!("labs: {expected}")]);
    }

    const NOT_THE_SAME: &str = "as many records, but not the same keys and values";

    #[test]
    fn one_record_that_is_lost_or_doubled_is_seen() {
        differ(|records| drop(records.pop()), "3 records instead of 4");
        differ(|records| records.push(records[0].clone()), "5 records instead of 4");
        differ(|records| records[1] = records[0].clone(), NOT_THE_SAME);
        // Two of one and none of the other: sums of equal terms must not cancel out.
        differ(|records| (records[2], records[3]) = (records[0].clone(), records[1].clone()), NOT_THE_SAME);
    }

    #[test]
    fn one_byte_is_seen_wherever_it_stands() {
        let headers = [("fhir-source", "1"), ("fhir-plan", "a")];
        differ(|records| records[0] = record(Some("a"), "5", &headers), NOT_THE_SAME);
        differ(|records| records[0] = record(Some("x"), "1", &headers), NOT_THE_SAME);
        differ(|records| records[0] = record(None, "a1", &headers), NOT_THE_SAME);
        differ(|records| records[0] = record(Some("a1"), "", &headers), NOT_THE_SAME);
        let other = "the same keys and values, but not the same headers or times";
        differ(|records| records[0] = record(Some("a"), "1", &[("fhir-source", "2"), ("fhir-plan", "a")]), other);
        differ(|records| records[0] = record(Some("a"), "1", &[("fhir-plan", "a")]), other);
    }

    #[test]
    fn values_that_swap_their_keys_are_seen() {
        let swapped = |key, value| record(Some(key), value, &[("fhir-source", value), ("fhir-plan", key)]);
        differ(|records| (records[0], records[1]) = (swapped("b", "1"), swapped("a", "2")), NOT_THE_SAME);
    }

    #[test]
    fn a_destination_that_is_missing_is_seen() {
        let one = outputs(&some());
        assert_eq!(differences(&one, &Outputs::new()), ["labs: 0 records instead of 4"]);
        assert_eq!(differences(&Outputs::new(), &one), ["labs: 4 records instead of 0"]);
    }

    #[test]
    fn the_weight_is_an_average() {
        let outputs = outputs(&some());
        let expected = Weight { per_event: 0.5, key: true, value_bytes: 1, header_bytes: 22 };
        assert_eq!(outputs["labs"].weight(8), expected);
    }
}
