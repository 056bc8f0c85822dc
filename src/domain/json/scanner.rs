//! Walking over JSON text from front to back, checking what it passes (RFC 8259).
//!
//! ```text
//! text -> 64 bytes: where are quotes, and what strings must not hold as it stands   (no branch per byte)
//!      -> Scanner: next / take / string / name / scalar, members / elements, and skip: a whole value, without recursion
//! ```
//!
//! What is passed over is as well-formed as what is read. Beyond syntax the scanner remembers what a resource must not
//! have ([`Scanner::take_flaw`]): too many levels, half a surrogate pair.

use std::borrow::Cow;

use self::block::{BLOCK, Block, above, below, last_block};
use super::{Flaw, MAX_DEPTH, Malformed, escaped_unit};

mod block;

/// A position in a text. Small and without references to itself, so that loops can keep it in registers.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    block: Block,
    /// Where the block ends.
    block_end: usize,
    too_deep: bool,
    lone_surrogate: bool,
}

/// The name of a member.
#[derive(Debug)]
pub(in crate::domain) struct Name<'a> {
    /// Without its escapes: borrowed if it has none.
    pub(in crate::domain) text: Cow<'a, str>,
    /// Where its opening quote stands.
    pub(in crate::domain) start: usize,
    /// Where it ends, behind its closing quote.
    pub(in crate::domain) end: usize,
}

impl Name<'_> {
    pub(in crate::domain) fn is_escaped(&self) -> bool {
        matches!(self.text, Cow::Owned(_))
    }
}

impl<'a> Scanner<'a> {
    pub(in crate::domain) fn new(text: &'a str) -> Self {
        Self { text, at: 0, block: Block::default(), block_end: 0, too_deep: false, lone_surrogate: false }
    }

    /// The position of the next byte.
    #[inline]
    pub(in crate::domain) fn at(&self) -> usize {
        self.at
    }

    /// Goes to a position outside of strings.
    #[inline]
    pub(in crate::domain) fn go_to(&mut self, at: usize) {
        self.at = at;
        self.block = Block::default();
        self.block_end = at;
    }

    /// The text from a position on to the next byte.
    #[inline]
    pub(in crate::domain) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// What was found since it was taken last. Of two flaws it is the depth.
    pub(in crate::domain) fn take_flaw(&mut self) -> Option<Flaw> {
        let lone = self.lone_surrogate.then_some(Flaw::LoneSurrogate);
        let flaw = self.too_deep.then_some(Flaw::TooDeep).or(lone);
        (self.too_deep, self.lone_surrogate) = (false, false);
        flaw
    }

    /// The next byte that is no white space, not taken; 0 at the end.
    #[inline(always)]
    pub(in crate::domain) fn next(&mut self) -> u8 {
        let byte = self.peek();
        if byte > b' ' {
            return byte;
        }
        self.at = behind_space(self.text.as_bytes(), self.at);
        self.peek()
    }

    /// Takes the byte that [`Scanner::next`] showed.
    #[inline]
    pub(in crate::domain) fn take(&mut self) {
        self.at += 1;
    }

    /// Takes this byte, behind white space.
    #[inline]
    pub(in crate::domain) fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.next() != byte {
            return Err(Malformed);
        }
        self.take();
        Ok(())
    }

    /// Takes a string whose opening quote is next. Tells whether it has escapes.
    #[inline(always)]
    pub(in crate::domain) fn string(&mut self) -> Result<bool, Malformed> {
        let start = self.at;
        while self.block.quotes == 0 {
            self.load()?;
        }
        let mut special = self.block.special & above(self.block.quotes);
        self.block.quotes &= self.block.quotes - 1;
        let mut found = false;
        while self.block.quotes == 0 {
            found |= special != 0;
            self.load()?;
            special = self.block.special;
        }
        let quote = self.block.quotes.trailing_zeros();
        found |= special & below(quote) != 0;
        self.block.quotes &= self.block.quotes - 1;
        self.at = self.block_end - BLOCK + quote as usize + 1;
        if !found {
            return Ok(false);
        }
        let found = check_string(&self.text.as_bytes()[start + 1..self.at - 1])?;
        self.lone_surrogate |= found.lone_surrogate;
        Ok(found.escaped)
    }

    /// Looks at the next block.
    #[inline(always)]
    fn load(&mut self) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.block_end..).unwrap_or_default();
        self.block = match rest.first_chunk::<BLOCK>() {
            Some(bytes) => Block::of(bytes, self.block.escapes_next),
            None => last_block(rest, self.block.escapes_next)?,
        };
        self.block_end += BLOCK;
        Ok(())
    }

    /// Takes the name of a member and the colon. Tells where the name ends, behind its quote, and whether it has escapes.
    #[inline(always)]
    pub(in crate::domain) fn name(&mut self) -> Result<(usize, bool), Malformed> {
        if self.next() != b'"' {
            return Err(Malformed);
        }
        let is_escaped = self.string()?;
        let end = self.at;
        self.expect(b':')?;
        Ok((end, is_escaped))
    }

    /// Takes a value, behind white space, that stands inside of so many objects and arrays.
    #[inline]
    pub(in crate::domain) fn skip(&mut self, levels: usize) -> Result<(), Malformed> {
        match self.next() {
            b'"' => self.string().map(drop),
            b'{' | b'[' => {
                let mut walker = *self;
                walker.skip_container(levels)?;
                *self = walker;
                Ok(())
            }
            _ => self.scalar(),
        }
    }

    /// Takes a number, `true`, `false` or `null` that is next.
    #[inline(always)]
    pub(in crate::domain) fn scalar(&mut self) -> Result<(), Malformed> {
        self.at = scalar_end(self.text.as_bytes(), self.at)?;
        Ok(())
    }

    /// Takes a value as [`Scanner::skip`] does, and gives its text.
    #[inline]
    pub(in crate::domain) fn value(&mut self, levels: usize) -> Result<&'a str, Malformed> {
        self.next();
        let start = self.at;
        self.skip(levels)?;
        Ok(self.since(start))
    }

    /// Takes an object, behind white space. `visit` gets the name of each member and must take its value.
    #[inline]
    pub(in crate::domain) fn members(
        &mut self,
        mut visit: impl FnMut(&Name<'a>, &mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.expect(b'{')?;
        if self.next() == b'}' {
            self.take();
            return Ok(());
        }
        loop {
            self.next();
            let start = self.at;
            let (end, is_escaped) = self.name()?;
            let name = Name { text: unescaped(self.text.get(start..end), is_escaped)?, start, end };
            visit(&name, self)?;
            let byte = self.next();
            self.take();
            match byte {
                b',' => {}
                b'}' => return Ok(()),
                _ => return Err(Malformed),
            }
        }
    }

    /// Takes an array, behind white space, and gives the texts of its elements.
    pub(in crate::domain) fn elements(&mut self) -> Result<Vec<&'a str>, Malformed> {
        self.expect(b'[')?;
        let mut elements = Vec::new();
        if self.next() == b']' {
            self.take();
            return Ok(elements);
        }
        loop {
            elements.push(self.value(1)?);
            let byte = self.next();
            self.take();
            match byte {
                b',' => {}
                b']' => return Ok(elements),
                _ => return Err(Malformed),
            }
        }
    }

    /// Ends the text.
    ///
    /// # Errors
    /// When more than white space is left.
    pub(in crate::domain) fn end(&mut self) -> Result<(), Malformed> {
        self.next();
        if self.at >= self.text.len() { Ok(()) } else { Err(Malformed) }
    }

    /// Takes an object or an array whose opening bracket is next.
    #[inline(always)]
    fn skip_container(&mut self, levels: usize) -> Result<(), Malformed> {
        let mut open = Levels::default();
        let mut deepest = 0;
        loop {
            // A value is next.
            match self.next() {
                b'"' => {
                    self.string()?;
                }
                bracket @ (b'{' | b'[') => {
                    let is_object = bracket == b'{';
                    self.take();
                    open.push(is_object);
                    deepest = deepest.max(open.depth);
                    if self.next() != bracket + 2 {
                        if is_object {
                            self.name()?;
                        }
                        continue;
                    }
                    open.pop();
                    self.take();
                }
                _ => self.scalar()?,
            }
            // A value is behind.
            loop {
                if open.depth == 0 {
                    self.too_deep |= levels + deepest > MAX_DEPTH;
                    return Ok(());
                }
                let is_object = open.is_in_object();
                let byte = self.next();
                self.take();
                if byte == b',' {
                    if is_object {
                        self.name()?;
                    }
                    break;
                }
                if byte != if is_object { b'}' } else { b']' } {
                    return Err(Malformed);
                }
                open.pop();
            }
        }
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }
}

/// What a string in its quotes stands for.
#[inline]
fn unescaped(quoted: Option<&str>, is_escaped: bool) -> Result<Cow<'_, str>, Malformed> {
    let quoted = quoted.ok_or(Malformed)?;
    if is_escaped {
        return super::string(quoted).ok_or(Malformed);
    }
    quoted.get(1..quoted.len() - 1).map(Cow::Borrowed).ok_or(Malformed)
}

fn behind_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// What a string holds that most do not.
struct Found {
    escaped: bool,
    lone_surrogate: bool,
}

/// Looks at what stands between quotes and has backslashes or control characters.
#[cold]
fn check_string(bytes: &[u8]) -> Result<Found, Malformed> {
    let mut found = Found { escaped: false, lone_surrogate: false };
    let mut position = 0;
    while let Some(byte) = bytes.get(position) {
        match byte {
            0..=0x1F => return Err(Malformed),
            b'\\' => {
                found.escaped = true;
                position += escape_length(bytes, position, &mut found.lone_surrogate)?;
            }
            _ => position += 1,
        }
    }
    Ok(found)
}

/// How many bytes the escape at this position takes.
fn escape_length(bytes: &[u8], position: usize, lone_surrogate: &mut bool) -> Result<usize, Malformed> {
    match bytes.get(position + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(2),
        Some(b'u') => {}
        _ => return Err(Malformed),
    }
    match escaped_unit(bytes, position).ok_or(Malformed)? {
        0xD800..=0xDBFF if matches!(escaped_unit(bytes, position + 6), Some(0xDC00..=0xDFFF)) => return Ok(12),
        0xD800..=0xDFFF => *lone_surrogate = true,
        _ => {}
    }
    Ok(6)
}

fn scalar_end(bytes: &[u8], at: usize) -> Result<usize, Malformed> {
    let word: &[u8] = match bytes.get(at) {
        Some(b't') => b"true",
        Some(b'f') => b"false",
        Some(b'n') => b"null",
        _ => return number_end(bytes, at),
    };
    if bytes[at..].starts_with(word) { Ok(at + word.len()) } else { Err(Malformed) }
}

fn number_end(bytes: &[u8], mut at: usize) -> Result<usize, Malformed> {
    let peek = |at: usize| bytes.get(at).copied().unwrap_or_default();
    at += usize::from(peek(at) == b'-');
    at = if peek(at) == b'0' { at + 1 } else { digits_end(bytes, at)? };
    if peek(at) == b'.' {
        at = digits_end(bytes, at + 1)?;
    }
    if peek(at) | 0x20 == b'e' {
        at += 1;
        at += usize::from(matches!(peek(at), b'+' | b'-'));
        at = digits_end(bytes, at)?;
    }
    Ok(at)
}

#[inline]
fn digits_end(bytes: &[u8], start: usize) -> Result<usize, Malformed> {
    let mut at = start;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    if at == start { Err(Malformed) } else { Ok(at) }
}

/// Which of the open brackets are those of objects, one bit each.
#[derive(Default)]
struct Levels {
    depth: usize,
    /// The innermost 64.
    inner: u64,
    /// Further out, the outermost first.
    outer: Vec<u64>,
}

impl Levels {
    #[inline]
    fn push(&mut self, is_object: bool) {
        if self.depth.is_multiple_of(64) && self.depth > 0 {
            spill(&mut self.outer, self.inner);
        }
        self.inner = self.inner << 1 | u64::from(is_object);
        self.depth += 1;
    }

    #[inline]
    fn pop(&mut self) {
        self.depth -= 1;
        self.inner >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.inner = self.outer.pop().unwrap_or_default();
        }
    }

    #[inline]
    fn is_in_object(&self) -> bool {
        self.inner & 1 == 1
    }
}

#[cold]
fn spill(outer: &mut Vec<u64>, inner: u64) {
    outer.push(inner);
}

#[cfg(test)]
mod tests;
