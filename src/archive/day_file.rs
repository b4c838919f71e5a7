//! One day of a table as a Parquet file.

use std::fs::File;
use std::path::Path;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::digest::Digest;
use super::keys::KeyFilter;
use super::{ArchiveError, key_column};
use crate::batch::{Checksum, ReadError};
use crate::tables::{ColumnKind, Table};

/// Rows of a row group: what a question can leave out at the least, and what is held back while writing.
const ROW_GROUP_ROWS: usize = 122_880;
/// Rows that are read back at a time.
const READ_ROWS: usize = 8_192;

/// What is in a file.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its rows.
    pub checksum: Checksum,
    /// Its size.
    pub bytes: u64,
    /// The hash of its bytes, as [`Digest`] shows it.
    pub hash: String,
    /// A filter of its keys; see [`FileKeys`](super::FileKeys).
    pub keys: Option<Vec<u8>>,
}

/// Writes the rows to a new file and syncs it.
pub fn write(
    path: &Path,
    table: &Table,
    batches: impl Iterator<Item = Result<RecordBatch, ReadError>>,
) -> Result<Content, ArchiveError> {
    let file = File::create_new(path).map_err(ArchiveError::file(path))?;
    let schema = table.schema();
    let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties(table)?));
    let mut writer = writer.map_err(ArchiveError::parquet(path))?;
    let (mut checksum, mut keys) = (Checksum::default(), KeyFilter::of(table));
    for batch in batches {
        let batch = RecordBatch::try_new(schema.clone(), batch?.columns().to_vec()).map_err(unreadable)?;
        checksum.add(&batch).map_err(unreadable)?;
        keys.iter_mut().for_each(|keys| keys.add(&batch));
        writer.write(&batch).map_err(ArchiveError::parquet(path))?;
    }
    let file = writer.into_inner().map_err(ArchiveError::parquet(path))?;
    file.sync_all().map_err(ArchiveError::file(path))?;
    let digest = Digest::of_file(path).map_err(ArchiveError::file(path))?;
    Ok(Content { checksum, bytes: digest.bytes, hash: digest.hash(), keys: keys.and_then(KeyFilter::finish) })
}

/// The filter of the keys in a file; `None` for a table without such a key.
pub fn keys_of(path: &Path, table: &Table) -> Result<Option<Vec<u8>>, ArchiveError> {
    let Some((column, mut keys)) = key_column(table).zip(KeyFilter::of(table)) else { return Ok(None) };
    let only =
        |builder: &ParquetRecordBatchReaderBuilder<File>| ProjectionMask::columns(builder.parquet_schema(), [column]);
    for batch in read(path, only)? {
        keys.add(&batch.map_err(unreadable)?);
    }
    Ok(keys.finish())
}

/// Some columns of a file, in pieces.
fn read(
    path: &Path,
    columns: impl FnOnce(&ParquetRecordBatchReaderBuilder<File>) -> ProjectionMask,
) -> Result<ParquetRecordBatchReader, ArchiveError> {
    let file = File::open(path).map_err(ArchiveError::file(path))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(ArchiveError::parquet(path))?;
    let columns = columns(&builder);
    builder.with_projection(columns).with_batch_size(READ_ROWS).build().map_err(ArchiveError::parquet(path))
}

/// Reads a file to its end.
pub fn checksum(path: &Path) -> Result<Checksum, ArchiveError> {
    let reader = read(path, |_| ProjectionMask::all())?;
    let mut checksum = Checksum::default();
    for batch in reader {
        checksum.add(&batch.map_err(unreadable)?).map_err(unreadable)?;
    }
    Ok(checksum)
}

/// Times of a series lie close together, so their differences are stored; labels and what repeats go to a dictionary.
fn properties(table: &Table) -> Result<WriterProperties, ArchiveError> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(ArchiveError::parquet(Path::new(table.name)))?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for column in table.columns {
        let path = ColumnPath::from(column.name);
        properties = match column.kind {
            ColumnKind::Timestamp => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            // What tells every row from every other is looked up by its value, and no range of values leaves much out.
            ColumnKind::Text if key_column(table) == Some(column.name) => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_bloom_filter_enabled(path, true),
            _ => properties,
        };
    }
    Ok(properties.build())
}

/// Higher levels take several times as long for a few percent.
const ZSTD_LEVEL: i32 = 3;

fn unreadable(error: ArrowError) -> ArchiveError {
    ArchiveError::Read(ReadError::Failed(error.to_string()))
}
