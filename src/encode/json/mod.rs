//! JSON rows, written straight from Arrow arrays.
//!
//! * `rows` writes the rows of a batch as objects; keys are encoded once a part, and nothing is allocated per row.
//! * `cell` writes the value of one column at one row, with one type for each kind of Arrow array.
//! * `text` writes strings and numbers.
//!
//! The text is compact UTF-8 with keys in column order. Floats have the shortest form that reads back to the same
//! value and always a fraction or an exponent; integers and decimals have all their digits; what JSON cannot carry
//! (NaN, infinities) is `null`. Timestamps are naive UTC, `YYYY-MM-DDTHH:MM:SS[.ffffff]`; those of a type with a time
//! zone are written in UTC with a `Z`. Binary is lower-case hexadecimal.

mod cell;
mod rows;
mod text;

use bytes::Bytes;
use futures::stream::{self, StreamExt};

pub(super) use self::cell::Column;
use self::rows::RowWriter;
use super::{ByteStream, CHUNK_BYTES, Parts, failed, one_part};
use crate::batch::{BatchStream, ReadError};

/// How rows are spelled where clients differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Names of `DOUBLE` columns whose integral values are written as integers (`5`, not `5.0`); a value with a
    /// fraction keeps it. Clients that took a quantity for an integer go on reading one.
    pub integral_as_integer: &'static [&'static str],
    /// Names of number columns whose nulls are written as zero. Clients that were never sent a null there go on reading
    /// a number.
    pub null_as_zero: &'static [&'static str],
}

/// A JSON array with one object a row.
pub fn array(batches: BatchStream) -> ByteStream {
    document(b"[".to_vec(), one_part(batches), |_| b"]".to_vec())
}

/// A JSON document with rows in the middle of it: `prefix`, the rows of every part as comma-separated objects, and
/// `suffix(rows)` with the number of rows written. Each part has its own schema and is asked for only when the one
/// before it has ended.
///
/// The first chunk comes when it is full or the answer has ended, so that a query which fails at its start fails
/// before any byte is sent.
pub fn document(prefix: Vec<u8>, parts: Parts, suffix: impl FnOnce(u64) -> Vec<u8> + Send + 'static) -> ByteStream {
    document_with(Options::default(), prefix, parts, suffix)
}

/// [`document`], spelled by `options`.
pub fn document_with(
    options: Options,
    prefix: Vec<u8>,
    parts: Parts,
    suffix: impl FnOnce(u64) -> Vec<u8> + Send + 'static,
) -> ByteStream {
    write_parts(options, prefix, b',', parts, suffix)
}

/// Rows of all parts with `separator` between them, `prefix` before and `suffix(rows)` after.
pub(super) fn write_parts(
    options: Options,
    prefix: Vec<u8>,
    separator: u8,
    parts: Parts,
    suffix: impl FnOnce(u64) -> Vec<u8> + Send + 'static,
) -> ByteStream {
    let document = Document { options, separator, parts, part: None, out: prefix, rows: 0, suffix: Some(suffix) };
    stream::try_unfold(document, |mut document| async move {
        let chunk = document.next_chunk().await?;
        Ok(chunk.map(|chunk| (chunk, document)))
    })
    .boxed()
}

struct Document<S> {
    options: Options,
    separator: u8,
    parts: Parts,
    part: Option<Part>,
    out: Vec<u8>,
    rows: u64,
    /// Taken when the document has ended.
    suffix: Option<S>,
}

struct Part {
    batches: BatchStream,
    writer: RowWriter,
}

impl<S: FnOnce(u64) -> Vec<u8>> Document<S> {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>, ReadError> {
        while self.suffix.is_some() {
            if self.out.len() >= CHUNK_BYTES {
                return Ok(Some(self.take(CHUNK_BYTES + CHUNK_BYTES / 8)));
            }
            self.advance().await?;
        }
        Ok((!self.out.is_empty()).then(|| self.take(0)))
    }

    /// One step: more rows of the batch at hand, or the next batch, or the next part, or the end.
    async fn advance(&mut self) -> Result<(), ReadError> {
        let Some(part) = &mut self.part else {
            match self.parts.next().await.transpose()? {
                Some(batches) => {
                    let writer = RowWriter::new(batches.schema(), self.options, self.separator);
                    self.part = Some(Part { batches, writer });
                }
                None => self.end(),
            }
            return Ok(());
        };
        if part.writer.has_rows() {
            self.rows += part.writer.write(&mut self.out, CHUNK_BYTES, self.rows > 0).map_err(failed)?;
            return Ok(());
        }
        match part.batches.next().await.transpose()? {
            Some(batch) => part.writer.load(batch).map_err(failed)?,
            None => self.part = None,
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some(suffix) = self.suffix.take() {
            self.out.extend_from_slice(&suffix(self.rows));
        }
    }

    fn take(&mut self, next_capacity: usize) -> Bytes {
        Bytes::from(std::mem::replace(&mut self.out, Vec::with_capacity(next_capacity)))
    }
}
