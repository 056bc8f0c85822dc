//! What the kernel knows about a process: CPU seconds and peak memory.

use anyhow::Context;

/// CPU time and memory of a process, from `/proc`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// User and system time of all threads since the start.
    pub(super) cpu_seconds: f64,
    /// The most memory that was ever resident.
    pub(super) peak_bytes: u64,
    /// The memory that is resident now.
    pub(super) resident_bytes: u64,
}

/// The usage of a living process.
///
/// # Errors
/// When the process is gone or this is no Linux.
pub(super) fn usage(process: u32) -> anyhow::Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).context("the process is gone")?;
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    parse(&stat, &status).context("/proc does not look like Linux's")
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // Fields are counted after the command, which stands in brackets and may hold anything (proc(5): utime is the
    // 14th field of all, stime the 15th; a tick is a hundredth of a second on every Linux architecture in use).
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let ticks = times.next()?.parse::<f64>().ok()? + times.next()?.parse::<f64>().ok()?;
    let bytes = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    Some(Usage { cpu_seconds: ticks / 100.0, peak_bytes: bytes("VmHWM:")?, resident_bytes: bytes("VmRSS:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 900 0 0 0 250 75 0 0 20 0 4 0 100 1000 200";
        let status = "Name:\ta b) c\nVmPeak:\t  9000 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(
            parse(stat, status),
            Some(Usage { cpu_seconds: 3.25, peak_bytes: 2048 * 1024, resident_bytes: 1024 * 1024 })
        );
    }

    #[test]
    fn our_own_process_has_used_something() {
        let usage = usage(std::process::id()).expect("we are there");
        assert!(usage.peak_bytes > 1_000_000, "{usage:?}");
    }
}
