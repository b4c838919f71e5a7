//! Drives a writer of the Arrow libraries from a stream of batches.

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::stream::{self, StreamExt};

use super::{ByteStream, CHUNK_BYTES, failed};
use crate::batch::{BatchStream, ReadError};
use crate::budget::freed;

/// A writer that takes batches and leaves bytes behind.
pub(super) trait Encoder: Send + 'static {
    /// Encodes one batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ReadError>;

    /// Ends the answer.
    fn finish(&mut self) -> Result<(), ReadError>;

    /// The bytes that are ready and not taken yet.
    fn ready(&mut self) -> &mut Vec<u8>;
}

/// The bytes of `encoder` over `batches`, in chunks of about 64 KiB or of one batch, whichever is more.
///
/// A format that takes much thought for a batch is `heavy`: it is encoded on a thread for blocking work, so that the
/// threads which serve sockets stay free.
pub(super) fn pump<E: Encoder>(encoder: Result<E, ReadError>, batches: BatchStream, heavy: bool) -> ByteStream {
    let encoder = match encoder {
        Ok(encoder) => encoder,
        Err(error) => return stream::iter([Err(error)]).boxed(),
    };
    let pump = Pump { encoder: Some(encoder), batches, heavy };
    stream::try_unfold(pump, |mut pump| async move {
        let chunk = pump.next_chunk().await?;
        Ok(chunk.map(|chunk| (chunk, pump)))
    })
    .boxed()
}

struct Pump<E> {
    /// Gone when the answer has ended.
    encoder: Option<E>,
    batches: BatchStream,
    heavy: bool,
}

impl<E: Encoder> Pump<E> {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, ReadError> {
        while let Some(mut encoder) = self.encoder.take() {
            let Some(batch) = self.batches.next().await.transpose()? else {
                encoder.finish()?;
                let rest = std::mem::take(encoder.ready());
                return Ok((!rest.is_empty()).then(|| rest.into()));
            };
            let mut encoder = if self.heavy {
                let work = move || {
                    let written = encoder.write(&batch).map(|()| encoder);
                    drop(batch);
                    freed::give_back_near_limit();
                    written
                };
                tokio::task::spawn_blocking(work).await.map_err(failed)??
            } else {
                encoder.write(&batch)?;
                encoder
            };
            let full = encoder.ready().len() >= CHUNK_BYTES;
            let chunk = full.then(|| std::mem::take(encoder.ready()));
            self.encoder = Some(encoder);
            if let Some(chunk) = chunk {
                return Ok(Some(chunk.into()));
            }
        }
        Ok(None)
    }
}
