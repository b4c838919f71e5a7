//! An Arrow IPC stream, message by message.

use arrow::buffer::Buffer;
use arrow::ipc::{Message as Header, root_as_message_with_opts};
use bytes::Bytes;
use flatbuffers::VerifierOptions;

use super::malformed;
use crate::ingest::error::DecodeError;

/// Tables in the header of a message: a schema of every column, each with its type and some metadata, has a few hundred.
const TABLES: usize = 4_096;

/// A message, and the data that belongs to it.
pub(super) struct Message<'a> {
    /// What it is and where its data lies.
    pub(super) header: Header<'a>,
    /// How long the header is.
    pub(super) header_bytes: usize,
    /// The data, which stays in the body.
    pub(super) data: Buffer,
}

/// The messages of a stream, up to its end.
pub(super) struct Messages<'a> {
    body: &'a Bytes,
    buffer: Buffer,
    position: usize,
}

impl<'a> Messages<'a> {
    pub(super) fn of(body: &'a Bytes) -> Self {
        Self { body, buffer: Buffer::from(body.clone()), position: 0 }
    }

    /// The next message; none at the end of the body or at the mark of the end.
    ///
    /// Parts of a header may be pointed at more than once, and are read as often: a header may be read as at most twice
    /// its own length.
    pub(super) fn next(&mut self) -> Result<Option<Message<'a>>, DecodeError> {
        const CONTINUATION: u32 = u32::MAX;
        if self.position == self.body.len() {
            return Ok(None);
        }
        let mut length = self.number()?;
        if length == CONTINUATION {
            length = self.number()?;
        }
        if length == 0 {
            return match self.position == self.body.len() {
                true => Ok(None),
                false => Err(malformed("there is something after its end")),
            };
        }
        let header = self.take(length.into())?;
        let options = VerifierOptions {
            max_tables: TABLES,
            max_apparent_size: 2 * header.len() + (64 << 10),
            ..VerifierOptions::default()
        };
        let header_bytes = header.len();
        let header = root_as_message_with_opts(&options, header).map_err(|error| malformed(&error.to_string()))?;
        let start = self.position;
        let data = u64::try_from(header.bodyLength()).map_err(|_| malformed("a message has a negative length"))?;
        let length = self.take(data)?.len();
        Ok(Some(Message { header, header_bytes, data: self.buffer.slice_with_length(start, length) }))
    }

    fn number(&mut self) -> Result<u32, DecodeError> {
        let bytes = self.take(4)?.first_chunk::<4>();
        bytes.map(|bytes| u32::from_le_bytes(*bytes)).ok_or_else(broken_off)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let end = usize::try_from(length).ok().and_then(|length| self.position.checked_add(length));
        let taken = end.and_then(|end| self.body.get(self.position..end)).ok_or_else(broken_off)?;
        self.position += taken.len();
        Ok(taken)
    }
}

fn broken_off() -> DecodeError {
    malformed("it breaks off in the middle of a message")
}
