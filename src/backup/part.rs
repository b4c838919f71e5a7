//! One file with rows of a table.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tokio::sync::mpsc;

use super::manifest::{Part, in_directory};
use super::upload::upload;
use super::{BackupError, Place};
use crate::batch::{BatchStream, Checksum};
use crate::encode::{Format, encode};

/// Rows of a batch that is read.
const BATCH_ROWS: usize = 8_192;
/// Batches that are read ahead.
const BATCHES_AHEAD: usize = 8;

/// Writes rows as a Parquet file, in bounded memory, and returns its size when it is durable. What was written of it is
/// taken back when the rows end with an error.
pub(super) async fn write(place: &Place, name: &str, rows: BatchStream) -> Result<u64, BackupError> {
    let chunks = encode(Format::Parquet, rows).map_err(BackupError::from);
    Ok(upload(place, name, chunks).await?.bytes)
}

/// Reads a part of the backup in `directory`, giving its batches to `take`, and checks that they are what the manifest
/// says, and that the columns are those that are `declared`. A file is held as a whole, compressed as it is.
pub(super) async fn read<T>(
    place: &Place,
    directory: &str,
    declared: Option<SchemaRef>,
    part: &Part,
    mut take: T,
) -> Result<Checksum, BackupError>
where
    T: AsyncFnMut(RecordBatch) -> Result<(), BackupError>,
{
    let name = in_directory(directory, &part.file);
    let damaged = |what: String| BackupError::Damaged { file: place.full_name(&name), what };
    let Some(file) = place.read_if_there(&name).await? else { return Err(damaged("it is missing".into())) };
    if file.len() as u64 != part.bytes {
        return Err(damaged(format!("it has {} bytes, not {}", file.len(), part.bytes)));
    }
    let (batches, mut received) = mpsc::channel(BATCHES_AHEAD);
    // A panic of the library over a damaged file ends the batches early, which the checksum tells.
    let reading = tokio::task::spawn_blocking(move || decode(file, declared.as_deref(), &batches));
    let mut checksum = Checksum::default();
    while let Some(batch) = received.recv().await {
        checksum.add(&batch).map_err(|error| damaged(error.to_string()))?;
        take(batch).await?;
    }
    match reading.await {
        Ok(Ok(())) if part.is(&checksum) => Ok(checksum),
        Ok(Ok(())) => Err(damaged("its rows have another checksum".into())),
        Ok(Err(error)) => Err(damaged(error)),
        Err(_) => Err(damaged("it is no Parquet file".into())),
    }
}

/// Sends the batches of a file, as long as somebody takes them.
fn decode(file: Bytes, declared: Option<&Schema>, batches: &mpsc::Sender<RecordBatch>) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let file = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| text(&error))?;
    let columns = |schema: &Schema| {
        let column = |field: &Arc<Field>| (field.name().clone(), field.data_type().clone());
        schema.fields().iter().map(column).collect::<Vec<_>>()
    };
    if declared.is_some_and(|declared| columns(declared) != columns(file.schema())) {
        return Err("it has other columns".into());
    }
    for batch in file.with_batch_size(BATCH_ROWS).build().map_err(|error| text(&error))? {
        if batches.blocking_send(batch.map_err(|error| text(&error))?).is_err() {
            break;
        }
    }
    Ok(())
}
