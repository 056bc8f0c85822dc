//! The one table of settings: name, default, unit, meaning and how a value is read stand together, and the reference is
//! made from it.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{BatchSettings, HttpSettings, KafkaOptions, KafkaSettings, LogFormat, LogSettings, SettingDoc, Settings};

/// A value as a layer gave it.
pub(super) enum Given {
    /// One value.
    Text(String),
    /// A list.
    List(Vec<String>),
}

/// Why a value is not taken, and what would be.
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) hint: &'static str,
}

type Checked<T> = Result<T, Refusal>;

/// One setting.
pub(super) struct Setting {
    pub(super) name: &'static str,
    default: &'static str,
    unit: &'static str,
    meaning: &'static str,
    pub(super) set: fn(&mut Settings, &Given) -> Checked<()>,
}

/// The prefix of the environment variables.
pub(super) const PREFIX: &str = "FHIR_FANOUT__";

/// Milliseconds that librdkafka takes for its longest timeouts.
const LONGEST_MS: u64 = i32::MAX as u64;

pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        name: "kafka.bootstrapServers",
        default: "localhost:9092",
        unit: "host:port, comma separated",
        meaning: "brokers to find the cluster by",
        set: |settings, given| servers(given).map(|value| settings.kafka.bootstrap_servers = value),
    },
    Setting {
        name: "applicationId",
        default: "fhir-fanout",
        unit: "text",
        meaning: "the consumer group, and the first part of every transactional id",
        set: |settings, given| name(given).map(|value| settings.application_id = value),
    },
    Setting {
        name: "instanceId",
        default: "",
        unit: "text",
        meaning: "the second part of every transactional id; by default random for each process, which is always safe. A stable \
                  one (the pod's name in a StatefulSet) lets a restart end its predecessor's transaction at once",
        set: |settings, given| {
            settings.instance_id = if text(given)?.is_empty() { None } else { Some(name(given)?) };
            Ok(())
        },
    },
    Setting {
        name: "tasks",
        default: "auto",
        unit: "1 to 1024, or auto",
        meaning: "threads, each with its own consumer and transactional producer; auto is one for each core",
        set: |settings, given| tasks(given).map(|value| settings.tasks = value),
    },
    Setting {
        name: "http.listen",
        default: "127.0.0.1:9464",
        unit: "address:port",
        meaning: "where health, metrics and status are served",
        set: |settings, given| listen(given).map(|value| settings.http.listen = value),
    },
    Setting {
        name: "batch.maxRecords",
        default: "10000",
        unit: "records",
        meaning: "the most ingest records of one transaction",
        set: |settings, given| size(given, 1..=1_000_000).map(|value| settings.batch.max_records = value),
    },
    Setting {
        name: "batch.maxBytes",
        default: "8388608",
        unit: "bytes",
        meaning: "the most bytes of ingest records of one transaction; one record is always taken",
        set: |settings, given| size(given, 1024..=1_073_741_824).map(|value| settings.batch.max_bytes = value),
    },
    Setting {
        name: "batch.lingerMs",
        default: "0",
        unit: "milliseconds",
        meaning: "how long a batch waits for more records after its first; with 0 it takes what is there, which is much when \
                  there is much to do",
        set: |settings, given| millis(given, 0..=60_000).map(|value| settings.batch.linger = value),
    },
    Setting {
        name: "forwardHeaders",
        default: "traceparent,tracestate,correlation-id",
        unit: "names, comma separated or a list",
        meaning: "ingest headers that are passed on to notifications and dead letters",
        set: |settings, given| headers(given).map(|value| settings.forward_headers = value),
    },
    Setting {
        name: "maxMessageBytes",
        default: "10485760",
        unit: "bytes",
        meaning: "the largest message that is produced; a larger notification becomes a dead letter",
        set: |settings, given| size(given, 1_000..=1_000_000_000).map(|value| settings.max_message_bytes = value),
    },
    Setting {
        name: "evaluationSteps",
        default: "2000000",
        unit: "steps",
        meaning: "the most work that a criterion may do on one event (roughly: items looked at); all criteria of a record \
                  together may do four times as much. More is an evaluation error; a step is about a quarter of a microsecond",
        set: |settings, given| number(given, 1_000..=1_000_000_000).map(|value| settings.evaluation_steps = value),
    },
    Setting {
        name: "evaluationMemoryBytes",
        default: "268435456",
        unit: "bytes",
        meaning: "the most memory that a criterion may take on one event, with what is read of the event for it (per task). \
                  More is an evaluation error",
        set: |settings, given| {
            number(given, 65_536..=1_099_511_627_776).map(|value| settings.evaluation_memory = value)
        },
    },
    Setting {
        name: "transactionTimeoutMs",
        default: "10000",
        unit: "milliseconds",
        meaning: "how long the broker lets a transaction stay open; at most the broker's transaction.max.timeout.ms",
        set: |settings, given| millis(given, 1_000..=LONGEST_MS).map(|value| settings.transaction_timeout = value),
    },
    Setting {
        name: "sessionTimeoutMs",
        default: "10000",
        unit: "milliseconds",
        meaning: "how long a consumer that went silent keeps its partitions; within the broker's group.min.session.timeout.ms \
                  and group.max.session.timeout.ms",
        set: |settings, given| millis(given, 1_000..=3_600_000).map(|value| settings.session_timeout = value),
    },
    Setting {
        name: "staticMembership",
        default: "false",
        unit: "true or false",
        meaning: "give each task a group.instance.id, so that a restart within the session timeout moves no partitions; needs \
                  instanceId",
        set: |settings, given| flag(given).map(|value| settings.static_membership = value),
    },
    Setting {
        name: "shutdownTimeoutMs",
        default: "10000",
        unit: "milliseconds",
        meaning: "how long a graceful stop may take to finish its batches",
        set: |settings, given| millis(given, 100..=600_000).map(|value| settings.shutdown_timeout = value),
    },
    Setting {
        name: "reloadIntervalMs",
        default: "1000",
        unit: "milliseconds",
        meaning: "how often topics.yaml and what it names are looked at for edits, which are taken over after two looks; \
                  with 0 only SIGHUP has them taken over",
        set: |settings, given| {
            let never = text(given)? == "0";
            settings.reload_interval = if never { Duration::ZERO } else { millis(given, 100..=3_600_000)? };
            Ok(())
        },
    },
    Setting {
        name: "log.format",
        default: "json",
        unit: "json or text",
        meaning: "one JSON object a line, or lines for people",
        set: |settings, given| log_format(given).map(|value| settings.log.format = value),
    },
    Setting {
        name: "log.level",
        default: "info",
        unit: "off, error, warn, info, debug, trace, or directives",
        meaning: "what is logged; directives as in `info,fhir_fanout::runtime=debug`",
        set: |settings, given| log_level(given).map(|value| settings.log.level = value),
    },
];

/// A map of librdkafka options.
pub(super) struct OptionMap {
    pub(super) name: &'static str,
    meaning: &'static str,
    pub(super) of: fn(&mut KafkaSettings) -> &mut KafkaOptions,
}

pub(super) static OPTION_MAPS: &[OptionMap] = &[
    OptionMap {
        name: "kafka.options",
        meaning: "librdkafka options of consumers and producers (TLS, SASL); a variable has `_` for `.`: \
                  FHIR_FANOUT__KAFKA__OPTIONS__SECURITY_PROTOCOL is security.protocol",
        of: |kafka| &mut kafka.options,
    },
    OptionMap {
        name: "kafka.consumer",
        meaning: "librdkafka options of the consumers alone; they win over kafka.options",
        of: |kafka| &mut kafka.consumer,
    },
    OptionMap {
        name: "kafka.producer",
        meaning: "librdkafka options of the producers alone; they win over kafka.options",
        of: |kafka| &mut kafka.producer,
    },
];

/// The settings with no layer above the defaults.
pub(super) fn defaults() -> Settings {
    // every field is overwritten by its row; a test holds each row to that
    let mut settings = Settings {
        application_id: String::new(),
        instance_id: None,
        tasks: NonZeroUsize::MIN,
        kafka: KafkaSettings {
            bootstrap_servers: String::new(),
            options: KafkaOptions::default(),
            consumer: KafkaOptions::default(),
            producer: KafkaOptions::default(),
        },
        http: HttpSettings { listen: SocketAddr::from(([127, 0, 0, 1], 0)) },
        batch: BatchSettings { max_records: 0, max_bytes: 0, linger: Duration::MAX },
        forward_headers: Vec::new(),
        max_message_bytes: 0,
        evaluation_steps: 0,
        evaluation_memory: 0,
        transaction_timeout: Duration::MAX,
        session_timeout: Duration::MAX,
        static_membership: true,
        log: LogSettings { format: LogFormat::Text, level: String::new() },
        shutdown_timeout: Duration::MAX,
        reload_interval: Duration::MAX,
    };
    for row in SETTINGS {
        // a default that is refused leaves the blank; a test holds every default to be taken
        let _ = (row.set)(&mut settings, &Given::Text(row.default.to_owned()));
    }
    settings
}

pub(super) fn reference() -> Vec<SettingDoc> {
    let settings = SETTINGS.iter().map(|row| SettingDoc {
        name: row.name,
        variable: variable(row.name),
        default: row.default,
        unit: row.unit,
        meaning: row.meaning,
    });
    let maps = OPTION_MAPS.iter().map(|map| SettingDoc {
        name: map.name,
        variable: format!("{}__<OPTION>", variable(map.name)),
        default: "",
        unit: "librdkafka's values",
        meaning: map.meaning,
    });
    settings.chain(maps).collect()
}

/// The environment variable of a setting.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", snake(name).replace('.', "__").to_uppercase())
}

/// `batch.maxRecords` as `batch.max_records`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

fn refuse<T>(message: impl Into<String>, hint: &'static str) -> Checked<T> {
    Err(Refusal { message: message.into(), hint })
}

fn text(given: &Given) -> Checked<&str> {
    match given {
        Given::Text(text) => Ok(text.trim()),
        Given::List(_) => refuse("expected one value, found a list", "write the value alone"),
    }
}

fn list(given: &Given) -> Vec<String> {
    let parts = |text: &str| text.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
    match given {
        Given::Text(text) if text.trim().is_empty() => Vec::new(),
        Given::Text(text) => parts(text),
        Given::List(items) => items.iter().map(|item| item.trim().to_owned()).collect(),
    }
}

fn number(given: &Given, range: RangeInclusive<u64>) -> Checked<u64> {
    let text = text(given)?;
    let expected = || format!("expected a whole number from {} to {}, found `{text}`", range.start(), range.end());
    match text.parse::<u64>() {
        Ok(value) if range.contains(&value) => Ok(value),
        Ok(_) => refuse(expected(), "the value is out of range"),
        Err(_) => refuse(expected(), "write digits only, without a unit"),
    }
}

fn size(given: &Given, range: RangeInclusive<u64>) -> Checked<usize> {
    let value = number(given, range)?;
    usize::try_from(value).or_else(|_| refuse("the number is too large for this machine", "choose a smaller one"))
}

fn millis(given: &Given, range: RangeInclusive<u64>) -> Checked<Duration> {
    number(given, range).map(Duration::from_millis)
}

fn flag(given: &Given) -> Checked<bool> {
    match text(given)?.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => refuse(format!("expected true or false, found `{other}`"), "write true or false"),
    }
}

fn tasks(given: &Given) -> Checked<NonZeroUsize> {
    if text(given)? == "auto" {
        return Ok(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
    }
    let count = size(given, 1..=1024)?;
    Ok(NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN))
}

fn servers(given: &Given) -> Checked<String> {
    let servers = list(given);
    let is_server = |server: &String| !server.is_empty() && !server.contains(char::is_whitespace);
    if servers.is_empty() || !servers.iter().all(is_server) {
        return refuse("expected brokers as host:port, separated by commas", "as in kafka-1:9092,kafka-2:9092");
    }
    Ok(servers.join(","))
}

/// A name that becomes part of group ids, transactional ids and log fields.
fn name(given: &Given) -> Checked<String> {
    let name = text(given)?;
    let legal = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if name.is_empty() || name.len() > 200 || !name.chars().all(legal) {
        let message = format!("expected 1 to 200 letters, digits, `.`, `_` or `-`, found `{name}`");
        return refuse(message, "it becomes part of Kafka's group ids and transactional ids");
    }
    Ok(name.to_owned())
}

fn listen(given: &Given) -> Checked<SocketAddr> {
    let text = text(given)?;
    text.parse().or_else(|_| {
        refuse(format!("expected an IP address and a port, found `{text}`"), "as in 0.0.0.0:9464 or [::]:9464")
    })
}

fn headers(given: &Given) -> Checked<Vec<String>> {
    let mut headers: Vec<String> = Vec::new();
    for header in list(given) {
        let lower = header.to_ascii_lowercase();
        if header.is_empty() {
            return refuse("a header's name is empty", "name headers as in traceparent,correlation-id");
        }
        if lower.starts_with("fhir-") || lower == "content-type" {
            return refuse(format!("header `{header}` is written by fhir-fanout itself"), "leave it out of the list");
        }
        if !headers.contains(&header) {
            headers.push(header);
        }
    }
    Ok(headers)
}

fn log_format(given: &Given) -> Checked<LogFormat> {
    match text(given)? {
        "json" => Ok(LogFormat::Json),
        "text" => Ok(LogFormat::Text),
        other => refuse(format!("expected json or text, found `{other}`"), "json is for machines, text for people"),
    }
}

fn log_level(given: &Given) -> Checked<String> {
    let level = text(given)?;
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let is_directives = level.contains(['=', ',']) && tracing_subscriber::EnvFilter::try_new(level).is_ok();
    if levels.contains(&level) || is_directives {
        return Ok(level.to_owned());
    }
    refuse(
        format!("unknown log level `{level}`"),
        "off, error, warn, info, debug, trace, or info,fhir_fanout::runtime=debug",
    )
}
