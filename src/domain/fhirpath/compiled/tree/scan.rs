//! Walking over JSON text byte by byte.
//!
//! What is skipped is only balanced, not checked: the text has been checked before. On any other text a scan ends in
//! [`Malformed`] or at some position inside of the text.

use memchr::memchr2;

use super::Malformed;

/// A position in a text.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// How many bytes are looked at together, and how many such words of a string before a vectorised search takes over: that
/// one costs more in short strings.
const WORD: usize = size_of::<u64>();
const SHORT: usize = 4;

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0 }
    }

    /// The position of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next byte that is no white space, not taken; 0 at the end.
    #[inline]
    pub(super) fn next(&mut self) -> u8 {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return *byte;
            }
            self.at += 1;
        }
        0
    }

    /// Takes the byte that [`Scanner::next`] showed.
    #[inline]
    pub(super) fn take(&mut self) {
        self.at += 1;
    }

    /// Takes this byte, behind white space.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.next() != byte {
            return Err(Malformed);
        }
        self.take();
        Ok(())
    }

    /// Whether nothing but white space is left.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.next();
        self.at >= self.bytes.len()
    }

    /// Takes a string whose opening quote is next. Tells whether it has escapes.
    #[inline]
    pub(super) fn string(&mut self) -> Result<bool, Malformed> {
        self.at += 1;
        for _ in 0..SHORT {
            let Some(word) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<WORD>) else { break };
            let word = u64::from_le_bytes(*word);
            let found = first_bytes(word, b'"') | first_bytes(word, b'\\');
            if found == 0 {
                self.at += WORD;
                continue;
            }
            self.at += found.trailing_zeros() as usize / 8;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(false);
            }
            break;
        }
        self.rest_of_string()
    }

    fn rest_of_string(&mut self) -> Result<bool, Malformed> {
        let mut escaped = false;
        loop {
            let rest = self.bytes.get(self.at..).ok_or(Malformed)?;
            let offset = memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
            self.at += offset + 1;
            if rest[offset] == b'"' {
                return Ok(escaped);
            }
            escaped = true;
            self.at += 1;
        }
    }

    /// Takes a number (RFC 8259) that is next.
    pub(super) fn number(&mut self) -> Result<(), Malformed> {
        if self.peek() == b'-' {
            self.take();
        }
        if self.peek() == b'0' {
            self.take();
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.take();
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.take();
            if matches!(self.peek(), b'+' | b'-') {
                self.take();
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Takes this word.
    pub(super) fn word(&mut self, word: &str) -> Result<(), Malformed> {
        if !self.bytes.get(self.at..).unwrap_or_default().starts_with(word.as_bytes()) {
            return Err(Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes a value of which nothing is read, behind white space.
    #[inline]
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        match self.next() {
            b'"' => self.string().map(drop),
            b'{' | b'[' => self.skip_container(),
            0 | b',' | b':' | b'}' | b']' => Err(Malformed),
            _ => {
                self.skip_word();
                Ok(())
            }
        }
    }

    /// Takes an object or an array whose opening bracket is next.
    pub(super) fn skip_container(&mut self) -> Result<(), Malformed> {
        let mut open = 0_usize;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' if open <= 1 => {
                    self.take();
                    return Ok(());
                }
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
        }
        Err(Malformed)
    }

    fn skip_word(&mut self) {
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t');
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.take();
        }
        if self.at == start { Err(Malformed) } else { Ok(()) }
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }
}

/// The top bit of the first byte of the word that is this one; bits of later bytes are of no meaning.
#[inline]
fn first_bytes(word: u64, byte: u8) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([0x01; WORD]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; WORD]);
    let zero_where_equal = word ^ (LOW * u64::from(byte));
    zero_where_equal.wrapping_sub(LOW) & !zero_where_equal & HIGH
}
