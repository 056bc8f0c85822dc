//! The HTTP endpoints of a running process, asked over TCP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fhir_fanout::ops::configuration::{Problem, RefusalReason, RefusedEdit};
use fhir_fanout::ops::server::{self, Server, ServerError};
use fhir_fanout::ops::status::{Status, TaskState};
use fhir_fanout::telemetry::{MetricKind, Telemetry, TelemetryError, occurrence, reference};

/// The recorder is the whole process's.
fn telemetry() -> Telemetry {
    static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();
    TELEMETRY.get_or_init(|| Telemetry::install().expect("the first recorder")).clone()
}

/// Reading the page sets the gauges of the tasks, which are the whole process's too: one reader at a time.
fn alone_with_metrics() -> MutexGuard<'static, ()> {
    static READERS: Mutex<()> = Mutex::new(());
    READERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn started(status: &Arc<Status>) -> Server {
    server::start(any_port(), Arc::clone(status), telemetry()).expect("a free port")
}

struct Answer {
    code: u16,
    head: String,
    body: String,
}

fn ask(server: &Server, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out above zero");
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer to the end");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
    Answer { code, head: head.to_lowercase(), body: body.to_owned() }
}

fn running(tasks: usize) -> Arc<Status> {
    let status = Status::new(tasks);
    for task in status.tasks() {
        assert!(task.enter(TaskState::Joining));
        task.assigned(2);
        assert!(task.enter(TaskState::Running));
    }
    status
}

#[test]
fn ready_only_after_the_first_assignment_and_until_the_stop() {
    let status = Status::new(1);
    let server = started(&status);
    let before = ask(&server, "GET", "/health/ready");
    assert_eq!(before.code, 503);
    assert!(before.body.contains(r#""status":"not-ready""#), "{}", before.body);
    status.task(0).enter(TaskState::Running);
    status.task(0).assigned(0);
    let after = ask(&server, "GET", "/health/ready");
    assert_eq!(after.code, 200);
    assert!(after.head.contains("content-type: application/json"), "{}", after.head);
    status.stop();
    let stopping = ask(&server, "GET", "/health/ready");
    assert_eq!(stopping.code, 503);
    assert!(stopping.body.contains(r#""status":"stopping""#), "{}", stopping.body);
}

#[test]
fn status_tells_what_runs_and_what_became_of_the_last_edit() {
    let status = running(2);
    let server = started(&status);
    status.configuration().update(|report| {
        report.plan = "0123456789abcdef".to_owned();
        report.version = 1;
        report.refused = Some(RefusedEdit {
            at: "2026-01-31T06:00:00Z".parse().expect("a time"),
            reason: RefusalReason::Invalid,
            problems: vec![Problem {
                place: Some("topics.yaml:3:5 (topics[0])".to_owned()),
                message: "unknown field `kafkatopic`".to_owned(),
                hint: None,
            }],
        });
    });
    status.task(0).plan_taken_over(1);
    let page = ask(&server, "GET", "/status");
    assert_eq!(page.code, 200);
    let page: serde_json::Value = serde_json::from_str(&page.body).expect("JSON");
    assert_eq!((&page["live"], &page["ready"]), (&true.into(), &true.into()));
    assert_eq!(page["tasks"][1]["state"], "running");
    let expected = serde_json::json!({
        "plan": "0123456789abcdef",
        "since": null,
        "reloads": 0,
        "refused": {
            "at": "2026-01-31T06:00:00Z",
            "reason": "invalid",
            "problems": [{ "place": "topics.yaml:3:5 (topics[0])", "message": "unknown field `kafkatopic`" }]
        },
        "settingsChanged": false,
        "tasksOnPlan": 1
    });
    assert_eq!(page["configuration"], expected);
}

#[test]
fn live_until_a_task_ends_by_itself() {
    let status = running(2);
    let server = started(&status);
    let live = ask(&server, "GET", "/health/live");
    assert_eq!(live.code, 200);
    let body: serde_json::Value = serde_json::from_str(&live.body).expect("JSON");
    assert_eq!(body["status"], "live");
    assert_eq!(body["tasks"][1]["task"], 1);
    assert_eq!(body["tasks"][1]["state"], "running");
    assert_eq!(body["tasks"][1]["partitions"], 2);
    assert_eq!(body["tasks"][1]["joined"], true);
    assert!(body["tasks"][1]["heartbeatAgeMs"].is_u64());
    status.task(1).enter(TaskState::Stopped);
    let stalled = ask(&server, "GET", "/health/live");
    assert_eq!(stalled.code, 503);
    assert!(stalled.body.contains(r#""status":"stalled""#), "{}", stalled.body);
}

#[test]
fn the_metrics_page_is_whole_and_follows_lag_and_tasks() {
    let _alone = alone_with_metrics();
    let status = running(3);
    let server = started(&status);
    occurrence::lag("fhir.changes", 0, 12, 1.5);
    occurrence::lag("fhir.changes", 1, 7, 0.5);
    let page = ask(&server, "GET", "/metrics");
    assert_eq!(page.code, 200);
    assert!(page.head.contains("content-type: text/plain; version=0.0.4"), "{}", page.head);
    assert!(page.body.contains("fanout_tasks{state=\"running\"} 3\n"), "{}", page.body);
    assert!(page.body.contains("fanout_tasks{state=\"blocked\"} 0\n"), "{}", page.body);
    assert!(page.body.contains("fanout_consumer_lag_records{kafka_topic=\"fhir.changes\",partition=\"0\"} 12\n"));
    assert!(page.body.contains("fanout_consumer_lag_seconds{kafka_topic=\"fhir.changes\",partition=\"0\"} 1.5\n"));
    occurrence::lag_forget("fhir.changes", 0);
    let page = ask(&server, "GET", "/metrics").body;
    assert!(!page.contains("kafka_topic=\"fhir.changes\",partition=\"0\""), "{page}");
    assert!(page.contains("kafka_topic=\"fhir.changes\",partition=\"1\""), "{page}");
    assert_parses(&page);
}

/// The text format 0.0.4: each family in one piece under its HELP and TYPE, each sample a number.
fn assert_parses(page: &str) {
    let mut families = Vec::new();
    for line in page.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().expect("a name");
            assert!(!families.contains(&name), "{name} stands in two pieces");
            families.push(name);
        } else if !line.starts_with("# HELP ") {
            let family = families.last().expect("a TYPE before the first sample");
            assert!(line.starts_with(family), "{line} stands under {family}");
            let (_, value) = line.rsplit_once(' ').expect("a value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    for doc in reference().iter().filter(|doc| doc.labels.is_empty()) {
        let sample = if matches!(doc.kind, MetricKind::Histogram(_)) { "_count " } else { " " };
        assert!(page.contains(&format!("\n{}{sample}", doc.name)), "{} is missing", doc.name);
    }
}

#[test]
fn other_paths_and_methods_are_refused() {
    let _alone = alone_with_metrics();
    let server = started(&running(1));
    assert_eq!(ask(&server, "GET", "/").code, 200);
    assert!(ask(&server, "GET", "/").body.contains("href=\"/metrics\""));
    assert_eq!(ask(&server, "GET", "/metrics/x").code, 404);
    assert_eq!(ask(&server, "GET", "/health").code, 404);
    for path in ["/", "/health/live", "/health/ready", "/status", "/metrics"] {
        let head = ask(&server, "HEAD", path);
        assert_eq!((head.code, head.body.as_str()), (200, ""), "HEAD {path}");
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(ask(&server, method, path).code, 405, "{method} {path}");
        }
    }
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let taken = TcpListener::bind(any_port()).expect("a free port");
    let address = taken.local_addr().expect("a bound address");
    let error = server::start(address, running(1), telemetry()).expect_err("the port is taken");
    assert!(matches!(error, ServerError::Bind { .. }));
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn clients_that_neither_speak_nor_read_do_not_hold_up_the_stop() {
    let _alone = alone_with_metrics();
    let server = started(&running(1));
    let silent = TcpStream::connect(server.address()).expect("the server listens");
    let greedy = asks_and_never_reads(server.address());
    let address = server.address();
    let started = Instant::now();
    server.stop();
    assert!(started.elapsed() < Duration::from_secs(5), "stopped after {:?}", started.elapsed());
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    drop((silent, greedy));
}

/// A connection whose answers fill every buffer on the way, so that the server is in the middle of one.
fn asks_and_never_reads(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a time-out above zero");
    while stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").is_ok() {}
    stream
}

#[test]
fn there_is_one_recorder_in_a_process() {
    let _first = telemetry();
    assert!(matches!(Telemetry::install(), Err(TelemetryError::AlreadyInstalled)));
}
