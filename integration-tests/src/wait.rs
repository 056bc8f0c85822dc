//! Waiting on a condition, with a deadline that fails loudly.

use std::time::{Duration, Instant};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks at a condition until it holds.
///
/// # Errors
/// When it does not hold in time; `what` says what was waited for.
pub fn until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) -> anyhow::Result<()> {
    until_some(what, within, || holds().then_some(()))
}

/// Looks for something until it is there.
///
/// # Errors
/// When it is not there in time; `what` says what was waited for.
pub fn until_some<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        anyhow::ensure!(Instant::now() < deadline, "waited {within:?} in vain for: {what}");
        std::thread::sleep(INTERVAL);
    }
}

/// Repeats something that may fail until it succeeds.
///
/// # Errors
/// When it does not succeed in time: its last error.
pub fn until_ok<T>(what: &str, within: Duration, mut attempt: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + within;
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= deadline => {
                return Err(error.context(format!("waited {within:?} in vain for: {what}")));
            }
            Err(_) => std::thread::sleep(INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_never_holds_fails_and_says_what_it_was() {
        let error = until("pigs that fly", Duration::from_millis(50), || false).expect_err("never holds");
        assert!(error.to_string().contains("pigs that fly"));
    }

    #[test]
    fn the_last_error_is_kept() {
        let mut attempts = 0;
        let error = until_ok("success", Duration::from_millis(50), || -> anyhow::Result<()> {
            attempts += 1;
            anyhow::bail!("attempt failed")
        })
        .expect_err("never succeeds");
        assert!(attempts > 1);
        assert_eq!(error.root_cause().to_string(), "attempt failed");
    }
}
