//! The rows of a batch as JSON objects.

use arrow::array::{Array, ArrayRef, Int64Array, Scalar};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{cast, is_not_null};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::Options;
use super::cell::Column;
use super::text::write_string;

/// Writes batches of one schema, a chunk at a time.
pub(super) struct RowWriter {
    keys: Vec<Key>,
    separator: u8,
    batch: Option<RecordBatch>,
    next_row: usize,
}

/// What stands before a value: `{"name":` for the first column, `,"name":` for the others.
struct Key {
    text: Vec<u8>,
    integral_as_integer: bool,
    null_as_zero: bool,
}

impl RowWriter {
    pub(super) fn new(schema: &SchemaRef, options: Options, separator: u8) -> Self {
        let keys = schema.fields().iter().enumerate().map(|(position, field)| {
            let mut text = vec![if position == 0 { b'{' } else { b',' }];
            write_string(field.name(), &mut text);
            text.push(b':');
            let name = field.name().as_str();
            let is_float = field.data_type() == &DataType::Float64;
            Key {
                text,
                integral_as_integer: is_float && options.integral_as_integer.contains(&name),
                null_as_zero: field.data_type().is_numeric() && options.null_as_zero.contains(&name),
            }
        });
        Self { keys: keys.collect(), separator, batch: None, next_row: 0 }
    }

    /// Takes the next batch, once the one before it is written.
    pub(super) fn load(&mut self, batch: RecordBatch) -> Result<(), ArrowError> {
        let has_listed = self.keys.iter().any(|key| key.null_as_zero);
        self.batch = Some(if has_listed { self.without_listed_nulls(&batch)? } else { batch });
        self.next_row = 0;
        Ok(())
    }

    fn without_listed_nulls(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let arrays = self.keys.iter().zip(batch.columns());
        let arrays =
            arrays.map(|(key, array)| if key.null_as_zero { zeros_for_nulls(array) } else { Ok(array.clone()) });
        RecordBatch::try_new(batch.schema(), arrays.collect::<Result<_, _>>()?)
    }

    /// Whether the batch at hand has rows that are not written yet.
    pub(super) fn has_rows(&self) -> bool {
        self.batch.as_ref().is_some_and(|batch| self.next_row < batch.num_rows())
    }

    /// Appends rows to `out` until it holds `limit` bytes or the batch ends, and returns how many. `separate` tells
    /// whether a row stands before the first of them.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, limit: usize, separate: bool) -> Result<u64, ArrowError> {
        let Some(batch) = &self.batch else { return Ok(0) };
        let columns = self.keys.iter().zip(batch.columns());
        let mut columns = columns
            .map(|(key, array)| Ok((key.text.as_slice(), Column::new(array, key.integral_as_integer)?)))
            .collect::<Result<Vec<_>, ArrowError>>()?;

        let first = self.next_row;
        let mut separate = separate;
        while self.next_row < batch.num_rows() && out.len() < limit {
            if separate {
                out.push(self.separator);
            }
            separate = true;
            if columns.is_empty() {
                out.push(b'{');
            }
            for (key, column) in &mut columns {
                out.extend_from_slice(key);
                column.write(self.next_row, out);
            }
            out.push(b'}');
            self.next_row += 1;
        }
        drop(columns);
        if self.next_row >= batch.num_rows() {
            // Whoever asks for the next one holds this one no more.
            self.batch = None;
        }
        Ok((self.next_row - first) as u64)
    }
}

/// The same numbers, with zero where there is none.
fn zeros_for_nulls(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if array.null_count() == 0 {
        return Ok(array.clone());
    }
    let zero = cast(&Int64Array::from(vec![0]), array.data_type())?;
    zip(&is_not_null(array)?, array, &Scalar::new(zero))
}
