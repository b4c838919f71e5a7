//! From the type that a column came in to the type that the table declares, losing nothing.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, TimestampMicrosecondBuilder, new_null_array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use super::error::{DecodeError, shortened};
use super::meter::Meter;
use super::{timestamp, unfold};
use crate::tables::{Column, ColumnKind};

/// `array` in the declared type of `column`; it follows `rows_before` other rows of the body. An array of that very
/// type is not copied. What is allocated on the way is counted first, and afterwards what is left of it.
pub(super) fn column(
    column: &'static Column,
    array: &ArrayRef,
    rows_before: usize,
    meter: &Meter<'_>,
) -> Result<ArrayRef, DecodeError> {
    if array.data_type() == &column.kind.data_type() {
        return Ok(array.clone());
    }
    let before = meter.used();
    let outcome = plain(array, meter).and_then(|array| {
        // There, and back again to see what was lost; texts are parsed from a copy.
        meter.take(unfold::bytes(&array))?;
        meter.take(2 * unfold::fixed_bytes(&column.kind.data_type(), array.len()))?;
        convert(column, &array)
    });
    let array = outcome.map_err(|refusal| match refusal {
        Refusal::Column(reason) => DecodeError::Column { column: column.name.to_owned(), reason: shortened(&reason) },
        Refusal::Value(row, reason) => DecodeError::Value { row: rows_before + row + 1, column: column.name, reason },
        Refusal::Body(error) => error,
    })?;
    meter.settle(before + meter.kept(std::slice::from_ref(&array)));
    Ok(array)
}

/// Whether values of type `given` may become values of `column`. What depends on the values is seen when they come.
pub(super) fn check_type(column: &'static Column, given: &DataType) -> Result<(), DecodeError> {
    let kind = column.kind;
    let mut values = given;
    loop {
        values = match values {
            DataType::Dictionary(_, inner) => inner,
            DataType::RunEndEncoded(_, inner) => inner.data_type(),
            _ => break,
        };
    }
    let number = values.is_numeric() && !values.is_decimal();
    let fits = match kind {
        _ if values == &DataType::Null || values == &kind.data_type() => true,
        ColumnKind::Text => values.is_string(),
        ColumnKind::Timestamp => {
            values.is_string() || matches!(values, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
        }
        ColumnKind::Double | ColumnKind::BigInt | ColumnKind::Integer => number,
    };
    if fits {
        return Ok(());
    }
    let reason = shortened(&format!("values of type {values} cannot become {}", kind.sql()));
    Err(DecodeError::Column { column: column.name.to_owned(), reason })
}

enum Refusal {
    /// The body, for its size.
    Body(DecodeError),
    /// The whole column, whatever is in it.
    Column(String),
    /// The value at a row, from 0 in this array.
    Value(usize, String),
}

impl From<ArrowError> for Refusal {
    fn from(error: ArrowError) -> Self {
        Self::Column(error.to_string())
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Body(error)
    }
}

/// The values themselves, where an encoding stands between, and without a time zone: the instants are UTC already.
fn plain(array: &ArrayRef, meter: &Meter<'_>) -> Result<ArrayRef, Refusal> {
    let values = match array.data_type() {
        DataType::Dictionary(_, values) => {
            // Keys are looked at one by one in a wider form.
            meter.take_each(array.len(), 8)?;
            values.as_ref()
        }
        DataType::RunEndEncoded(_, values) => values.data_type(),
        DataType::Timestamp(unit, Some(_)) => return Ok(cast(array, &DataType::Timestamp(*unit, None))?),
        _ => return Ok(array.clone()),
    };
    meter.take(unfold::bytes(array))?;
    plain(&cast(array, values)?, meter)
}

fn convert(column: &Column, array: &ArrayRef) -> Result<ArrayRef, Refusal> {
    let wanted = column.kind.data_type();
    let given = array.data_type();
    match column.kind {
        _ if given == &wanted => Ok(array.clone()),
        _ if given == &DataType::Null => Ok(new_null_array(&wanted, array.len())),
        ColumnKind::Text if given.is_string() => Ok(cast(array, &wanted)?),
        ColumnKind::Timestamp if given.is_string() => {
            parse_timestamps(cast(array, &DataType::Utf8)?.as_string::<i32>())
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
        _ => Err(Refusal::Column(format!("values of type {given} cannot become {}", column.kind.sql()))),
    }
}

/// Converts there and back again: what comes back changed, or not at all, has lost something.
fn lossless(array: &ArrayRef, wanted: &DataType, loss: &str) -> Result<ArrayRef, Refusal> {
    let null_if_impossible = CastOptions { safe: true, ..CastOptions::default() };
    let there = cast_with_options(array, wanted, &null_if_impossible)?;
    let back = cast_with_options(&there, array.data_type(), &null_if_impossible)?;
    let unchanged = not_distinct(&back, array)?;
    match unchanged.values().iter().position(|same| !same) {
        None => Ok(there),
        Some(row) => Err(Refusal::Value(row, format!("{} {loss}", array_value_to_string(array, row)?))),
    }
}

fn parse_timestamps(texts: &StringArray) -> Result<ArrayRef, Refusal> {
    let mut instants = TimestampMicrosecondBuilder::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let instant = text.map(timestamp::parse).transpose();
        instants.append_option(instant.map_err(|reason| {
            let text = shortened(text.unwrap_or_default());
            Refusal::Value(row, format!("\"{text}\" {reason}"))
        })?);
    }
    Ok(Arc::new(instants.finish()))
}
