//! What a connection is doing, as far as it matters for how long it may stay.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::budget::{Holding, Responses};

/// Why a connection was closed by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// Between two requests, or before the first, its client said nothing.
    Idle,
    /// Its client took nothing of an answer.
    Stalled,
    /// Others needed its place.
    Displaced,
}

/// What a connection is doing. Requests count in it where they begin and end, with atomics and nothing else: a request costs
/// one look at the clock, at its end.
pub(super) struct Activity {
    began: Instant,
    /// Requests whose answer has not ended.
    requests: AtomicU32,
    /// Those of them whose answer was cut.
    cut: AtomicU32,
    /// When the last request ended, in milliseconds since the beginning.
    ended: AtomicU64,
    /// What has come since the last request began and ended, in bytes: the head of the next one, as far as it is there.
    head: AtomicU64,
    /// Since when room is held for a head, in milliseconds since the beginning and at least 1; 0 while none is.
    head_since: AtomicU64,
    /// Whether it has become a WebSocket, which has rules of its own.
    upgraded: AtomicBool,
    /// Whether it takes no requests any more, and is there for those that it has.
    retired: AtomicBool,
    stalled: AtomicBool,
    leave: Notify,
    retire: Notify,
    holding: Holding,
}

impl Activity {
    /// A connection that is closed when its socket takes nothing while others need what it holds.
    pub(super) fn new(responses: &Responses) -> Arc<Self> {
        Arc::new_cyclic(|connection: &Weak<Self>| {
            let connection = connection.clone();
            let stall = move || {
                if let Some(connection) = connection.upgrade() {
                    connection.stall();
                }
            };
            Self {
                began: Instant::now(),
                requests: AtomicU32::new(0),
                cut: AtomicU32::new(0),
                ended: AtomicU64::new(0),
                head: AtomicU64::new(0),
                head_since: AtomicU64::new(0),
                upgraded: AtomicBool::new(false),
                retired: AtomicBool::new(false),
                stalled: AtomicBool::new(false),
                leave: Notify::new(),
                retire: Notify::new(),
                holding: responses.hold(stall),
            }
        })
    }

    /// A request has come. Whether another is under way.
    pub(super) fn begin(&self) -> bool {
        self.head.store(0, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed) > 0
    }

    /// The socket has the last byte of an answer, or it was given up.
    pub(super) fn end(&self, was_cut: bool) {
        self.ended.store(self.now(), Ordering::Relaxed);
        if was_cut {
            self.cut.fetch_sub(1, Ordering::Relaxed);
        }
        self.requests.fetch_sub(1, Ordering::Relaxed);
        if self.retired.load(Ordering::Relaxed) {
            self.stall_unless_needed();
        }
    }

    /// An answer was cut. Its stream stays for as long as the client wants, so the connection has to go: when its other
    /// requests have ended, or after the time in which a client has to take something.
    pub(super) fn cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
        if !self.retired.swap(true, Ordering::Relaxed) {
            self.holding.waits();
            self.retire.notify_one();
        }
        self.stall_unless_needed();
    }

    /// Its socket takes nothing.
    pub(super) fn blocked(&self) {
        if !self.upgraded.load(Ordering::Relaxed) {
            self.holding.waits();
        }
    }

    /// Its socket takes something again.
    pub(super) fn moved(&self) {
        if !self.retired.load(Ordering::Relaxed) {
            self.holding.goes_on();
        }
    }

    /// It is a WebSocket from now on.
    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
        self.holding.goes_on();
    }

    /// Asks it to make room.
    pub(super) fn displace(&self) {
        self.leave.notify_one();
    }

    /// So many bytes have come.
    pub(super) fn received(&self, bytes: usize) {
        if self.is_between_requests() {
            self.head.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    /// How much there is of the head of a request that has not begun, in bytes.
    pub(super) fn head(&self) -> u64 {
        if self.is_between_requests() { self.head.load(Ordering::Relaxed) } else { 0 }
    }

    /// Room is held for its head from now on, or no more.
    pub(super) fn holds_head(&self, holds: bool) {
        self.head_since.store(if holds { self.now().max(1) } else { 0 }, Ordering::Relaxed);
    }

    /// How long it has held room for a head that does not end.
    pub(super) fn holds_head_for(&self) -> Option<Duration> {
        let since = self.head_since.load(Ordering::Relaxed);
        (since > 0 && self.is_between_requests()).then(|| Duration::from_millis(self.now().saturating_sub(since)))
    }

    /// How long it has waited for its client between two requests; `None` while it has something to do.
    pub(super) fn idle(&self) -> Option<Duration> {
        let ended = Duration::from_millis(self.ended.load(Ordering::Relaxed));
        self.is_between_requests().then(|| self.began.elapsed().saturating_sub(ended))
    }

    /// Waits until it is to take no more requests.
    pub(super) async fn retired(&self) {
        self.retire.notified().await;
    }

    /// Waits until the connection is to be closed, and says why: it has been idle for `patience`, it holds what its client does
    /// not take, or it has been asked to make room.
    pub(super) async fn overdue(&self, patience: Duration) -> Closed {
        let mut wait = patience;
        loop {
            tokio::select! {
                () = self.leave.notified() => {
                    let stalled = self.stalled.load(Ordering::Relaxed);
                    return if stalled { Closed::Stalled } else { Closed::Displaced };
                }
                () = tokio::time::sleep(wait) => {}
            }
            wait = match self.idle() {
                Some(idle) if idle >= patience => return Closed::Idle,
                Some(idle) => patience - idle,
                None => patience,
            };
        }
    }

    fn is_between_requests(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0 && !self.upgraded.load(Ordering::Relaxed)
    }

    /// Milliseconds since the beginning.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn stall_unless_needed(&self) {
        if self.cut.load(Ordering::Relaxed) >= self.requests.load(Ordering::Relaxed) {
            self.stall();
        }
    }

    fn stall(&self) {
        self.stalled.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    fn activity() -> (Arc<Activity>, Responses) {
        let responses = Responses::new(1, 1);
        (Activity::new(&responses), responses)
    }

    #[tokio::test]
    async fn who_says_nothing_is_idle_and_who_takes_nothing_stalls() {
        let (activity, responses) = activity();
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Idle);
        activity.begin();
        assert_eq!(activity.idle(), None);
        activity.blocked();
        activity.moved();
        responses.cut_stalled(Duration::ZERO);
        assert!(tokio::time::timeout(4 * PATIENCE, activity.overdue(PATIENCE)).await.is_err(), "it has moved");
        activity.blocked();
        responses.cut_stalled(Duration::ZERO);
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Stalled);
    }

    #[tokio::test]
    async fn nobody_is_overdue_while_a_request_is_under_way() {
        let (activity, _responses) = activity();
        activity.begin();
        assert!(tokio::time::timeout(4 * PATIENCE, activity.overdue(PATIENCE)).await.is_err());
        activity.end(false);
        assert!(activity.idle().is_some_and(|idle| idle < PATIENCE));
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Idle);
    }

    #[test]
    fn what_comes_between_two_requests_is_a_head() {
        let (activity, _responses) = activity();
        activity.received(100);
        activity.holds_head(true);
        assert_eq!((activity.head(), activity.holds_head_for().is_some()), (100, true));
        activity.begin();
        activity.received(1_000);
        assert_eq!((activity.head(), activity.holds_head_for()), (0, None), "it has ended, and a body comes");
        activity.holds_head(false);
        activity.end(false);
        activity.received(10);
        assert_eq!((activity.head(), activity.holds_head_for()), (10, None));
        activity.upgrade();
        assert_eq!(activity.head(), 0);
    }

    #[tokio::test]
    async fn who_is_asked_for_room_leaves_at_once() {
        let (activity, _responses) = activity();
        activity.displace();
        assert_eq!(activity.overdue(Duration::from_secs(3_600)).await, Closed::Displaced);
    }

    #[tokio::test]
    async fn a_cut_answer_ends_its_connection_once_the_others_have_ended() {
        let (activity, responses) = activity();
        assert!(!activity.begin(), "it is the first");
        assert!(activity.begin());
        activity.cut();
        activity.retired().await;
        assert!(tokio::time::timeout(PATIENCE, activity.overdue(PATIENCE)).await.is_err(), "one is under way");
        activity.end(false);
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Stalled);
        activity.begin();
        activity.moved();
        responses.cut_stalled(Duration::ZERO);
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Stalled, "it has its time, and no more");
    }

    #[tokio::test]
    async fn a_websocket_is_left_to_its_own_rules() {
        let (activity, responses) = activity();
        activity.blocked();
        activity.upgrade();
        activity.blocked();
        responses.cut_stalled(Duration::ZERO);
        assert!(tokio::time::timeout(2 * PATIENCE, activity.overdue(PATIENCE)).await.is_err());
    }
}
