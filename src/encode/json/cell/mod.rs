//! The value of one column at one row.

mod nested;
mod scalar;

use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::*;
use arrow::error::ArrowError;

use self::nested::{Dictionary, List, Map, Struct};
use self::scalar::{
    Binary, Boolean, Decimal, Display, Float16, Floats, Integers, IntegralFloats, Text, Timestamps, ZonedTimestamps,
};

/// Writes the values of one array, knowing its type.
pub(super) trait Cell {
    /// Appends the value at `row`, which is not null.
    fn write(&mut self, row: usize, out: &mut Vec<u8>);
}

/// One column of a batch, nulls included.
pub(in crate::encode) struct Column<'a> {
    nulls: Option<NullBuffer>,
    cell: Box<dyn Cell + 'a>,
}

impl<'a> Column<'a> {
    /// Reads `array`. `integral_as_integer` applies to 64-bit floats alone.
    pub(in crate::encode) fn new(array: &'a dyn Array, integral_as_integer: bool) -> Result<Self, ArrowError> {
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let cell = match array.as_primitive_opt::<Float64Type>() {
            Some(floats) if integral_as_integer => Box::new(IntegralFloats(floats)),
            _ => cell(array)?,
        };
        Ok(Self { nulls, cell })
    }

    /// Appends the value at `row`.
    #[inline]
    pub(in crate::encode) fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.extend_from_slice(b"null");
        } else {
            self.cell.write(row, out);
        }
    }
}

fn cell<'a>(array: &'a dyn Array) -> Result<Box<dyn Cell + 'a>, ArrowError> {
    macro_rules! integers {
        ($kind:ty) => {
            Box::new(Integers(array.as_primitive::<$kind>()))
        };
    }
    macro_rules! timestamps {
        ($kind:ty, $zone:expr) => {{
            let array = array.as_primitive::<$kind>();
            if $zone.is_some() {
                Box::new(ZonedTimestamps(Timestamps::new(array)))
            } else {
                Box::new(Timestamps::new(array))
            }
        }};
    }
    Ok(match array.data_type() {
        DataType::Boolean => Box::new(Boolean(array.as_boolean())),
        DataType::Int8 => integers!(Int8Type),
        DataType::Int16 => integers!(Int16Type),
        DataType::Int32 => integers!(Int32Type),
        DataType::Int64 => integers!(Int64Type),
        DataType::UInt8 => integers!(UInt8Type),
        DataType::UInt16 => integers!(UInt16Type),
        DataType::UInt32 => integers!(UInt32Type),
        DataType::UInt64 => integers!(UInt64Type),
        DataType::Float16 => Box::new(Float16(array.as_primitive())),
        DataType::Float32 => Box::new(Floats(array.as_primitive::<Float32Type>())),
        DataType::Float64 => Box::new(Floats(array.as_primitive::<Float64Type>())),
        DataType::Decimal32(..) => Box::new(Decimal(array.as_primitive::<Decimal32Type>())),
        DataType::Decimal64(..) => Box::new(Decimal(array.as_primitive::<Decimal64Type>())),
        DataType::Decimal128(..) => Box::new(Decimal(array.as_primitive::<Decimal128Type>())),
        DataType::Decimal256(..) => Box::new(Decimal(array.as_primitive::<Decimal256Type>())),
        DataType::Timestamp(TimeUnit::Second, zone) => timestamps!(TimestampSecondType, zone),
        DataType::Timestamp(TimeUnit::Millisecond, zone) => timestamps!(TimestampMillisecondType, zone),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => timestamps!(TimestampMicrosecondType, zone),
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => timestamps!(TimestampNanosecondType, zone),
        DataType::Utf8 => Box::new(Text(array.as_string::<i32>())),
        DataType::LargeUtf8 => Box::new(Text(array.as_string::<i64>())),
        DataType::Utf8View => Box::new(Text(array.as_string_view())),
        DataType::Binary => Box::new(Binary(array.as_binary::<i32>())),
        DataType::LargeBinary => Box::new(Binary(array.as_binary::<i64>())),
        DataType::BinaryView => Box::new(Binary(array.as_binary_view())),
        DataType::FixedSizeBinary(_) => Box::new(Binary(array.as_fixed_size_binary())),
        DataType::List(_) => Box::new(List::new(array.as_list::<i32>())?),
        DataType::LargeList(_) => Box::new(List::new(array.as_list::<i64>())?),
        DataType::ListView(_) => Box::new(List::new(array.as_list_view::<i32>())?),
        DataType::LargeListView(_) => Box::new(List::new(array.as_list_view::<i64>())?),
        DataType::FixedSizeList(..) => Box::new(List::new(array.as_fixed_size_list())?),
        DataType::Struct(_) => Box::new(Struct::new(array.as_struct())?),
        DataType::Map(..) => Box::new(Map::new(array.as_map())?),
        DataType::Dictionary(..) => Box::new(Dictionary::new(array.as_any_dictionary())?),
        DataType::Null => Box::new(Null),
        // Dates, times, durations, intervals, and what no query of ours gives: their usual text.
        _ => Box::new(Display::new(array)?),
    })
}

/// An array of nothing but nulls; [`Column`] writes them all.
struct Null;

impl Cell for Null {
    fn write(&mut self, _row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }
}
