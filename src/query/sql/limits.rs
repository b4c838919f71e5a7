//! How much a query may take: time, rows, a place among others, and threads of its own.

use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use futures::{Stream, stream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::batch::ReadError;

/// How long a query waits for its turn before it is told to come back.
const PATIENCE: Duration = Duration::from_secs(1);
/// Address space of each thread's stack; planning descends into nested expressions. Memory is taken only as it is used.
const STACK_BYTES: usize = 64 << 20;

/// When a query has to be done, everything included.
#[derive(Debug)]
pub(super) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    /// `limit` from now.
    pub fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    /// What is left of the time.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Waits for `work`, but not beyond the deadline.
    pub async fn bound<T>(&self, work: impl Future<Output = T>) -> Result<T, ReadError> {
        tokio::time::timeout_at(self.at, work).await.map_err(|_| self.passed())
    }

    fn passed(&self) -> ReadError {
        ReadError::TimedOut(self.limit)
    }
}

/// Lets only so many queries run at one time.
pub(super) struct Admission {
    places: Arc<Semaphore>,
}

impl Admission {
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS))) }
    }

    /// A place, which is free again when it is dropped; [`ReadError::Busy`] when there is none for a while.
    pub async fn enter(&self) -> Result<OwnedSemaphorePermit, ReadError> {
        let place = tokio::time::timeout(PATIENCE, self.places.clone().acquire_owned()).await;
        place.map_err(|_| ReadError::Busy)?.map_err(|_| ReadError::Stopping)
    }
}

/// Threads that plan and compute, apart from those that serve sockets.
pub(super) struct ComputePool {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl ComputePool {
    /// One thread a core.
    pub fn start() -> Result<Self, ReadError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, usize::from))
            .thread_name("sql")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()
            .map_err(|error| ReadError::Failed(format!("the threads for SQL could not be started: {error}")))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs `work` here; it ends early when the handle is dropped.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> AbortOnDropHandle<T> {
        AbortOnDropHandle::new(self.handle.spawn(work))
    }
}

impl Drop for ComputePool {
    fn drop(&mut self) {
        // Waiting for the threads is not allowed where this may be dropped: on a thread that serves sockets.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The answer on its way out of the pool.
pub(super) struct Answer {
    /// Filled by `work`.
    pub batches: mpsc::Receiver<Result<RecordBatch, ReadError>>,
    /// What computes the batches; stopped when this is dropped.
    pub work: AbortOnDropHandle<()>,
    /// When it has to be complete.
    pub deadline: Arc<Deadline>,
    /// Rows that it may have.
    pub max_rows: usize,
    /// Rows that it has had.
    pub rows: usize,
}

impl Answer {
    /// The batches, up to the end or the first limit that is hit.
    pub fn stream(self) -> impl Stream<Item = Result<RecordBatch, ReadError>> + Send {
        stream::try_unfold(self, |mut answer| async {
            let batch = answer.next().await?;
            Ok(batch.map(|batch| (batch, answer)))
        })
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, ReadError> {
        let batch = match self.deadline.bound(self.batches.recv()).await? {
            Some(Ok(batch)) => batch,
            // The store was given what was left of the time; the asker knows the whole.
            Some(Err(ReadError::TimedOut(_))) => return Err(self.deadline.passed()),
            Some(Err(error)) => return Err(error),
            None => return (&mut self.work).await.map(|()| None).map_err(ended),
        };
        self.rows += batch.num_rows();
        if self.rows > self.max_rows {
            return Err(ReadError::TooManyRows(self.max_rows));
        }
        Ok(Some(batch))
    }
}

/// Why work on the pool came to nothing.
pub(super) fn ended(error: tokio::task::JoinError) -> ReadError {
    if error.is_cancelled() { ReadError::Stopping } else { ReadError::Failed(format!("a query broke down: {error}")) }
}
