//! Ends what this process started when this process is gone, however it went.
//!
//! A shell script reads from a pipe whose only other end is held here. As long as this process lives it is told what
//! to look after; when the process ends, even by `kill -9`, the kernel closes the pipe, and the script kills the
//! children and removes the temporary folders. No polling, no `unsafe`.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Commands, one a line: `watch PID`, `forget PID`, `unmount FOLDER`, `remove FOLDER`.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
pids=' '
mounts=
while read -r verb what; do
  case $verb in
    watch) pids="$pids$what " ;;
    forget) case $pids in *" $what "*) pids="${pids%% $what *} ${pids#* $what }" ;; esac ;;
    unmount) mounts="$mounts $what" ;;
    remove) set -- "$@" "$what" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
for pid in $pids; do
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
done
for folder in $mounts; do umount -l "$folder" 2>/dev/null; done
for folder in "$@"; do rm -rf "$folder"; done
"#;

/// The script, with the pipe to it; like every static it is never dropped, so that the pipe ends with this process.
static WATCHDOG: OnceLock<Mutex<Child>> = OnceLock::new();

/// Has a child process killed when this process is gone.
///
/// # Panics
/// When the watchdog cannot be started: without it processes would be left behind.
pub fn watch(process: u32) {
    tell(&format!("watch {process}\n"));
}

/// No longer looks after a child that has ended: its id may be given to another process.
pub fn forget(process: u32) {
    tell(&format!("forget {process}\n"));
}

/// Has a folder removed when this process is gone, after the children are.
///
/// # Panics
/// When the path is not one line of text.
pub fn remove_at_end(folder: &Path) {
    let text = folder.to_str().expect("temporary folders have names in UTF-8");
    assert!(!text.contains('\n') && text.starts_with('/'), "a temporary folder is an absolute path on one line");
    tell(&format!("remove {text}\n"));
}

/// Has a file system unmounted when this process is gone, before folders are removed.
///
/// # Panics
/// When the path is not one word of text.
pub fn unmount_at_end(folder: &Path) {
    let text = folder.to_str().expect("temporary folders have names in UTF-8");
    assert!(!text.contains(char::is_whitespace) && text.starts_with('/'), "a temporary folder is an absolute path");
    tell(&format!("unmount {text}\n"));
}

fn tell(line: &str) {
    let watchdog = WATCHDOG.get_or_init(|| Mutex::new(start()));
    let mut watchdog = watchdog.lock().unwrap_or_else(PoisonError::into_inner);
    let pipe = watchdog.stdin.as_mut().expect("its standard input is a pipe");
    pipe.write_all(line.as_bytes()).expect("the watchdog reads until this process ends");
}

fn start() -> Child {
    Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a POSIX shell is there")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::Child;
    use super::*;
    use crate::wait;

    /// Names the file through which the process to be killed says what it started.
    const REPORT: &str = "FHIR_FANOUT_WATCHDOG_REPORT";

    #[test]
    fn children_and_folders_go_when_their_process_is_killed() {
        if let Some(report) = std::env::var_os(REPORT) {
            start_something_and_hang(&PathBuf::from(report));
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let report = folder.path().join("report");
        let test = "process::watchdog::tests::children_and_folders_go_when_their_process_is_killed";
        let mut command = Command::new(std::env::current_exe().expect("this executable has a path"));
        command.args(["--exact", test]).env(REPORT, &report);
        let output = folder.path().join("output");
        let mut process = Child::spawn(&mut command, &output, &output).expect("the test runs itself");
        let started = wait::until_some("the report", Duration::from_secs(20), || {
            let text = fs::read_to_string(&report).ok()?;
            let (process, folder) = text.strip_suffix('\n')?.split_once(' ')?;
            Some((PathBuf::from(format!("/proc/{process}")), PathBuf::from(folder)))
        });
        let (child, data) = started.expect("the process starts its child");
        assert!(child.exists() && data.exists());
        process.kill().expect("it can be killed");
        wait::until("the end of child and folder", Duration::from_secs(20), || !child.exists() && !data.exists())
            .expect("the watchdog cleans up");
    }

    /// Runs in the process that is then killed: never comes back.
    fn start_something_and_hang(report: &Path) -> ! {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        remove_at_end(&folder);
        let output = folder.join("output");
        let child = Child::spawn(Command::new("sleep").arg("600"), &output, &output).expect("sleep is there");
        fs::write(report, format!("{} {}\n", child.id(), folder.display())).expect("the report can be written");
        loop {
            std::thread::park();
        }
    }
}
