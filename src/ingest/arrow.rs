//! Arrow IPC streams, uncompressed or compressed with lz4 or zstd.
//!
//! Uncompressed columns of the table's own types stay where they are in the body: nothing is copied.

use arrow::buffer::Buffer;
use arrow::ipc::reader::StreamDecoder;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use super::error::DecodeError;
use super::normalise::Normaliser;
use super::{inflation, untrusted};
use crate::tables::Table;

const FORMAT: &str = "an Arrow IPC stream";

/// Every batch of the stream.
pub(super) fn stream(table: &'static Table, body: Bytes) -> Result<Vec<RecordBatch>, DecodeError> {
    inflation::bounded(&body)?;
    untrusted::read(FORMAT, || {
        let malformed = |error: arrow::error::ArrowError| untrusted::malformed(FORMAT)(&error);
        let mut rest = Buffer::from(body);
        let mut decoder = StreamDecoder::new();
        let mut normaliser = None;
        while !rest.is_empty() {
            let Some(batch) = decoder.decode(&mut rest).map_err(malformed)? else { continue };
            if normaliser.is_none() {
                normaliser = Some(Normaliser::new(table, &batch.schema())?);
            }
            if let Some(normaliser) = &mut normaliser {
                normaliser.add(&batch)?;
            }
        }
        decoder.finish().map_err(malformed)?;
        match (normaliser, decoder.schema()) {
            (Some(normaliser), _) => Ok(normaliser.finish()),
            (None, Some(schema)) => Normaliser::new(table, &schema).map(Normaliser::finish),
            (None, None) => Err(untrusted::malformed(FORMAT)(&"it has no schema")),
        }
    })
}
