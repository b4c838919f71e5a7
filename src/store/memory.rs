//! Memory that no query can take from the writer.
//!
//! The engine has one memory limit for everybody. While queries run it is that of the queries; whoever commits or
//! checkpoints raises it to the whole for that moment, and finds the difference free. A query may have taken some of it
//! meanwhile: when the limit cannot be lowered again, the queries that hold most are stopped until it can.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::active::ActiveQueries;
use crate::budget::MemoryShares;

/// How long a commit waits for the memory that is its own.
const PATIENCE: Duration = Duration::from_secs(5);
/// The smallest log that is worth a checkpoint.
const LEAST_LOG: u64 = 1_000_000;
/// The part of the engine's share that it may have on top of it while something is committed or checkpointed.
const PART_ON_TOP: u64 = 2;
/// Between two looks at how much queries hold, while there are any.
const LOOK: Duration = Duration::from_millis(50);
/// Between a query that is stopped and the next attempt to lower the limit.
const RETRY: Duration = Duration::from_millis(10);

/// Divides the engine's memory between the writer and the queries. Clones share it.
#[derive(Clone)]
pub struct EngineMemory {
    inner: Arc<Inner>,
}

struct Inner {
    shares: MemoryShares,
    active: ActiveQueries,
    state: Mutex<State>,
    /// Told when the limit has been lowered.
    lowered: Condvar,
    /// Sets the limit, and looks how much is taken.
    connection: Mutex<Connection>,
}

#[derive(Clone, Copy)]
struct State {
    /// Whether the limit is more than the queries' share.
    is_raised: bool,
    /// Who commits or checkpoints.
    holders: usize,
    is_closed: bool,
}

/// The writer's memory is free as long as this lives.
pub struct Reserve {
    memory: Option<EngineMemory>,
}

/// The writer's memory was not free in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("queries hold the memory that a commit needs")]
pub struct NoMemory;

/// How large the log becomes before it is worked off, in bytes: its rows are in memory until then, and take about half as much
/// again there, all of which has to fit beside the queries.
pub fn checkpoint_threshold(shares: &MemoryShares) -> u64 {
    (shares.engine.saturating_sub(shares.queries) / 3).max(LEAST_LOG)
}

impl EngineMemory {
    /// Starts the thread that lowers the limit.
    pub fn start(connection: Connection, shares: MemoryShares, active: ActiveQueries) -> std::io::Result<Self> {
        let inner = Arc::new(Inner {
            shares,
            active,
            state: Mutex::new(State { is_raised: true, holders: 0, is_closed: false }),
            lowered: Condvar::new(),
            connection: Mutex::new(connection),
        });
        let keeper = inner.clone();
        let keeper = std::thread::Builder::new().name("memory".into()).spawn(move || keeper.keep())?;
        inner.active.watched_by(keeper.thread().clone());
        // What has changed before it was known.
        inner.active.wake_watcher();
        Ok(Self { inner })
    }

    /// The writer's memory, for a commit. Waits a bounded time for it.
    pub fn reserve(&self) -> Result<Reserve, NoMemory> {
        if self.inner.active.count() == 0 {
            // All of the queries' share is free.
            return Ok(Reserve { memory: None });
        }
        self.take()
    }

    /// The same, whether there are queries or not: for work that found too little, and for work that takes so long that a
    /// query may begin and grow meanwhile.
    ///
    /// Neither a commit nor a checkpoint may fail in its middle: for their time the engine may have more than its share, and who
    /// else takes of that is stopped afterwards.
    pub fn take(&self) -> Result<Reserve, NoMemory> {
        let inner = &self.inner;
        let limit = inner.shares.engine.saturating_add(inner.shares.engine / PART_ON_TOP);
        let until = Instant::now() + PATIENCE;
        let mut state = inner.state();
        // Nobody lowers it after the end, and no query begins any more.
        while state.is_raised && state.holders == 0 && !state.is_closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoMemory);
            }
            state = inner.lowered.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if !state.is_raised {
            inner.set_limit(limit).map_err(|error| {
                tracing::error!(%error, "the engine's memory limit cannot be raised");
                NoMemory
            })?;
            state.is_raised = true;
        }
        state.holders += 1;
        Ok(Reserve { memory: Some(self.clone()) })
    }

    /// Stops the query that holds most, and leaves it some time to end. False when there is none.
    pub fn reclaim(&self) -> bool {
        let is_stopped = self.inner.active.revoke_largest();
        if is_stopped {
            std::thread::sleep(RETRY);
        }
        is_stopped
    }

    /// Ends the thread.
    pub fn close(&self) {
        self.inner.state().is_closed = true;
        self.inner.lowered.notify_all();
        self.inner.active.wake_watcher();
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            let mut state = memory.inner.state();
            state.holders = state.holders.saturating_sub(1);
            drop(state);
            memory.inner.active.wake_watcher();
        }
    }
}

impl Inner {
    fn keep(&self) {
        let mut held = 0;
        loop {
            let state = *self.state();
            if state.is_closed {
                return;
            }
            if state.is_raised && state.holders == 0 {
                self.lower();
                continue;
            }
            // Whatever changes from here on wakes it, though it is not asleep yet.
            if self.active.count() > 0 {
                held = self.look(held);
                std::thread::park_timeout(LOOK);
            } else {
                held = 0;
                std::thread::park();
            }
        }
    }

    /// One attempt to lower the limit, by which the engine puts aside what it can.
    fn lower(&self) {
        match self.set_limit(self.shares.queries) {
            Ok(()) => {
                self.state().is_raised = false;
                self.lowered.notify_all();
            }
            Err(error) => {
                if !self.active.revoke_largest() {
                    tracing::debug!(%error, "the engine's memory limit cannot be lowered yet");
                }
                std::thread::sleep(RETRY);
            }
        }
    }

    /// Puts down what has grown since `before` to the queries that are computing. Says how much they hold together.
    fn look(&self, before: u64) -> u64 {
        let held =
            self.connection().query_row(include_str!("../../queries/metrics/held.sql"), [], |row| row.get::<_, i64>(0));
        let held = held.map_or(before, |held| u64::try_from(held).unwrap_or(0));
        self.active.attribute(held.saturating_sub(before));
        held
    }

    fn set_limit(&self, bytes: u64) -> Result<(), duckdb::Error> {
        self.connection().execute_batch(&format!("SET memory_limit = '{bytes}B'"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> EngineMemory {
        let connection = Connection::open_in_memory().unwrap();
        EngineMemory::start(connection, MemoryShares::of(1 << 30), ActiveQueries::default()).unwrap()
    }

    #[test]
    fn the_limit_is_lowered_as_soon_as_nobody_needs_it_raised() {
        let (memory, began) = (memory(), Instant::now());
        for _ in 0..20 {
            drop(memory.take().unwrap());
        }
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        memory.close();
    }

    #[test]
    fn the_last_work_waits_for_nobody() {
        let memory = memory();
        memory.close();
        for _ in 0..3 {
            drop(memory.take().unwrap());
        }
    }
}
