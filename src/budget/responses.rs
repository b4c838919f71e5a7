//! What responses hold on their way to clients, and who makes room when others need it.
//!
//! A client that takes nothing of its response makes the server hold it: the request itself, batches of a result that were not
//! encoded yet, and bytes that no socket has taken. Each is counted in a budget of its own: a request waits for its place
//! before it has anything else, encoding waits for room for bytes and then gives batches back, and only clients give bytes
//! back, so nobody waits for himself. While somebody waits for room, those responses are cut that have waited longest for
//! their clients.

use std::sync::Arc;
use std::time::Duration;

use super::arrivals::Arrivals;
use super::holders::{Holders, Holding, Since};
use super::reservation::{Budget, Exhausted, Reservation};

/// How long a client may take nothing of its response while others wait for what that holds.
pub const GRACE: Duration = Duration::from_secs(2);
/// Time between two looks for responses that can make room.
const LOOK: Duration = Duration::from_millis(100);
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
    arriving: Arrivals,
    holders: Arc<Holders>,
}

impl Responses {
    /// Budgets of so many bytes: for batches of results, and for requests and their encoded bytes, each half of it.
    pub fn new(batches: u64, responses: u64) -> Self {
        let bytes = responses / 2;
        let requests = (bytes / REQUEST).max(LEAST_REQUESTS);
        Self {
            batches: Budget::new("memory for results on their way to clients", batches),
            bytes: Budget::new("memory for responses on their way to clients", bytes),
            requests: Budget::new("requests under way", requests),
            arriving: Arrivals::new("requests whose bodies arrive", requests / 2),
            holders: Arc::default(),
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

    /// Those of them whose bodies arrive: half of the places at most, so that no body keeps out those who have none.
    pub fn arriving(&self) -> &Arrivals {
        &self.arriving
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
        self.reserve_with(budget, amount, patience, || self.make_room()).await
    }

    /// A place of `requests` for one; meanwhile bodies that come slowly make room as well.
    pub async fn place(&self, requests: &Budget, patience: Duration) -> Result<Reservation, Exhausted> {
        let make_room = || {
            self.arriving.make_room();
            self.make_room();
        };
        self.reserve_with(requests, 1, patience, make_room).await
    }

    async fn reserve_with(
        &self,
        budget: &Budget,
        amount: u64,
        patience: Duration,
        make_room: impl Fn(),
    ) -> Result<Reservation, Exhausted> {
        let amount = amount.min(budget.limit());
        let until = tokio::time::Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            match budget.reserve(amount, left.min(LOOK)).await {
                Err(exhausted) if left <= LOOK => return Err(exhausted),
                Err(_) => make_room(),
                reserved => return reserved,
            }
        }
    }

    /// Somebody who holds something for a client. `cut` is called, at most once, when it has to let go of it.
    pub fn hold(&self, cut: impl Fn() + Send + Sync + 'static) -> Holding {
        self.holders.hold(Arc::new(Since::default()), cut)
    }

    /// Cuts every holder that has waited for its client for `limit`.
    pub fn cut_stalled(&self, limit: Duration) {
        self.holders.cut_all(limit);
    }

    /// How many holders were cut because their clients took nothing.
    pub fn cut(&self) -> u64 {
        self.holders.cut()
    }

    /// Cuts some of those that have waited longest.
    fn make_room(&self) {
        self.holders.make_room(GRACE);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Instant;

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
        assert!(responses.holders.is_empty());
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
