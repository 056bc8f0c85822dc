//! The `fhir-fanout` binary; see the library for everything it does.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use fhir_fanout::cli::args::{self, Command, Files, TopicsCommand};
use fhir_fanout::cli::load::{self, Loaded};
use fhir_fanout::cli::output::problem;
use fhir_fanout::cli::{Exit, cluster, diff, dry_run, explain, signals, test, topics, validate};
use fhir_fanout::config::watch::Watch;
use fhir_fanout::ops::{self, Status};
use fhir_fanout::runtime::StopSignal;
use fhir_fanout::runtime::reload::ReloadSignal;
use fhir_fanout::runtime::supervisor::{self, Edits, Ended, RunError};
use fhir_fanout::telemetry::{Telemetry, chain, logging, occurrence};

/// A batch makes and drops many small trees of JSON: the system's allocator took a fifth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let exit = match args::parse(std::env::args_os()) {
        Ok(Command::Run(files)) => run(&files),
        Ok(Command::Validate(options)) => validate::validate(&options),
        Ok(Command::Diff(options)) => diff::diff(&options),
        Ok(Command::Schema) => validate::schema(),
        Ok(Command::Explain(options)) => explain::explain(&options),
        Ok(Command::Test(options)) => test::test(&options),
        Ok(Command::DryRun(options)) => dry_run::dry_run(&options),
        Ok(Command::Topics(TopicsCommand::Create(options))) => topics::create(&options),
        Ok(Command::Topics(TopicsCommand::Check(options))) => cluster::check(&options),
        Err(answer) => answer.print(),
    };
    exit.into()
}

fn run(files: &Files) -> Exit {
    // Before they are read: what is edited from here on is an edit.
    let watch = load::sources(files).watch();
    let loaded = match load::load(files) {
        Ok(loaded) => loaded,
        Err(refused) => {
            refused.print();
            return Exit::InvalidConfiguration;
        }
    };
    if let Err(error) = logging::install(&loaded.settings.log) {
        problem(format_args!("error: {}", chain(&error)));
        return Exit::InvalidConfiguration;
    }
    loaded.log_warnings();
    let exit = match serve(loaded, watch) {
        Ok(Ended::InOrder) => return Exit::Success,
        Ok(Ended::ThreadsLeftBehind) => Exit::Success,
        Err(error) => {
            occurrence::process_failed(&format_args!("{error:#}"));
            match error.downcast_ref::<RunError>() {
                Some(RunError::ClusterDoesNotFit(_)) => Exit::InvalidConfiguration,
                Some(RunError::Admin(_) | RunError::Fatal(_)) | None => Exit::Fatal,
            }
        }
    };
    // Threads may still be inside the Kafka client, and exit handlers would take the TLS library's state from under
    // them: what was committed is committed, and there is nothing else to be flushed.
    signal_hook::low_level::exit(exit.number().into())
}

fn serve(loaded: Loaded, watch: Watch) -> anyhow::Result<Ended> {
    let telemetry = Telemetry::install()?;
    let status = Status::new(loaded.settings.tasks.get());
    let server = ops::server::start(loaded.settings.http.listen, Arc::clone(&status), telemetry)?;
    let stop = StopSignal::new();
    let drain = {
        let (status, stop) = (Arc::clone(&status), stop.clone());
        move |signal| {
            occurrence::process_stopping(signal);
            status.stop();
            stop.stop();
        }
    };
    let edits = Edits { sources: loaded.sources, watch, signal: ReloadSignal::default() };
    let reload = {
        let signal = edits.signal.clone();
        move || signal.raise()
    };
    signals::watch(drain, reload).context("cannot wait for signals")?;
    let outcome =
        supervisor::run(Arc::new(loaded.settings), Arc::new(loaded.plan), &loaded.foreign, edits, status, stop);
    server.stop();
    Ok(outcome?)
}
