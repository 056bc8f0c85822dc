//! Memory and CPU time of this process as Linux tells them; elsewhere unknown.

/// What the operating system tells about the process.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Resources {
    /// Resident memory in bytes.
    pub(super) resident_memory_bytes: Option<f64>,
    /// User and system CPU time in seconds.
    pub(super) cpu_seconds: Option<f64>,
}

/// Ticks per second of /proc/self/stat: USER_HZ, which Linux fixes at 100 for user space.
const TICKS_PER_SECOND: f64 = 100.0;

impl Resources {
    /// Reads /proc/self; what cannot be read is absent.
    pub(super) fn read() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self { resident_memory_bytes: resident_bytes(&status), cpu_seconds: cpu_seconds(&stat) }
    }
}

/// `VmRSS:    1234 kB` of /proc/self/status.
fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

/// Fields 14 and 15 of /proc/self/stat; counted after the command, which may hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    let mut fields = after_command.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152.0));
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 3 0 1000 1000000 500";
        assert_eq!(cpu_seconds(stat), Some(2.0));
    }

    #[test]
    fn nonsense_is_absent() {
        for text in ["", ")", "1 (x) S 1", "VmRSS: many kB", "VmRSS: 12"] {
            assert_eq!((resident_bytes(text), cpu_seconds(text)), (None, None), "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_memory() {
        assert!(Resources::read().resident_memory_bytes.is_some_and(|bytes| bytes > 100_000.0));
        assert!(Resources::read().cpu_seconds.is_some());
    }
}
