//! What responses hold on their way to clients, and who makes room when others need it.
//!
//! A client that takes nothing of its response makes the server hold it: the request itself, batches of a result that were not
//! encoded yet, and bytes that no socket has taken. Each is counted in a budget of its own: a request waits for its place
//! before it has anything else, encoding waits for room for bytes and then gives batches back, and only clients give bytes
//! back, so nobody waits for himself. While somebody waits for room, those responses are cut that have waited longest for
//! their clients.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::reservation::{Budget, Exhausted, Reservation};

/// How long a client may take nothing of its response while others wait for what that holds.
pub const GRACE: Duration = Duration::from_secs(2);
/// Time between two looks for responses that can make room.
const LOOK: Duration = Duration::from_millis(100);
/// A part of those who could make room that has to at each look, so that no more are cut than needed.
const PART: usize = 8;
/// What a request takes as long as it is under way: its head, its stream, its tasks, a small answer.
const REQUEST: u64 = 8 << 10;
/// So many may be under way however little memory there is.
const LEAST_REQUESTS: u64 = 64;
/// Part of the batches that one result may hold.
const RESULT_PART: u64 = 8;
/// The same for a result whose query holds a process as long as it waits.
const LARGE_RESULT_PART: u64 = 2;

/// What all responses hold. Clones share it.
#[derive(Clone)]
pub struct Responses {
    batches: Budget,
    bytes: Budget,
    requests: Budget,
    holders: Arc<Holders>,
}

struct Holders {
    began: Instant,
    next: AtomicU64,
    all: Mutex<HashMap<u64, Holder>>,
    /// How many were cut.
    cut: AtomicU64,
}

struct Holder {
    waiting: Arc<Waiting>,
    cut: Arc<dyn Fn() + Send + Sync>,
}

/// Since when a holder waits for its client, in milliseconds since the beginning and at least 1; 0 while it does not.
type Waiting = AtomicU64;

/// A response, or a connection, that holds something for its client. Forgotten when it is dropped.
pub struct Holding {
    number: u64,
    waiting: Arc<Waiting>,
    holders: Arc<Holders>,
}

impl Responses {
    /// Budgets of so many bytes: for batches of results, and for requests and their encoded bytes, each half of it.
    pub fn new(batches: u64, responses: u64) -> Self {
        let bytes = responses / 2;
        let holders =
            Holders { began: Instant::now(), next: AtomicU64::new(0), all: Mutex::default(), cut: AtomicU64::new(0) };
        Self {
            batches: Budget::new("memory for results on their way to clients", batches),
            bytes: Budget::new("memory for responses on their way to clients", bytes),
            requests: Budget::new("requests under way", (bytes / REQUEST).max(LEAST_REQUESTS)),
            holders: Arc::new(holders),
        }
    }

    /// Batches of results that are not encoded yet.
    pub fn batches(&self) -> &Budget {
        &self.batches
    }

    /// Requests that are under way: how many, not what they take.
    pub fn requests(&self) -> &Budget {
        &self.requests
    }

    /// Encoded bytes that no socket has taken yet.
    pub fn bytes(&self) -> &Budget {
        &self.bytes
    }

    /// A budget for the batches of one result: nobody may hold all that there is.
    pub fn one_result(&self) -> Budget {
        self.part(RESULT_PART)
    }

    /// The same for a result whose query holds much until all of it has been passed on.
    pub fn one_large_result(&self) -> Budget {
        self.part(LARGE_RESULT_PART)
    }

    fn part(&self, part: u64) -> Budget {
        Budget::new("memory for one result", (self.batches.limit() / part).max(1))
    }

    /// Takes `amount` of a budget, waiting up to `patience`; meanwhile those make room that wait for their clients. More than
    /// there ever is counts as all there is.
    pub async fn reserve(&self, budget: &Budget, amount: u64, patience: Duration) -> Result<Reservation, Exhausted> {
        let amount = amount.min(budget.limit());
        let until = tokio::time::Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match budget.reserve(amount, left.min(LOOK)).await {
                Err(exhausted) if left <= LOOK => return Err(exhausted),
                Err(_) => self.make_room(),
                reserved => return reserved,
            }
        }
    }

    /// Somebody who holds something for a client. `cut` is called, at most once, when it has to let go of it.
    pub fn hold(&self, cut: impl Fn() + Send + Sync + 'static) -> Holding {
        let number = self.holders.next.fetch_add(1, Ordering::Relaxed);
        let waiting = Arc::new(Waiting::new(0));
        self.holders.all().insert(number, Holder { waiting: Arc::clone(&waiting), cut: Arc::new(cut) });
        Holding { number, waiting, holders: Arc::clone(&self.holders) }
    }

    /// Cuts every holder that has waited for its client for `limit`.
    pub fn cut_stalled(&self, limit: Duration) {
        self.holders.cut(limit, |count| count);
    }

    /// How many holders were cut because their clients took nothing.
    pub fn cut(&self) -> u64 {
        self.holders.cut.load(Ordering::Relaxed)
    }

    /// Cuts some of those that have waited longest.
    fn make_room(&self) {
        self.holders.cut(GRACE, |count| count.div_ceil(PART));
    }
}

impl Holders {
    /// Cuts those that have waited longest, of those that have waited for `limit`.
    fn cut(&self, limit: Duration, how_many: impl FnOnce(usize) -> usize) {
        let until = self.now().saturating_sub(millis(limit));
        let mut stalled: Vec<(u64, u64)> = {
            let all = self.all();
            let since = all.iter().map(|(number, holder)| (holder.waiting.load(Ordering::Relaxed), *number));
            since.filter(|(since, _)| *since > 0 && *since <= until).collect()
        };
        stalled.sort_unstable();
        stalled.truncate(how_many(stalled.len()));
        for (_, number) in stalled {
            // Cut without the lock: what is let go of may be a holder itself.
            let holder = self.all().remove(&number);
            if let Some(holder) = holder {
                (holder.cut)();
                self.cut.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn now(&self) -> u64 {
        millis(self.began.elapsed()) + 1
    }

    fn all(&self) -> MutexGuard<'_, HashMap<u64, Holder>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holding {
    /// It is the client's turn, from now on.
    pub fn waits(&self) {
        self.waiting.store(self.holders.now(), Ordering::Relaxed);
    }

    /// It is not, or the client has done what it was waited for.
    pub fn goes_on(&self) {
        self.waiting.store(0, Ordering::Relaxed);
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
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_longest_for_its_client_makes_room() {
        let responses = Responses::new(10, 20);
        let hold = |amount| {
            let held = Arc::new(Mutex::new(Some(responses.bytes().try_reserve(amount).unwrap())));
            let cut = Arc::clone(&held);
            (responses.hold(move || drop(cut.lock().unwrap().take())), held)
        };
        let (stalled, first) = hold(4);
        let (works, second) = hold(4);
        stalled.waits();
        works.waits();
        works.goes_on();
        let began = Instant::now();
        let patience = Duration::from_secs(60);
        let reserved = responses.reserve(responses.bytes(), 5, patience).await.unwrap();
        assert!(began.elapsed() >= GRACE - LOOK, "{:?}", began.elapsed());
        assert!(first.lock().unwrap().is_none() && second.lock().unwrap().is_some());
        assert_eq!((reserved.amount(), responses.cut()), (5, 1));
        assert!(responses.reserve(responses.bytes(), 2, Duration::from_millis(1)).await.is_err());
        drop((stalled, works, second, reserved));
        assert_eq!(responses.reserve(responses.bytes(), 100, patience).await.unwrap().amount(), 10, "all there is");
        assert!(responses.holders.all().is_empty());
    }

    #[test]
    fn whoever_stalls_for_too_long_is_cut_even_if_nobody_waits() {
        let responses = Responses::new(1, 1);
        let cut = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&cut);
        let holding = responses.hold(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        responses.cut_stalled(Duration::ZERO);
        holding.waits();
        responses.cut_stalled(Duration::from_secs(30));
        assert_eq!(cut.load(Ordering::Relaxed), 0);
        responses.cut_stalled(Duration::ZERO);
        responses.cut_stalled(Duration::ZERO);
        assert_eq!(cut.load(Ordering::Relaxed), 1);
    }
}
