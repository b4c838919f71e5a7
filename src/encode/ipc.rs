//! Arrow IPC, the streaming form or a file, uncompressed: every reader there is takes it.

use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::record_batch::RecordBatch;

use super::pump::{Encoder, pump};
use super::{ByteStream, failed};
use crate::batch::{BatchStream, ReadError};

/// One schema message, one message a batch, one end mark.
pub(super) fn stream(batches: BatchStream) -> ByteStream {
    let writer = StreamWriter::try_new(Vec::new(), batches.schema()).map_err(failed);
    pump(writer, batches, false)
}

/// The same between a mark at the start and a table of contents at the end, for readers that jump.
pub(super) fn file(batches: BatchStream) -> ByteStream {
    let writer = FileWriter::try_new(Vec::new(), batches.schema()).map_err(failed);
    pump(writer, batches, false)
}

impl Encoder for FileWriter<Vec<u8>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        self.write(batch).map_err(failed)
    }

    fn finish(&mut self) -> Result<(), ReadError> {
        self.finish().map_err(failed)
    }

    fn ready(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Encoder for StreamWriter<Vec<u8>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        self.write(batch).map_err(failed)
    }

    fn finish(&mut self) -> Result<(), ReadError> {
        self.finish().map_err(failed)
    }

    fn ready(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}
