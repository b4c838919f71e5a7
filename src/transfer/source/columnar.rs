//! Cells of Arrow columns.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;

use crate::transfer::cell::{Cell, Rows};
use crate::transfer::mapping::Columns;

const DAY_NANOS: i128 = 86_400_000_000_000;

/// A batch as rows.
pub(super) struct ArrowRows {
    columns: Vec<ArrayRef>,
    count: usize,
}

/// The columns of a schema.
pub(super) fn names(schema: &Schema) -> Columns {
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    Columns { seen: names.len(), names }
}

impl ArrowRows {
    /// The rows of a batch, of any schema.
    pub(super) fn boxed(batch: &RecordBatch) -> Result<Box<dyn Rows>, ArrowError> {
        let columns = batch.columns().iter().map(plain).collect::<Result<_, _>>()?;
        Ok(Box::new(Self { columns, count: batch.num_rows() }))
    }
}

/// The values themselves, where an encoding stands between.
fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Dictionary(_, values) => plain(&cast(array, values)?),
        DataType::RunEndEncoded(_, values) => plain(&cast(array, values.data_type())?),
        DataType::Utf8View | DataType::LargeUtf8 => cast(array, &DataType::Utf8),
        _ => Ok(array.clone()),
    }
}

impl Rows for ArrowRows {
    fn count(&self) -> usize {
        self.count
    }

    fn cell(&self, row: usize, column: usize) -> Cell<'_> {
        let Some(array) = self.columns.get(column).filter(|array| array.is_valid(row)) else { return Cell::Null };
        macro_rules! integer {
            ($kind:ty) => {
                Cell::Integer(i128::from(array.as_primitive::<$kind>().value(row)))
            };
        }
        match array.data_type() {
            DataType::Null => Cell::Null,
            DataType::Boolean => Cell::Boolean(array.as_boolean().value(row)),
            DataType::Int8 => integer!(Int8Type),
            DataType::Int16 => integer!(Int16Type),
            DataType::Int32 => integer!(Int32Type),
            DataType::Int64 => integer!(Int64Type),
            DataType::UInt8 => integer!(UInt8Type),
            DataType::UInt16 => integer!(UInt16Type),
            DataType::UInt32 => integer!(UInt32Type),
            DataType::UInt64 => integer!(UInt64Type),
            DataType::Float16 => Cell::Float(array.as_primitive::<Float16Type>().value(row).to_f64()),
            DataType::Float32 => Cell::Float(f64::from(array.as_primitive::<Float32Type>().value(row))),
            DataType::Float64 => Cell::Float(array.as_primitive::<Float64Type>().value(row)),
            DataType::Decimal128(..) => {
                Cell::Digits(array.as_primitive::<Decimal128Type>().value_as_string(row).into())
            }
            DataType::Decimal256(..) => {
                Cell::Digits(array.as_primitive::<Decimal256Type>().value_as_string(row).into())
            }
            DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row).into()),
            DataType::Date32 => Cell::Local(i128::from(array.as_primitive::<Date32Type>().value(row)) * DAY_NANOS),
            DataType::Date64 => Cell::Local(i128::from(array.as_primitive::<Date64Type>().value(row)) * 1_000_000),
            DataType::Timestamp(unit, zone) => {
                let (value, nanos) = match unit {
                    TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().value(row), 1_000_000_000),
                    TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().value(row), 1_000_000),
                    TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().value(row), 1_000),
                    TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().value(row), 1),
                };
                let nanos = i128::from(value) * nanos;
                if zone.is_some() { Cell::Instant(nanos) } else { Cell::Local(nanos) }
            }
            other => Cell::Nested(array_value_to_string(array, row).unwrap_or_else(|_| other.to_string())),
        }
    }
}
