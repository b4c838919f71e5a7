//! Arrow IPC streams as request and answer bodies.

use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

pub const MEDIA_TYPE: &str = "application/vnd.apache.arrow.stream";

/// The batches as one stream.
pub fn write(batches: &[RecordBatch]) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).expect("a writer");
    for batch in batches {
        writer.write(batch).expect("a batch of the schema");
    }
    writer.into_inner().expect("the end of the stream")
}

/// The batches of a stream, which must be whole.
pub fn read(body: &[u8]) -> Vec<RecordBatch> {
    let reader = StreamReader::try_new(body, None).expect("an Arrow stream");
    reader.collect::<Result<_, _>>().expect("whole batches")
}
