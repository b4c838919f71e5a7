//! Stopping a query: when its time is up, or when nobody waits for it any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use duckdb::InterruptHandle;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::active::ActiveQuery;
use crate::batch::ReadError;
use crate::budget::GRACE;

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
    /// Its client took nothing while others waited for its connection.
    Displaced,
}

impl Stopped {
    /// What whoever asked is told of it; `None` when nobody is there any more.
    pub fn error(self) -> Option<ReadError> {
        match self {
            Self::TimedOut(limit) => Some(ReadError::TimedOut(limit)),
            Self::Revoked => Some(ReadError::NoMemory),
            Self::Displaced => Some(ReadError::Stalled(GRACE)),
            Self::Abandoned => None,
        }
    }
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

/// Why a query was stopped.
#[derive(Clone)]
pub struct Reason {
    shared: Arc<Shared>,
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
        active: &ActiveQuery,
    ) -> Self {
        let (revoked, displaced) = (active.revoked(), active.displaced());
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
                () = displaced.cancelled() => Stopped::Displaced,
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

    /// Waits for something; `None` when the query must end instead. For use off the runtime.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(self.stop.run_until_cancelled(work))
    }

    /// Why the query was stopped, if it was.
    pub fn stopped(&self) -> Option<Stopped> {
        self.reason().stopped()
    }

    /// What tells why the query was stopped, for whoever waits for it.
    pub fn reason(&self) -> Reason {
        Reason { shared: self.shared.clone() }
    }

    /// The query has ended: no interrupt is sent from here on.
    pub fn finish(&self) {
        self.ended.cancel();
        self.shared.lock().0 = false;
    }
}

impl Drop for Watch {
    /// Whatever becomes of the query, no interrupt reaches the one that uses the connection next.
    fn drop(&mut self) {
        self.finish();
    }
}

impl Reason {
    /// Why the query was stopped, if it was.
    pub fn stopped(&self) -> Option<Stopped> {
        self.shared.lock().1
    }

    /// Tells an error from what the query was stopped for.
    pub fn explain(&self, error: ReadError) -> ReadError {
        self.stopped().and_then(Stopped::error).unwrap_or(error)
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, (bool, Option<Stopped>)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
