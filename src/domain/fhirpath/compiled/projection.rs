//! What programs read of a resource, as a trie of member names: everything else is skipped without a node.
//!
//! Arrays are looked through: their elements stand at the branch of the array. A branch that nothing goes on from is
//! there for its own sake: the value's kind, text and, of an array, its elements are read, but no members of objects.

use super::symbols::Symbol;

/// A place in the trie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Branch(u32);

/// The trie.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    branches: Vec<Children>,
}

/// What is read of an object.
#[derive(Clone, Default, Debug)]
struct Children {
    /// Everything below is read.
    whole: bool,
    /// A bit for each symbol modulo 64: most members that are not read are told by it.
    filter: u64,
    /// Sorted by symbol.
    members: Vec<(Symbol, Branch)>,
}

impl Branch {
    /// Below a branch of which everything is read.
    pub(super) const WHOLE: Self = Self(u32::MAX);
}

impl Default for Projection {
    fn default() -> Self {
        Self::new()
    }
}

impl Projection {
    /// The resource itself.
    pub(super) const ROOT: Branch = Branch(0);

    /// Nothing is read but the resource's kind.
    pub(super) fn new() -> Self {
        Self { branches: vec![Children::default()] }
    }

    /// Adds a member to what is read, or finds it.
    pub(super) fn member(&mut self, at: Branch, name: Symbol) -> Branch {
        let new = Branch(u32::try_from(self.branches.len()).unwrap_or(u32::MAX));
        let Some(children) = self.branches.get_mut(at.0 as usize) else { return Branch::WHOLE };
        let position = match children.members.binary_search_by_key(&name, |member| member.0) {
            Ok(position) => return children.members[position].1,
            Err(position) => position,
        };
        if name == Symbol::UNKNOWN {
            // No names are left: what cannot be told apart is read whole.
            children.whole = true;
            return Branch::WHOLE;
        }
        children.filter |= 1 << (name.index() % 64);
        children.members.insert(position, (name, new));
        self.branches.push(Children::default());
        new
    }

    /// Reads everything below.
    pub(super) fn whole(&mut self, at: Branch) {
        if let Some(children) = self.branches.get_mut(at.0 as usize) {
            children.whole = true;
        }
    }

    /// Adds what another projection (of the same symbols) reads.
    pub(super) fn add(&mut self, other: &Self) {
        let mut open = vec![(Self::ROOT, Self::ROOT)];
        while let Some((mine, theirs)) = open.pop() {
            let Some(children) = other.branches.get(theirs.0 as usize) else { continue };
            if children.whole {
                self.whole(mine);
            }
            for (name, branch) in &children.members {
                open.push((self.member(mine, *name), *branch));
            }
        }
    }

    /// The branch, or [`Branch::WHOLE`] if everything below it is read.
    pub(super) fn resolve(&self, at: Branch) -> Branch {
        match self.branches.get(at.0 as usize) {
            Some(children) if !children.whole => at,
            _ => Branch::WHOLE,
        }
    }

    /// Whether no member is read.
    pub(super) fn is_leaf(&self, at: Branch) -> bool {
        self.branches.get(at.0 as usize).is_some_and(|children| !children.whole && children.members.is_empty())
    }

    /// Where a member stands among those that are read, and its branch.
    pub(super) fn find(&self, at: Branch, name: Symbol) -> Option<(usize, Branch)> {
        let children = self.branches.get(at.0 as usize)?;
        if children.filter & 1 << (name.index() % 64) == 0 {
            return None;
        }
        let position = children.members.binary_search_by_key(&name, |member| member.0).ok()?;
        Some((position, children.members[position].1))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]
mod tests {
    use super::super::symbols::Symbols;
    use super::*;

    #[test]
    fn members_are_added_once_and_found() {
        let mut symbols = Symbols::new();
        let names: Vec<_> = (0..200).map(|number| symbols.intern(&format!("member{number}"))).collect();
        let mut projection = Projection::new();
        let branches: Vec<_> =
            names.iter().rev().step_by(2).map(|name| projection.member(Projection::ROOT, *name)).collect();
        for (name, branch) in names.iter().rev().step_by(2).zip(&branches) {
            assert_eq!(projection.member(Projection::ROOT, *name), *branch);
            assert_eq!(projection.find(Projection::ROOT, *name).unwrap().1, *branch);
            assert_eq!(projection.find(*branch, *name), None);
            assert!(projection.is_leaf(*branch));
        }
        assert!(names.iter().step_by(2).all(|name| projection.find(Projection::ROOT, *name).is_none()));
    }

    #[test]
    fn what_another_reads_is_added() {
        let mut symbols = Symbols::new();
        let [code, coding, text] = ["code", "coding", "text"].map(|name| symbols.intern(name));
        let mut one = Projection::new();
        let at = one.member(Projection::ROOT, code);
        one.member(at, coding);
        let mut two = Projection::new();
        let at = two.member(Projection::ROOT, code);
        let at = two.member(at, text);
        two.whole(at);
        one.add(&two);
        let (_, at) = one.find(Projection::ROOT, code).unwrap();
        let (_, below) = one.find(at, text).unwrap();
        assert_eq!(one.resolve(below), Branch::WHOLE);
        assert!(one.is_leaf(one.find(at, coding).unwrap().1));
    }
}
