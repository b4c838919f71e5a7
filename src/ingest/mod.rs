//! Pushed rows: from a request body to batches of a declared table.
//!
//! * `json` and `csv` read text, from which `rows` and `column` build the table's columns value by value.
//! * `arrow` and `parquet` read columns, which `normalise` and `convert` bring to the table's schema.
//! * `check` holds every batch to the table's promises, whichever way it came.
//! * `meter` counts what is allocated on the way, before it is; `unfold` tells how large columns become whose encoding
//!   repeats values; `compression` undoes what lies around the whole body.
//!
//! All or nothing: the first thing wrong with a body refuses the whole of it, with the row and the column named.

mod arrow;
pub(crate) mod check;
pub(crate) mod column;
mod compression;
mod convert;
mod csv;
pub(crate) mod error;
mod json;
mod meter;
mod normalise;
pub(crate) mod number;
mod parquet;
mod rows;
pub(crate) mod timestamp;
mod unfold;
mod untrusted;

use ::arrow::record_batch::RecordBatch;
use bytes::Bytes;

pub use compression::{Encoding, decompress};
pub use error::{DecodeError, Fault};

use self::meter::Meter;
use crate::budget::Allowance;
use crate::encode::Format;
use crate::tables::Table;

/// The most rows that one body may hold. A few compressed bytes can stand for any number of rows: this bounds what
/// they unfold to.
pub const MAX_ROWS: usize = 5_000_000;

/// Rows of a batch that is built here.
const BATCH_ROWS: usize = 65_536;

/// Reads `body` as rows of `table`, in the table's exact schema; no rows give no batches.
///
/// The format follows `content_type`, and is JSON without one: an object or an array of objects, one object a line
/// (NDJSON), an Arrow IPC stream, CSV with a header line, or Parquet. Columns are matched by name, in any order; a
/// nullable column may be absent. Values of other types are taken where nothing is lost: integers of any width,
/// floats without a fraction for integers, timestamps of any unit and time zone (naive ones are UTC). Timestamps in
/// text are ISO 8601 with or without an offset, to the microsecond, in the years 1 to 9999.
///
/// What is allocated is counted on `allowance` first, the body itself excepted; what the batches keep of it stays counted.
///
/// Pure computation, about a second for a million rows of JSON, and a few bytes of a binary format can stand for as many:
/// all but small texts belong on a thread for blocking work.
pub fn decode(
    table: &'static Table,
    content_type: Option<&str>,
    body: Bytes,
    allowance: &Allowance,
) -> Result<Vec<RecordBatch>, DecodeError> {
    let meter = Meter::new(allowance, &body);
    match format(content_type)? {
        Format::Json => json::document(table, &body, &meter),
        Format::Ndjson => json::lines(table, &body, &meter),
        Format::Arrow => arrow::stream(table, body, &meter),
        Format::Csv => csv::text(table, &body, &meter),
        Format::Parquet => parquet::file(table, body, &meter),
    }
}

/// Whether a body of that content type is about as large in memory as it comes: text, in which nothing is repeated by
/// being pointed at.
pub fn is_plain(content_type: Option<&str>) -> bool {
    !matches!(format(content_type), Ok(Format::Arrow | Format::Parquet))
}

fn format(content_type: Option<&str>) -> Result<Format, DecodeError> {
    match content_type.map(str::trim).filter(|name| !name.is_empty()) {
        None => Ok(Format::Json),
        Some(name) => Format::from_content_type(name).ok_or_else(|| DecodeError::UnsupportedMediaType(name.to_owned())),
    }
}

#[cfg(test)]
mod tests;
