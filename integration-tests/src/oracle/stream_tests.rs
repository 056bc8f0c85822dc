//! Planted damage in a run that is judged while it goes on.

use std::collections::BTreeMap;

use super::stream::{Fate, Numbered, Stream};
use super::tests::record_of;
use super::workload::{Facts, Rule, Workload};
use super::*;
use crate::kafka::{Position, ReadRecord};

const EVENTS: u32 = 400;
const PARTITIONS: usize = 2;

fn numbered() -> Numbered {
    let rule = |destination, content, key, gets| Rule {
        destination,
        kafka_topic: format!("to-{destination}"),
        topic: "http://example.org/topic",
        content,
        key,
        gets,
    };
    Numbered {
        workload: Workload { seed: 5, events: 0, patients: 6, organizations: &["Organization/a"], padding: 10 },
        rules: vec![
            rule("full", Content::FullResource, |facts: &Facts| Some(facts.patient.clone()), |_| true),
            rule("ids", Content::IdOnly, |facts: &Facts| Some(facts.focus()), |facts| facts.status == "final"),
        ],
        ingest: "in".to_owned(),
        dead_letters: "dead".to_owned(),
    }
}

/// A run as its readers saw it. Every tenth number was aborted, and its place in the ingest stays empty.
struct Run {
    ingest: Vec<ReadRecord>,
    outputs: Vec<ReadRecord>,
    committed: BTreeMap<(String, i32), i64>,
    high: BTreeMap<i32, i64>,
    fates: Vec<Fate>,
    unsettled: Vec<String>,
}

fn place(number: u32) -> Position {
    let partition = i32::try_from(number % 2).expect("0 or 1");
    Position { kafka_topic: "in".to_owned(), partition, offset: i64::from(number / 2) }
}

fn is_aborted(number: u32) -> bool {
    number % 10 == 3
}

fn clean() -> Run {
    let numbered = numbered();
    let mut offsets: BTreeMap<String, i64> = BTreeMap::new();
    let mut run = Run {
        ingest: Vec::new(),
        outputs: Vec::new(),
        committed: [0, 1].map(|partition| (("in".to_owned(), partition), i64::from(EVENTS / 2))).into(),
        high: [(0, i64::from(EVENTS / 2)), (1, i64::from(EVENTS / 2))].into(),
        fates: Vec::new(),
        unsettled: Vec::new(),
    };
    for number in 0..EVENTS {
        run.fates.push(if is_aborted(number) { Fate::Aborted } else { Fate::Committed });
        if is_aborted(number) {
            continue;
        }
        let source = place(number);
        let record = numbered.record(number);
        run.ingest.push(ReadRecord {
            position: source.clone(),
            key: record.key,
            value: record.value,
            headers: record.headers,
            timestamp_ms: None,
        });
        for output in numbered.outputs(number, &source) {
            let offset = offsets.entry(output.kafka_topic.clone()).or_default();
            run.outputs.push(record_of(&output, *offset));
            *offset += 1;
        }
    }
    run
}

fn stream() -> Stream {
    let outputs = ["to-full", "to-ids", "dead"].map(|name| (name.to_owned(), 1));
    Stream::new(numbered(), PARTITIONS, outputs.into())
}

fn verdict(run: Run, ingest_first: bool) -> Verdict {
    let mut stream = stream();
    if ingest_first {
        run.ingest.iter().for_each(|record| stream.ingest(record));
    }
    run.outputs.into_iter().for_each(|record| stream.output(record));
    if !ingest_first {
        run.ingest.iter().for_each(|record| stream.ingest(record));
    }
    let ending = Ending { committed: run.committed, unconsumed: Vec::new(), unsettled: run.unsettled };
    stream.finish(&ending, &run.high, &run.fates)
}

/// What is found in a damaged run, whichever of ingest and outputs is read first.
fn damaged(damage: impl Fn(&mut Run)) -> Vec<FindingKind> {
    let find = |ingest_first| {
        let mut run = clean();
        damage(&mut run);
        verdict(run, ingest_first).kinds().into_iter().collect::<Vec<_>>()
    };
    let (first, last) = (find(true), find(false));
    assert_eq!(first, last, "what is read first makes no difference");
    first
}

fn set_header(record: &mut ReadRecord, name: &str, value: &str) {
    let header = record.headers.iter_mut().find(|(found, _)| found == name).expect("it has this header");
    header.1 = Some(value.as_bytes().to_vec());
}

/// A second output that lies behind all others.
fn append(run: &mut Run, mut record: ReadRecord) {
    record.position.offset = 9_999;
    run.outputs.push(record);
}

#[test]
fn an_undamaged_run_is_clean_whatever_is_read_first() {
    for ingest_first in [true, false] {
        let verdict = verdict(clean(), ingest_first);
        verdict.assert_clean();
        assert_eq!(verdict.expected, verdict.observed);
        assert!(verdict.expected > 400, "{}", verdict.expected);
    }
    let dead = clean().outputs.iter().filter(|record| record.position.kafka_topic == "dead").count();
    assert!(dead > 0, "some numbers cannot be decoded");
}

#[test]
fn numbers_give_the_same_event_in_any_order() {
    let numbered = numbered();
    let forwards: Vec<_> = (0..50).map(|number| numbered.record(number).value).collect();
    let backwards: Vec<_> = (0..50).rev().map(|number| numbered.record(number).value).collect();
    assert!(forwards.iter().eq(backwards.iter().rev()));
    assert_ne!(forwards[0], forwards[1]);
}

#[test]
fn a_lost_output_of_several_is_torn_too() {
    let lost = damaged(|run| {
        let index = run.outputs.iter().position(|record| record.header("fhir-destination") == Some("ids"));
        run.outputs.remove(index.expect("some are final"));
    });
    assert_eq!(lost, [FindingKind::Lost, FindingKind::Torn]);
    let whole = damaged(|run| {
        let index = run.outputs.iter().position(|record| record.position.kafka_topic == "dead");
        run.outputs.remove(index.expect("some cannot be decoded"));
    });
    assert_eq!(whole, [FindingKind::Lost]);
}

#[test]
fn a_duplicate_at_the_end_is_found_and_stands_in_the_wrong_order() {
    let duplicated = damaged(|run| {
        let again = run.outputs[0].clone();
        append(run, again);
    });
    assert_eq!(duplicated, [FindingKind::Duplicated, FindingKind::Reordered]);
    let dead = damaged(|run| {
        let again = run.outputs.iter().find(|record| record.position.kafka_topic == "dead").cloned();
        append(run, again.expect("some cannot be decoded"));
    });
    assert_eq!(dead, [FindingKind::Duplicated]);
}

#[test]
fn outputs_of_aborted_events_are_found() {
    for number in [3, 393] {
        let aborted = damaged(|run| {
            let numbered = numbered();
            assert!(is_aborted(number));
            let output = numbered.outputs(number, &place(number)).remove(0);
            append(run, record_of(&output, 0));
        });
        assert!(aborted.contains(&FindingKind::Aborted), "{aborted:?}");
        assert!(!aborted.contains(&FindingKind::Unexpected), "{aborted:?}");
    }
}

#[test]
fn outputs_of_nothing_are_unexpected() {
    for source in ["in:0:77777", "in:7:1", "in:0:-1", "elsewhere:0:1", "in:1:9223372036854775807"] {
        let unexpected = damaged(|run| {
            let mut stray = run.outputs[0].clone();
            set_header(&mut stray, "fhir-source", source);
            append(run, stray);
        });
        assert!(unexpected.contains(&FindingKind::Unexpected), "{source}: {unexpected:?}");
        assert!(!unexpected.contains(&FindingKind::Aborted), "{source}: {unexpected:?}");
    }
    let other = damaged(|run| {
        let mut wrong = run.outputs[0].clone();
        set_header(&mut wrong, "fhir-destination", "nobody");
        append(run, wrong);
    });
    assert_eq!(other, [FindingKind::Unexpected]);
}

#[test]
fn two_outputs_of_one_key_in_the_wrong_order_are_found() {
    let reordered = damaged(|run| {
        let key = run.outputs[0].key.clone();
        let partition = |record: &ReadRecord| record.header("fhir-source").map(|source| source[..4].to_owned());
        let first = partition(&run.outputs[0]);
        let second = (1..run.outputs.len()).find(|index| {
            let other = &run.outputs[*index];
            other.key == key && other.position.kafka_topic == "to-full" && partition(other) == first
        });
        let second = second.expect("there are few patients");
        let place = run.outputs[0].position.clone();
        run.outputs[0].position = run.outputs[second].position.clone();
        run.outputs[second].position = place;
        run.outputs.swap(0, second);
    });
    assert_eq!(reordered, [FindingKind::Reordered]);
}

#[test]
fn outputs_and_committed_offsets_go_together() {
    let behind = damaged(|run| {
        run.committed.insert(("in".to_owned(), 0), 20);
    });
    assert_eq!(behind, [FindingKind::UncommittedSource]);
    // The reverse: the offset is committed, the outputs are not there.
    let ahead = damaged(|run| run.outputs.retain(|record| record.header("fhir-source") != Some("in:0:199")));
    assert_eq!(ahead, [FindingKind::Lost]);
    assert_eq!(damaged(|run| run.unsettled.push("to-full".to_owned())), [FindingKind::Unsettled]);
}

#[test]
fn what_the_publisher_knows_has_to_be_in_the_ingest() {
    assert_eq!(damaged(|run| run.fates[3] = Fate::Committed), [FindingKind::WrongSource]);
    assert_eq!(damaged(|run| run.fates[4] = Fate::Aborted), [FindingKind::WrongSource]);
    assert_eq!(damaged(|run| run.fates[4] = Fate::Unknown), []);
    let twice = damaged(|run| {
        let mut again = run.ingest[0].clone();
        again.position.offset = 5_000;
        run.ingest.push(again);
        run.committed.insert(("in".to_owned(), 0), 5_001);
    });
    assert!(twice.contains(&FindingKind::WrongSource), "{twice:?}");
}

#[test]
fn contents_and_headers_are_compared_as_in_a_small_run() {
    let is_full = |record: &&mut ReadRecord| record.header("fhir-destination") == Some("full");
    let header =
        damaged(|run| set_header(run.outputs.iter_mut().find(is_full).expect("one"), "correlation-id", "1234"));
    assert_eq!(header, [FindingKind::WrongHeader]);
    let content = damaged(|run| run.outputs.iter_mut().find(is_full).expect("one").value = Some(b"{}".to_vec()));
    assert_eq!(content, [FindingKind::WrongContent]);
    let key = damaged(|run| run.outputs.iter_mut().find(is_full).expect("one").key = Some(b"other".to_vec()));
    assert_eq!(key, [FindingKind::WrongKey]);
}

#[test]
fn what_is_found_a_million_times_is_counted_and_not_kept() {
    let mut run = clean();
    let again = run.outputs[0].clone();
    for _ in 0..5_000 {
        append(&mut run, again.clone());
    }
    let verdict = verdict(run, true);
    assert_eq!(verdict.count(FindingKind::Duplicated), 5_000);
    assert!(verdict.findings.len() < 2_500);
}
