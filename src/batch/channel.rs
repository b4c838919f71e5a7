//! The bounded way from collectors and ingest to the one writer.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Array;
use arrow::buffer::NullBuffer;
use arrow::record_batch::RecordBatch;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::shortage::{Gate, Shortage};
use crate::tables::Table;

/// How many writes may wait, whatever their size.
const WAITING_WRITES: usize = 4_096;
/// Room is counted in pages of this size, so that a 32-bit permit count reaches far enough.
const PAGE_BYTES: usize = 1_024;
/// What a batch takes apart from its values.
const BATCH_BYTES: usize = 1_024;

/// Batches of one table that are stored together or not at all.
pub struct Write {
    /// The table they belong to.
    pub table: &'static Table,
    /// The rows; every batch has the table's schema.
    pub batches: Vec<RecordBatch>,
    /// Where to report the outcome. Without it, the writer may gather the rows for a while.
    pub acknowledge: Option<Acknowledge>,
    /// How often the writer has tried and failed to store it.
    pub failures: u32,
    room: OwnedSemaphorePermit,
}

impl Write {
    /// Bytes of its rows, as the channel counts them.
    pub fn bytes(&self) -> usize {
        self.room.num_permits() * PAGE_BYTES
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// Carries the outcome of a [`Write`] back to whoever waits for it.
pub type Acknowledge = oneshot::Sender<Result<Stored, WriteError>>;

/// Rows that are committed and synced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// How many of them are of days whose rows retention had dropped: what has outlived the day does not count them.
    pub of_dropped_days: usize,
}

/// Why rows were not stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The queue is full: the writer is behind.
    #[error("the writer is behind: try again in a second, or send less at a time")]
    Busy,
    /// One write is larger than the whole queue may hold.
    #[error("the rows take {bytes} bytes, more than the {limit} that may wait for the writer: send them in parts")]
    TooLarge {
        /// What the write needs.
        bytes: usize,
        /// What there is at the most.
        limit: usize,
    },
    /// The database's disk is full.
    #[error(transparent)]
    NoSpace(#[from] Shortage),
    /// The server is stopping.
    #[error("the server is stopping: send the rows again when it is back")]
    Stopping,
    /// Queries hold the memory that the rows need.
    #[error("there is too little memory for the rows now: try again in a second, or send less at a time")]
    NoMemory,
    /// The database engine failed: the server ends and is started again.
    #[error("the database engine failed and is started again: send the rows again when it is back")]
    EngineFailed,
    /// The database did not take these rows.
    #[error("the rows were not stored: {0}")]
    Rejected(String),
}

/// Rows that are on their way to the disk.
#[must_use = "what becomes of the rows is not known yet"]
pub struct Submitted {
    outcome: oneshot::Receiver<Result<Stored, WriteError>>,
}

impl Submitted {
    /// Waits until the rows are committed and synced, or were not stored.
    pub async fn committed(self) -> Result<Stored, WriteError> {
        self.outcome.await.map_err(|_| WriteError::Stopping)?
    }
}

/// The sending end: clone it freely.
#[derive(Clone)]
pub struct BatchSender {
    sender: mpsc::Sender<Write>,
    room: Arc<Semaphore>,
    limit_bytes: usize,
    gate: Gate,
}

/// The receiving end, which the writer owns.
pub type BatchReceiver = mpsc::Receiver<Write>;

/// A channel that holds at most `limit_bytes` of batches, those that the writer is working on included.
pub fn channel(limit_bytes: usize) -> (BatchSender, BatchReceiver) {
    let (sender, receiver) = mpsc::channel(WAITING_WRITES);
    let pages = limit_bytes.div_ceil(PAGE_BYTES).clamp(1, Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(pages));
    (BatchSender { sender, room, limit_bytes: pages * PAGE_BYTES, gate: Gate::open() }, receiver)
}

impl BatchSender {
    /// Hands rows over and waits for room, not for the disk: the writer stores them within its write interval.
    pub async fn send(&self, table: &'static Table, batch: RecordBatch) -> Result<(), WriteError> {
        let batches = vec![batch];
        let room = self.room.clone().acquire_many_owned(self.pages(&batches)?).await;
        let room = room.map_err(|_| WriteError::Stopping)?;
        let write = Write { table, batches, acknowledge: None, failures: 0, room };
        self.sender.send(write).await.map_err(|_| WriteError::Stopping)
    }

    /// Stores rows and returns when they are committed and synced, all of them; on an error, none of them is stored.
    ///
    /// Does not wait for room: [`WriteError::Busy`] tells the client to come back. [`WriteError::NoSpace`] comes at
    /// once while the disk is full, whatever waits.
    pub async fn commit(&self, table: &'static Table, batches: Vec<RecordBatch>) -> Result<Stored, WriteError> {
        self.submit(table, batches)?.committed().await
    }

    /// Hands rows over as [`commit`](Self::commit) does, and does not wait until they are stored: the queue has them
    /// and counts them.
    pub fn submit(&self, table: &'static Table, batches: Vec<RecordBatch>) -> Result<Submitted, WriteError> {
        if let Some(shortage) = self.gate.shortage() {
            return Err(shortage.into());
        }
        let room = self.room.clone().try_acquire_many_owned(self.pages(&batches)?).map_err(|_| WriteError::Busy)?;
        let (acknowledge, outcome) = oneshot::channel();
        let write = Write { table, batches, acknowledge: Some(acknowledge), failures: 0, room };
        self.sender.try_send(write).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => WriteError::Busy,
            mpsc::error::TrySendError::Closed(_) => WriteError::Stopping,
        })?;
        Ok(Submitted { outcome })
    }

    /// Whether rows are refused for want of space.
    pub fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// Writes that wait for the writer.
    pub fn depth(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Writes that may wait.
    pub fn most_writes(&self) -> usize {
        self.sender.max_capacity()
    }

    /// Bytes of the rows that wait, those that the writer is working on included.
    pub fn waiting_bytes(&self) -> usize {
        self.limit_bytes.saturating_sub(self.room.available_permits() * PAGE_BYTES)
    }

    /// Bytes of rows that may wait.
    pub fn most_bytes(&self) -> usize {
        self.limit_bytes
    }

    fn pages(&self, batches: &[RecordBatch]) -> Result<u32, WriteError> {
        let bytes = batch_bytes(batches);
        let too_large = WriteError::TooLarge { bytes, limit: self.limit_bytes };
        if bytes > self.limit_bytes {
            return Err(too_large);
        }
        u32::try_from(bytes.div_ceil(PAGE_BYTES)).map_err(|_| too_large)
    }
}

/// What batches take: the rows as they are going to be written, and no less than what they keep in memory.
///
/// Columns that were decoded in place share the allocation of the whole body, which counts once.
fn batch_bytes(batches: &[RecordBatch]) -> usize {
    let mut allocations = HashMap::new();
    let mut written = BATCH_BYTES * batches.len();
    for column in batches.iter().flat_map(RecordBatch::columns) {
        let column = column.to_data();
        written = written.saturating_add(column.get_slice_memory_size().unwrap_or(usize::MAX));
        // Columns of tables have no columns within them.
        let validity = column.nulls().map(NullBuffer::buffer);
        allocations
            .extend(column.buffers().iter().chain(validity).map(|buffer| (buffer.data_ptr(), buffer.capacity())));
    }
    written.max(allocations.values().fold(0, |sum: usize, bytes| sum.saturating_add(*bytes)))
}
