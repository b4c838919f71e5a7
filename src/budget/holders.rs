//! Those who hold something that others may need, and which of them let go of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A part of those who could make room that has to at each look, so that no more are cut than needed.
const PART: usize = 8;
/// What [`Since`] counts from.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Everybody who holds something of a kind.
#[derive(Default)]
pub(super) struct Holders {
    next: AtomicU64,
    all: Mutex<HashMap<u64, Holder>>,
    /// How many were cut.
    cut: AtomicU64,
}

struct Holder {
    since: Arc<Since>,
    cut: Arc<dyn Fn() + Send + Sync>,
}

/// Since when a client is waited for, in milliseconds and at least 1; 0 while it is not. A moment ahead is one until which it
/// has time.
#[derive(Default)]
pub(super) struct Since(AtomicU64);

/// Somebody who holds something for a client. Forgotten when it is dropped.
pub struct Holding {
    number: u64,
    since: Arc<Since>,
    holders: Arc<Holders>,
}

impl Since {
    /// The client is waited for from `moment` on.
    pub(super) fn set(&self, moment: Instant) {
        self.0.store(millis(moment.saturating_duration_since(*BEGAN)) + 1, Ordering::Relaxed);
    }

    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl Holders {
    /// One more, who is waited for as `since` says. `cut` is called, at most once, when it has to let go of what it holds.
    pub(super) fn hold(self: &Arc<Self>, since: Arc<Since>, cut: impl Fn() + Send + Sync + 'static) -> Holding {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.all().insert(number, Holder { since: Arc::clone(&since), cut: Arc::new(cut) });
        Holding { number, since, holders: Arc::clone(self) }
    }

    /// Cuts every one that has waited for its client for `limit`.
    pub(super) fn cut_all(&self, limit: Duration) {
        self.cut_some(limit, |count| count);
    }

    /// Cuts some of those that have waited longest, of those that have waited for `limit`.
    /// Whether there are any.
    pub(super) fn make_room(&self, limit: Duration) -> bool {
        self.cut_some(limit, |count| count.div_ceil(PART))
    }

    /// How many were cut.
    pub(super) fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.all().is_empty()
    }

    fn cut_some(&self, limit: Duration, how_many: impl FnOnce(usize) -> usize) -> bool {
        let until = (millis(BEGAN.elapsed()) + 1).saturating_sub(millis(limit));
        let mut stalled: Vec<(u64, u64)> = {
            let all = self.all();
            let since = all.iter().map(|(number, holder)| (holder.since.0.load(Ordering::Relaxed), *number));
            since.filter(|(since, _)| *since > 0 && *since <= until).collect()
        };
        stalled.sort_unstable();
        stalled.truncate(how_many(stalled.len()));
        let is_any = !stalled.is_empty();
        for (_, number) in stalled {
            // Cut without the lock: what is let go of may be a holder itself.
            let holder = self.all().remove(&number);
            if let Some(holder) = holder {
                (holder.cut)();
                self.cut.fetch_add(1, Ordering::Relaxed);
            }
        }
        is_any
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, Holder>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holding {
    /// It is the client's turn, from now on.
    pub fn waits(&self) {
        self.since.set(Instant::now());
    }

    /// It is not, or the client has done what it was waited for.
    pub fn goes_on(&self) {
        self.since.clear();
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let holder = self.holders.all().remove(&self.number);
        // Outside of the lock: what it holds may be a holder itself.
        drop(holder);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX - 1)
}
