//! Turns to work, of which there are few: who waits for something else meanwhile gives his to others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// So many may wait for each turn that there is: each keeps a thread.
const WAITING: usize = 8;

/// How many may work at one time. Clones share it.
#[derive(Clone)]
pub struct Turns {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    patience: Duration,
}

/// A turn. Clones are the same one, which others have when it was ended or all of them are gone.
#[derive(Clone)]
pub struct Turn {
    permit: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    turns: Turns,
}

impl Turns {
    /// So many at one time, for each of which one waits up to `patience`.
    pub fn new(number: usize, patience: Duration) -> Self {
        let semaphore = |number| Arc::new(Semaphore::new(number));
        Self { working: semaphore(number), waiting: semaphore(WAITING * number), patience }
    }

    /// One of them, unless others have all of them for too long.
    pub async fn take(&self) -> Option<Turn> {
        let permit = Arc::new(Mutex::new(Some(self.permit().await?)));
        Some(Turn { permit, turns: self.clone() })
    }

    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        timeout(self.patience, Arc::clone(&self.working).acquire_owned()).await.ok()?.ok()
    }
}

impl Turn {
    /// Others have it now.
    pub fn end(&self) {
        drop(self.permit().take());
    }

    /// Others have it while `wait` is under way. `None` when too many wait already, or it does not come back.
    pub(super) async fn without<T>(&self, wait: impl Future<Output = T>) -> Option<T> {
        let _waiting = self.turns.waiting.try_acquire().ok()?;
        self.end();
        let outcome = wait.await;
        let permit = self.turns.permit().await?;
        *self.permit() = Some(permit);
        Some(outcome)
    }

    fn permit(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.permit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
