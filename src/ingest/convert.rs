//! From the type that a column came in to the type that the table declares, losing nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, TimestampMicrosecondBuilder, new_null_array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use super::error::DecodeError;
use super::timestamp;
use crate::tables::{Column, ColumnKind};

/// `array` in the declared type of `column`; it follows `rows_before` other rows of the body. An array of that very
/// type is not copied.
pub(super) fn column(column: &'static Column, array: &ArrayRef, rows_before: usize) -> Result<ArrayRef, DecodeError> {
    if array.data_type() == &column.kind.data_type() {
        return Ok(array.clone());
    }
    let outcome = plain(array).and_then(|array| convert(column, &array));
    let outcome = outcome.map_err(|error| Refusal::Column(error.to_string())).flatten();
    outcome.map_err(|refusal| match refusal {
        Refusal::Column(reason) => DecodeError::Column { column: column.name.to_owned(), reason },
        Refusal::Value(row, reason) => DecodeError::Value { row: rows_before + row + 1, column: column.name, reason },
    })
}

enum Refusal {
    /// The whole column, whatever is in it.
    Column(String),
    /// The value at a row, from 0 in this array.
    Value(usize, String),
}

/// The values themselves, where an encoding stands between, and without a time zone: the instants are UTC already.
fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Dictionary(_, values) => plain(&cast(array, values)?),
        DataType::RunEndEncoded(_, values) => plain(&cast(array, values.data_type())?),
        DataType::Timestamp(unit, Some(_)) => cast(array, &DataType::Timestamp(*unit, None)),
        _ => Ok(array.clone()),
    }
}

fn convert(column: &Column, array: &ArrayRef) -> Result<Result<ArrayRef, Refusal>, ArrowError> {
    let wanted = column.kind.data_type();
    let given = array.data_type();
    match column.kind {
        _ if given == &wanted => Ok(Ok(array.clone())),
        _ if given == &DataType::Null => Ok(Ok(new_null_array(&wanted, array.len()))),
        ColumnKind::Text if given.is_string() => Ok(Ok(cast(array, &wanted)?)),
        ColumnKind::Timestamp if given.is_string() => {
            Ok(parse_timestamps(cast(array, &DataType::Utf8)?.as_string::<i32>()))
        }
        ColumnKind::Timestamp if matches!(given, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) => {
            lossless(array, &wanted, "does not fit a timestamp of microseconds without loss")
        }
        ColumnKind::Double if given.is_numeric() && !given.is_decimal() => {
            lossless(array, &wanted, "would lose digits as a 64-bit float")
        }
        ColumnKind::BigInt if given.is_numeric() && !given.is_decimal() => {
            lossless(array, &wanted, "is not a whole number that fits 64 bits")
        }
        ColumnKind::Integer if given.is_numeric() && !given.is_decimal() => {
            lossless(array, &wanted, "is not a whole number that fits 32 bits")
        }
        _ => Ok(Err(Refusal::Column(format!("values of type {given} cannot become {}", column.kind.sql())))),
    }
}

/// Converts there and back again: what comes back changed, or not at all, has lost something.
fn lossless(array: &ArrayRef, wanted: &DataType, loss: &str) -> Result<Result<ArrayRef, Refusal>, ArrowError> {
    let null_if_impossible = CastOptions { safe: true, ..CastOptions::default() };
    let there = cast_with_options(array, wanted, &null_if_impossible)?;
    let back = cast_with_options(&there, array.data_type(), &null_if_impossible)?;
    let unchanged = not_distinct(&back, array)?;
    Ok(match unchanged.values().iter().position(|same| !same) {
        None => Ok(there),
        Some(row) => Err(Refusal::Value(row, format!("{} {loss}", array_value_to_string(array, row)?))),
    })
}

fn parse_timestamps(texts: &StringArray) -> Result<ArrayRef, Refusal> {
    let mut instants = TimestampMicrosecondBuilder::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let instant = text.map(timestamp::parse).transpose();
        instants.append_option(
            instant.map_err(|reason| Refusal::Value(row, format!("\"{}\" {reason}", text.unwrap_or_default())))?,
        );
    }
    Ok(Arc::new(instants.finish()))
}
