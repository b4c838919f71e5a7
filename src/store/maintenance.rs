//! Work on the database beside the rows that come in: it is done by the writer, between two groups of writes.

use std::collections::HashMap;

use duckdb::Connection;
use tokio::sync::{mpsc, oneshot};

use super::commit::{self, CommitError};
use super::reader::Shared;
use super::rollup::{Bounds, Roller};
use super::table_writer::{TableWriteError, TableWriter};
use crate::batch::{Gate, Shortage};
use crate::tables::Table;
use crate::time::Micros;

/// Tasks that may wait.
const WAITING_TASKS: usize = 64;

/// What a task works with.
pub struct Hands<'a> {
    /// The writer's connection.
    pub connection: &'a Connection,
    /// What was stored into the past.
    pub touched: &'a TouchedDays,
    /// Who keeps the roll-ups of each table.
    pub tables: &'a [(TableWriter, Roller)],
    /// What questions are told.
    pub bounds: &'a Bounds,
    /// What the connections have in common.
    pub shared: &'a Shared,
}

impl Hands<'_> {
    /// Who keeps the roll-ups of a table.
    pub fn roller(&self, table: &Table) -> Option<&Roller> {
        self.tables.iter().map(|(_, roller)| roller).find(|roller| std::ptr::eq(roller.table(), table))
    }
}

/// Days that are remembered one by one: more than the tables of a desk have in years, and less than a megabyte.
const MOST_DAYS: usize = 10_000;

/// Which days rows were stored into since the start. Bounded: where there are too many, all of them count as changed once.
#[derive(Debug, Default)]
pub struct TouchedDays {
    /// How often it has happened.
    touches: u64,
    /// Which time was the last, for each day.
    days: HashMap<(&'static str, Micros), u64>,
    /// The last time before which nothing is remembered.
    forgotten: u64,
}

impl TouchedDays {
    /// A number that is another one whenever rows were stored into the day of a table that begins at `day`.
    pub fn count(&self, table: &Table, day: Micros) -> u64 {
        self.days.get(&(table.name, day)).copied().unwrap_or(self.forgotten)
    }

    /// It has happened once more.
    pub fn touch(&mut self, table: &'static Table, day: Micros) {
        if self.days.len() >= MOST_DAYS && !self.days.contains_key(&(table.name, day)) {
            self.days.clear();
            self.forgotten = self.touches;
        }
        self.touches += 1;
        self.days.insert((table.name, day), self.touches);
    }
}

/// Why a task was not done. Nothing of it is left in the database then.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The engine refused.
    #[error("the database failed: {0}")]
    Engine(#[from] duckdb::Error),
    /// It was not committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Roll-ups could not be made again.
    #[error("the roll-ups could not be made again: {0}")]
    RollUp(#[from] TableWriteError),
    /// The disk is full, and a commit that finds no space is the end of the engine.
    #[error(transparent)]
    NoSpace(#[from] Shortage),
    /// What the task was prepared with is no longer so.
    #[error("{0}")]
    Overtaken(String),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// A task and the way back of its outcome.
pub(super) type Task = Box<dyn FnOnce(&Hands<'_>) + Send>;
/// The writer's end.
pub(super) type Tasks = mpsc::Receiver<Task>;

/// Hands tasks to the writer. Clones share it.
#[derive(Clone)]
pub struct Maintenance {
    tasks: mpsc::Sender<Task>,
    gate: Gate,
}

/// The way to the writer. `gate` says whether the disk is full.
pub(super) fn channel(gate: Gate) -> (Maintenance, Tasks) {
    let (tasks, receiver) = mpsc::channel(WAITING_TASKS);
    (Maintenance { tasks, gate }, receiver)
}

impl Maintenance {
    /// Whether the disk has space for more than the rows that are there; the writer's thread has looked just before. What
    /// makes room need not ask.
    pub(super) fn require_space(&self) -> Result<(), MaintenanceError> {
        self.gate.shortage().map_or(Ok(()), |shortage| Err(shortage.into()))
    }

    /// Does `work` in a transaction, which is committed when it succeeds; then all of it is durable.
    pub(super) async fn transact<T, W>(&self, work: W) -> Result<T, MaintenanceError>
    where
        T: Send + 'static,
        W: FnOnce(&Hands<'_>) -> Result<T, MaintenanceError> + Send + 'static,
    {
        self.run(move |hands| {
            commit::begin(hands.connection, hands.shared)?;
            let done = work(hands).and_then(|done| {
                commit::commit(hands.connection, hands.shared)?;
                Ok(done)
            });
            if done.is_err() {
                commit::roll_back(hands.connection, hands.shared);
            }
            done
        })
        .await
    }

    /// Does `work` on the writer's connection, outside any transaction.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T, MaintenanceError>
    where
        T: Send + 'static,
        W: FnOnce(&Hands<'_>) -> Result<T, MaintenanceError> + Send + 'static,
    {
        let (outcome, done) = oneshot::channel();
        let task: Task = Box::new(move |hands| {
            let failure = &hands.shared.failure;
            let done = if failure.is_raised() { Err(CommitError::Refused.into()) } else { work(hands) };
            if let Err(MaintenanceError::Engine(error)) = &done {
                failure.notice(&error.to_string());
            }
            // Whoever asked may have gone; the work is done all the same.
            let _ = outcome.send(done);
        });
        self.tasks.send(task).await.map_err(|_| MaintenanceError::Stopping)?;
        done.await.map_err(|_| MaintenanceError::Stopping)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{MARKET_DATA, TRADES};
    use crate::time::DAY;

    #[test]
    fn a_day_that_was_stored_into_is_known_however_many_others_were() {
        let mut touched = TouchedDays::default();
        let before = touched.count(&TRADES, 0);
        touched.touch(&MARKET_DATA, 0);
        assert_eq!(touched.count(&TRADES, 0), before);
        touched.touch(&TRADES, 0);
        let once = touched.count(&TRADES, 0);
        assert_ne!(once, before);
        touched.touch(&TRADES, 0);
        let twice = touched.count(&TRADES, 0);
        for day in 1..=3 * MOST_DAYS as Micros {
            touched.touch(&TRADES, day * DAY);
            assert!(touched.days.len() <= MOST_DAYS);
            let now = touched.count(&TRADES, 0);
            assert!(now != before && now != once && now >= twice, "{now}");
        }
    }
}
