//! Parquet files.

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::DecodeError;
use super::normalise::Normaliser;
use super::{BATCH_ROWS, untrusted};
use crate::tables::Table;

const FORMAT: &str = "Parquet";

/// Every row group of the file.
pub(super) fn file(table: &'static Table, body: Bytes) -> Result<Vec<RecordBatch>, DecodeError> {
    untrusted::read(FORMAT, || {
        let malformed = untrusted::malformed(FORMAT);
        let file = ParquetRecordBatchReaderBuilder::try_new(body).map_err(|error| malformed(&error))?;
        let mut normaliser = Normaliser::new(table, file.schema())?;
        let batches = file.with_batch_size(BATCH_ROWS).build().map_err(|error| malformed(&error))?;
        for batch in batches {
            normaliser.add(&batch.map_err(|error| malformed(&error))?)?;
        }
        Ok(normaliser.finish())
    })
}
