//! Reading a text into nodes: one pass, no recursion; where the places of the resource's members are known, only those are
//! looked at that are read.

use super::settle::{self, WIDE};
use super::{Flags, Kind, Node, TreeBuffer, Unread, unescaped_into};
use crate::domain::fhirpath::compiled::projection::{Branch, Projection};
use crate::domain::fhirpath::compiled::symbols::{Symbol, Symbols, bit_of};
use crate::domain::json::{MAX_DEPTH, Malformed, ObjectText, Scanner};

/// An object or array that is not yet at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    node: u32,
    branch: Branch,
    /// A bit for each member so far; see [`Projection::find`].
    seen: u64,
    children: u32,
    closing: u8,
    is_at_start: bool,
    /// Whether a member may stand twice.
    doubled: bool,
}

struct Reader<'a, 'r> {
    text: &'a str,
    scanner: Scanner<'a>,
    buffer: &'r mut TreeBuffer,
    projection: &'r Projection,
    symbols: &'r Symbols,
    /// How many nodes there may be.
    most: usize,
    /// The innermost object or array; those around it are in the buffer.
    frame: Frame,
}

/// Where the name of a member stands, with its quotes.
struct Name {
    start: usize,
    end: usize,
    is_escaped: bool,
}

/// A member that is read.
struct Member {
    symbol: Symbol,
    name_start: usize,
    branch: Branch,
}

/// What is around the root.
const OUTSIDE: Frame =
    Frame { node: 0, branch: Projection::ROOT, seen: 0, children: 0, closing: 0, is_at_start: false, doubled: false };

pub(super) fn read(
    buffer: &mut TreeBuffer,
    object: ObjectText<'_>,
    projection: &Projection,
    symbols: &Symbols,
    most: usize,
) -> Result<(), Unread> {
    let ObjectText { text, places } = object;
    if u32::try_from(text.len()).is_err() {
        return Err(Unread::Malformed);
    }
    let mut reader = Reader { text, scanner: Scanner::new(text), buffer, projection, symbols, most, frame: OUTSIDE };
    let root = Member { symbol: Symbol::UNKNOWN, name_start: 0, branch: Projection::ROOT };
    if places.is_empty() {
        reader.value(&root)?;
        reader.inside(0)?;
        reader.scanner.end()?;
        return Ok(());
    }
    reader.open(&root, b'{')?;
    for place in places {
        let name = Name { start: place.name as usize, end: place.name_end as usize, is_escaped: place.is_escaped };
        if let Some(member) = reader.known(&name)? {
            reader.scanner.go_to(place.value as usize);
            reader.value(&member)?;
            reader.inside(1)?;
        }
    }
    reader.scanner.go_to(text.len() - 1);
    reader.close();
    Ok(())
}

impl Reader<'_, '_> {
    /// Reads on until only so many objects and arrays are open.
    fn inside(&mut self, open: usize) -> Result<(), Unread> {
        while self.buffer.frames.len() > open {
            match self.scanner.next() {
                byte if byte == self.frame.closing => {
                    self.close();
                    continue;
                }
                b',' if !self.frame.is_at_start => self.scanner.take(),
                _ if self.frame.is_at_start => {}
                _ => return Err(Unread::Malformed),
            }
            self.frame.is_at_start = false;
            if self.frame.closing == b']' {
                self.value(&Member { symbol: Symbol::UNKNOWN, name_start: 0, branch: self.frame.branch })?;
            } else if let Some(member) = self.member()? {
                self.value(&member)?;
            } else {
                self.scanner.skip(0)?;
            }
        }
        Ok(())
    }

    /// Reads the name of a member and the colon; `None` if the member is not read.
    #[inline]
    fn member(&mut self) -> Result<Option<Member>, Malformed> {
        self.scanner.next();
        let start = self.scanner.at();
        let (end, is_escaped) = self.scanner.name()?;
        self.known(&Name { start, end, is_escaped })
    }

    /// The member of this name in the innermost object, if it is read.
    #[inline]
    fn known(&mut self, name: &Name) -> Result<Option<Member>, Malformed> {
        let Name { start: name_start, end, is_escaped } = *name;
        let raw = self.text.get(name_start..end).ok_or(Malformed)?;
        let name = unescaped_into(raw, is_escaped, &mut self.buffer.text).ok_or(Malformed)?;
        let symbol = self.symbols.get(name);
        let frame = &mut self.frame;
        let (branch, bit) = if frame.branch == Branch::WHOLE {
            (Branch::WHOLE, bit_of(name))
        } else {
            let found = symbol.and_then(|symbol| self.projection.find(frame.branch, symbol));
            let Some((position, branch)) = found else { return Ok(None) };
            (branch, (position % 64) as u8)
        };
        frame.doubled |= frame.seen & 1 << bit != 0;
        frame.seen |= 1 << bit;
        frame.children += 1;
        Ok(Some(Member { symbol: symbol.unwrap_or(Symbol::UNKNOWN), name_start, branch }))
    }

    /// Reads a value into a node. An object or array that is yet to be read becomes the innermost.
    #[inline]
    fn value(&mut self, member: &Member) -> Result<(), Unread> {
        let first = self.scanner.next();
        let start = self.scanner.at();
        let (mut kind, mut flags) = (Kind::Object, Flags::NONE);
        match first {
            b'{' if self.projection.is_leaf(member.branch) => self.scanner.skip(0)?,
            b'{' | b'[' => return self.open(member, first),
            b'"' => {
                kind = Kind::String;
                if self.scanner.string()? {
                    flags = Flags::ESCAPED;
                }
            }
            _ => {
                kind = match first {
                    b't' => Kind::True,
                    b'f' => Kind::False,
                    b'n' => Kind::Null,
                    _ => Kind::Number,
                };
                self.scanner.scalar()?;
            }
        }
        let end = self.scanner.at();
        self.push(member, kind, flags, start, end)
    }

    fn open(&mut self, member: &Member, bracket: u8) -> Result<(), Unread> {
        if self.buffer.frames.len() == MAX_DEPTH {
            return Err(Unread::Malformed);
        }
        self.buffer.frames.push(self.frame);
        let (kind, closing) = if bracket == b'{' { (Kind::Object, b'}') } else { (Kind::Array, b']') };
        self.frame = Frame {
            node: self.buffer.nodes.len() as u32,
            branch: self.projection.resolve(member.branch),
            closing,
            is_at_start: true,
            ..OUTSIDE
        };
        let start = self.scanner.at();
        self.push(member, kind, Flags::NONE, start, start)?;
        self.scanner.take();
        Ok(())
    }

    #[inline]
    fn push(&mut self, member: &Member, kind: Kind, flags: Flags, start: usize, end: usize) -> Result<(), Unread> {
        if self.buffer.nodes.len() == self.most {
            return Err(Unread::TooLarge);
        }
        self.buffer.nodes.push(Node {
            start: start as u32,
            end: end as u32,
            span: 1,
            name_start: member.name_start as u32,
            name: member.symbol,
            kind,
            flags,
        });
        Ok(())
    }

    fn close(&mut self) {
        self.scanner.take();
        let frame = self.frame;
        let object = frame.node as usize;
        let nodes = &mut self.buffer.nodes;
        let span = nodes.len() - object;
        nodes[object].end = self.scanner.at() as u32;
        nodes[object].span = span as u32;
        let is_wide = frame.branch == Branch::WHOLE && frame.children >= WIDE;
        if frame.doubled || is_wide {
            settle::settle(self.text, self.buffer, object, is_wide);
        }
        self.frame = self.buffer.frames.pop().unwrap_or(OUTSIDE);
    }
}
