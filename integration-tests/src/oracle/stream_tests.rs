//! Planted damage in a run that is judged while it goes on.

use std::collections::BTreeMap;

use super::check::source_of;
use super::intervention::Span;
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
    verdict_after(run, ingest_first, |_| {})
}

fn verdict_after(run: Run, ingest_first: bool, intervene: impl Fn(&mut Stream)) -> Verdict {
    let mut stream = stream();
    intervene(&mut stream);
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

/// The position in the ingest's first partition of an output for this destination.
fn of(destination: &str) -> impl Fn(&ReadRecord) -> Option<i64> {
    move |record| {
        let source = record.header("fhir-source")?.strip_prefix("in:0:")?.parse().ok()?;
        (record.header("fhir-destination") == Some(destination)).then_some(source)
    }
}

#[test]
fn what_was_deleted_before_it_was_read_is_not_lost_and_everything_else_is() {
    let lost_between = |from: i64, below: i64| {
        let mut run = clean();
        let before = run.outputs.len();
        run.outputs.retain(|record| of("ids")(record).is_none_or(|source| !(50..150).contains(&source)));
        let unread = Span { from: [(0, from)].into(), until: Some([(0, below)].into()) };
        let gone = before - run.outputs.len();
        let verdict = verdict_after(run, true, |stream| stream.destination_deleted("ids", unread.clone()));
        assert!(gone > 3, "{gone}");
        assert_eq!(verdict.deleted + verdict.count(FindingKind::Lost), gone);
        verdict
    };
    lost_between(50, 150).assert_clean();
    for (from, below) in [(80, 150), (50, 120)] {
        let verdict = lost_between(from, below);
        assert!(verdict.deleted > 0, "{verdict}");
        assert_eq!(verdict.kinds().into_iter().collect::<Vec<_>>(), [FindingKind::Lost, FindingKind::Torn]);
    }
}

#[test]
fn what_was_deleted_after_it_was_read_must_not_come_again() {
    let mut run = clean();
    let again = run.outputs.iter().find(|record| of("ids")(record).is_some_and(|source| source > 100)).cloned();
    append(&mut run, again.expect("some are final"));
    let unread = Span { from: [(0, 0)].into(), until: Some([(0, 200)].into()) };
    let verdict = verdict_after(run, true, |stream| stream.destination_deleted("ids", unread.clone()));
    assert!(verdict.count(FindingKind::Duplicated) > 0);
}

/// A run in which outputs of "ids" from 50 to 150 are dead letters of this class instead, or as well.
fn refused(class: &str, as_well: bool) -> Run {
    let mut run = clean();
    let numbered = numbered();
    let is_refused = |record: &ReadRecord| of("ids")(record).is_some_and(|source| (50..150).contains(&source));
    let refused: Vec<ReadRecord> = run.outputs.iter().filter(|record| is_refused(record)).cloned().collect();
    assert!(refused.len() > 3);
    if !as_well {
        run.outputs.retain(|record| !is_refused(record));
    }
    for (record, offset) in refused.iter().zip(9_000..) {
        let number = record.header("correlation-id").and_then(|text| text.parse().ok()).expect("its number");
        let source = source_of(record).expect("its source").source;
        let output = numbered.outputs(number, &source).pop().expect("the one for ids");
        run.outputs.push(record_of(&numbered.instead(number, &output, class).expect("a notification"), offset));
    }
    run
}

#[test]
fn dead_letters_stand_for_what_a_destination_does_not_take_while_it_does_not() {
    let lower_to = |bytes: usize, from: i64, until: Option<i64>| {
        move |stream: &mut Stream| {
            stream.limit_lowered("ids", bytes, [(0, from)].into());
            if let Some(until) = until {
                stream.limit_raised("ids", &[(0, until)].into());
            }
        }
    };
    let lower = |from, until| lower_to(300, from, until);
    for until in [None, Some(150)] {
        verdict_after(refused("too-large", false), true, lower(50, until)).assert_clean();
    }
    let kinds = |run, intervene: &dyn Fn(&mut Stream)| {
        verdict_after(run, true, intervene).kinds().into_iter().collect::<Vec<_>>()
    };
    let lost = [FindingKind::Lost, FindingKind::Unexpected, FindingKind::Torn];
    let sorted = |mut kinds: Vec<FindingKind>| {
        kinds.sort_unstable();
        kinds
    };
    let lost = sorted(lost.to_vec());
    for intervene in [&lower(80, None) as &dyn Fn(&mut Stream), &lower(50, Some(120)), &|_: &mut Stream| {}] {
        assert_eq!(kinds(refused("too-large", false), intervene), lost);
    }
    for class in ["rejected", "evaluation-error"] {
        assert_eq!(kinds(refused(class, false), &lower(50, None)), lost);
    }
    assert_eq!(kinds(refused("too-large", false), &lower_to(10_000, 50, None)), lost, "they fit");
    assert_eq!(kinds(refused("too-large", true), &lower(50, None)), [FindingKind::Duplicated]);
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
