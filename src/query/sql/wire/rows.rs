//! Batches as bytes, and back.

use arrow::array::Array;
use arrow::buffer::Buffer;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use crate::batch::ReadError;

/// About how many bytes of rows go into one frame.
const FRAME_BYTES: usize = 1 << 20;
/// The most that rows in one frame may take: what a row of a result may take, too.
pub const LARGEST_ROWS: usize = 8 << 20;

/// The rows of a batch in frames, each a whole Arrow IPC stream.
pub struct Pieces {
    /// What is left, the next one last.
    left: Vec<RecordBatch>,
    /// Bytes that a frame may have.
    most: usize,
}

impl Pieces {
    /// Frames of at most `most` bytes.
    pub fn of(batch: RecordBatch, most: usize) -> Self {
        Self { left: vec![batch], most }
    }

    /// A frame with a schema and no rows.
    pub fn empty(schema: &Schema) -> Result<Vec<u8>, ReadError> {
        encode(schema, None).map_err(failed)
    }

    fn split(&mut self, batch: &RecordBatch) {
        let half = batch.num_rows() / 2;
        self.left.push(batch.slice(half, batch.num_rows() - half));
        self.left.push(batch.slice(0, half));
    }
}

impl Iterator for Pieces {
    type Item = Result<Vec<u8>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let batch = self.left.pop()?;
            if batch.num_rows() > 1 && estimated_bytes(&batch) > FRAME_BYTES {
                self.split(&batch);
                continue;
            }
            match encode(&batch.schema(), Some(&batch)) {
                Ok(bytes) if bytes.len() <= self.most => return Some(Ok(bytes)),
                Ok(_) if batch.num_rows() > 1 => self.split(&batch),
                Ok(_) => return Some(Err(too_large(self.most))),
                Err(error) => return Some(Err(failed(error))),
            }
        }
    }
}

/// What a frame holds: its schema, and rows if there are any.
pub fn decode(bytes: Vec<u8>) -> Result<(SchemaRef, Option<RecordBatch>), ReadError> {
    let mut decoder = StreamDecoder::new();
    let mut bytes = Buffer::from_vec(bytes);
    let mut rows = None;
    while !bytes.is_empty() {
        if let Some(batch) = decoder.decode(&mut bytes).map_err(failed)? {
            rows = Some(batch);
        }
    }
    let schema = decoder.schema().ok_or_else(|| failed(ArrowError::IpcError("no schema".to_owned())))?;
    Ok((schema, rows))
}

fn encode(schema: &Schema, batch: Option<&RecordBatch>) -> Result<Vec<u8>, ArrowError> {
    let room = batch.map_or(0, estimated_bytes) + 4096;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(room), schema)?;
    if let Some(batch) = batch {
        writer.write(batch)?;
    }
    writer.finish()?;
    writer.into_inner()
}

fn estimated_bytes(batch: &RecordBatch) -> usize {
    let bytes = |column: &arrow::array::ArrayRef| {
        let sliced = column.to_data().get_slice_memory_size();
        sliced.unwrap_or_else(|_| column.get_buffer_memory_size())
    };
    batch.columns().iter().map(bytes).sum()
}

fn too_large(most: usize) -> ReadError {
    ReadError::OutOfMemory(format!("one of its rows has more than {} MiB: select fewer columns", most >> 20))
}

fn failed(error: ArrowError) -> ReadError {
    ReadError::Failed(format!("rows could not be passed on: {error}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatchOptions, StringArray};
    use arrow::compute::concat_batches;
    use arrow::datatypes::{DataType, Int32Type};

    use super::*;

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        RecordBatch::try_from_iter(columns.into_iter().map(|column| ("c", column))).unwrap()
    }

    fn back(batch: &RecordBatch) -> Vec<RecordBatch> {
        let pieces = Pieces::of(batch.clone(), LARGEST_ROWS);
        pieces.map(|bytes| decode(bytes.unwrap()).unwrap().1.unwrap()).collect()
    }

    #[test]
    fn rows_arrive_as_they_were() {
        let words: arrow::array::DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
        let none = RecordBatchOptions::new().with_row_count(Some(7));
        for batch in [
            batch(vec![Arc::new(Int64Array::from(vec![1, 2, 3])), Arc::new(StringArray::from(vec!["x", "", "Größe"]))]),
            batch(vec![Arc::new(words)]),
            RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &none).unwrap(),
        ] {
            assert_eq!(back(&batch), [batch]);
        }
    }

    #[test]
    fn a_schema_arrives_without_rows() {
        let schema = Schema::new(vec![arrow::datatypes::Field::new("c", DataType::Utf8, true)]);
        let (found, rows) = decode(Pieces::empty(&schema).unwrap()).unwrap();
        assert_eq!((found.as_ref(), rows), (&schema, None));
        let (found, _) = decode(Pieces::empty(&Schema::empty()).unwrap()).unwrap();
        assert!(found.fields().is_empty());
    }

    #[test]
    fn large_batches_go_in_pieces_and_a_row_that_is_too_large_does_not_go() {
        let texts = StringArray::from_iter_values((0..1_000).map(|row| "x".repeat(row * 10)));
        let rows = batch(vec![Arc::new(texts)]);
        let pieces = back(&rows);
        assert!(pieces.len() > 3, "{}", pieces.len());
        assert_eq!(concat_batches(&rows.schema(), &pieces).unwrap(), rows);
        let giant = batch(vec![Arc::new(StringArray::from(vec!["y".repeat(LARGEST_ROWS), "z".into()]))]);
        let refused = Pieces::of(giant, LARGEST_ROWS).next().unwrap();
        assert!(matches!(refused, Err(ReadError::OutOfMemory(_))), "{refused:?}");
    }
}
