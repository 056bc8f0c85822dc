//! The time that a thread has had on a processor: a machine under load changes it little.

use std::time::Duration;

fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// What something gives, and the time that it took.
pub(crate) fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let before = processor_time();
    let result = run();
    (result, processor_time() - before)
}
