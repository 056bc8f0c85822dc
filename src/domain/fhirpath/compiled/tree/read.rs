//! Reading a text into nodes: one pass, no recursion.

use super::scan::Scanner;
use super::settle::{self, WIDE};
use super::{Flags, Kind, MAX_DEPTH, Malformed, Node, TreeBuffer, Unread, unescaped_into};
use crate::domain::fhirpath::compiled::projection::{Branch, Projection};
use crate::domain::fhirpath::compiled::symbols::{Symbol, Symbols, bit_of};

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
    text: &str,
    projection: &Projection,
    symbols: &Symbols,
    most: usize,
) -> Result<(), Unread> {
    if u32::try_from(text.len()).is_err() {
        return Err(Unread::Malformed);
    }
    let mut reader = Reader { text, scanner: Scanner::new(text), buffer, projection, symbols, most, frame: OUTSIDE };
    reader.value(&Member { symbol: Symbol::UNKNOWN, name_start: 0, branch: Projection::ROOT })?;
    reader.inside()?;
    if reader.scanner.is_at_end() { Ok(()) } else { Err(Unread::Malformed) }
}

impl Reader<'_, '_> {
    /// Reads to the end of the root, if that is an object or an array.
    fn inside(&mut self) -> Result<(), Unread> {
        while !self.buffer.frames.is_empty() {
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
                self.frame.children += 1;
                self.value(&member)?;
            } else {
                self.scanner.skip()?;
            }
        }
        Ok(())
    }

    /// Reads the name of a member and the colon; `None` if the member is not read.
    #[inline]
    fn member(&mut self) -> Result<Option<Member>, Malformed> {
        if self.scanner.next() != b'"' {
            return Err(Malformed);
        }
        let name_start = self.scanner.at();
        let is_escaped = self.scanner.string()?;
        let raw = self.text.get(name_start..self.scanner.at()).ok_or(Malformed)?;
        self.scanner.expect(b':')?;
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
        Ok(Some(Member { symbol: symbol.unwrap_or(Symbol::UNKNOWN), name_start, branch }))
    }

    /// Reads a value into a node. An object or array that is yet to be read becomes the innermost.
    #[inline]
    fn value(&mut self, member: &Member) -> Result<(), Unread> {
        let first = self.scanner.next();
        let start = self.scanner.at();
        let (mut kind, mut flags) = (Kind::Object, Flags::NONE);
        match first {
            b'{' if self.projection.is_leaf(member.branch) => self.scanner.skip_container()?,
            b'{' | b'[' => return self.open(member, first),
            b'"' => {
                kind = Kind::String;
                if self.scanner.string()? {
                    flags = Flags::ESCAPED;
                }
            }
            b't' => kind = self.scanner.word("true").map(|()| Kind::True)?,
            b'f' => kind = self.scanner.word("false").map(|()| Kind::False)?,
            b'n' => kind = self.scanner.word("null").map(|()| Kind::Null)?,
            _ => {
                kind = Kind::Number;
                self.scanner.number()?;
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
