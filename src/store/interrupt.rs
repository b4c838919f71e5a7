//! Stopping a query: when its time is up, or when nobody waits for it any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use duckdb::InterruptHandle;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// An interrupt that arrives before the query has begun is lost, so it is repeated this often until the query ends.
const REPEAT: Duration = Duration::from_millis(3);

/// Why a query was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Its time limit passed.
    TimedOut(Duration),
    /// Whoever asked has gone.
    Abandoned,
    /// The writer needs its memory.
    Revoked,
}

/// Watches one query from beside it.
pub struct Watch {
    shared: Arc<Shared>,
    /// Cancelled when the query must end.
    stop: CancellationToken,
    /// Cancelled when the query has ended.
    ended: CancellationToken,
    runtime: Handle,
}

struct Shared {
    /// Whether an interrupt may still be sent, and why it was. Interrupts are sent under this lock, so that none can
    /// reach the query that uses the connection next.
    state: Mutex<(bool, Option<Stopped>)>,
}

impl Watch {
    /// Starts to watch; must be called on a runtime.
    pub fn start(
        handle: Arc<InterruptHandle>,
        limit: Duration,
        abandoned: CancellationToken,
        revoked: CancellationToken,
    ) -> Self {
        let watch = Self {
            shared: Arc::new(Shared { state: Mutex::new((true, None)) }),
            stop: CancellationToken::new(),
            ended: CancellationToken::new(),
            runtime: Handle::current(),
        };
        let (shared, stop, ended) = (watch.shared.clone(), watch.stop.clone(), watch.ended.clone());
        tokio::spawn(async move {
            let reason = tokio::select! {
                () = ended.cancelled() => return,
                () = abandoned.cancelled() => Stopped::Abandoned,
                () = revoked.cancelled() => Stopped::Revoked,
                () = tokio::time::sleep(limit) => Stopped::TimedOut(limit),
            };
            shared.lock().1 = Some(reason);
            stop.cancel();
            loop {
                {
                    let state = shared.lock();
                    if !state.0 {
                        return;
                    }
                    handle.interrupt();
                }
                tokio::time::sleep(REPEAT).await;
            }
        });
        watch
    }

    /// Passes a batch on, waiting for room; false when the query must end instead. For use off the runtime.
    pub fn send(&self, batches: &mpsc::Sender<RecordBatch>, batch: RecordBatch) -> bool {
        match batches.try_send(batch) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(batch)) => self.runtime.block_on(async {
                tokio::select! {
                    sent = batches.send(batch) => sent.is_ok(),
                    () = self.stop.cancelled() => false,
                }
            }),
        }
    }

    /// Why the query was stopped, if it was.
    pub fn stopped(&self) -> Option<Stopped> {
        self.shared.lock().1
    }

    /// The query has ended: no interrupt is sent from here on.
    pub fn finish(&self) {
        self.ended.cancel();
        self.shared.lock().0 = false;
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, (bool, Option<Stopped>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
