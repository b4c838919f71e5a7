//! Parquet, compressed with zstd.

use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
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
    let writer = ArrowWriter::try_new(Vec::new(), batches.schema().clone(), Some(properties));
    // Parquet lacks some types of SQL: whoever asks for one can cast it.
    let writer = writer.map_err(|error| ReadError::Invalid(format!("the answer does not fit into Parquet: {error}")));
    pump(writer, batches, true)
}

impl Encoder for ArrowWriter<Vec<u8>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        self.write(batch).map_err(failed)
    }

    fn finish(&mut self) -> Result<(), ReadError> {
        self.finish().map(|_| ()).map_err(failed)
    }

    fn ready(&mut self) -> &mut Vec<u8> {
        self.inner_mut()
    }
}
