//! What the command line means.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

pub use self::cases::{ExplainOptions, TestOptions};
use super::Exit;
use super::dry_run::Since;

mod cases;

/// Exactly-once fan-out of FHIR resource-change events from Kafka to Kafka by FHIR subscription topics
#[derive(Debug, Parser)]
#[command(
    name = "fhir-fanout",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = AFTER_HELP
)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Option<Files>,
}

/// What the user asks for.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Consume, match, notify: the service itself (the default command)
    #[command(after_help = RUN_HELP)]
    Run(Files),
    /// Check the settings and topics.yaml and print every problem
    #[command(after_help = VALIDATE_HELP)]
    Validate(ValidateOptions),
    /// Compare two topics.yaml: what is different, and whether a running service can take it over
    #[command(after_help = DIFF_HELP)]
    Diff(DiffOptions),
    /// Print the JSON Schema of topics.yaml, for editors
    #[command(after_help = SCHEMA_HELP)]
    Schema,
    /// Show why an event fired topics and reached destinations, or why not
    #[command(after_help = cases::EXPLAIN_HELP)]
    Explain(ExplainOptions),
    /// Test topics.yaml with cases: given events, expected notifications
    #[command(after_help = cases::TEST_HELP)]
    Test(TestOptions),
    /// Tell what a topics.yaml would make of the ingest's real traffic, without writing anything
    #[command(after_help = DRY_RUN_HELP)]
    DryRun(DryRunOptions),
    /// Look after the Kafka topics that the configuration names
    #[command(subcommand)]
    Topics(TopicsCommand),
}

/// What to do with the Kafka topics.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum TopicsCommand {
    /// Create the Kafka topics of destinations and dead letters that are missing
    #[command(after_help = CREATE_HELP)]
    Create(CreateOptions),
    /// Tell what of the cluster does not fit the configuration, or may surprise
    #[command(after_help = CHECK_HELP)]
    Check(CheckOptions),
}

/// The files of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Files {
    /// Subscription topics, destinations and ingest Kafka topics
    #[arg(long, value_name = "FILE")]
    pub topics: PathBuf,
    /// Deployment settings (YAML); environment variables FHIR_FANOUT__* win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// Lines for people, in colour on a terminal
    #[default]
    Human,
    /// JSON on standard output
    Json,
}

/// Options of `validate`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ValidateOptions {
    /// The configuration.
    #[command(flatten)]
    pub files: Files,
    /// How to print what was found
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
    /// Then ask the brokers too, as `topics check` does
    #[arg(long)]
    pub against_cluster: bool,
}

/// Options of `diff`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DiffOptions {
    /// The topics.yaml that runs
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The topics.yaml that is to run
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Deployment settings (YAML), the same for both; environment variables FHIR_FANOUT__* win over it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

/// Options of `topics check`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CheckOptions {
    /// The configuration.
    #[command(flatten)]
    pub files: Files,
    /// How to print what was found
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

/// Options of `dry-run`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct DryRunOptions {
    /// The configuration that is tried.
    #[command(flatten)]
    pub files: Files,
    /// Since when: 45s, 90m, 1h or 2d ago, or a time as 2026-01-31T06:00:00Z
    #[arg(long, value_name = "TIME", value_parser = |text: &str| text.parse::<Since>())]
    pub since: Since,
    /// To what is there at the start (the default)
    #[arg(long, conflicts_with = "follow")]
    pub until_now: bool,
    /// To what comes, until SIGTERM or SIGINT
    #[arg(long)]
    pub follow: bool,
    /// The topics.yaml that runs, to be compared with
    #[arg(long, value_name = "FILE")]
    pub present: Option<PathBuf>,
    /// How to print what was found
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

/// Options of `topics create`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct CreateOptions {
    /// The configuration.
    #[command(flatten)]
    pub files: Files,
    /// Partitions of each new Kafka topic [default: the brokers' default]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub partitions: Option<i32>,
    /// Replicas of each partition [default: the brokers' default]
    #[arg(long, alias = "replication", value_name = "N", value_parser = clap::value_parser!(i32).range(1..=32_767))]
    pub replication_factor: Option<i32>,
    /// Create the ingest Kafka topics as well
    #[arg(long)]
    pub with_ingest: bool,
    /// Only ask the brokers whether they would
    #[arg(long)]
    pub dry_run: bool,
}

const AFTER_HELP: &str = "\
Exit codes:
  0   stopped gracefully (SIGTERM or SIGINT), or done
  1   invalid configuration, or one that does not fit the cluster: every problem is printed
  2   fatal error while running
  64  wrong command line
A second signal ends the process at once, with 128 + its number.

Examples:
  fhir-fanout --topics topics.yaml
  fhir-fanout run --topics topics.yaml --config fhir-fanout.yaml
  fhir-fanout validate --topics topics.yaml
  fhir-fanout diff topics.yaml topics.new.yaml
  fhir-fanout explain --topics topics.yaml --event event.json
  fhir-fanout test cases.yaml
  fhir-fanout topics create --topics topics.yaml --partitions 6 --replication-factor 3
  FHIR_FANOUT__KAFKA__BOOTSTRAP_SERVERS=kafka:9092 fhir-fanout --topics topics.yaml

While it runs: /health/live, /health/ready, /status and /metrics on http.listen (127.0.0.1:9464).
Edits of topics.yaml are taken over within seconds; SIGHUP asks for it at once.";

const RUN_HELP: &str = "\
SIGTERM or SIGINT finishes and commits the open batches, leaves the consumer group and exits 0.
Exit codes: 0 stopped gracefully, 1 invalid configuration or one that does not fit the cluster, 2 fatal error, 64 wrong command line

Example:
  fhir-fanout run --topics topics.yaml --config fhir-fanout.yaml";

const VALIDATE_HELP: &str = "\
Needs no Kafka, unless --against-cluster asks for it. Warnings do not fail.
Exit codes: 0 valid, 1 invalid, 2 no broker answered (--against-cluster), 64 wrong command line

Examples:
  fhir-fanout validate --topics topics.yaml --config fhir-fanout.yaml
  fhir-fanout validate --topics topics.yaml --format json | jq '.diagnostics[]'
  fhir-fanout validate --topics topics.yaml --against-cluster";

const DIFF_HELP: &str = "\
Compares what both files mean, not how they are written: comments and defaults that are written out are no
difference. Values that come from environment variables are shown as they are. Needs no Kafka.
A running service takes over everything but another set of ingest Kafka topics.
Exit codes: 0 the same, 1 different, 64 wrong command line, 65 one of the files is invalid (nothing was compared)

Examples:
  fhir-fanout diff topics.yaml topics.new.yaml
  fhir-fanout diff topics.yaml topics.new.yaml --format json | jq .needsRestart";

const SCHEMA_HELP: &str = "\
Editors with YAML's language server complete and check topics.yaml where its first line names the schema:
# yaml-language-server: $schema=topics.schema.json

Example:
  fhir-fanout schema > topics.schema.json";

const CHECK_HELP: &str = "\
Asks only: creates, writes and joins nothing. Looks at the Kafka topics of the ingest, the destinations and the dead
letters (existence, partitions, replication, min.insync.replicas, clean-up, retention, message sizes), at the rights that
the brokers tell of, and at the brokers' limits. Each finding says what to do about it. Warnings and notes do not fail.
Exit codes: 0 no errors, 1 errors, or an invalid configuration, 2 no broker answered, 64 wrong command line

Examples:
  fhir-fanout topics check --topics topics.yaml
  fhir-fanout topics check --topics topics.yaml --format json";

const DRY_RUN_HELP: &str = "\
Reads only: partitions are assigned, no group is joined, nothing is committed and nothing is produced. Counts per topic and
destination: notifications, bytes, the hours they are of, dead letters by class and what was filtered by reason; with
--present also what differs, notification by notification. Shows counts, never what records say.
Exit codes: 0 done, 1 invalid configuration, or an ingest Kafka topic is missing, 2 Kafka does not answer, 64 wrong command line

Examples:
  fhir-fanout dry-run --topics new.yaml --since 1h
  fhir-fanout dry-run --topics new.yaml --present topics.yaml --since 2026-01-31T06:00:00Z --format json";

const CREATE_HELP: &str = "\
Kafka topics that exist are left alone and reported. New ones take messages as large as the service
sends (maxMessageBytes), the one of the dead letters also as large as the ingest's.
Exit codes: 0 done, 1 invalid configuration, 2 a Kafka topic could not be created, 64 wrong command line

Examples:
  fhir-fanout topics create --topics topics.yaml --dry-run
  fhir-fanout topics create --topics topics.yaml --partitions 6 --replication-factor 3";

/// A command line that is answered instead of run: help, version, or what is wrong with it.
#[derive(Debug)]
pub struct Answer {
    error: clap::Error,
}

impl Answer {
    /// Prints the answer: help and version on standard output, mistakes on standard error.
    #[must_use]
    pub fn print(&self) -> Exit {
        // Nobody is left to tell if the stream is closed.
        let _ = self.error.print();
        match self.error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
            _ => Exit::Usage,
        }
    }
}

/// Reads a command line; the first argument is the program's name.
///
/// # Errors
/// [`Answer`]: help, version, or a mistake.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Answer> {
    let line = CommandLine::try_parse_from(arguments).map_err(|error| Answer { error })?;
    match (line.command, line.run) {
        (Some(command), _) => Ok(command),
        (None, Some(files)) => Ok(Command::Run(files)),
        (None, None) => {
            let error = CommandLine::command().error(ErrorKind::MissingRequiredArgument, "--topics <FILE> is required");
            Err(Answer { error })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Command {
        parse(line.split(' ').map(OsString::from)).expect(line)
    }

    fn exit(line: &str) -> Exit {
        match parse(line.split(' ').map(OsString::from)).expect_err(line).error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
            _ => Exit::Usage,
        }
    }

    fn files(config: Option<&str>) -> Files {
        Files { topics: "t.yaml".into(), config: config.map(PathBuf::from) }
    }

    #[test]
    fn the_definition_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_command() {
        assert_eq!(parsed("fhir-fanout --topics t.yaml"), Command::Run(files(None)));
        assert_eq!(parsed("fhir-fanout run --topics t.yaml"), Command::Run(files(None)));
        assert_eq!(parsed("fhir-fanout --config c.yaml --topics t.yaml"), Command::Run(files(Some("c.yaml"))));
        let validate =
            |format| Command::Validate(ValidateOptions { files: files(None), format, against_cluster: false });
        assert_eq!(parsed("fhir-fanout validate --topics t.yaml"), validate(Format::Human));
        assert_eq!(parsed("fhir-fanout validate --topics t.yaml --format json"), validate(Format::Json));
    }

    #[test]
    fn diff_takes_two_files() {
        let Command::Diff(options) = parsed("fhir-fanout diff a b --config c") else { panic!("another command") };
        assert_eq!((options.old, options.new, options.config), ("a".into(), "b".into(), Some("c".into())));
        assert_eq!(options.format, Format::Human);
    }

    #[test]
    fn the_cluster_is_asked_only_when_that_is_asked_for() {
        let validate = |against_cluster| {
            Command::Validate(ValidateOptions { files: files(None), format: Format::Human, against_cluster })
        };
        assert_eq!(parsed("fhir-fanout validate --topics t.yaml"), validate(false));
        assert_eq!(parsed("fhir-fanout validate --topics t.yaml --against-cluster"), validate(true));
        let check = |format| Command::Topics(TopicsCommand::Check(CheckOptions { files: files(None), format }));
        assert_eq!(parsed("fhir-fanout topics check --topics t.yaml"), check(Format::Human));
        assert_eq!(parsed("fhir-fanout topics check --topics t.yaml --format json"), check(Format::Json));
    }

    #[test]
    fn topics_create_has_its_options() {
        let line = "fhir-fanout topics create --topics t.yaml --partitions 6 --replication-factor 3 --dry-run";
        let Command::Topics(TopicsCommand::Create(options)) = parsed(line) else { panic!("another command") };
        assert_eq!((options.partitions, options.replication_factor), (Some(6), Some(3)));
        assert!(options.dry_run && !options.with_ingest);
    }

    #[test]
    fn a_dry_run_has_a_time_and_one_end() {
        let Command::DryRun(options) = parsed("fhir-fanout dry-run --topics t.yaml --since 1h --present p.yaml") else {
            panic!("another command")
        };
        assert_eq!((Ok(options.since), options.follow), ("1h".parse(), false));
        assert_eq!(options.present, Some("p.yaml".into()));
        for line in ["dry-run --topics t.yaml", "dry-run --topics t.yaml --since 1h --follow --until-now"] {
            assert_eq!(exit(&format!("fhir-fanout {line}")), Exit::Usage, "{line}");
        }
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for line in [
            "fhir-fanout",
            "fhir-fanout run",
            "fhir-fanout --topics",
            "fhir-fanout --config c.yaml",
            "fhir-fanout walk --topics t.yaml",
            "fhir-fanout --topics t.yaml validate --topics t.yaml",
            "fhir-fanout validate --topics t.yaml --format xml",
            "fhir-fanout diff t.yaml",
            "fhir-fanout schema t.yaml",
            "fhir-fanout topics",
            "fhir-fanout topics create --topics t.yaml --partitions 0",
            "fhir-fanout run --topics t.yaml --topics u.yaml",
        ] {
            assert_eq!(exit(line), Exit::Usage, "{line}");
        }
        for line in
            ["fhir-fanout --help", "fhir-fanout --version", "fhir-fanout topics create --help", "fhir-fanout help"]
        {
            assert_eq!(exit(line), Exit::Success, "{line}");
        }
    }
}
