//! Parquet files.
//!
//! The library allocates by what a file claims: so `footer` and `pages` look at every claim first, reading the format's
//! own encoding with `thrift`.

mod differences;
mod footer;
mod pages;
mod thrift;
mod unpack;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::error::DecodeError;
use super::meter::Meter;
use super::normalise::Normaliser;
use super::{BATCH_ROWS, MAX_ROWS, unfold, untrusted};
use crate::tables::Table;

const FORMAT: &str = "Parquet";

/// Every row group of the file.
pub(super) fn file(table: &'static Table, body: Bytes, meter: &Meter<'_>) -> Result<Vec<RecordBatch>, DecodeError> {
    untrusted::read(FORMAT, || {
        footer::check(table, &body, meter)?;
        // The columns are those of the table: what the writer's Arrow thought of them does not matter.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::load(&body, options.clone()).map_err(unreadable)?;
        // A text that stands for many rows is to stay one until its rows are counted.
        let options = options.with_schema(Arc::new(with_views(metadata.schema())));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).map_err(unreadable)?;
        let mut normaliser = Normaliser::new(table, metadata.schema(), meter)?;
        check_rows(table, metadata.metadata(), meter)?;
        for (number, group) in metadata.metadata().row_groups().iter().enumerate() {
            let before_group = meter.used();
            meter.take(pages::bytes(&body, group, BATCH_ROWS, meter)?)?;
            let group_bytes = meter.used() - before_group;
            let file = ParquetRecordBatchReaderBuilder::new_with_metadata(body.clone(), metadata.clone());
            let batches = file.with_row_groups(vec![number]).with_batch_size(BATCH_ROWS).build().map_err(unreadable)?;
            for batch in batches {
                let before = meter.used();
                normaliser.add(batch.map_err(|error| untrusted::malformed(FORMAT)(&error))?, before)?;
            }
            meter.settle(meter.used().saturating_sub(group_bytes));
        }
        normaliser.finish()
    })
}

/// Refuses a file whose rows are too many, or more than there is memory for even if every text were empty.
fn check_rows(table: &Table, metadata: &ParquetMetaData, meter: &Meter<'_>) -> Result<(), DecodeError> {
    let groups = metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or(u64::MAX));
    let rows = groups.fold(0, u64::saturating_add);
    if rows > MAX_ROWS as u64 {
        return Err(DecodeError::TooManyRows(MAX_ROWS));
    }
    let before = meter.used();
    for column in table.columns {
        meter.take(unfold::fixed_bytes(&column.kind.data_type(), rows as usize))?;
    }
    meter.settle(before);
    Ok(())
}

fn with_views(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Utf8 => Field::new(field.name(), DataType::Utf8View, field.is_nullable()),
        kind => Field::new(field.name(), kind.clone(), field.is_nullable()),
    });
    Schema::new(fields.collect::<Vec<_>>())
}

fn malformed(reason: &str) -> DecodeError {
    untrusted::malformed(FORMAT)(&reason)
}

fn unreadable(error: ParquetError) -> DecodeError {
    untrusted::malformed(FORMAT)(&error)
}
