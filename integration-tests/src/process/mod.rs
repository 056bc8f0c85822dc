//! Child processes that never outlive the process that started them.
//!
//! ```text
//! this process --- stdin pipe ---> watchdog (sh) ... end of the pipe = we are gone: kill -9 children, remove folders
//!      |
//!      +--- spawns ---> children (a broker, the service), each in a process group of its own
//! ```
//!
//! A [`Child`] is killed when it is dropped, also while a test panics. What is never dropped (statics, and everything
//! when this process is killed) is left to the [`watchdog`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub mod watchdog;

/// A running child process whose standard output and standard error go to one file each.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    exited: Option<ExitStatus>,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Child {
    /// Starts a command, without input; what it prints is appended to the two files.
    ///
    /// # Errors
    /// When a file cannot be opened or the program cannot be started.
    pub fn spawn(command: &mut Command, stdout: &Path, stderr: &Path) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            File::options().create(true).append(true).open(path).with_context(|| format!("cannot open {path:?}"))
        };
        // A group of its own: Ctrl-C in a terminal is for us, and we decide how the children end.
        command.stdin(Stdio::null()).stdout(open(stdout)?).stderr(open(stderr)?).process_group(0);
        let inner = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        watchdog::watch(inner.id());
        Ok(Self { inner, exited: None, stdout: stdout.to_owned(), stderr: stderr.to_owned() })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Sends a signal; one that already ended is left alone.
    ///
    /// # Errors
    /// When the signal cannot be sent.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if self.exit_status()?.is_some() {
            return Ok(());
        }
        let id = i32::try_from(self.inner.id()).context("a process id fits pid_t")?;
        kill(Pid::from_raw(id), signal).with_context(|| format!("cannot send {signal}"))
    }

    /// How the process ended, if it did.
    ///
    /// # Errors
    /// When the process cannot be asked.
    pub fn exit_status(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        if self.exited.is_none()
            && let Some(status) = self.inner.try_wait()?
        {
            watchdog::forget(self.inner.id());
            self.exited = Some(status);
        }
        Ok(self.exited)
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn wait(&mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            anyhow::ensure!(Instant::now() < deadline, "process {} did not end within {within:?}", self.id());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the process at once (SIGKILL), also one that is paused, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGKILL)?;
        self.wait(Duration::from_secs(10))
    }

    /// Everything that it wrote to standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        read_lossy(&self.stdout)
    }

    /// Everything that it wrote to standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        read_lossy(&self.stderr)
    }

    /// The last lines of both, for a failure's message.
    #[must_use]
    pub fn log_tail(&self) -> String {
        format!("--- stdout\n{}--- stderr\n{}", tail(&self.stdout), tail(&self.stderr))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the watchdog still knows the process.
        let _ = self.kill();
    }
}

/// A whole file as text, empty when it is not there.
fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The last 16 KiB of a file as text, empty when it is not there.
#[must_use]
pub fn tail(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// The build folder: where Cargo put this executable.
#[must_use]
pub fn build_folder() -> PathBuf {
    let above = std::env::current_exe().ok().and_then(|executable| {
        executable.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).map(Path::to_owned)
    });
    above.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
}
