//! From batches to bytes: the only place that knows media types.
//!
//! [`Format::negotiate`] picks the format, [`encode`] applies it. One file a format; each turns a [`BatchStream`] into a
//! stream of bytes that asks for the next batch only when it is polled, and holds no more than one chunk of the answer
//! (Parquet: one row group).
//!
//! * [`json`] is a row writer of our own, for it is what most clients read; NDJSON shares it.
//! * `ipc`, `parquet` and `csv` wrap the Arrow libraries' writers; `pump` drives all three.

mod csv;
mod ipc;
pub mod json;
mod ndjson;
mod negotiate;
mod parquet;
mod pump;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};

use crate::batch::{BatchStream, ReadError};

pub use ndjson::ndjson_parts;
pub use negotiate::{Format, UnknownFormat};

/// An encoded answer, chunk by chunk. An error after the first chunk means that the answer is cut short.
pub type ByteStream = BoxStream<'static, Result<Bytes, ReadError>>;

/// The parts of an answer whose rows differ in shape. A part is asked for only when the one before it has ended.
pub type Parts = BoxStream<'static, Result<BatchStream, ReadError>>;

/// How large a chunk grows before it is handed on. Large enough to make a system call worth while, small enough that
/// thousands of slow clients fit into memory.
const CHUNK_BYTES: usize = 64 * 1024;

/// Encodes `batches` as `format`. As JSON the answer is an array of objects.
///
/// An answer without rows is still whole: `[]`, a header line, or a stream or file that carries its schema.
pub fn encode(format: Format, batches: BatchStream) -> ByteStream {
    match format {
        Format::Json => json::array(batches),
        Format::Ndjson => ndjson_parts(one_part(batches)),
        Format::Arrow => ipc::stream(batches),
        Format::Parquet => parquet::file(batches),
        Format::Csv => csv::text(batches),
    }
}

/// Encodes `batches` as an Arrow IPC file, which is no format of HTTP: only its end says where what is.
pub fn arrow_file(batches: BatchStream) -> ByteStream {
    ipc::file(batches)
}

/// An answer of one shape, where parts are asked for.
pub fn one_part(batches: BatchStream) -> Parts {
    stream::iter([Ok(batches)]).boxed()
}

/// A fault of an encoder, for the log.
fn failed(error: impl std::fmt::Display) -> ReadError {
    ReadError::Failed(format!("the answer could not be encoded: {error}"))
}

#[cfg(test)]
mod tests;
