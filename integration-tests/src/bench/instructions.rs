//! The guard against slowdowns of the pure part: instructions per event, counted by valgrind.
//!
//! ```text
//! make instructions -> for W1 and W2: this program under callgrind twice, with 0 and with N events behind the warm-up
//!                   -> the difference, by event -> compared with benches/instructions.json
//! ```
//!
//! Times differ from run to run by more than a regression worth finding; instruction counts hardly at all, on the same
//! kind of machine and with the same compiler. More than 5% above the bound fails; more than 5% below asks for the bound
//! to be lowered, so that what was won is guarded too. `--write` writes the counts as the new bounds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::{Parser, ValueEnum};

use super::pure::Subject;
use super::text::say;
use super::workload::Kind;

/// Events before anything counts: preparing criteria, growing buffers.
const WARM_UP: usize = 1_000;
/// Events that count.
const COUNTED: usize = 4_000;
/// What may be lost, or won without lowering the bound, in percent.
const TOLERANCE: u64 = 5;

/// Counts the instructions of the pure part by event and compares them with the bounds.
#[derive(Debug, Parser)]
#[command(name = "count-instructions")]
struct Options {
    /// Writes the counts as the new bounds instead of comparing.
    #[arg(long)]
    write: bool,
    /// What runs under valgrind: processes the warm-up and so many events more.
    #[arg(long, hide = true, requires = "workload")]
    process: Option<usize>,
    #[arg(long, hide = true)]
    workload: Option<Workload>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Workload {
    W1,
    W2,
}

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::W1 => "W1",
            Self::W2 => "W2",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::W1 => Kind::W1,
            Self::W2 => Kind::W2,
        }
    }
}

/// Instructions per event by workload.
type Counts = BTreeMap<String, u64>;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    if let (Some(events), Some(workload)) = (options.process, options.workload) {
        process(workload, events);
        return ExitCode::SUCCESS;
    }
    match count_all().and_then(|counts| settle(&counts, options.write)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("count-instructions: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// All runs make all records, so that only the processing differs.
fn process(workload: Workload, events: usize) {
    let mut subject = Subject::of(workload.kind(), WARM_UP + COUNTED);
    subject.process(0..WARM_UP);
    subject.process(WARM_UP..WARM_UP + events);
}

fn count_all() -> anyhow::Result<Counts> {
    let folder = tempfile::tempdir()?;
    let per_event = |workload: Workload| {
        let none = count(workload, 0, folder.path())?;
        let all = count(workload, COUNTED, folder.path())?;
        anyhow::ensure!(all > none, "{} events took no instructions", COUNTED);
        Ok((workload.name().to_owned(), (all - none) / COUNTED as u64))
    };
    [Workload::W1, Workload::W2].into_iter().map(per_event).collect()
}

/// The instructions of one run.
fn count(workload: Workload, events: usize, folder: &Path) -> anyhow::Result<u64> {
    let counts = folder.join(format!("{}-{events}", workload.name()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", counts.display()))
        .arg(std::env::current_exe()?)
        .args(["--process", &events.to_string(), "--workload", &workload.name().to_lowercase()])
        .output()
        .context("cannot run valgrind; install it (apt-get install valgrind)")?;
    anyhow::ensure!(
        output.status.success(),
        "valgrind ended with {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(&counts).context("valgrind wrote no counts")?;
    total(&text).context("valgrind's counts have no total")
}

/// The total in a file of callgrind.
fn total(counts: &str) -> Option<u64> {
    counts.lines().find_map(|line| line.strip_prefix("totals:"))?.trim().parse().ok()
}

fn bounds_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.json")
}

/// Compares with the bounds, or makes new ones; whether all is well.
fn settle(counts: &Counts, write: bool) -> anyhow::Result<bool> {
    let file = bounds_file();
    if write {
        let text = serde_json::to_string_pretty(counts)? + "\n";
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        say(&format!("new bounds: {counts:?}"));
        return Ok(true);
    }
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let (lines, well) = compare(counts, &serde_json::from_str(&text)?);
    say(&lines);
    Ok(well)
}

/// A line for each workload, and whether all are within their bounds.
fn compare(counts: &Counts, bounds: &Counts) -> (String, bool) {
    let mut well = true;
    let lines = counts.iter().map(|(name, count)| {
        let Some(bound) = bounds.get(name) else {
            well = false;
            return format!("{name}: {count} instructions per event, and no bound: make instructions-bounds");
        };
        let change = *count as f64 / *bound as f64 - 1.0;
        let verdict = if count * 100 > bound * (100 + TOLERANCE) {
            well = false;
            "TOO MANY: a slowdown, or a new bound with its reason (make instructions-bounds)"
        } else if count * 100 < bound * (100 - TOLERANCE) {
            "better: lower the bound (make instructions-bounds)"
        } else {
            "as bounded"
        };
        format!("{name}: {count} instructions per event, {:+.1}% of {bound}: {verdict}", change * 100.0)
    });
    let lines: Vec<String> = lines.collect();
    (lines.join("\n"), well)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_percent_more_is_too_many_and_less_asks_for_a_lower_bound() {
        let counts = |w1, w2| Counts::from([("W1".to_owned(), w1), ("W2".to_owned(), w2)]);
        let (lines, well) = compare(&counts(1_050, 949), &counts(1_000, 1_000));
        assert!(well && lines.contains("as bounded") && lines.contains("better"), "{lines}");
        let (lines, well) = compare(&counts(1_051, 1_000), &counts(1_000, 1_000));
        assert!(!well && lines.contains("TOO MANY"), "{lines}");
        assert!(!compare(&counts(1, 1), &Counts::new()).1, "no bound is no guard");
    }

    #[test]
    fn the_total_is_found() {
        assert_eq!(total("version: 1\nevents: Ir\n\nfn=a\n1 2\n\ntotals: 123456\n"), Some(123_456));
        assert_eq!(total("version: 1\n"), None);
    }

    #[test]
    fn both_workloads_have_a_bound() {
        let text = std::fs::read_to_string(bounds_file()).expect("the bounds are there");
        let bounds: Counts = serde_json::from_str(&text).expect("the bounds are counts");
        assert_eq!(bounds.keys().collect::<Vec<_>>(), ["W1", "W2"]);
    }
}
