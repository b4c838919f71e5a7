//! Parquet files.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::columnar::{ArrowRows, names};
use super::{PIECE, Pieces, SourceError, malformed};
use crate::transfer::cell::Rows;
use crate::transfer::mapping::Columns;

const FORMAT: &str = "Parquet";

/// Reads the schema. Of `position`, each row moves its part of the file's size.
pub(super) fn read(
    name: String,
    file: File,
    position: Arc<AtomicU64>,
) -> Result<(Columns, Box<dyn Pieces>), SourceError> {
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| malformed(&name, FORMAT)(error.into()))?;
    let columns = names(builder.schema());
    let total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let reader = builder.with_batch_size(PIECE).build().map_err(|error| malformed(&name, FORMAT)(error.into()))?;
    Ok((columns, Box::new(RowGroups { name, reader, position, size, read: 0, total })))
}

struct RowGroups {
    name: String,
    reader: ParquetRecordBatchReader,
    position: Arc<AtomicU64>,
    size: u64,
    read: u64,
    total: u64,
}

impl Pieces for RowGroups {
    fn next(&mut self) -> Result<Option<Box<dyn Rows>>, SourceError> {
        let Some(batch) = self.reader.next().transpose().map_err(malformed(&self.name, FORMAT))? else {
            return Ok(None);
        };
        self.read += batch.num_rows() as u64;
        let part = u128::from(self.size) * u128::from(self.read) / u128::from(self.total.max(1));
        self.position.store(u64::try_from(part).unwrap_or(self.size), Ordering::Relaxed);
        ArrowRows::boxed(&batch).map(Some).map_err(malformed(&self.name, FORMAT))
    }
}
