//! Rows that a server has sent, out of their Arrow stream.

use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};

use super::database::DatabaseError;
use crate::batch::{BatchStream, ReadError};

/// Reads an Arrow stream from its bytes.
pub(super) async fn batches<S>(bytes: S) -> Result<BatchStream, DatabaseError>
where
    S: Stream<Item = Result<Bytes, DatabaseError>> + Send + Unpin + 'static,
{
    let mut incoming = Incoming { bytes, unread: Buffer::default(), decoder: StreamDecoder::new() };
    let first = incoming.next().await?;
    let Some(schema) = incoming.decoder.schema() else { return Err(broken("it ended before it began").into()) };
    let rest = stream::try_unfold(incoming, |mut incoming| async {
        Ok(incoming.next().await?.map(|batch| (batch, incoming)))
    });
    Ok(BatchStream::new(schema, stream::iter(first.map(Ok)).chain(rest)))
}

/// An Arrow stream on its way in.
struct Incoming<S> {
    bytes: S,
    unread: Buffer,
    decoder: StreamDecoder,
}

impl<S: Stream<Item = Result<Bytes, DatabaseError>> + Unpin> Incoming<S> {
    async fn next(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        loop {
            if let Some(batch) = self.decoder.decode(&mut self.unread).map_err(broken)? {
                return Ok(Some(batch));
            }
            match self.bytes.next().await {
                Some(Ok(chunk)) => self.unread = Buffer::from(chunk),
                Some(Err(error)) => return Err(ReadError::Failed(error.to_string())),
                None => return self.decoder.finish().map(|()| None).map_err(broken),
            }
        }
    }
}

fn broken(error: impl std::fmt::Display) -> ReadError {
    ReadError::Failed(format!("the answer broke off: {error}"))
}
