//! What reading the buffers of a message allocates.

use std::io::Read;

use arrow::buffer::Buffer;
use arrow::ipc::{CompressionType, RecordBatch as BatchHeader};
use lz4_flex::frame::FrameDecoder;

use super::malformed;
use super::message::Message;
use crate::ingest::error::DecodeError;
use crate::ingest::meter::Meter;

/// The strictest alignment that a column needs. What is not aligned is copied.
const ALIGNMENT: usize = 16;

/// The data of a message, once everything that reading it allocates is counted.
pub(super) fn admit(message: &Message<'_>, batch: &BatchHeader<'_>, meter: &Meter<'_>) -> Result<Buffer, DecodeError> {
    let compression = batch.compression().map(|compression| compression.codec());
    // The descriptions of the columns.
    meter.take_each(message.header_bytes, 8)?;
    for buffer in batch.buffers().iter().flatten() {
        let start = usize::try_from(buffer.offset()).ok();
        let end =
            start.zip(usize::try_from(buffer.length()).ok()).and_then(|(start, length)| start.checked_add(length));
        let stored = start.zip(end).and_then(|(start, end)| message.data.get(start..end));
        let Some(stored) = stored else { return Err(malformed("a column lies outside of its message")) };
        if stored.is_empty() {
            continue;
        }
        match compression {
            None => count_copy(stored, meter)?,
            Some(codec) => {
                let Some((length, compressed)) = stored.split_first_chunk::<8>() else {
                    return Err(malformed("a compressed column has no length"));
                };
                match u64::try_from(i64::from_le_bytes(*length)) {
                    Ok(length) => {
                        meter.take(length)?;
                        if codec == CompressionType::LZ4_FRAME && length > 0 {
                            check_length(compressed, length)?;
                        }
                    }
                    // A negative length marks what is stored as it is.
                    Err(_) => count_copy(compressed, meter)?,
                }
            }
        }
    }
    Ok(message.data.clone())
}

fn count_copy(stored: &[u8], meter: &Meter<'_>) -> Result<(), DecodeError> {
    if (stored.as_ptr() as usize).is_multiple_of(ALIGNMENT) { Ok(()) } else { meter.take(stored.len() as u64) }
}

/// Unpacks without keeping: the reader takes all that an lz4 frame gives, whatever length is written before it. (Of zstd
/// it takes no more than that length.)
fn check_length(compressed: &[u8], length: u64) -> Result<(), DecodeError> {
    let unpacked =
        std::io::copy(&mut FrameDecoder::new(compressed).take(length.saturating_add(1)), &mut std::io::sink());
    match unpacked {
        Ok(unpacked) if unpacked == length => Ok(()),
        Ok(_) => Err(malformed("a compressed column is not as long as it says")),
        Err(error) => Err(malformed(&error.to_string())),
    }
}
