//! A disk of a node's own that can be full: a small file system in memory. Only root may mount one.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process::watchdog;

/// How large it is: more than a node of a test writes.
const MEGABYTES: usize = 64;

/// A mounted file system.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Whether this process may mount one here.
    #[must_use]
    pub fn is_possible() -> bool {
        tempfile::tempdir().is_ok_and(|folder| Self::mount(&folder.path().join("try")).is_ok())
    }

    pub(super) fn mount(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={MEGABYTES}m"), "tmpfs"]).arg(folder);
        let output = command.output().context("cannot start mount")?;
        anyhow::ensure!(output.status.success(), "no file system: {}", String::from_utf8_lossy(&output.stderr));
        watchdog::unmount_at_end(folder);
        Ok(Self { folder: folder.to_owned() })
    }

    /// Fills it to the last byte.
    ///
    /// # Errors
    /// When it cannot be written for another reason.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = File::create(self.ballast())?;
        let mut size = 1024 * 1024;
        let zeros = vec![0; size];
        while size > 0 {
            match ballast.write(&zeros[..size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => size /= 2,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When what fills it cannot be removed.
    pub fn free(&self) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the watchdog tries once more.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
