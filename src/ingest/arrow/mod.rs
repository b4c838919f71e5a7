//! Arrow IPC streams, uncompressed or compressed with lz4 or zstd.
//!
//! Uncompressed columns of the table's own types stay where they are in the body: nothing is copied. `message` takes the
//! stream apart, `buffers` tells what reading a message allocates, `dictionaries` keeps what columns refer to.

mod buffers;
mod dictionaries;
mod message;

use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::read_record_batch;
use arrow::ipc::{MessageHeader, RecordBatch as BatchHeader};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use self::dictionaries::Dictionaries;
use self::message::Messages;
use super::error::DecodeError;
use super::meter::Meter;
use super::normalise::Normaliser;
use super::untrusted;
use crate::tables::Table;

const FORMAT: &str = "an Arrow IPC stream";

/// Every batch of the stream.
pub(super) fn stream(table: &'static Table, body: Bytes, meter: &Meter<'_>) -> Result<Vec<RecordBatch>, DecodeError> {
    untrusted::read(FORMAT, || {
        let mut messages = Messages::of(&body);
        let Some(first) = messages.next()? else { return Err(malformed("it has no schema")) };
        let Some(schema) = first.header.header_as_schema() else {
            return Err(malformed("it does not begin with a schema"));
        };
        // Each of its texts and fields is allocated on its own.
        meter.take_each(first.header_bytes, 8)?;
        let schema = Arc::new(fb_to_schema(schema));
        let mut normaliser = Normaliser::new(table, &schema, meter)?;
        let mut dictionaries = Dictionaries::new(Arc::clone(&schema), meter);
        while let Some(message) = messages.next()? {
            let version = message.header.version();
            match message.header.header_type() {
                MessageHeader::RecordBatch => {
                    let Some(header) = message.header.header_as_record_batch() else { continue };
                    let before = meter.used();
                    normaliser.check_rows(rows(&header)?)?;
                    let data = buffers::admit(&message, &header, meter)?;
                    dictionaries.count_use()?;
                    let values = dictionaries.values();
                    let batch = read_record_batch(&data, header, Arc::clone(&schema), values, None, &version);
                    normaliser.add(batch.map_err(unreadable)?, before)?;
                }
                MessageHeader::DictionaryBatch => dictionaries.read(&message)?,
                MessageHeader::NONE => {}
                MessageHeader::Schema => return Err(malformed("it has two schemas")),
                other => return Err(malformed(&format!("it has a message of the kind {other:?}"))),
            }
        }
        normaliser.finish()
    })
}

/// The rows that a batch claims to have.
fn rows(batch: &BatchHeader<'_>) -> Result<u64, DecodeError> {
    u64::try_from(batch.length()).map_err(|_| malformed("a batch has a negative number of rows"))
}

fn malformed(reason: &str) -> DecodeError {
    untrusted::malformed(FORMAT)(&reason)
}

fn unreadable(error: ArrowError) -> DecodeError {
    untrusted::malformed(FORMAT)(&error)
}
