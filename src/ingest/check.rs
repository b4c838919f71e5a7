//! What every batch must keep, however it came.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;

use super::MAX_ROWS;
use super::error::{DecodeError, REQUIRED};
use super::timestamp::OUT_OF_RANGE;
use crate::tables::{Column, ColumnKind, LONGEST_TEXT, Table};
use crate::time::{FIRST, LAST, format_naive};

/// The batch of `columns`, which have the table's types and follow `rows_before` other rows of the body.
///
/// Required columns have a value in every row: not null, not empty, not NaN or infinite (a nullable float may be
/// either, and is kept as it is). Timestamps lie in the years 1 to 9999, and no text is longer than [`LONGEST_TEXT`].
pub(crate) fn batch(
    table: &'static Table,
    columns: Vec<ArrayRef>,
    rows_before: usize,
) -> Result<RecordBatch, DecodeError> {
    for (column, array) in table.columns.iter().zip(&columns) {
        if rows_before + array.len() > MAX_ROWS {
            return Err(DecodeError::TooManyRows(MAX_ROWS));
        }
        if let Some((row, reason)) = first_fault(column, array) {
            return Err(DecodeError::Value { row: rows_before + row + 1, column: column.name, reason });
        }
    }
    RecordBatch::try_new(table.schema(), columns)
        .map_err(|error| DecodeError::Row { row: rows_before + 1, reason: error.to_string() })
}

/// The first row with a value that the column does not take, and what is wrong with it.
fn first_fault(column: &Column, array: &ArrayRef) -> Option<(usize, String)> {
    if !column.nullable && array.null_count() > 0 {
        let row = (0..array.len()).find(|row| array.is_null(*row))?;
        return Some((row, REQUIRED.to_owned()));
    }
    match column.kind {
        ColumnKind::Timestamp => {
            let array = array.as_primitive_opt::<TimestampMicrosecondType>()?;
            let values = array.values();
            let inside = |instant: &i64| (FIRST..=LAST).contains(instant);
            // A plain pass first: it is vectorised, and all is well nearly always.
            if values.iter().all(inside) {
                return None;
            }
            let row = (0..array.len()).find(|row| array.is_valid(*row) && !inside(&array.value(*row)))?;
            Some((row, format!("{} {OUT_OF_RANGE}", format_naive(array.value(row)))))
        }
        ColumnKind::Text => {
            let array = array.as_string_opt::<i32>()?;
            let is_wrong = |length| length > LONGEST_TEXT || (length == 0 && !column.nullable);
            let lengths = array.offsets().lengths().enumerate();
            let (row, length) = lengths.into_iter().find(|(row, length)| is_wrong(*length) && array.is_valid(*row))?;
            Some((row, if length == 0 { format!("{REQUIRED}, and this text is empty") } else { too_long(length) }))
        }
        ColumnKind::Double if !column.nullable => {
            let array = array.as_primitive_opt::<Float64Type>()?;
            let row = array.values().iter().position(|value| !value.is_finite())?;
            Some((row, format!("{REQUIRED}, and {} is none", array.value(row))))
        }
        ColumnKind::Double | ColumnKind::BigInt | ColumnKind::Integer => None,
    }
}

/// What is said of a text that is too long.
pub(crate) fn too_long(bytes: usize) -> String {
    format!("a text has at most {LONGEST_TEXT} bytes, and this one has {bytes}")
}
