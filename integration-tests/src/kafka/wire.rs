//! Kafka's protocol by hand, for the few questions that the client library does not ask.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context;

/// How long one answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// A request's or an answer's version with (`Flexible`) or without compact fields and tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Flexible,
}

/// Writes a request's body.
#[derive(Debug, Default)]
pub(super) struct Body {
    bytes: Vec<u8>,
}

impl Body {
    pub(super) fn int8(mut self, value: i8) -> Self {
        self.bytes.extend(value.to_be_bytes());
        self
    }

    pub(super) fn int32(mut self, value: i32) -> Self {
        self.bytes.extend(value.to_be_bytes());
        self
    }

    /// A string with a length of 16 bits.
    pub(super) fn string(mut self, text: &str) -> Self {
        let length = i16::try_from(text.len()).expect("names are short");
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(text.as_bytes());
        self
    }

    /// The length of a compact string or array.
    pub(super) fn compact_length(mut self, length: usize) -> Self {
        let mut rest = length + 1;
        while rest >= 0x80 {
            self.bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
        self
    }

    pub(super) fn compact_string(self, text: &str) -> Self {
        let mut body = self.compact_length(text.len());
        body.bytes.extend(text.as_bytes());
        body
    }

    /// No tagged fields.
    pub(super) fn no_tags(mut self) -> Self {
        self.bytes.push(0);
        self
    }
}

/// Asks a broker.
pub(super) fn ask(server: &str, api: i16, version: i16, form: Form, body: Body) -> anyhow::Result<Answer> {
    let address = server.parse().with_context(|| format!("{server} is no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_nodelay(true)?;
    let mut request = Body::default().int32(0);
    request.bytes.extend(api.to_be_bytes());
    request.bytes.extend(version.to_be_bytes());
    request = request.int32(1).string("testkit");
    if form == Form::Flexible {
        request = request.no_tags();
    }
    request.bytes.extend(body.bytes);
    let length = i32::try_from(request.bytes.len() - 4)?;
    request.bytes[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&request.bytes)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length))?;
    anyhow::ensure!(length <= 16 << 20, "an answer of {length} bytes is none");
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    let mut answer = Answer { bytes, at: 0 };
    anyhow::ensure!(answer.int32()? == 1, "the answer is to another question");
    if form == Form::Flexible {
        answer.tags()?;
    }
    Ok(answer)
}

/// Reads an answer from front to back.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take(&mut self, length: usize) -> anyhow::Result<&[u8]> {
        let end = self.at.checked_add(length).context("a length is out of range")?;
        let taken = self.bytes.get(self.at..end).context("the answer ends early")?;
        self.at = end;
        Ok(taken)
    }

    pub(super) fn int16(&mut self) -> anyhow::Result<i16> {
        Ok(i16::from_be_bytes(self.take(2)?.try_into()?))
    }

    pub(super) fn int32(&mut self) -> anyhow::Result<i32> {
        Ok(i32::from_be_bytes(self.take(4)?.try_into()?))
    }

    pub(super) fn int64(&mut self) -> anyhow::Result<i64> {
        Ok(i64::from_be_bytes(self.take(8)?.try_into()?))
    }

    /// A string with a length of 16 bits; null is empty.
    pub(super) fn string(&mut self) -> anyhow::Result<String> {
        let length = usize::try_from(self.int16()?).unwrap_or_default();
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn varint(&mut self) -> anyhow::Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = usize::from(self.take(1)?[0]);
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        anyhow::bail!("a length does not end")
    }

    /// The length of a compact string or array; null is empty.
    pub(super) fn compact_length(&mut self) -> anyhow::Result<usize> {
        Ok(self.varint()?.saturating_sub(1))
    }

    pub(super) fn compact_string(&mut self) -> anyhow::Result<String> {
        let length = self.compact_length()?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// Passes over tagged fields.
    pub(super) fn tags(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.varint()? {
            self.varint()?;
            let length = self.varint()?;
            self.take(length)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_lengths_are_read_as_they_are_written() {
        for length in [0, 1, 126, 127, 128, 300, 20_000] {
            let mut answer = Answer { bytes: Body::default().compact_length(length).bytes, at: 0 };
            assert_eq!(answer.compact_length().expect("it is whole"), length);
            assert!(answer.int16().is_err(), "nothing is left");
        }
    }
}
