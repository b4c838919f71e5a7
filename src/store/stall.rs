//! Whether the queries of a request wait for its client.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What the queries of one request do. They wait for the client when all of them do: one that is computed beside another
/// has its turn later.
#[derive(Default)]
pub struct Stall {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Queries that run, or wait for something else than the client.
    busy: usize,
    /// Since when there is none.
    since: Option<Instant>,
}

impl Stall {
    /// A query goes on.
    pub fn goes_on(&self) {
        let mut state = self.state();
        state.busy += 1;
        state.since = None;
    }

    /// A query waits for the client, or has ended.
    pub fn rests(&self) {
        let mut state = self.state();
        state.busy = state.busy.saturating_sub(1);
        if state.busy == 0 {
            state.since = Some(Instant::now());
        }
    }

    /// How long all of them have waited for the client; `None` while one does not.
    pub fn lasts(&self) -> Option<Duration> {
        self.state().since.map(|since| since.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
