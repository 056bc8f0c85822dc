//! A value that may be replaced while tasks use it: whoever holds one finds out by a number whether there is a newer one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

/// The newest value, for all tasks. Looking whether there is a newer one takes no lock.
#[derive(Debug)]
pub struct Versioned<T> {
    version: AtomicU64,
    newest: RwLock<T>,
}

impl<T: Clone> Versioned<T> {
    /// The first value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { version: AtomicU64::new(0), newest: RwLock::new(value) }
    }

    /// Changes whenever the value does. Read it before the value: should the value change in between, it is taken once
    /// more.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The newest value.
    #[must_use]
    pub fn newest(&self) -> T {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the value.
    pub fn set(&self, value: T) {
        self.update(|newest| {
            *newest = value;
            true
        });
    }

    /// Changes the value in place; it is a new one only if the change says so. Returns what the change said.
    pub fn update(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut newest);
        if changed {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_is_a_new_version() {
        let shared = Versioned::new(1);
        assert!(!shared.update(|_| false));
        assert_eq!((shared.version(), shared.newest()), (0, 1));
        shared.set(2);
        assert_eq!((shared.version(), shared.newest()), (1, 2));
    }
}
