//! The names of JSON members that some program reads, as small numbers.
//!
//! Interned while criteria are compiled; at an event a name is compared once, when its member is read into the tree, and
//! every later look-up compares numbers.

/// The name of a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Symbol(u16);

/// All names that are known.
#[derive(Clone, Default, Debug)]
pub(super) struct Symbols {
    names: Vec<Box<str>>,
    /// By [`Symbols::slot`] of the key, open addressing; its length is a power of two, at least four times that of
    /// `names`, so that most names that are not known end at the first look.
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u64,
    symbol: Symbol,
}

impl Symbol {
    /// The name of a member that no program reads by name.
    pub(super) const UNKNOWN: Self = Self(u16::MAX);

    /// A small number, given in the order in which names came.
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl Slot {
    const EMPTY: Self = Self { key: 0, symbol: Symbol::UNKNOWN };
}

impl Symbols {
    /// No names.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The symbol of this name, new or not. When all 65,535 are given away: [`Symbol::UNKNOWN`], under which nothing is
    /// ever found; check [`Symbols::is_full`] when compiling.
    pub(super) fn intern(&mut self, name: &str) -> Symbol {
        if let Some(known) = self.get(name) {
            return known;
        }
        let Some(number) = u16::try_from(self.names.len()).ok().filter(|_| !self.is_full()) else {
            return Symbol::UNKNOWN;
        };
        self.names.push(name.into());
        if self.names.len() * 4 > self.slots.len() {
            self.grow();
        } else {
            self.put(Slot { key: key(name.as_bytes()), symbol: Symbol(number) });
        }
        Symbol(number)
    }

    /// Whether no further name can be taken.
    pub(super) fn is_full(&self) -> bool {
        self.names.len() >= Symbol::UNKNOWN.index()
    }

    /// The symbol of this name, if some program reads it.
    pub(super) fn get(&self, name: &str) -> Option<Symbol> {
        if self.slots.is_empty() {
            return None;
        }
        let key = key(name.as_bytes());
        let mut position = self.slot(key);
        loop {
            let slot = self.slots[position];
            if slot.symbol == Symbol::UNKNOWN {
                return None;
            }
            if slot.key == key && *self.names[slot.symbol.index()] == *name {
                return Some(slot.symbol);
            }
            position = (position + 1) & (self.slots.len() - 1);
        }
    }

    /// The name of a symbol; empty for one that is not of this table.
    #[cfg(test)]
    pub(super) fn name(&self, symbol: Symbol) -> &str {
        self.names.get(symbol.index()).map_or("", |name| name)
    }

    fn slot(&self, key: u64) -> usize {
        // The upper bits of a product depend on all bits of the key.
        (mix(key) >> 32) as usize & (self.slots.len() - 1)
    }

    fn put(&mut self, slot: Slot) {
        let mut position = self.slot(slot.key);
        while self.slots[position].symbol != Symbol::UNKNOWN {
            position = (position + 1) & (self.slots.len() - 1);
        }
        self.slots[position] = slot;
    }

    fn grow(&mut self) {
        self.slots = vec![Slot::EMPTY; (self.names.len() * 8).next_power_of_two()];
        for number in 0..self.names.len() {
            let key = key(self.names[number].as_bytes());
            self.put(Slot { key, symbol: Symbol(number as u16) });
        }
    }
}

/// A number that tells most names apart: the length, and the first and last bytes.
#[inline]
fn key(name: &[u8]) -> u64 {
    let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(first), Some(last)) => (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()),
            _ => name.iter().fold((0, 0), |(first, last), byte| (first << 8 | u64::from(*byte), last)),
        },
    };
    first ^ last.rotate_left(29) ^ (name.len() as u64) << 56
}

/// Spreads a key over all bits.
pub(super) fn mix(key: u64) -> u64 {
    let product = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    product ^ product >> 29
}

/// A number below 64: where it differs, the names do.
pub(super) fn bit_of(name: &str) -> u8 {
    (mix(key(name.as_bytes())) >> 58) as u8
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_symbol() {
        let mut symbols = Symbols::new();
        let (code, text) = (symbols.intern("code"), symbols.intern("text"));
        assert_ne!(code, text);
        assert_eq!(symbols.intern("code"), code);
        assert_eq!(symbols.get("text"), Some(text));
        assert_eq!(symbols.get("other"), None);
        assert_eq!(symbols.name(text), "text");
        assert_eq!(symbols.name(Symbol::UNKNOWN), "");
    }

    #[test]
    fn names_that_look_alike_are_told_apart() {
        let mut symbols = Symbols::new();
        let names =
            ["", "a", "aa", "aaa", "value", "valueAxxng", "valueBxxng", "valueAyyng", "valueA", "\u{e9}t\u{e9}"];
        let given = names.map(|name| symbols.intern(name));
        assert_eq!(names.map(|name| symbols.get(name).unwrap()), given);
        assert_eq!(given.map(|symbol| symbols.name(symbol)), names);
        assert_eq!(symbols.get("valueCxxng"), None);
    }

    #[test]
    fn too_many_names_are_told() {
        let mut symbols = Symbols::new();
        for number in 0..usize::from(u16::MAX) {
            assert!(!symbols.is_full());
            assert_ne!(symbols.intern(&number.to_string()), Symbol::UNKNOWN);
        }
        assert!(symbols.is_full());
        assert_eq!(symbols.intern("one more"), Symbol::UNKNOWN);
        assert_eq!(symbols.get("one more"), None);
        assert_eq!(symbols.get("65534").map(Symbol::index), Some(65_534));
    }
}
