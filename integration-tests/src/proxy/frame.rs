//! Kafka's frames: a length, then a request (what is asked, its version, a number) or a response (the same number).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// No frame of a test is larger; a length beyond it is no Kafka.
const LARGEST: usize = 256 * 1024 * 1024;

/// A frame with its length in front, as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame(Vec<u8>);

impl Frame {
    /// The next frame; `None` at the end of the stream.
    pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let mut length = [0; 4];
        match from.read_exact(&mut length).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let body = usize::try_from(i32::from_be_bytes(length)).ok().filter(|body| *body <= LARGEST);
        let body = body.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a frame of Kafka's"))?;
        let mut bytes = vec![0; 4 + body];
        bytes[..4].copy_from_slice(&length);
        from.read_exact(&mut bytes[4..]).await?;
        Ok(Some(Self(bytes)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn i16_at(&self, at: usize) -> Option<i16> {
        Some(i16::from_be_bytes(self.0.get(at..at + 2)?.try_into().ok()?))
    }

    fn i32_at(&self, at: usize) -> Option<i32> {
        Some(i32::from_be_bytes(self.0.get(at..at + 4)?.try_into().ok()?))
    }

    /// The number that a request carries.
    pub(super) fn request_number(&self) -> Option<i32> {
        self.i32_at(8)
    }

    /// The number of the request that a response answers.
    pub(super) fn response_number(&self) -> Option<i32> {
        self.i32_at(4)
    }

    /// Whether a request asks for this.
    pub(super) fn asks_for(&self, api: Api) -> bool {
        self.i16_at(4) == Some(api.key())
            && match api {
                Api::CommitTxn => self.ends_with_commit() == Some(true),
                Api::AbortTxn => self.ends_with_commit() == Some(false),
                _ => true,
            }
    }

    /// The last field of `EndTxn`; from version 3 on an empty list of tagged fields follows it.
    fn ends_with_commit(&self) -> Option<bool> {
        let behind = if self.i16_at(6)? >= 3 { 2 } else { 1 };
        self.0.len().checked_sub(behind).and_then(|at| self.0.get(at)).map(|byte| *byte == 1)
    }

    /// The error code of a response to one of the requests about transactions, in the versions that librdkafka speaks:
    /// it follows the time for which the client is throttled.
    pub(super) fn error_code(&self) -> Option<i16> {
        self.i16_at(12)
    }
}

/// What a client asks a broker for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "Kafka's own names")]
pub enum Api {
    Produce,
    Fetch,
    Metadata,
    OffsetFetch,
    FindCoordinator,
    JoinGroup,
    Heartbeat,
    SyncGroup,
    InitProducerId,
    AddPartitionsToTxn,
    AddOffsetsToTxn,
    /// `EndTxn`, either way.
    EndTxn,
    /// `EndTxn` that commits.
    CommitTxn,
    /// `EndTxn` that aborts.
    AbortTxn,
    TxnOffsetCommit,
}

impl Api {
    fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Fetch => 1,
            Self::Metadata => 3,
            Self::OffsetFetch => 9,
            Self::FindCoordinator => 10,
            Self::JoinGroup => 11,
            Self::Heartbeat => 12,
            Self::SyncGroup => 14,
            Self::InitProducerId => 22,
            Self::AddPartitionsToTxn => 24,
            Self::AddOffsetsToTxn => 25,
            Self::EndTxn | Self::CommitTxn | Self::AbortTxn => 26,
            Self::TxnOffsetCommit => 28,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<Option<Frame>> {
        futures_executor::block_on(Frame::read(&mut &*bytes))
    }

    /// `EndTxn` in version 1: api 26, number 7, client `c`, id `t`, producer 1, epoch 0.
    fn end_txn(committed: u8) -> Vec<u8> {
        let mut body = vec![0, 26, 0, 1, 0, 0, 0, 7, 0, 1, b'c', 0, 1, b't'];
        body.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, committed]);
        let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        frame.extend(body);
        frame
    }

    #[test]
    fn a_commit_is_told_from_an_abort() {
        let commit = read(&end_txn(1)).unwrap().unwrap();
        let abort = read(&end_txn(0)).unwrap().unwrap();
        let asked = |frame: &Frame| [Api::EndTxn, Api::CommitTxn, Api::AbortTxn].map(|api| frame.asks_for(api));
        assert_eq!(asked(&commit), [true, true, false]);
        assert_eq!(asked(&abort), [true, false, true]);
        assert!(!commit.asks_for(Api::Produce));
        assert_eq!(commit.request_number(), Some(7));
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_or_is_no_kafka_is_an_error() {
        assert_eq!(read(&[]).unwrap(), None);
        assert!(read(&[0, 0, 0, 2, 1]).is_err());
        assert!(read(b"GET / HTTP/1.1\r\n").is_err());
        assert!(read(&[0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn what_is_too_short_for_a_field_has_none() {
        let frame = read(&[0, 0, 0, 1, 0]).unwrap().unwrap();
        assert!(!frame.asks_for(Api::CommitTxn));
        assert_eq!((frame.request_number(), frame.response_number(), frame.error_code()), (None, None, None));
    }
}
