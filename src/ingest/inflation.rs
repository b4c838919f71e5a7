//! How large a compressed Arrow IPC stream becomes.

use arrow::ipc::{Message, RecordBatch, root_as_message};

use super::MAX_ROWS;
use super::error::DecodeError;

/// The most bytes that the compressed buffers of one body may unfold to.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Refuses a stream whose batches claim more rows than [`MAX_ROWS`] or more bytes than [`MAX_BYTES`], before anything
/// is allocated for them. What cannot be read here is left to the reader, which will say what is wrong with it.
pub(super) fn bounded(body: &[u8]) -> Result<(), DecodeError> {
    let mut rest = body;
    let mut bytes: u64 = 0;
    let mut rows: u64 = 0;
    while let Some((message, data, after)) = next_message(rest) {
        let batch = message.header_as_record_batch();
        let batch = batch.or_else(|| message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data()));
        if let Some(batch) = batch {
            rows = rows.saturating_add(u64::try_from(batch.length()).unwrap_or(u64::MAX));
            bytes = bytes.saturating_add(inflated(&batch, data));
        }
        if rows > MAX_ROWS as u64 || bytes > MAX_BYTES {
            return Err(DecodeError::TooManyRows(MAX_ROWS));
        }
        rest = after;
    }
    Ok(())
}

/// A message, its data, and what follows.
fn next_message(body: &[u8]) -> Option<(Message<'_>, &[u8], &[u8])> {
    const CONTINUATION: [u8; 4] = [0xff; 4];
    let rest = body.strip_prefix(&CONTINUATION).unwrap_or(body);
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (header, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let message = root_as_message(header).ok()?;
    let (data, rest) = rest.split_at_checked(usize::try_from(message.bodyLength()).ok()?)?;
    Some((message, data, rest))
}

/// What the compressed buffers of a batch unfold to: each begins with that number.
fn inflated(batch: &RecordBatch<'_>, data: &[u8]) -> u64 {
    let (Some(_), Some(buffers)) = (batch.compression(), batch.buffers()) else { return 0 };
    let sizes = buffers.iter().map(|buffer| {
        let start = usize::try_from(buffer.offset()).ok()?;
        let size = data.get(start..)?.first_chunk::<8>()?;
        // A negative number marks a buffer that is stored as it is.
        u64::try_from(i64::from_le_bytes(*size)).ok().filter(|_| buffer.length() > 0)
    });
    sizes.flatten().fold(0, u64::saturating_add)
}
