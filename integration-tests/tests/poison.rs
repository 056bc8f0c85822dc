//! Records that nobody should send stand between good ones: each good event arrives, each of the others is what the
//! contract says, in order, and nothing waits.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and what was measured is shown"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use integration_tests::kafka::{ClusterOptions, Isolation, KafkaCluster, Producer, ReadRecord, Record, read, shared};
use integration_tests::scene::{Scene, THROUGH_WITHIN};
use integration_tests::service::{Service, ServiceSpec};
use integration_tests::wait;

const ALL: &str = "http://example.org/topic/all";
const FINAL: &str = "http://example.org/topic/final";
const SLOW: &str = "http://example.org/topic/slow";

/// A topic for everything, one with an ordinary criterion and one whose criterion is slow on purpose.
fn topics_yaml(scene: &Scene<'_>, format: &str) -> String {
    let name = |name| scene.kafka_topic(name);
    format!(
        "{head}topics:
  - url: {ALL}
    status: active
    trigger: [{{ resource: Resource }}]
  - url: {FINAL}
    status: active
    trigger:
      - resource: Observation
        fhirPathCriteria: status = 'final'
  - url: {SLOW}
    status: active
    trigger:
      - resource: Questionnaire
        fhirPathCriteria: descendants().select(%resource.descendants().select(%resource.descendants())).exists()
destinations:
  - {{ id: all, topic: {ALL}, kafkaTopic: {all}, content: id-only }}
  - {{ id: final, topic: {FINAL}, kafkaTopic: {final_} }}
  - {{ id: slow, topic: {SLOW}, kafkaTopic: {slow} }}
",
        head = scene.head(format),
        all = name("all"),
        final_ = name("final"),
        slow = name("slow"),
    )
}

fn scene(cluster: &KafkaCluster) -> Scene<'_> {
    Scene::new(cluster, 1, &["all", "final", "slow"]).unwrap()
}

/// A value of the format that tells of an update of this resource.
fn value(format: &str, resource: &str) -> Vec<u8> {
    match format {
        "change" => format!(r#"{{"interaction":"update","resource":{resource}}}"#),
        "fhir" => resource.to_owned(),
        _ => format!(
            r#"{{"resourceType":"Bundle","type":"batch","entry":[{{"resource":{resource},"request":{{"method":"PUT"}}}}]}}"#
        ),
    }
    .into_bytes()
}

fn good(format: &str, number: usize) -> Record {
    let resource = format!(r#"{{"resourceType":"Observation","id":"good-{number}","status":"final"}}"#);
    Record::new(value(format, &resource)).key(format!("good-{number}"))
}

/// A poison record and what has to come of it: the id that `all` is told of, if any, and the classes of its dead letters.
struct Poison {
    record: Record,
    notified: Option<String>,
    classes: &'static [&'static str],
}

fn undecodable(record: Record) -> Poison {
    Poison { record, notified: None, classes: &["undecodable"] }
}

fn inside(format: &str, id: &str, resource_type: &str, members: &str, classes: &'static [&'static str]) -> Poison {
    let resource = format!(r#"{{"resourceType":"{resource_type}","id":"{id}","status":"final",{members}}}"#);
    let notified = (classes != ["undecodable"]).then(|| format!("{resource_type}/{id}"));
    Poison { record: Record::new(value(format, &resource)).key(id), notified, classes }
}

fn poison(format: &str) -> Vec<Poison> {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let digits = "9".repeat(10_000);
    let items: Vec<String> = (0..400).map(|number| format!(r#"{{"linkId":"{number}"}}"#)).collect();
    let mut poison = vec![
        undecodable(Record::null()),
        undecodable(Record::new("").key("not a reference")),
        undecodable(Record::new(" \n").key("k")),
        undecodable(Record::new("not json")),
        undecodable(Record::new(vec![0xff; 1_000]).key(vec![0xfe, 0xff])),
        undecodable(Record::new(vec![0; 100_000])),
        undecodable(Record::new("[".repeat(100_000))),
        undecodable(Record::new(nested(100_000))),
        inside(format, "deep", "Observation", &format!(r#""x":{}"#, nested(100_000)), &["undecodable"]),
        inside(format, "surrogate", "Observation", r#""x":"\ud800""#, &["undecodable"]),
        inside(format, "digits", "Observation", &format!(r#""x":{digits}"#), &[]),
        // The general engine, which runs the criterion on these, looks at every number.
        inside(format, "digits-read", "Questionnaire", &format!(r#""x":{digits}"#), &["evaluation-error"]),
        inside(format, "fraction", "Observation", &format!(r#""x":0.{digits}"#), &[]),
        inside(format, "list", "Observation", &format!(r#""x":[{}1]"#, "1,".repeat(100_000)), &[]),
        inside(format, "twice", "Observation", &format!(r#"{}"x":1"#, r#""status":"final","#.repeat(1_000)), &[]),
        inside(format, "slow", "Questionnaire", &format!(r#""item":[{}]"#, items.join(",")), &["evaluation-error"]),
        undecodable(Record::new(value(format, "7"))),
        undecodable(Record::new(value(format, r#"{"resourceType":"Observation"}"#))),
    ];
    let mut broken = value(format, r#"{"resourceType":"Observation","id":"utf8","x":"?"}"#);
    let at = broken.iter().position(|byte| *byte == b'?').unwrap();
    broken[at] = 0xc3;
    poison.push(undecodable(Record::new(broken)));
    // Headers that are not UTF-8 are no obstacle, except where one decides.
    let mut strange = inside(format, "headers", "Observation", r#""x":1"#, &[]);
    strange.record = strange.record.header("correlation-id", vec![0xff, 0xfe, 0x00]).header("", vec![0xff]);
    poison.push(strange);
    if format == "fhir" {
        let mut record = good(format, 0);
        record.headers.push(("interaction".to_owned(), Some(vec![0xff])));
        poison.push(undecodable(record));
    }
    poison
}

#[test]
fn poison_of_every_kind_between_good_events_stops_none_of_them() {
    for format in ["change", "fhir", "bundle"] {
        let scene = scene(shared());
        let poison = poison(format);
        let mut records = vec![good(format, 0)];
        for (number, poison) in poison.iter().enumerate() {
            records.push(poison.record.clone());
            records.push(good(format, number + 1));
        }
        let spec = ServiceSpec::new(scene.cluster, &topics_yaml(&scene, format));
        let started = Instant::now();
        let service = spec.start().unwrap();
        scene.produce(&records).unwrap();

        let all = scene.arrived(spec.group(), scene.kafka_topic("all")).unwrap();
        let mut expected = vec!["Observation/good-0".to_owned()];
        for (number, poison) in poison.iter().enumerate() {
            expected.extend(poison.notified.clone());
            expected.push(format!("Observation/good-{}", number + 1));
        }
        assert_eq!(in_order_of_ingest(&all), expected, "{format}");

        let letters = scene.arrived(spec.group(), &scene.dead_letters).unwrap();
        let classes: Vec<_> = letters.iter().map(|letter| letter.header("fhir-dead-letter-class").unwrap()).collect();
        let expected: Vec<_> = poison.iter().flat_map(|poison| poison.classes).copied().collect();
        assert_eq!(classes, expected, "{format}");
        let guilty = poison.iter().filter(|poison| !poison.classes.is_empty());
        for (letter, poison) in letters.iter().zip(guilty) {
            assert_eq!((&letter.key, &letter.value), (&poison.record.key, &poison.record.value), "{format}");
        }
        println!("{format}: {} records in {:?}", records.len(), started.elapsed());
        assert!(service.is_ready());
    }
}

/// The foci of notifications, in the order of the records that they come from.
fn in_order_of_ingest(notifications: &[ReadRecord]) -> Vec<String> {
    let offset = |record: &&ReadRecord| -> i64 {
        let source = record.header("fhir-source").unwrap();
        source.rsplit(':').next().unwrap().parse().unwrap()
    };
    let mut sorted: Vec<_> = notifications.iter().collect();
    sorted.sort_by_key(offset);
    sorted.into_iter().map(|record| record.header("fhir-focus").unwrap().to_owned()).collect()
}

/// What the brokers of the testkit take with these options: a little more than 100 MB.
const HUGE: &str = "104000000";

#[test]
fn records_of_100_mb_are_dead_letters_and_stop_nothing() {
    let options = ClusterOptions::long_lived().with("message.max.bytes", HUGE).with("replica.fetch.max.bytes", HUGE);
    let cluster = KafkaCluster::start(&options).unwrap();
    let scene = scene(&cluster);
    scene
        .admin
        .alter_kafka_topic(&scene.ingest, &[("max.message.bytes", HUGE), ("segment.bytes", "1000000000")])
        .unwrap();
    // What a dead letter may be is known; its own limit is the producer's.
    let small = scene.kafka_topic("final").to_owned();
    scene.admin.alter_kafka_topic(&small, &[("max.message.bytes", "3000")]).unwrap();
    let spec = ServiceSpec::new(&cluster, &topics_yaml(&scene, "change"));

    scene.produce(&[good("change", 0)]).unwrap();
    let text = "a".repeat(100_000_000);
    let observation = |id: &str, text: &str| {
        value("change", &format!(r#"{{"resourceType":"Observation","id":"{id}","status":"final","x":"{text}"}}"#))
    };
    scene.produce(&[Record::new(observation("huge", &text)).key("huge")]).unwrap();
    scene.produce(&[good("change", 1)]).unwrap();
    scene.produce(&[Record::new(vec![0xff; 100_000_000]).key("broken")]).unwrap();
    scene.produce(&[good("change", 2)]).unwrap();
    scene.produce(&[Record::new(observation("over", &"b".repeat(4_000))).key("over")]).unwrap();
    scene.produce(&[good("change", 3)]).unwrap();

    let started = Instant::now();
    let service = spec.start().unwrap();
    let all = scene.arrived(spec.group(), scene.kafka_topic("all")).unwrap();
    println!("two records of 100 MB: {:?}, {} MB at most", started.elapsed(), peak_memory(&service) / 1_000_000);
    let told = ["good-0", "huge", "good-1", "good-2", "over", "good-3"].map(|id| format!("Observation/{id}"));
    assert_eq!(in_order_of_ingest(&all), told, "id-only notifications are small");
    let finals = scene.arrived(spec.group(), &small).unwrap();
    let good = ["good-0", "good-1", "good-2", "good-3"].map(|id| format!("Observation/{id}"));
    assert_eq!(in_order_of_ingest(&finals), good);

    let letters = scene.arrived(spec.group(), &scene.dead_letters).unwrap();
    let described: Vec<_> = letters
        .iter()
        .map(|letter| {
            let destination = letter.header("fhir-dead-letter-destination");
            (letter.header("fhir-dead-letter-class").unwrap(), destination, letter.key_text(), letter.value.is_some())
        })
        .collect();
    let expected = [
        ("too-large", Some("final"), Some("huge"), false),
        ("undecodable", None, Some("broken"), false),
        ("too-large", Some("final"), Some("over"), true),
    ];
    assert_eq!(described, expected);
    assert!(peak_memory(&service) < 1_000_000_000, "{}", peak_memory(&service));
}

/// The most memory that the service ever had, in bytes.
fn peak_memory(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The client library panics on such a name; the service passes over it.
#[test]
fn a_header_whose_name_is_no_text_is_passed_over() {
    let scene = scene(shared());
    let spec = ServiceSpec::new(scene.cluster, &topics_yaml(&scene, "change"));
    let before = good("change", 0);
    scene.produce(&[before]).unwrap();
    let strange = good("change", 1);
    produce_by_hand(
        &scene,
        strange.key.as_deref().unwrap(),
        strange.value.as_deref().unwrap(),
        &[(b"\xff\xfe", b"x"), (b"correlation-id", b"c-1"), (b"\xc3", b"")],
    );
    scene.produce(&[good("change", 2)]).unwrap();
    let service = spec.start().unwrap();
    // The testkit cannot read the ingest any more: its client panics like every other one of this library.
    let to_all = || read::to_end(scene.cluster, scene.kafka_topic("all"), Isolation::ReadCommitted, THROUGH_WITHIN);
    wait::until_ok("three notifications", THROUGH_WITHIN, || {
        anyhow::ensure!(to_all()?.len() == 3);
        Ok(())
    })
    .unwrap();
    let all = to_all().unwrap();
    assert_eq!(in_order_of_ingest(&all), ["Observation/good-0", "Observation/good-1", "Observation/good-2"]);
    let passed_on = all.iter().find(|record| record.header("fhir-focus") == Some("Observation/good-1")).unwrap();
    assert_eq!(passed_on.header("correlation-id"), Some("c-1"), "the others are there");
    assert!(service.is_ready());
}

/// Produces a record by Kafka's protocol, since no client library writes such names.
fn produce_by_hand(scene: &Scene<'_>, key: &[u8], value: &[u8], headers: &[(&[u8], &[u8])]) {
    let mut record = vec![0, 0, 0];
    for bytes in [key, value] {
        varint(&mut record, bytes.len());
        record.extend_from_slice(bytes);
    }
    varint(&mut record, headers.len());
    for bytes in headers.iter().flat_map(|(name, value)| [name, value]) {
        varint(&mut record, bytes.len());
        record.extend_from_slice(bytes);
    }
    let mut batch = Vec::new();
    batch.extend_from_slice(&0_i16.to_be_bytes()); // attributes
    batch.extend_from_slice(&0_i32.to_be_bytes()); // the last offset's delta
    batch.extend_from_slice(&1_767_225_600_000_i64.to_be_bytes()); // the first time
    batch.extend_from_slice(&1_767_225_600_000_i64.to_be_bytes()); // the last time
    batch.extend_from_slice(&(-1_i64).to_be_bytes()); // no producer id
    batch.extend_from_slice(&(-1_i16).to_be_bytes());
    batch.extend_from_slice(&(-1_i32).to_be_bytes());
    batch.extend_from_slice(&1_i32.to_be_bytes()); // one record
    varint(&mut batch, record.len());
    batch.extend_from_slice(&record);
    let mut records = Vec::new();
    records.extend_from_slice(&0_i64.to_be_bytes()); // the first offset
    records.extend_from_slice(&i32::try_from(batch.len() + 9).unwrap().to_be_bytes());
    records.extend_from_slice(&0_i32.to_be_bytes()); // the leader's epoch
    records.push(2); // the format
    records.extend_from_slice(&crc32c(&batch).to_be_bytes());
    records.extend_from_slice(&batch);

    let mut request = Vec::new();
    request.extend_from_slice(&0_i16.to_be_bytes()); // Produce
    request.extend_from_slice(&3_i16.to_be_bytes()); // in its third version
    request.extend_from_slice(&1_i32.to_be_bytes()); // the request's number
    request.extend_from_slice(&(-1_i16).to_be_bytes()); // no client id
    request.extend_from_slice(&(-1_i16).to_be_bytes()); // no transaction
    request.extend_from_slice(&(-1_i16).to_be_bytes()); // acks: all
    request.extend_from_slice(&30_000_i32.to_be_bytes());
    request.extend_from_slice(&1_i32.to_be_bytes());
    request.extend_from_slice(&i16::try_from(scene.ingest.len()).unwrap().to_be_bytes());
    request.extend_from_slice(scene.ingest.as_bytes());
    request.extend_from_slice(&1_i32.to_be_bytes());
    request.extend_from_slice(&0_i32.to_be_bytes()); // partition 0
    request.extend_from_slice(&i32::try_from(records.len()).unwrap().to_be_bytes());
    request.extend_from_slice(&records);

    let broker = scene.cluster.bootstrap_servers().split(',').next().unwrap();
    let mut stream = TcpStream::connect(broker).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(&i32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    // Number (4), topics (4), the name (2 + n), partitions (4), partition (4), then the error.
    let error = 4 + 4 + 2 + scene.ingest.len() + 4 + 4;
    assert_eq!(answer[error..error + 2], [0, 0], "the broker took it");
}

/// A length in Kafka's variable form: zigzag, seven bits a byte.
fn varint(out: &mut Vec<u8>, length: usize) {
    let mut rest = length << 1;
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap());
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

/// Each dead letter would carry the whole record.
#[test]
fn the_dead_letters_of_a_large_record_do_not_multiply_it() {
    let scene = scene(shared());
    let spec = ServiceSpec::new(scene.cluster, &topics_yaml(&scene, "bundle"));
    // 3,000 entries whose number no criterion can be shown: 3,000 dead letters, which share 64 MiB of copies.
    let entry = |number: usize| {
        let resource = format!(r#"{{"resourceType":"Questionnaire","id":"e{number}","status":"final","x":1e999}}"#);
        format!(r#"{{"resource":{resource},"request":{{"method":"PUT"}}}}"#)
    };
    let entries: Vec<String> = (0..3_000).map(entry).collect();
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{}]}}"#, entries.join(","));
    let copies = 64 * 1024 * 1024 / bundle.len();
    Producer::plain(scene.cluster)
        .unwrap()
        .send(&scene.ingest, &[good("bundle", 0), Record::new(bundle).key("many"), good("bundle", 1)])
        .unwrap();
    let started = Instant::now();
    let _service = spec.start().unwrap();
    let all = scene.arrived(spec.group(), scene.kafka_topic("all")).unwrap();
    assert_eq!(all.len(), 3_002);
    let letters = read::to_end(scene.cluster, &scene.dead_letters, Isolation::ReadCommitted, THROUGH_WITHIN).unwrap();
    println!("3,000 dead letters of one record: {:?}", started.elapsed());
    assert_eq!(letters.len(), 3_000);
    assert_eq!(letters.iter().filter(|letter| letter.value.is_some()).count(), copies);
}
