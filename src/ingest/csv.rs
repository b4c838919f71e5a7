//! CSV with a header line; an empty field is no value.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::error::DecodeError;
use super::normalise::Normaliser;
use super::rows::{RowBuilder, Value};
use super::untrusted;
use crate::tables::{ColumnKind, Table};

const FORMAT: &str = "CSV";
const BYTES_PER_ROW: usize = 64;
const BATCH_ROWS: usize = 4_096;

/// Every line after the header.
pub(super) fn text(table: &'static Table, body: &[u8]) -> Result<Vec<RecordBatch>, DecodeError> {
    let malformed = |error: ArrowError| untrusted::malformed(FORMAT)(&error);
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let (header, _) = Format::default().with_header(true).infer_schema(body, Some(0)).map_err(malformed)?;
    Normaliser::new(table, &header)?;

    let texts = header.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true));
    let schema = Arc::new(Schema::new(texts.collect::<Vec<_>>()));
    let reader = ReaderBuilder::new(schema.clone()).with_header(true).with_batch_size(BATCH_ROWS);
    let mut rows = RowBuilder::new(table, BYTES_PER_ROW, body.len());
    for batch in reader.build(body).map_err(malformed)? {
        let batch = batch.map_err(malformed)?;
        let columns: Vec<_> = batch.columns().iter().map(|column| column.as_string::<i32>()).collect();
        for row in 0..batch.num_rows() {
            rows.begin();
            for (field, texts) in schema.fields().iter().zip(&columns) {
                let column = rows.column(field.name())?;
                rows.set(column, &value(table, column, texts.is_valid(row).then(|| texts.value(row))))?;
            }
            rows.end()?;
        }
    }
    rows.finish()
}

fn value<'a>(table: &Table, column: usize, text: Option<&'a str>) -> Value<'a> {
    let kind = table.columns.get(column).map(|column| column.kind);
    match (text, kind) {
        (None, _) => Value::Null,
        (Some(text), Some(ColumnKind::Double | ColumnKind::BigInt | ColumnKind::Integer)) => Value::Number(text.trim()),
        (Some(text), _) => Value::Text(Cow::Borrowed(text)),
    }
}
