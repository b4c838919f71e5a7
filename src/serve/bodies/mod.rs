//! Bodies of requests: received within bounds of memory and time, and read beside the threads that serve sockets.

mod receive;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::ApiError;
use super::incoming::Upload;
use crate::budget::{Allowance, Arrivals, Budget, Reservation, Turns, freed};
use crate::config::Settings;
use crate::ingest::DecodeError;

/// Largest body of a query: its text, parameters and lists of names.
const QUERY_BYTES: usize = 1 << 20;
/// How long a body waits for memory while it is read.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a body waits to be read.
const TURN: Duration = Duration::from_secs(10);
/// Bodies that are read at one time, beyond one for each CPU.
const MORE_READERS: usize = 2;

/// The memory that all bodies share, and how they are received. Clones share it.
#[derive(Clone)]
pub struct Bodies {
    shared: Arc<Shared>,
}

struct Shared {
    /// For rows as they arrive.
    uploads: Memory,
    /// For questions as they arrive.
    queries: Memory,
    /// For what both unfold to.
    unfolding: Budget,
    timeout: Duration,
    turns: Turns,
    /// How many were cut.
    cut: AtomicU64,
}

/// Memory for bodies of a kind as they arrive: large ones cannot keep small ones out.
struct Memory {
    small: Arrivals,
    large: Arrivals,
    /// The largest of them.
    limit: usize,
}

/// A body in memory, which is counted as long as this is.
pub struct Received {
    /// The body.
    pub bytes: Bytes,
    _held: Option<Reservation>,
}

impl Bodies {
    /// Divides the memory for bodies: half of it for rows as they arrive, a sixteenth for small ones, about as much for questions,
    /// and the rest for what they unfold to. Apart from each other, uploads that never end cannot stop those that have from
    /// being read, nor questions from being asked.
    pub fn new(settings: &Settings) -> Self {
        let memory = settings.ingest_memory();
        let limit = settings.max_body_bytes();
        let uploads = Memory::new(memory / 16, settings.largest_arriving(), limit);
        let large = (memory / 32).max(QUERY_BYTES as u64).min(memory / 16);
        let queries = Memory::new(memory / 64, large, limit.min(QUERY_BYTES));
        let unfolding = memory.saturating_sub(uploads.bytes() + queries.bytes());
        let turns = std::thread::available_parallelism().map_or(2, usize::from) + MORE_READERS;
        let shared = Shared {
            uploads,
            queries,
            unfolding: Budget::new("the memory for bodies", unfolding),
            timeout: settings.server.upload_timeout,
            turns: Turns::new(turns, TURN),
            cut: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Largest body, in bytes after decompression.
    pub fn limit(&self) -> usize {
        self.shared.uploads.limit
    }

    /// How many were given up because they came too slowly while others needed their room.
    pub fn cut(&self) -> u64 {
        self.shared.cut.load(Ordering::Relaxed)
    }

    /// Rows, the whole of them.
    pub async fn receive_rows(&self, upload: Upload) -> Result<Received, ApiError> {
        self.shared.receive(&self.shared.uploads, upload).await
    }

    /// A question, the whole of it.
    pub async fn receive_query(&self, upload: Upload) -> Result<Received, ApiError> {
        self.shared.receive(&self.shared.queries, upload).await
    }

    /// Does work on bodies that may take long or unfold to much, beside the threads that serve sockets. What it
    /// allocates is to be counted on the allowance that it is given, which it may hand back together with what it made.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(Allowance) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = self.shared.turns.take().await.ok_or(DecodeError::Busy)?;
        let unfolding = self.shared.unfolding.clone();
        let reading = tokio::task::spawn_blocking(move || {
            let result = work(Allowance::patient(&unfolding, PATIENCE, turn.clone()));
            // Also if nobody waits for the result any more, the next one begins when this one has ended.
            turn.end();
            freed::give_back_near_limit();
            result
        });
        reading.await.map_err(|error| ApiError::Failed(format!("reading a body stopped: {error}")))
    }
}

impl Memory {
    fn new(small: u64, large: u64, limit: usize) -> Self {
        let name = "the memory for bodies";
        let limit = limit.min(usize::try_from(large).unwrap_or(limit));
        Self { small: Arrivals::new(name, small), large: Arrivals::new(name, large), limit }
    }

    fn bytes(&self) -> u64 {
        self.small.budget().limit() + self.large.budget().limit()
    }
}

#[cfg(test)]
mod tests;
