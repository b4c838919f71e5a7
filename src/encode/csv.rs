//! CSV with a header line. A null is an empty field, a list or a struct is its JSON text.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::pump::{Encoder, pump};
use super::{ByteStream, failed, json};
use crate::batch::{BatchStream, ReadError};

/// ISO 8601, with as much of a fraction as there is.
const TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.f";
const ZONED_TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.f%:z";

/// The header, then one line a row.
pub(super) fn text(batches: BatchStream) -> ByteStream {
    pump(Lines::new(batches.schema()), batches, false)
}

struct Lines {
    /// The schema with text in place of nested columns, which the library cannot write.
    flat: SchemaRef,
    out: Vec<u8>,
}

impl Lines {
    fn new(schema: &SchemaRef) -> Result<Self, ReadError> {
        let flat = schema.fields().iter().map(|field| match is_nested(field.data_type()) {
            true => Arc::new(Field::new(field.name(), DataType::Utf8, true)),
            false => field.clone(),
        });
        let flat = Arc::new(Schema::new(flat.collect::<Vec<_>>()));
        let mut lines = Self { out: Vec::new(), flat };
        let no_rows = RecordBatch::new_empty(lines.flat.clone());
        lines.append(&no_rows, true).map_err(failed)?;
        Ok(lines)
    }

    fn append(&mut self, batch: &RecordBatch, header: bool) -> Result<(), ArrowError> {
        WriterBuilder::new()
            .with_header(header)
            .with_timestamp_format(TIMESTAMP.to_owned())
            .with_timestamp_tz_format(ZONED_TIMESTAMP.to_owned())
            .build(&mut self.out)
            .write(batch)
    }

    fn flatten(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        if !batch.columns().iter().any(|column| is_nested(column.data_type())) {
            return Ok(batch.clone());
        }
        let columns = batch.columns().iter().map(|column| match is_nested(column.data_type()) {
            true => as_json_text(column),
            false => Ok(column.clone()),
        });
        RecordBatch::try_new(self.flat.clone(), columns.collect::<Result<_, _>>()?)
    }
}

impl Encoder for Lines {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        let batch = self.flatten(batch).map_err(failed)?;
        self.append(&batch, false).map_err(|error| unwritable(&batch).unwrap_or_else(|| failed(error)))
    }

    fn finish(&mut self) -> Result<(), ReadError> {
        Ok(())
    }

    fn ready(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }
}

/// Which column has a value without a text: an instant beyond the years that there is a calendar for, for instance.
fn unwritable(batch: &RecordBatch) -> Option<ReadError> {
    let options = FormatOptions::new()
        .with_timestamp_format(Some(TIMESTAMP))
        .with_timestamp_tz_format(Some(ZONED_TIMESTAMP))
        .with_display_error(false);
    batch.schema_ref().fields().iter().zip(batch.columns()).find_map(|(field, column)| {
        let reason = match ArrayFormatter::try_new(column.as_ref(), &options) {
            Ok(formatter) => (0..column.len()).find_map(|row| formatter.value(row).try_to_string().err())?,
            Err(error) => error,
        };
        Some(ReadError::Invalid(format!(
            "the column {:?} of type {} has a value that CSV cannot hold ({reason}): leave it out, cast the column to \
             BIGINT, or ask for another format",
            field.name(),
            field.data_type()
        )))
    })
}

fn is_nested(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => values.is_nested(),
        other => other.is_nested(),
    }
}

fn as_json_text(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let mut column = json::Column::new(array, false)?;
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 16);
    let mut text = Vec::new();
    for row in 0..array.len() {
        text.clear();
        column.write(row, &mut text);
        match text.as_slice() {
            b"null" => texts.append_null(),
            text => texts.append_value(String::from_utf8_lossy(text)),
        }
    }
    Ok(Arc::new(texts.finish()))
}
