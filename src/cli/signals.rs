//! SIGTERM and SIGINT: the first one drains, a second one ends the process at once. SIGHUP has the configuration looked at.

use std::io;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Calls `drain` with the signal's name at the first signal that ends, and `reload` at each SIGHUP. The handlers are in
/// place when this returns.
///
/// # Errors
/// When the handlers or the thread that waits for signals cannot be had.
pub fn watch(drain: impl FnOnce(&'static str) + Send + 'static, reload: impl Fn() + Send + 'static) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signals = {
        let _context = runtime.enter();
        Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        }
    };
    let wait = move || {
        runtime.block_on(async {
            let (name, _) = signals.next(&reload).await;
            drain(name);
            let (name, number) = signals.next(&reload).await;
            tracing::warn!(signal = name, "second signal: the process ends at once, open transactions are aborted");
            // Without exit handlers: tasks are still inside the Kafka client.
            signal_hook::low_level::exit(128 + number);
        });
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// The next signal that ends.
    async fn next(&mut self, reload: &impl Fn()) -> (&'static str, i32) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return ("SIGTERM", SignalKind::terminate().as_raw_value()),
                _ = self.interrupt.recv() => return ("SIGINT", SignalKind::interrupt().as_raw_value()),
                _ = self.hang_up.recv() => reload(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Child, Command, Stdio};

    use super::*;

    const CHILD: &str = "FHIR_FANOUT_TEST_SIGNAL_CHILD";

    /// The child of the tests below: a process that only waits for signals.
    #[test]
    fn child_that_waits_for_signals() {
        if std::env::var_os(CHILD).is_none() {
            return;
        }
        let say = |text: &str| writeln!(io::stdout(), "\n> {text}").expect("the parent listens");
        watch(say, move || say("reload")).expect("handlers");
        say("ready");
        loop {
            thread::park();
        }
    }

    struct Waiting {
        child: Child,
        lines: Box<dyn Iterator<Item = String>>,
    }

    impl Waiting {
        fn start() -> Self {
            let mut child = Command::new(std::env::current_exe().expect("this test's path"))
                .args(["--exact", "cli::signals::tests::child_that_waits_for_signals", "--nocapture"])
                .env(CHILD, "1")
                .stdout(Stdio::piped())
                .spawn()
                .expect("the child starts");
            let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
            let mut waiting = Self { child, lines: Box::new(lines) };
            assert_eq!(waiting.said().as_deref(), Some("ready"));
            waiting
        }

        /// What the child says next; `None` when it has ended.
        fn said(&mut self) -> Option<String> {
            self.lines.find_map(|line| line.strip_prefix("> ").map(str::to_owned))
        }

        fn send(&self, signal: &str) {
            let kill = format!("kill -{signal} {}", self.child.id());
            assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
        }
    }

    #[test]
    fn a_hang_up_reloads_each_time_and_ends_nothing() {
        let mut waiting = Waiting::start();
        for _ in 0..2 {
            waiting.send("HUP");
            assert_eq!(waiting.said().as_deref(), Some("reload"));
        }
        waiting.send("TERM");
        assert_eq!(waiting.said().as_deref(), Some("SIGTERM"));
        waiting.send("KILL");
        waiting.child.wait().expect("a child");
    }

    #[test]
    fn the_first_signal_drains_and_the_second_ends_the_process() {
        for (first, second, code) in [("TERM", "INT", 130), ("INT", "TERM", 143)] {
            let mut waiting = Waiting::start();
            waiting.send(first);
            assert_eq!(waiting.said(), Some(format!("SIG{first}")));
            assert!(waiting.child.try_wait().expect("a child").is_none(), "it goes on to drain");
            waiting.send(second);
            assert_eq!(waiting.said(), None, "drained once only");
            assert_eq!(waiting.child.wait().expect("a child").code(), Some(code));
        }
    }
}
