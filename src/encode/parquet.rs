//! Parquet, compressed with zstd.

use arrow::datatypes::{DataType, IntervalUnit, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::pump::{Encoder, pump};
use super::{ByteStream, failed};
use crate::batch::{BatchStream, ReadError};

/// Rows of a row group. What is held back is one row group, encoded and compressed; DuckDB uses the same number.
const ROW_GROUP_ROWS: usize = 122_880;
/// Bytes after which a row group ends early, for rows that are wide: what one response holds back is not counted. Rows of our
/// tables take 2 MiB of it.
const ROW_GROUP_BYTES: usize = 8 * 1024 * 1024;

/// A Parquet file, sent row group by row group.
pub(super) fn file(batches: BatchStream) -> ByteStream {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .build();
    let schema = batches.schema().clone();
    let writer = check(&schema).and_then(|()| {
        ArrowWriter::try_new(Vec::new(), schema, Some(properties)).map_err(|error| does_not_fit(&error.to_string()))
    });
    pump(writer, batches, true)
}

/// Parquet lacks some types of SQL: whoever asks for one can cast it.
fn check(schema: &Schema) -> Result<(), ReadError> {
    let lacking = schema.fields().iter().find_map(|field| Some((field.name(), lacking(field.data_type())?)));
    match lacking {
        Some((name, lacking)) => Err(does_not_fit(&format!("the column {name:?} has values of type {lacking}"))),
        None => Ok(()),
    }
}

/// The type that Parquet lacks, as it is or within others.
fn lacking(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::Interval(IntervalUnit::MonthDayNano) | DataType::Union(..) => Some(data_type),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::RunEndEncoded(_, field)
        | DataType::Map(field, _) => lacking(field.data_type()),
        DataType::Struct(fields) => fields.iter().find_map(|field| lacking(field.data_type())),
        DataType::Dictionary(_, values) => lacking(values),
        _ => None,
    }
}

fn does_not_fit(why: &str) -> ReadError {
    ReadError::Invalid(format!(
        "the result does not fit into Parquet ({why}): cast it to text, or ask for another format"
    ))
}

impl Encoder for ArrowWriter<Vec<u8>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        self.write(batch).map_err(|error| match error {
            ParquetError::NYI(why) => does_not_fit(&why),
            other => failed(other),
        })
    }

    fn finish(&mut self) -> Result<(), ReadError> {
        self.finish().map(|_| ()).map_err(failed)
    }

    fn ready(&mut self) -> &mut Vec<u8> {
        self.inner_mut()
    }
}
