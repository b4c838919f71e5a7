//! What a connection is doing, as far as it matters for how long it may stay.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

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
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    /// Requests whose answer has not ended.
    requests: AtomicU32,
    /// Requests that the server is at work for. With none of them, it waits for its client.
    working: AtomicU32,
    /// Counts whatever moves, so that two looks tell whether something did.
    steps: AtomicU64,
    /// When the last request ended, in milliseconds since the beginning.
    ended: AtomicU64,
    /// Whether it has become a WebSocket, which has rules of its own.
    upgraded: AtomicBool,
    leave: Notify,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            requests: AtomicU32::new(0),
            working: AtomicU32::new(0),
            steps: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            upgraded: AtomicBool::new(false),
            leave: Notify::new(),
        }
    }

    /// A request has come.
    pub(super) fn begin(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The last byte of an answer has been handed over, or it was given up.
    pub(super) fn end(&self) {
        self.moved();
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ended.store(elapsed, Ordering::Relaxed);
        self.requests.fetch_sub(1, Ordering::Relaxed);
    }

    /// The server works for a request.
    pub(super) fn work(&self) {
        self.working.fetch_add(1, Ordering::Relaxed);
    }

    /// It does not any more: it is the client's turn.
    pub(super) fn rest(&self) {
        self.working.fetch_sub(1, Ordering::Relaxed);
    }

    /// Something has moved.
    pub(super) fn moved(&self) {
        self.steps.fetch_add(1, Ordering::Relaxed);
    }

    /// It is a WebSocket from now on.
    pub(super) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Relaxed);
    }

    /// Asks it to make room.
    pub(super) fn displace(&self) {
        self.leave.notify_one();
    }

    /// How long it has waited for its client between two requests; `None` while it has something to do.
    pub(super) fn idle(&self) -> Option<Duration> {
        let busy = self.requests.load(Ordering::Relaxed) > 0 || self.upgraded.load(Ordering::Relaxed);
        let ended = Duration::from_millis(self.ended.load(Ordering::Relaxed));
        (!busy).then(|| self.began.elapsed().saturating_sub(ended))
    }

    /// Waits until the connection is to be closed, and says why: it has been idle for `patience`, nothing of an answer has moved
    /// between two looks that are as far apart, or it has been asked to make room.
    pub(super) async fn overdue(&self, patience: Duration) -> Closed {
        let mut wait = patience;
        loop {
            let before = self.steps.load(Ordering::Relaxed);
            tokio::select! {
                () = self.leave.notified() => return Closed::Displaced,
                () = tokio::time::sleep(wait) => {}
            }
            let unmoved = wait == patience && self.steps.load(Ordering::Relaxed) == before;
            wait = match self.idle() {
                Some(idle) if idle >= patience => return Closed::Idle,
                Some(idle) => patience - idle,
                None if unmoved && self.is_waiting() => return Closed::Stalled,
                None => patience,
            };
        }
    }

    /// Whether it is the client's turn.
    fn is_waiting(&self) -> bool {
        self.working.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn who_says_nothing_is_idle_and_who_takes_nothing_stalls() {
        let activity = Activity::new();
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Idle);
        activity.begin();
        assert_eq!(activity.idle(), None);
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Stalled);
    }

    #[tokio::test]
    async fn nobody_is_overdue_while_the_server_works() {
        let activity = Activity::new();
        activity.begin();
        activity.work();
        assert!(tokio::time::timeout(4 * PATIENCE, activity.overdue(PATIENCE)).await.is_err());
        activity.rest();
        activity.end();
        assert!(activity.idle().is_some_and(|idle| idle < PATIENCE));
        assert_eq!(activity.overdue(PATIENCE).await, Closed::Idle);
    }

    #[tokio::test]
    async fn who_is_asked_for_room_leaves_at_once() {
        let activity = Activity::new();
        activity.displace();
        assert_eq!(activity.overdue(Duration::from_secs(3_600)).await, Closed::Displaced);
    }
}
