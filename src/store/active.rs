//! The queries that are running, and about how much of the engine's memory each of them holds.
//!
//! The engine tells how much memory all queries hold together, but not which one holds how much. What is seen to grow is
//! therefore put down to the queries that were computing at that time: one that only waits for its client allocates nothing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::pool::Purpose;
use super::stall::Stall;
use crate::budget::freed;

/// All running queries. Clones share them.
#[derive(Clone, Default)]
pub struct ActiveQueries {
    queries: Arc<Mutex<Vec<Arc<Query>>>>,
    /// Who looks at them; woken when there is one after there was none.
    watcher: Arc<OnceLock<Thread>>,
    /// How many requests lost their connection to others.
    displaced: Arc<AtomicU64>,
}

struct Query {
    purpose: Purpose,
    began: Instant,
    is_computing: AtomicBool,
    /// Bytes that are put down to it.
    held: AtomicU64,
    revoked: CancellationToken,
    /// Shared by the queries of one request.
    stall: Arc<Stall>,
    displaced: CancellationToken,
}

/// A running query's place among the others, given up when it is dropped.
pub struct ActiveQuery {
    query: Arc<Query>,
    all: ActiveQueries,
}

impl ActiveQueries {
    /// A query begins, one of those of a request.
    pub fn enter(&self, purpose: Purpose, stall: &Arc<Stall>) -> ActiveQuery {
        stall.goes_on();
        let query = Arc::new(Query {
            purpose,
            began: Instant::now(),
            is_computing: AtomicBool::new(false),
            held: AtomicU64::new(0),
            revoked: CancellationToken::new(),
            stall: Arc::clone(stall),
            displaced: CancellationToken::new(),
        });
        let first = {
            let mut queries = self.queries();
            queries.push(query.clone());
            queries.len() == 1
        };
        if first {
            self.wake_watcher();
        }
        ActiveQuery { query, all: self.clone() }
    }

    /// From here on `watcher` is woken when a query begins after there was none.
    pub fn watched_by(&self, watcher: Thread) {
        // There is one only.
        let _ = self.watcher.set(watcher);
    }

    /// Wakes whoever looks at them, or keeps it from falling asleep next time.
    pub fn wake_watcher(&self) {
        if let Some(watcher) = self.watcher.get() {
            watcher.unpark();
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.queries().len()
    }

    /// Puts `grown` bytes down to those that are computing.
    pub fn attribute(&self, grown: u64) {
        let queries = self.queries();
        let computing = || queries.iter().filter(|query| query.is_computing.load(Ordering::Relaxed));
        let count = computing().count() as u64;
        for query in computing() {
            query.held.fetch_add(grown / count.max(1), Ordering::Relaxed);
        }
    }

    /// Stops the query that holds most, the oldest of several; a backup only where there is nothing else. False when
    /// there is none left to stop.
    pub fn revoke_largest(&self) -> bool {
        let queries = self.queries();
        let candidates =
            queries.iter().filter(|query| query.purpose != Purpose::Reserved && !query.revoked.is_cancelled());
        let rank = |query: &Arc<Query>| {
            let held = query.held.load(Ordering::Relaxed);
            (query.purpose != Purpose::Held, held, std::cmp::Reverse(query.began))
        };
        let Some(largest) = candidates.max_by_key(|query| rank(query)) else { return false };
        tracing::warn!(
            purpose = ?largest.purpose,
            bytes = largest.held.load(Ordering::Relaxed),
            seconds = largest.began.elapsed().as_secs_f64(),
            "a query was stopped: the writer needs the memory that it holds"
        );
        largest.revoked.cancel();
        true
    }

    /// Stops the queries of the request for `purpose` that has waited longest for its client, and at least for `grace`. False
    /// when there is none.
    pub fn displace_stalled(&self, purpose: Purpose, grace: Duration) -> bool {
        let queries = self.queries();
        let candidates = queries.iter().filter(|query| query.purpose == purpose && !query.displaced.is_cancelled());
        let stalled =
            candidates.filter_map(|query| Some((query.stall.lasts().filter(|lasts| *lasts >= grace)?, query)));
        let Some((lasts, longest)) = stalled.max_by_key(|(lasts, _)| *lasts) else { return false };
        tracing::warn!(
            ?purpose,
            seconds = lasts.as_secs_f64(),
            "a query was stopped: its client takes nothing of its result, and others wait for its connection"
        );
        let of_request = queries.iter().filter(|query| Arc::ptr_eq(&query.stall, &longest.stall));
        of_request.for_each(|query| query.displaced.cancel());
        self.displaced.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// How many requests lost their connections to others since the start.
    pub fn displaced(&self) -> u64 {
        self.displaced.load(Ordering::Relaxed)
    }

    fn queries(&self) -> MutexGuard<'_, Vec<Arc<Query>>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ActiveQuery {
    /// Cancelled when the query has to end for want of memory.
    pub fn revoked(&self) -> CancellationToken {
        self.query.revoked.clone()
    }

    /// Cancelled when the query has to make way for others.
    pub fn displaced(&self) -> CancellationToken {
        self.query.displaced.clone()
    }

    /// Does `work` that lasts as long as the client makes it.
    pub fn wait_for_client<T>(&self, work: impl FnOnce() -> T) -> T {
        self.query.stall.rests();
        freed::give_back_near_limit();
        let done = work();
        self.query.stall.goes_on();
        done
    }

    /// Whether others are running beside it.
    pub fn has_company(&self) -> bool {
        self.all.count() > 1
    }

    /// Does `work` in the engine.
    pub fn compute<T>(&self, work: impl FnOnce() -> T) -> T {
        self.query.is_computing.store(true, Ordering::Relaxed);
        let done = work();
        self.query.is_computing.store(false, Ordering::Relaxed);
        done
    }
}

impl Drop for ActiveQuery {
    fn drop(&mut self) {
        self.query.stall.rests();
        self.all.queries().retain(|query| !Arc::ptr_eq(query, &self.query));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_that_grew_is_stopped_first_and_a_backup_last() {
        let all = ActiveQueries::default();
        let [small, large, backup, own] = [Purpose::Named, Purpose::Sql, Purpose::Held, Purpose::Reserved]
            .map(|purpose| all.enter(purpose, &Arc::default()));
        small.compute(|| all.attribute(10));
        large.compute(|| all.attribute(100));
        backup.compute(|| all.attribute(1_000));
        own.compute(|| all.attribute(1_000));
        let stopped = || [&small, &large, &backup, &own].map(|query| query.revoked().is_cancelled());
        assert!(all.revoke_largest());
        assert_eq!(stopped(), [false, true, false, false]);
        assert!(all.revoke_largest());
        assert_eq!(stopped(), [true, true, false, false]);
        assert!(all.revoke_largest());
        assert!(!all.revoke_largest());
        assert_eq!(stopped(), [true, true, true, false]);
        drop((small, large, backup, own));
        assert_eq!(all.count(), 0);
    }

    #[test]
    fn a_request_makes_way_when_all_of_its_queries_wait_for_its_client() {
        let (all, request, other) = (ActiveQueries::default(), Arc::default(), Arc::default());
        let pair = [all.enter(Purpose::Named, &request), all.enter(Purpose::Named, &request)];
        let (export, busy) = (all.enter(Purpose::Exports, &other), all.enter(Purpose::Named, &Arc::default()));
        let displace = || all.displace_stalled(Purpose::Named, Duration::ZERO);
        assert!(!export.wait_for_client(displace), "of another pool");
        assert!(!pair[0].wait_for_client(displace), "the other one computes");
        assert!(pair[0].wait_for_client(|| pair[1].wait_for_client(displace)));
        assert!(!pair[0].wait_for_client(|| pair[1].wait_for_client(displace)), "once");
        let displaced = [&pair[0], &pair[1], &export, &busy].map(|query| query.displaced().is_cancelled());
        assert_eq!((displaced, all.displaced()), ([true, true, false, false], 1));
        assert!(!busy.wait_for_client(|| all.displace_stalled(Purpose::Named, Duration::from_secs(60))), "not yet");
    }
}
