//! A disk of a node's own that can be full: a file system in memory. Only root may mount one.
//!
//! It is full when it is made as small as what lies on it: that takes no time, and no memory.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::process::watchdog;
use crate::wait;

/// A mounted file system.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    megabytes: usize,
}

impl Disk {
    /// Whether this process may mount one here.
    #[must_use]
    pub fn is_possible() -> bool {
        tempfile::tempdir().is_ok_and(|folder| Self::mount(&folder.path().join("try"), 1).is_ok())
    }

    pub(super) fn mount(folder: &Path, megabytes: usize) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        mount(&format!("size={megabytes}m"), folder)?;
        watchdog::unmount_at_end(folder);
        Ok(Self { folder: folder.to_owned(), megabytes })
    }

    /// Leaves no byte to be written.
    ///
    /// # Errors
    /// When the file system does not take it.
    pub fn fill(&self) -> anyhow::Result<()> {
        // While it is counted, more is written.
        wait::until_ok("a full disk", Duration::from_secs(20), || {
            mount(&format!("remount,size={}", size(&self.folder)), &self.folder)
        })
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When the file system does not take it.
    pub fn free(&self) -> anyhow::Result<()> {
        mount(&format!("remount,size={}m", self.megabytes), &self.folder)
    }
}

fn mount(options: &str, folder: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("mount");
    command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder);
    let output = command.output().context("cannot start mount")?;
    anyhow::ensure!(output.status.success(), "no file system: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// What all files below a folder take on their disk, in bytes; files that go meanwhile do not count.
#[must_use]
pub fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the watchdog tries once more.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
