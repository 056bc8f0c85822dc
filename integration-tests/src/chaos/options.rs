//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Breaks everything around the service on a real Kafka, for a while, and tells whether every output came exactly once.
#[derive(Debug, Clone, Parser)]
#[command(name = "chaos")]
pub(super) struct Options {
    /// How long faults are made, in all.
    #[arg(long, default_value_t = 5.0)]
    pub(super) minutes: f64,
    /// What faults, their times and the events are drawn from; a new one by default, and always printed.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Nodes of the cluster; `both` gives half of the time to each.
    #[arg(long, value_enum, default_value_t = Nodes::Three)]
    pub(super) nodes: Nodes,
    /// Instances of the service, besides those that come and go.
    #[arg(long, default_value_t = 2, value_parser = instances)]
    pub(super) instances: usize,
    /// Tasks of each instance.
    #[arg(long, default_value_t = 2)]
    pub(super) tasks: usize,
    /// Events published per second.
    #[arg(long, default_value_t = 700)]
    pub(super) rate: u32,
    /// How partitions are assigned in the classic group protocol.
    #[arg(long, value_enum, default_value_t = Assignment::CooperativeSticky)]
    pub(super) assignment: Assignment,
    /// The group protocol; `consumer` is that of KIP-848.
    #[arg(long, value_enum, default_value_t = GroupProtocol::Classic)]
    pub(super) group_protocol: GroupProtocol,
    /// What the run needs to have had to count: kills with SIGKILL, of instances and brokers (3.75 a minute).
    #[arg(long)]
    pub(super) min_kills: Option<usize>,
    /// What the run needs to have had to count: events (25,000 a minute).
    #[arg(long)]
    pub(super) min_events: Option<usize>,
    /// Only faults whose names contain one of these (separated by commas), for looking into them.
    #[arg(long)]
    pub(super) only: Option<String>,
    /// Keep the logs of all brokers and instances in any case.
    #[arg(long)]
    pub(super) keep_logs: bool,
    /// Where the report goes, as Markdown.
    #[arg(long)]
    pub(super) report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Nodes {
    #[value(name = "1")]
    One,
    #[value(name = "3")]
    Three,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Assignment {
    CooperativeSticky,
    Range,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GroupProtocol {
    Classic,
    Consumer,
}

/// One at least.
fn instances(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=8).contains(&count) => Ok(count),
        _ => Err("expected 1 to 8".to_owned()),
    }
}

impl Options {
    /// How long faults are made on a cluster of each size.
    pub(super) fn phases(&self) -> Vec<(usize, Duration)> {
        let whole = Duration::from_secs_f64(self.minutes * 60.0);
        match self.nodes {
            Nodes::One => vec![(1, whole)],
            Nodes::Three => vec![(3, whole)],
            Nodes::Both => vec![(1, whole / 2), (3, whole / 2)],
        }
    }

    pub(super) fn min_kills(&self) -> usize {
        self.min_kills.unwrap_or((self.minutes * 3.75) as usize)
    }

    pub(super) fn min_events(&self) -> usize {
        self.min_events.unwrap_or((self.minutes * 25_000.0) as usize)
    }

    /// The command that makes this run again.
    pub(super) fn command(&self, seed: u64) -> String {
        let name = |value: &dyn Fn() -> Option<clap::builder::PossibleValue>| {
            value().map_or_else(String::new, |value| value.get_name().to_owned())
        };
        let mut command = format!(
            "cargo chaos -- --minutes {} --seed {seed} --nodes {} --instances {} --tasks {} --rate {}",
            self.minutes,
            name(&|| self.nodes.to_possible_value()),
            self.instances,
            self.tasks,
            self.rate
        );
        if self.assignment != Assignment::CooperativeSticky {
            command += &format!(" --assignment {}", name(&|| self.assignment.to_possible_value()));
        }
        if self.group_protocol != GroupProtocol::Classic {
            command += &format!(" --group-protocol {}", name(&|| self.group_protocol.to_possible_value()));
        }
        if let Some(only) = &self.only {
            command += &format!(" --only {only:?}");
        }
        command
    }
}
