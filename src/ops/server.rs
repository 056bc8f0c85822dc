//! The HTTP server: a thread of its own with a single-threaded runtime, GET and HEAD only.
//!
//! | path | answer |
//! |---|---|
//! | `/health/live` | 200 while every task gave a sign of life in the last 60 s, else 503 |
//! | `/health/ready` | 200 when every task has joined the group and the process is not stopping, else 503 |
//! | `/status` | JSON: tasks, which plan they run since when, and what became of the last edit |
//! | `/metrics` | the page for Prometheus, text format 0.0.4 |
//! | `/` | links |

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{error, info};

use super::configuration::ConfigurationReport;
use super::status::{Status, TaskReport};
use crate::telemetry::{Telemetry, occurrence};

/// How often histogram samples are folded into buckets when nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(1);

/// How long connections may finish after the stop.
const DRAIN: Duration = Duration::from_secs(2);

/// The server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen on {address} (setting http.listen)")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// No thread or no runtime can be had.
    #[error("cannot start the HTTP server's thread")]
    Thread(#[source] std::io::Error),
}

/// The running server; stops when told to or dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Binds the address, then serves in the background.
///
/// # Errors
/// When the address cannot be bound or no thread can be had.
pub fn start(listen: SocketAddr, status: Arc<Status>, telemetry: Telemetry) -> Result<Server, ServerError> {
    let bind_error = |source| ServerError::Bind { address: listen, source };
    let listener = std::net::TcpListener::bind(listen).map_err(bind_error)?;
    listener.set_nonblocking(true).map_err(bind_error)?;
    let address = listener.local_addr().map_err(bind_error)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServerError::Thread)?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            if let Err(error) = runtime.block_on(serve(listener, Pages { status, telemetry }, stopped)) {
                error!(%error, "HTTP server ended");
            }
        })
        .map_err(ServerError::Thread)?;
    info!(%address, "HTTP server listens");
    Ok(Server { address, stop: Some(stop), thread: Some(thread) })
}

impl Server {
    /// The address it listens on; tells the port when 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets open requests finish, for 2 s at most, and ends the thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only if the server has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic in there was logged by the hook; there is nothing to add at the end.
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Pages {
    status: Arc<Status>,
    telemetry: Telemetry,
}

async fn serve(listener: std::net::TcpListener, pages: Pages, stopped: oneshot::Receiver<()>) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let upkeep = tokio::spawn(upkeep(pages.telemetry.clone()));
    let (drain, drained) = oneshot::channel::<()>();
    let graceful = axum::serve(listener, router(pages)).with_graceful_shutdown(async {
        // A dropped sender means the same: stop.
        let _ = stopped.await;
        drop(drain);
    });
    let served = tokio::select! {
        served = graceful => served,
        () = async { let _ = drained.await; tokio::time::sleep(DRAIN).await } => Ok(()),
    };
    upkeep.abort();
    served
}

async fn upkeep(telemetry: Telemetry) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        telemetry.upkeep();
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .with_state(pages)
}

async fn live(State(pages): State<Pages>) -> Response {
    if pages.status.is_live() {
        health(StatusCode::OK, "live", &pages.status)
    } else {
        health(StatusCode::SERVICE_UNAVAILABLE, "stalled", &pages.status)
    }
}

async fn ready(State(pages): State<Pages>) -> Response {
    if pages.status.is_ready() {
        health(StatusCode::OK, "ready", &pages.status)
    } else if pages.status.is_stopping() {
        health(StatusCode::SERVICE_UNAVAILABLE, "stopping", &pages.status)
    } else {
        health(StatusCode::SERVICE_UNAVAILABLE, "not-ready", &pages.status)
    }
}

#[derive(serde::Serialize)]
struct Health {
    status: &'static str,
    tasks: Vec<TaskReport>,
}

fn health(code: StatusCode, word: &'static str, status: &Status) -> Response {
    let health = Health { status: word, tasks: status.report() };
    json(code, &health)
}

fn json(code: StatusCode, page: &impl serde::Serialize) -> Response {
    let body = serde_json::to_string(page).expect("strings and numbers always serialize");
    (code, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusPage {
    version: &'static str,
    live: bool,
    ready: bool,
    tasks: Vec<TaskReport>,
    configuration: ConfigurationPage,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigurationPage {
    #[serde(flatten)]
    report: ConfigurationReport,
    tasks_on_plan: usize,
}

async fn status(State(pages): State<Pages>) -> Response {
    let status = &pages.status;
    let configuration =
        ConfigurationPage { report: status.configuration().report(), tasks_on_plan: status.tasks_on_newest_plan() };
    let page = StatusPage {
        version: env!("CARGO_PKG_VERSION"),
        live: status.is_live(),
        ready: status.is_ready(),
        tasks: status.report(),
        configuration,
    };
    json(StatusCode::OK, &page)
}

async fn metrics(State(pages): State<Pages>) -> Response {
    occurrence::tasks(pages.status.by_state());
    let page = pages.telemetry.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
}

async fn index(State(pages): State<Pages>) -> Html<String> {
    let rows: String = pages
        .status
        .report()
        .into_iter()
        .map(|task| format!("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", task.task, task.state, task.partitions))
        .collect();
    Html(format!(include_str!("index.html"), version = env!("CARGO_PKG_VERSION"), rows = rows))
}
