//! `topics.yaml` is edited while events flow: taken over whole between two batches, or not at all, with the reason.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the figures are part of what these tests are for")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use integration_tests::kafka::{ClusterOptions, Isolation, KafkaCluster, ReadRecord, read, shared, unique};
use integration_tests::scene::{Hospital, THROUGH_WITHIN};
use integration_tests::service::{Service, ServiceSpec};
use integration_tests::wait;
use serde_json::Value;

const WITHIN: Duration = Duration::from_secs(60);

/// How long taking a plan over may keep a task from its work, in 99 of 100 edits.
const PAUSE: Duration = Duration::from_millis(50);

/// A destination of the results that is not there at the start.
fn extra(kafka_topic: &str) -> String {
    format!(
        "  - {{ id: extra, topic: http://example.org/topic/results, kafkaTopic: {kafka_topic}, content: id-only }}\n"
    )
}

fn quick(spec: &ServiceSpec) -> ServiceSpec {
    spec.clone().setting("RELOAD_INTERVAL_MS", "100")
}

/// How many edits came to this.
fn reloads(service: &Service, outcome: &str) -> f64 {
    service.metrics().unwrap().sum("fanout_config_reloads_total", &[("outcome", outcome)]).unwrap()
}

fn failed(service: &Service) -> f64 {
    service.metrics().unwrap().sum("fanout_config_reload_failed", &[]).unwrap()
}

/// Edits, and waits until it has come to this.
fn edit(service: &Service, topics_yaml: &str, outcome: &str) {
    let before = reloads(service, outcome);
    service.edit(topics_yaml).unwrap();
    wait::until(&format!("an edit that is {outcome}"), WITHIN, || reloads(service, outcome) > before).unwrap();
}

fn configuration(service: &Service) -> Value {
    service.status().unwrap()["configuration"].clone()
}

/// Waits until all tasks run the newest plan; its hash.
fn settled_plan(service: &Service, tasks: u64) -> String {
    wait::until("the plan in all tasks", WITHIN, || configuration(service)["tasksOnPlan"] == tasks).unwrap();
    configuration(service)["plan"].as_str().unwrap().to_owned()
}

/// Which source was notified of, and by which plan.
fn plans_by_source(records: &[ReadRecord]) -> BTreeMap<String, String> {
    let header = |record: &ReadRecord, name: &str| record.header(name).unwrap().to_owned();
    let all: BTreeMap<_, _> =
        records.iter().map(|record| (header(record, "fhir-source"), header(record, "fhir-plan"))).collect();
    assert_eq!(all.len(), records.len(), "a source was notified of twice");
    all
}

#[test]
fn a_hundred_edits_under_load_lose_double_and_tear_nothing() {
    let mut hospital = Hospital::new(shared(), 4).unwrap();
    let kafka_topic = unique("extra");
    hospital.scene.admin.create_kafka_topic(&kafka_topic, 2).unwrap();
    let (without, with) = (hospital.topics_with(""), hospital.topics_with(&extra(&kafka_topic)));
    let broken = [without.replace("status = 'final'", "status = 'final"), without.replace("kafkaTopic", "kafkatopic")];
    hospital.spec = quick(&hospital.spec).setting("TASKS", "2").setting("BATCH__MAX_RECORDS", "200");
    hospital.produce(1, 40_000, 100).unwrap();
    let service = hospital.spec.start().unwrap();
    let mut hashes = BTreeMap::from([(false, settled_plan(&service, 2))]);
    let pauses: Vec<Duration> = hospital
        .flowing(2, |flow| {
            let mut pauses = Vec::new();
            for number in 0..100 {
                let edited = Instant::now();
                match number % 4 {
                    0 => edit(&service, &with, "taken-over"),
                    2 => edit(&service, &without, "taken-over"),
                    _ => edit(&service, &broken[number / 2 % 2], "refused"),
                }
                if number == 0 {
                    hashes.insert(true, settled_plan(&service, 2));
                }
                assert_eq!(failed(&service), if number % 2 == 1 { 1.0 } else { 0.0 });
                pauses.push(flow.pause_since(edited, &[0, 1, 2, 3])?.length());
            }
            Ok(pauses)
        })
        .unwrap();
    assert_eq!([reloads(&service, "taken-over"), reloads(&service, "refused")], [50.0, 50.0]);
    assert_eq!(settled_plan(&service, 2), hashes[&false]);
    hospital.verdict().unwrap().assert_clean();

    // Each record was processed with one plan: where it is the one with the further destination, that has it too.
    let all =
        |kafka_topic: &str| read::to_end(shared(), kafka_topic, Isolation::ReadCommitted, THROUGH_WITHIN).unwrap();
    let audit = plans_by_source(&all(hospital.scene.kafka_topic("audit")));
    let extra = plans_by_source(&all(&kafka_topic));
    let of_plan = |hash: &String| -> BTreeMap<String, String> {
        audit.iter().filter(|(_, plan)| *plan == hash).map(|(source, plan)| (source.clone(), plan.clone())).collect()
    };
    assert_eq!(extra, of_plan(&hashes[&true]));
    assert_eq!(extra.len() + of_plan(&hashes[&false]).len(), audit.len(), "there are two plans");
    assert!(extra.len() > 100 && audit.len() - extra.len() > 100, "{} of {}", extra.len(), audit.len());

    let took = taken_over_in(&service);
    assert_eq!(took.len(), 2 * 50, "each task takes each plan over");
    let (worst, seen) = (percentile_99(took), percentile_99(pauses));
    eprintln!("100 edits: taking over held a task up for {worst:?} at p99; outputs stood still for {seen:?} at p99");
    assert!(worst < PAUSE, "{worst:?}");
}

/// What the tasks say of each plan that they took over.
fn taken_over_in(service: &Service) -> Vec<Duration> {
    let log = service.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let took = lines.filter_map(|line| {
        let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
        (fields["message"] == "plan taken over").then(|| fields["took_us"].as_u64().unwrap())
    });
    took.map(Duration::from_micros).collect()
}

fn percentile_99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[(times.len() * 99).div_ceil(100) - 1]
}

#[test]
fn an_invalid_edit_changes_nothing_and_says_what_is_wrong() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    hospital.spec = quick(&hospital.spec);
    let service = hospital.spec.start().unwrap();
    let plan = settled_plan(&service, 1);
    edit(&service, &hospital.topics_with("").replace("status = 'final'", "status = finale('x')"), "refused");
    let told = configuration(&service);
    assert_eq!((&told["plan"], &told["refused"]["reason"]), (&Value::from(plan.as_str()), &"invalid".into()));
    let problem = &told["refused"]["problems"][0];
    assert!(problem["place"].as_str().unwrap().starts_with("topics.yaml:"), "{told}");
    assert!(problem["message"].as_str().unwrap().contains("finale"), "{told}");
    assert!(service.log().contains("NOT taken over"), "{}", service.log());
    assert_eq!(failed(&service), 1.0);
    hospital.produce(1, 500, 50).unwrap();
    hospital.verdict().unwrap().assert_clean();
    // Taking the edit back is a look that finds what runs.
    edit(&service, &hospital.topics_with(""), "unchanged");
    assert_eq!((failed(&service), &configuration(&service)["refused"]), (0.0, &Value::Null));
    assert_eq!(settled_plan(&service, 1), plan);
}

#[test]
fn a_new_destination_waits_for_its_kafka_topic_and_begins_where_the_group_stands() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    hospital.spec = quick(&hospital.spec);
    let mut service = hospital.spec.start().unwrap();
    hospital.produce(1, 300, 50).unwrap();
    hospital.verdict().unwrap().assert_clean();
    let kafka_topic = unique("late");
    edit(&service, &hospital.topics_with(&extra(&kafka_topic)), "refused");
    let told = configuration(&service);
    assert_eq!(told["refused"]["reason"], "cluster");
    let message = told["refused"]["problems"][0]["message"].as_str().unwrap();
    assert!(message.contains(&kafka_topic) && message.contains("topics create"), "{message}");
    hospital.scene.admin.create_kafka_topic(&kafka_topic, 1).unwrap();
    wait::until("the edit taken over by itself", WITHIN, || reloads(&service, "taken-over") == 1.0).unwrap();
    assert_eq!(reloads(&service, "refused"), 1.0, "told once");
    settled_plan(&service, 1);
    let before = hospital.scene.arrived(hospital.spec.group(), hospital.scene.kafka_topic("audit")).unwrap().len();
    hospital.produce(2, 300, 50).unwrap();
    hospital.verdict().unwrap().assert_clean();
    let audit = hospital.scene.arrived(hospital.spec.group(), hospital.scene.kafka_topic("audit")).unwrap().len();
    let late = hospital.scene.arrived(hospital.spec.group(), &kafka_topic).unwrap().len();
    assert!(late > 0 && late == audit - before, "{late} of {audit}, {before} before");
    assert_eq!(service.exit_status().unwrap(), None);
}

#[test]
fn what_needs_a_restart_is_refused_and_says_so() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    hospital.spec = quick(&hospital.spec).settings_yaml("tasks: 1\n");
    let service = hospital.spec.start().unwrap();
    let more = format!("ingest:\n  - {{ kafkaTopic: {}, format: change }}\n", unique("more"));
    edit(&service, &hospital.topics_with("").replace("ingest:\n", &more), "refused");
    let told = configuration(&service);
    assert_eq!(told["refused"]["reason"], "needs-restart", "{told}");
    assert!(told["refused"]["problems"][0]["hint"].as_str().unwrap().contains("restart"), "{told}");
    edit(&service, &hospital.topics_with(""), "unchanged");
    assert_eq!(configuration(&service)["settingsChanged"], false);
    std::fs::write(service.folder().join("fhir-fanout.yaml"), "tasks: 1\nbatch: { maxRecords: 77 }\n").unwrap();
    wait::until("the word on the settings", WITHIN, || configuration(&service)["settingsChanged"] == true).unwrap();
    assert!(service.log().contains("they count from the next start"), "{}", service.log());
    hospital.produce(1, 100, 50).unwrap();
    hospital.verdict().unwrap().assert_clean();
}

#[test]
fn sighup_has_an_edit_taken_over_where_nobody_looks() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    hospital.spec = hospital.spec.clone().setting("RELOAD_INTERVAL_MS", "0");
    let kafka_topic = unique("extra");
    hospital.scene.admin.create_kafka_topic(&kafka_topic, 1).unwrap();
    let mut service = hospital.spec.start().unwrap();
    service.edit(&hospital.topics_with(&extra(&kafka_topic))).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(reloads(&service, "taken-over"), 0.0);
    service.sighup().unwrap();
    wait::until("the edit taken over", WITHIN, || reloads(&service, "taken-over") == 1.0).unwrap();
    service.sighup().unwrap();
    wait::until("a look without news", WITHIN, || reloads(&service, "unchanged") == 1.0).unwrap();
    assert_eq!(service.exit_status().unwrap(), None, "a hang-up ends nothing");
}

/// As Kubernetes mounts a ConfigMap: `topics.yaml` -> `..data/topics.yaml`, `..data` -> a folder by time.
#[test]
fn the_swap_of_a_config_map_is_an_edit() {
    let mut hospital = Hospital::new(shared(), 1).unwrap();
    hospital.spec = quick(&hospital.spec);
    let kafka_topic = unique("extra");
    hospital.scene.admin.create_kafka_topic(&kafka_topic, 1).unwrap();
    let service = hospital.spec.start().unwrap();
    let folder = service.folder();
    let put = |version: &str, text: &str| {
        std::fs::create_dir(folder.join(version)).unwrap();
        std::fs::write(folder.join(version).join("topics.yaml"), text).unwrap();
        std::os::unix::fs::symlink(version, folder.join("..data_tmp")).unwrap();
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    put("..1", &hospital.topics_with(""));
    std::os::unix::fs::symlink("..data/topics.yaml", folder.join("link")).unwrap();
    std::fs::rename(folder.join("link"), folder.join("topics.yaml")).unwrap();
    wait::until("the link seen", WITHIN, || reloads(&service, "unchanged") == 1.0).unwrap();
    put("..2", &hospital.topics_with(&extra(&kafka_topic)));
    wait::until("the swap taken over", WITHIN, || reloads(&service, "taken-over") == 1.0).unwrap();
}

/// Each instance runs what its own file says: partitions follow the plan of who owns them, and the metrics show who runs
/// which.
#[test]
fn instances_whose_files_differ_each_run_their_own() {
    let mut hospital = Hospital::new(shared(), 2).unwrap();
    hospital.spec = quick(&hospital.spec);
    let kafka_topic = unique("extra");
    hospital.scene.admin.create_kafka_topic(&kafka_topic, 1).unwrap();
    let services = [hospital.spec.start().unwrap(), hospital.spec.start().unwrap()];
    hospital.wait_for_shares(&[1, 1], WITHIN).unwrap();
    edit(&services[0], &hospital.topics_with(&extra(&kafka_topic)), "taken-over");
    let plans = services.each_ref().map(|service| settled_plan(service, 1));
    assert_ne!(plans[0], plans[1]);
    for (service, plan) in services.iter().zip(&plans) {
        let metrics = service.metrics().unwrap();
        assert_eq!(metrics.sum("fanout_plan_info", &[("hash", plan)]), Some(1.0));
        assert_eq!(metrics.sum("fanout_plan_info", &[]), Some(1.0), "and no other");
    }
    hospital.produce(1, 600, 50).unwrap();
    hospital.verdict().unwrap().assert_clean();
    let read = |kafka_topic: &str| hospital.scene.arrived(hospital.spec.group(), kafka_topic).unwrap();
    let audit = plans_by_source(&read(hospital.scene.kafka_topic("audit")));
    let extra = plans_by_source(&read(&kafka_topic));
    let partitions = |hash: &str| -> std::collections::BTreeSet<String> {
        let of_plan = audit.iter().filter(|(_, plan)| *plan == hash);
        of_plan.map(|(source, _)| source.split(':').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!((partitions(&plans[0]).len(), partitions(&plans[1]).len()), (1, 1), "one partition each");
    assert_eq!(extra, audit.into_iter().filter(|(_, plan)| *plan == plans[0]).collect());
}

/// What is edited after the files were read, and before the tasks run, is an edit too.
#[test]
fn an_edit_while_the_service_starts_is_not_missed() {
    let cluster = KafkaCluster::start(&ClusterOptions::default().links(1)).unwrap();
    let link = cluster.link(0);
    let hospital = Hospital::new(&cluster, 1).unwrap();
    let kafka_topic = unique("extra");
    hospital.scene.admin.create_kafka_topic(&kafka_topic, 1).unwrap();
    link.refuse();
    let mut service = quick(&hospital.spec).through(link).spawn().unwrap();
    wait::until("the files read", WITHIN, || service.log().contains("no broker answers")).unwrap();
    service.edit(&hospital.topics_with(&extra(&kafka_topic))).unwrap();
    link.heal();
    service.wait_ready().unwrap();
    wait::until("the edit taken over", WITHIN, || reloads(&service, "taken-over") == 1.0).unwrap();
}
