//! The memory of one evaluation: texts and collections that it must hold, up to a limit.
//!
//! What is asked for is counted, not what the allocator makes of it, so that the same event gives the same answer
//! whatever was evaluated before. A list that grows counts anew with each size that it had: it may be copied. The arena
//! takes at most some three times as much from the allocator: its chunks double.
//!
//! What does not fit is refused as [`Failed`], or as nothing where there is no error, and the arena remembers it
//! ([`Arena::is_full`]): such an evaluation has no other outcome.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;

use bumpalo::Bump;
use bumpalo::collections::{String as BumpString, Vec as BumpVec};

use super::value::Failed;

/// An arena that has grown beyond so many bytes is not kept.
const KEPT_BYTES: usize = 1024 * 1024;

/// How many items a list has room for at first.
const FIRST_ITEMS: usize = 4;

/// Memory that is taken back all at once.
#[derive(Debug, Default)]
pub(super) struct Arena {
    bump: Bump,
    left: Cell<usize>,
    is_full: Cell<bool>,
}

/// A list in an arena.
#[derive(Debug)]
pub(super) struct List<'t, T> {
    arena: &'t Arena,
    items: BumpVec<'t, T>,
}

/// A text that is being written in an arena.
#[derive(Debug)]
pub(super) struct Text<'t> {
    arena: &'t Arena,
    text: BumpString<'t>,
}

impl Arena {
    /// An arena without memory that may take this much.
    #[cfg(test)]
    pub(super) fn new(limit: usize) -> Self {
        Self { bump: Bump::new(), left: Cell::new(limit), is_full: Cell::new(false) }
    }

    /// Takes everything back. From now on it may take this much.
    pub(super) fn clear(&mut self, limit: usize) {
        self.trim();
        self.bump.reset();
        self.left.set(limit);
        self.is_full.set(false);
    }

    /// Gives back memory that one evaluation in many needs. What is in the arena may be lost.
    pub(super) fn trim(&mut self) {
        if self.bump.allocated_bytes() > KEPT_BYTES {
            self.bump = Bump::new();
        }
    }

    /// Whether something did not fit.
    pub(super) fn is_full(&self) -> bool {
        self.is_full.get()
    }

    /// How many bytes it may still take.
    pub(super) fn left(&self) -> usize {
        self.left.get()
    }

    /// How many bytes it has from the allocator.
    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        self.bump.allocated_bytes()
    }

    /// Refuses something that does not fit.
    pub(super) fn refuse(&self) -> Failed {
        self.is_full.set(true);
        Failed
    }

    /// Counts bytes as taken.
    ///
    /// # Errors
    /// When they do not fit.
    pub(super) fn take(&self, bytes: usize) -> Result<(), Failed> {
        let left = self.left.get().checked_sub(bytes).ok_or_else(|| self.refuse())?;
        self.left.set(left);
        Ok(())
    }

    /// An empty list; takes nothing yet.
    pub(super) fn list<T>(&self) -> List<'_, T> {
        List { arena: self, items: BumpVec::new_in(&self.bump) }
    }

    /// An empty text with room for so many bytes.
    ///
    /// # Errors
    /// When they do not fit.
    pub(super) fn text(&self, bytes: usize) -> Result<Text<'_>, Failed> {
        let mut text = Text { arena: self, text: BumpString::new_in(&self.bump) };
        text.reserve(bytes)?;
        Ok(text)
    }

    /// A copy of a text.
    ///
    /// # Errors
    /// When it does not fit.
    pub(super) fn put(&self, text: &str) -> Result<&mut str, Failed> {
        self.take(text.len())?;
        Ok(self.bump.alloc_str(text))
    }
}

impl<'t, T> List<'t, T> {
    /// Adds an item.
    ///
    /// # Errors
    /// When it does not fit.
    pub(super) fn push(&mut self, item: T) -> Result<(), Failed> {
        if self.items.len() == self.items.capacity() {
            self.grow()?;
        }
        self.items.push(item);
        Ok(())
    }

    #[cold]
    fn grow(&mut self) -> Result<(), Failed> {
        let length = self.items.len();
        let items = length.saturating_mul(2).max(FIRST_ITEMS);
        self.arena.take(items.saturating_mul(size_of::<T>()))?;
        self.items.reserve_exact(items - length);
        Ok(())
    }

    /// Takes an item out, another takes its place.
    pub(super) fn swap_remove(&mut self, index: usize) -> T {
        self.items.swap_remove(index)
    }

    pub(super) fn into_slice(self) -> &'t mut [T] {
        self.items.into_bump_slice_mut()
    }
}

impl<T> Deref for List<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<'t> Text<'t> {
    /// Writes on.
    ///
    /// # Errors
    /// When it does not fit.
    pub(super) fn push_str(&mut self, part: &str) -> Result<(), Failed> {
        let free = self.text.capacity() - self.text.len();
        if free < part.len() {
            let bytes = self.text.len().saturating_add(part.len());
            self.reserve(bytes.max(self.text.len().saturating_mul(2)))?;
        }
        self.text.push_str(part);
        Ok(())
    }

    /// Makes room for so many bytes in all.
    fn reserve(&mut self, bytes: usize) -> Result<(), Failed> {
        self.arena.take(bytes)?;
        self.text.reserve_exact(bytes - self.text.len());
        Ok(())
    }

    pub(super) fn into_str(self) -> &'t str {
        self.text.into_bump_str()
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.push_str(part).map_err(|Failed| fmt::Error)
    }
}
