//! What figures depend on: machine, load, versions.

use std::process::Command;

use serde_json::{Value, json};

use crate::kafka::artifacts::{KAFKA_VERSION, java as launcher};

/// Machine and versions.
pub(super) fn about() -> Value {
    let settings: serde_json::Map<String, Value> =
        std::env::vars().filter(|(name, _)| name.starts_with("FHIR_FANOUT__")).map(|(k, v)| (k, v.into())).collect();
    json!({
        "at": jiff::Timestamp::now().to_string(),
        "version": env!("CARGO_PKG_VERSION"),
        "commit": printed(Command::new("git").args(["describe", "--always", "--dirty"])),
        "librdkafka": rdkafka::util::get_rdkafka_version().1,
        "kafka": KAFKA_VERSION,
        "processor": field("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        "settings": settings,
    })
}

/// The Java that runs Kafka and its programs.
pub(super) fn java() -> Option<String> {
    let output = Command::new(launcher()).arg("-version").output().ok()?;
    String::from_utf8_lossy(&output.stderr).lines().next().map(str::to_owned)
}

/// The load average of the last minute: before a run, the company that it has.
pub(super) fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

fn printed(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
