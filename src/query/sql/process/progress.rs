//! Whether the query of a worker waits for its client.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// A running query, as those see it that wait for its worker.
#[derive(Default)]
pub struct Progress {
    waits_since: Mutex<Option<Instant>>,
    displaced: CancellationToken,
}

impl Progress {
    /// Does `work` that lasts as long as the client makes it.
    pub async fn wait_for_client<T>(&self, work: impl Future<Output = T>) -> T {
        *self.waits_since() = Some(Instant::now());
        let done = work.await;
        *self.waits_since() = None;
        done
    }

    /// Returns when the query has to make way for others.
    pub async fn displaced(&self) {
        self.displaced.cancelled().await;
    }

    /// How long it has waited for its client; `None` while it does not, or has been told to make way.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let since = *self.waits_since();
        since.filter(|_| !self.displaced.is_cancelled()).map(|since| since.elapsed())
    }

    pub(super) fn displace(&self) {
        self.displaced.cancel();
    }

    fn waits_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.waits_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
