//! Metrics and logs.
//!
//! ```text
//! Tally of a committed batch -> PlanMetrics --\
//! occurrence::*(..) ----------> log line       >--> recorder --\
//!            \----------------> counter -------/               >--> Telemetry::render() -> GET /metrics
//! lag, process ------------------------------> own series ----/
//! ```
//!
//! Every metric is a [`Metric`] and has its line in [`reference()`]; labels are bounded by the configuration. The log line
//! and the metric of one occurrence stand together in [`occurrence`]. Nothing in here fails the service: a second
//! [`Telemetry::install`] is the only error.

pub mod logging;
pub mod occurrence;
mod plan_metrics;
mod process;
mod reference;
mod series;

use std::fmt::{self, Display};
use std::time::Instant;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

pub use plan_metrics::{EndToEnd, PlanMetrics};
pub use reference::{Metric, MetricDoc, MetricKind, markdown, reference};

/// The recorder of this process could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Another recorder is there already.
    #[error("a metrics recorder is installed already")]
    AlreadyInstalled,
}

/// The metrics page of this process.
#[derive(Debug, Clone)]
pub struct Telemetry {
    handle: PrometheusHandle,
    started: Instant,
}

impl Telemetry {
    /// Installs the recorder for the whole process and makes every series whose labels are known by now, at 0.
    ///
    /// # Errors
    /// When a recorder is installed already.
    pub fn install() -> Result<Self, TelemetryError> {
        let recorder = recorder();
        let telemetry = Self { handle: recorder.handle(), started: Instant::now() };
        metrics::set_global_recorder(recorder).map_err(|_| TelemetryError::AlreadyInstalled)?;
        describe();
        occurrence::register();
        Ok(telemetry)
    }

    /// The page in Prometheus' text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = self.handle.render();
        series::LAG.render(&mut page);
        series::render_process(&mut page, self.started.elapsed().as_secs_f64());
        page
    }

    /// Folds histogram samples into their buckets. To be called every second or so: between two calls the exporter
    /// keeps each sample, and without a scraper it would keep them all.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// An error and its sources on one line, for logs: `a: b: c`.
pub fn chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> impl Display + 'a {
    Chain(error)
}

struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl Display for Chain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(formatter, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

fn recorder() -> PrometheusRecorder {
    let mut builder = PrometheusBuilder::new();
    for doc in reference() {
        if let MetricKind::Histogram(buckets) = doc.kind {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(doc.name.to_owned()), buckets)
                .expect("the only error is an empty list of buckets, and none is empty by test");
        }
    }
    builder.build_recorder()
}

fn describe() {
    for doc in reference() {
        match doc.kind {
            MetricKind::Counter => metrics::describe_counter!(doc.name, doc.unit, doc.meaning),
            MetricKind::Gauge => metrics::describe_gauge!(doc.name, doc.unit, doc.meaning),
            MetricKind::Histogram(_) => metrics::describe_histogram!(doc.name, doc.unit, doc.meaning),
        }
    }
}

#[cfg(test)]
pub(crate) mod sample_plan;
#[cfg(test)]
mod tests;
