//! The one form in which a table is declared.

use arrow::array::Array;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

/// Declares a table once: its [`Table`](super::Table), a row type for collectors, and the way from rows to a
/// `RecordBatch`.
///
/// A column is `name: Type required|nullable, "what it means and its unit"`. The Rust type of a field is `i64`
/// (microseconds), `String`, `f64`, `i64` or `i32`, and an `Option` of it when the column is nullable.
macro_rules! declare_table {
    (
        $(#[$doc:meta])*
        $table:ident, $row:ident, $name:literal, $about:literal,
        key: [$($key:literal),+], label: $label:expr,
        columns: { $($column:ident: $kind:ident $null:ident, $meaning:literal;)+ }
    ) => {
        $(#[$doc])*
        pub static $table: $crate::tables::Table = $crate::tables::Table {
            name: $name,
            about: $about,
            columns: &[$($crate::tables::Column {
                name: stringify!($column),
                kind: $crate::tables::ColumnKind::$kind,
                nullable: $crate::tables::declare::nullable!($null),
                about: $meaning,
            }),+],
            key: &[$($key),+],
            label: $label,
        };

        #[doc = concat!("A row of `", $name, "`.")]
        #[derive(Debug, Clone, PartialEq)]
        pub struct $row {
            $(#[doc = $meaning] pub $column: $crate::tables::declare::field!($kind $null),)+
        }

        impl $row {
            /// The rows as one batch of the declared schema.
            pub fn batch(rows: &[Self]) -> Result<arrow::record_batch::RecordBatch, arrow::error::ArrowError> {
                arrow::record_batch::RecordBatch::try_new(
                    $table.schema(),
                    vec![$($crate::tables::declare::array!(rows, $column, $kind $null)),+],
                )
            }

            /// The rows of a batch that has the declared columns.
            pub fn rows(
                batch: &arrow::record_batch::RecordBatch,
            ) -> Result<Vec<Self>, arrow::error::ArrowError> {
                $(let $column = $crate::tables::declare::column::<$crate::tables::declare::array_type!($kind)>(
                    batch, stringify!($column),
                )?;)+
                Ok((0..batch.num_rows())
                    .map(|row| Self { $($column: $crate::tables::declare::value!($column, row, $kind $null),)+ })
                    .collect())
            }
        }
    };
}

/// A column of a batch by its name, as the array type that its declaration asks for.
pub fn column<'a, T: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T, ArrowError> {
    let column = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref());
    column.ok_or_else(|| ArrowError::SchemaError(format!("column {name} is missing or of another type")))
}

macro_rules! nullable {
    (required) => {
        false
    };
    (nullable) => {
        true
    };
}

macro_rules! array_type {
    (Timestamp) => {
        arrow::array::TimestampMicrosecondArray
    };
    (Text) => {
        arrow::array::StringArray
    };
    (Double) => {
        arrow::array::Float64Array
    };
    (BigInt) => {
        arrow::array::Int64Array
    };
    (Integer) => {
        arrow::array::Int32Array
    };
}

macro_rules! value {
    ($column:ident, $row:ident, Text required) => {
        $column.value($row).to_owned()
    };
    ($column:ident, $row:ident, Text nullable) => {
        arrow::array::Array::is_valid($column, $row).then(|| $column.value($row).to_owned())
    };
    ($column:ident, $row:ident, $kind:ident required) => {
        $column.value($row)
    };
    ($column:ident, $row:ident, $kind:ident nullable) => {
        arrow::array::Array::is_valid($column, $row).then(|| $column.value($row))
    };
}

macro_rules! field {
    (Timestamp required) => { $crate::time::Micros };
    (Text required) => { String };
    (Text nullable) => { Option<String> };
    (Double required) => { f64 };
    (Double nullable) => { Option<f64> };
    (BigInt nullable) => { Option<i64> };
    (Integer nullable) => { Option<i32> };
}

macro_rules! array {
    ($rows:ident, $column:ident, Timestamp required) => {
        std::sync::Arc::new(arrow::array::TimestampMicrosecondArray::from_iter_values(
            $rows.iter().map(|row| row.$column),
        )) as arrow::array::ArrayRef
    };
    ($rows:ident, $column:ident, Text required) => {
        std::sync::Arc::new(arrow::array::StringArray::from_iter_values($rows.iter().map(|row| row.$column.as_str())))
    };
    ($rows:ident, $column:ident, Text nullable) => {
        std::sync::Arc::new(arrow::array::StringArray::from_iter($rows.iter().map(|row| row.$column.as_deref())))
    };
    ($rows:ident, $column:ident, Double required) => {
        std::sync::Arc::new(arrow::array::Float64Array::from_iter_values($rows.iter().map(|row| row.$column)))
    };
    ($rows:ident, $column:ident, Double nullable) => {
        std::sync::Arc::new(arrow::array::Float64Array::from_iter($rows.iter().map(|row| row.$column)))
    };
    ($rows:ident, $column:ident, BigInt nullable) => {
        std::sync::Arc::new(arrow::array::Int64Array::from_iter($rows.iter().map(|row| row.$column)))
    };
    ($rows:ident, $column:ident, Integer nullable) => {
        std::sync::Arc::new(arrow::array::Int32Array::from_iter($rows.iter().map(|row| row.$column)))
    };
}

pub(crate) use {array, array_type, declare_table, field, nullable, value};
