//! Pushed rows: from a request body to batches of a declared table.
//!
//! * `json` and `csv` read text, from which `rows` and `column` build the table's columns value by value.
//! * `arrow` and `parquet` read columns, which `normalise` and `convert` bring to the table's schema.
//! * `check` holds every batch to the table's promises, whichever way it came.
//!
//! All or nothing: the first thing wrong with a body refuses the whole of it, with the row and the column named.

mod arrow;
pub(crate) mod check;
pub(crate) mod column;
mod convert;
mod csv;
pub(crate) mod error;
mod inflation;
mod json;
mod normalise;
pub(crate) mod number;
mod parquet;
mod rows;
pub(crate) mod timestamp;
mod untrusted;

use ::arrow::record_batch::RecordBatch;
use bytes::Bytes;

pub use error::{DecodeError, Fault};

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
/// Pure computation, about a second for a million rows of JSON: large bodies belong on a thread for blocking work.
pub fn decode(table: &'static Table, content_type: Option<&str>, body: Bytes) -> Result<Vec<RecordBatch>, DecodeError> {
    let format = match content_type.map(str::trim).filter(|name| !name.is_empty()) {
        None => Format::Json,
        Some(name) => {
            Format::from_content_type(name).ok_or_else(|| DecodeError::UnsupportedMediaType(name.to_owned()))?
        }
    };
    match format {
        Format::Json => json::document(table, &body),
        Format::Ndjson => json::lines(table, &body),
        Format::Arrow => arrow::stream(table, body),
        Format::Csv => csv::text(table, &body),
        Format::Parquet => parquet::file(table, body),
    }
}

#[cfg(test)]
mod tests;
