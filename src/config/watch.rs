//! Whether the files of a configuration have changed: looked at, not listened for, so that it works the same for editors
//! that rename, for Kubernetes, which swaps a symbolic link, and on file systems of another machine.
//!
//! A change counts once two looks in a row see the same: half of a file that is still being written may well be a valid
//! configuration, with half of the destinations.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::topics;

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The files and how they stand; `None` where there is none to be had.
type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

/// `topics.yaml`, the resources that it names, and other files.
#[derive(Debug)]
pub struct Watch {
    topics: PathBuf,
    others: Vec<PathBuf>,
    environment: Environment,
    /// File name patterns of the resources, as `topics.yaml` said last.
    patterns: Vec<String>,
    known: Stamps,
    /// What the last look saw, where it is not what is known.
    seen: Option<Stamps>,
}

impl Watch {
    /// How the files stand now is how they are known.
    #[must_use]
    pub fn new(topics: &Path, others: &[PathBuf], environment: &Environment) -> Self {
        let mut watch = Self {
            topics: topics.to_owned(),
            others: others.to_vec(),
            environment: environment.clone(),
            patterns: Vec::new(),
            known: Stamps::new(),
            seen: None,
        };
        watch.learn();
        watch
    }

    /// One look. True when the files are not as they are known, and have not changed since the last look; from then on
    /// they are known as they are: read them after this, and a change in between is found by the next looks.
    pub fn has_changed(&mut self) -> bool {
        let now = self.look();
        if now == self.known {
            self.seen = None;
            return false;
        }
        if self.seen.as_ref() != Some(&now) {
            self.seen = Some(now);
            return false;
        }
        self.learn();
        true
    }

    /// Whether the files are as they are known: what was read since then was whole.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.look() == self.known
    }

    /// From now on the files are known as they are.
    pub fn learn(&mut self) {
        self.patterns = topics::resource_patterns(&self.topics, &self.environment);
        self.known = self.look();
        self.seen = None;
    }

    fn look(&self) -> Stamps {
        let resources = self.patterns.iter().flat_map(|pattern| glob::glob(pattern).into_iter().flatten().flatten());
        let named = [&self.topics].into_iter().chain(&self.others).cloned();
        named
            .chain(resources)
            .map(|path| (path.clone(), std::fs::metadata(path).ok().as_ref().map(Stamp::of)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).expect("a file");
        }

        fn watch(&self) -> Watch {
            Watch::new(&self.path("topics.yaml"), &[self.path("settings.yaml")], &Environment::default())
        }
    }

    #[test]
    fn a_change_counts_once_it_has_come_to_rest() {
        let folder = Folder::new();
        folder.write("topics.yaml", "topics: []");
        let mut watch = folder.watch();
        assert!(!watch.has_changed());
        folder.write("topics.yaml", "topics: [ ]");
        assert!(!watch.has_changed(), "it may still be written");
        folder.write("topics.yaml", "topics: [  ]");
        assert!(!watch.has_changed(), "and it was");
        assert!(!watch.is_at_rest());
        assert!(watch.has_changed());
        assert!(!watch.has_changed(), "told once");
        assert!(watch.is_at_rest());
        fs::remove_file(folder.path("topics.yaml")).expect("a file");
        assert_eq!([(); 3].map(|()| watch.has_changed()), [false, true, false]);
    }

    #[test]
    fn an_edit_that_is_taken_back_in_time_is_none() {
        let folder = Folder::new();
        folder.write("topics.yaml", "a");
        fs::hard_link(folder.path("topics.yaml"), folder.path("kept")).expect("a link");
        let mut watch = folder.watch();
        folder.write("new", "b");
        fs::rename(folder.path("new"), folder.path("topics.yaml")).expect("renamed");
        assert!(!watch.has_changed());
        // The same file once more; only the time of its last change of name differs.
        fs::rename(folder.path("kept"), folder.path("topics.yaml")).expect("renamed");
        assert!(!watch.has_changed());
    }

    #[test]
    fn another_target_of_a_symbolic_link_is_a_change() {
        let folder = Folder::new();
        for version in ["..1", "..2"] {
            fs::create_dir(folder.path(version)).expect("a folder");
            folder.write(&format!("{version}/topics.yaml"), "topics: []");
        }
        symlink("..1", folder.path("..data")).expect("a link");
        symlink("..data/topics.yaml", folder.path("topics.yaml")).expect("a link");
        let mut watch = folder.watch();
        symlink("..2", folder.path("..data_tmp")).expect("a link");
        fs::rename(folder.path("..data_tmp"), folder.path("..data")).expect("swapped");
        assert_eq!([(); 3].map(|()| watch.has_changed()), [false, true, false]);
    }

    #[test]
    fn resources_that_come_change_and_go_are_changes_and_so_are_other_files() {
        let folder = Folder::new();
        folder.write("topics.yaml", "resources: [\"fhir-*.json\"]");
        let mut watch = folder.watch();
        folder.write("fhir-a.json", "{}");
        assert_eq!([(); 3].map(|()| watch.has_changed()), [false, true, false]);
        folder.write("fhir-a.json", "{ }");
        assert_eq!([(); 3].map(|()| watch.has_changed()), [false, true, false]);
        fs::remove_file(folder.path("fhir-a.json")).expect("a file");
        assert_eq!([(); 3].map(|()| watch.has_changed()), [false, true, false]);
        folder.write("settings.yaml", "tasks: 1");
        assert_eq!([(); 3].map(|()| watch.has_changed()), [false, true, false]);
        folder.write("unrelated.json", "{}");
        assert_eq!([(); 3].map(|()| watch.has_changed()), [false; 3]);
    }
}
