//! Log lines: JSON or text on standard error, UTC, without patient data.
//!
//! Standard error, so that what a command prints on standard output stays its own; container runtimes collect both.
//! librdkafka's lines come through the `log` facade with the target `librdkafka`. They name brokers, Kafka topics,
//! partitions and offsets, never keys or values, as long as its option `debug` is not set to `msg` or `all`.

use std::io::{self, Write};
use std::panic::PanicHookInfo;

use tracing::error;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::config::settings::{LogFormat, LogSettings};

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter is not one of `tracing-subscriber`'s.
    #[error(
        "log level `{filter}` is neither a level (error, warn, info, debug, trace) nor a list such as `info,librdkafka=warn`"
    )]
    Filter {
        /// What the setting says.
        filter: String,
        /// What the parser says.
        source: ParseError,
    },
    /// A logger is there already.
    #[error("a logger is installed already")]
    AlreadyInstalled(#[from] TryInitError),
}

/// Installs logging on standard error and the panic hook for the whole process.
///
/// # Errors
/// When the filter does not parse, or a logger is installed already.
pub fn install(settings: &LogSettings) -> Result<(), LoggingError> {
    dispatch(settings.format, &settings.level, io::stderr)?.try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The whole way from an event to its line, into any writer.
fn dispatch<W>(format: LogFormat, filter: &str, writer: W) -> Result<tracing::Dispatch, LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(filter)
        .map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    Ok(match format {
        LogFormat::Json => tracing::Dispatch::new(
            builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish(),
        ),
        LogFormat::Text => tracing::Dispatch::new(builder.finish()),
    })
}

/// Logs where a thread panicked, and never the payload: a panic message may quote a value.
fn log_panic(info: &PanicHookInfo<'_>) {
    let current = std::thread::current();
    let thread = current.name().unwrap_or("unnamed");
    let (file, line) = info.location().map_or(("unknown", 0), |location| (location.file(), location.line()));
    if tracing::dispatcher::has_been_set() {
        error!(thread, file, line, "thread panicked");
    } else {
        // Nothing is left to tell if standard error is gone as well.
        let _ = writeln!(io::stderr(), "thread {thread} panicked at {file}:{line}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    /// Collects what is logged.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn text(&self) -> String {
            String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
        }
    }

    fn logged(format: LogFormat, filter: &str, code: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let dispatch = dispatch(format, filter, move || writer.clone()).expect("a filter that parses");
        tracing::dispatcher::with_default(&dispatch, code);
        lines.text()
    }

    #[test]
    fn a_json_line_has_flat_fields_and_utc_time() {
        let text = logged(LogFormat::Json, "info", || tracing::info!(task = 3, "rebalanced"));
        let line: serde_json::Value = serde_json::from_str(&text).expect("one JSON object");
        assert_eq!(line["message"], "rebalanced");
        assert_eq!(line["task"], 3);
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["target"], module_path!());
        let time = line["timestamp"].as_str().expect("a time");
        assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    }

    #[test]
    fn a_text_line_is_no_json_and_has_no_colours() {
        let text = logged(LogFormat::Text, "info", || tracing::info!(task = 3, "rebalanced"));
        assert!(text.ends_with("rebalanced task=3\n") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn the_filter_decides_by_target() {
        let code = || {
            tracing::info!(target: "librdkafka", "broker");
            tracing::info!("own");
            tracing::debug!("detail");
        };
        let text = logged(LogFormat::Text, "info,librdkafka=warn", code);
        assert!(text.contains("own") && !text.contains("broker") && !text.contains("detail"), "{text}");
    }

    #[test]
    fn a_filter_that_does_not_parse_is_an_error_that_names_it() {
        let error = dispatch(LogFormat::Json, "fhir_fanout=loud", io::sink).expect_err("no such level");
        assert!(error.to_string().contains("fhir_fanout=loud"), "{error}");
    }

    const CHILD: &str = "FHIR_FANOUT_TEST_PANIC_CHILD";

    /// The child of the test below: a process of its own, since logger and panic hook are the whole process's.
    #[test]
    fn child_that_panics_and_looks_for_a_broker() {
        let Ok(format) = std::env::var(CHILD) else { return };
        let format = if format == "json" { LogFormat::Json } else { LogFormat::Text };
        install(&LogSettings { format, level: "info".to_owned() }).expect("the first logger");
        install(&LogSettings { format, level: "info".to_owned() }).expect_err("the second logger");
        let thread = std::thread::Builder::new().name("task-7".to_owned());
        let panicking = thread.spawn(|| panic!("Patient/canary-4711 is no date")).expect("a thread");
        panicking.join().expect_err("it panics");
        let mut kafka = crate::config::settings::Settings::default().kafka;
        kafka.bootstrap_servers = "127.0.0.1:1".to_owned();
        let admin = crate::kafka::admin::Admin::new(&kafka).expect("a client needs no broker");
        // What the client finds is not asked here; what it logs is.
        let _ = admin.with_timeout(std::time::Duration::from_millis(300)).kafka_topics();
    }

    fn lines_of_child(format: &str) -> String {
        let test = "telemetry::logging::tests::child_that_panics_and_looks_for_a_broker";
        let child = std::process::Command::new(std::env::current_exe().expect("this test's path"))
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, format)
            .output()
            .expect("the child runs");
        assert!(child.status.success(), "{child:?}");
        String::from_utf8_lossy(&child.stderr).into_owned()
    }

    #[test]
    fn a_panic_is_logged_by_its_place_and_never_with_its_payload() {
        for format in ["json", "text"] {
            let text = lines_of_child(format);
            let line = text.lines().find(|line| line.contains("thread panicked")).expect("a line about the panic");
            assert!(line.contains("task-7") && line.contains(file!()), "{line}");
            assert!(!text.contains("canary"), "the payload was printed: {text}");
        }
    }

    #[test]
    fn lines_of_librdkafka_have_its_target() {
        let text = lines_of_child("json");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("each line is a JSON object")).collect();
        let line = lines.iter().find(|line| line["target"] == "librdkafka").expect("a line of librdkafka");
        assert!(line["said"].as_str().is_some_and(|said| said.contains("127.0.0.1:1")), "{line}");
        assert_eq!(text.matches("\"message\"").count(), lines.len(), "a member stands twice: {text}");
        assert_eq!(line.get("log.target"), None, "{line}");
    }
}
