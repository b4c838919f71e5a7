//! Transactions that change the database: how they begin and how they are committed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use duckdb::Connection;

use super::memory::NoMemory;
use super::reader::Shared;

/// Held while something is committed, so that several transactions can begin between two commits and see one snapshot.
/// Clones share it.
#[derive(Clone, Default)]
pub struct CommitLock {
    lock: Arc<Mutex<()>>,
}

impl CommitLock {
    /// Waits until nothing is being committed, and lets nothing be committed meanwhile.
    pub fn hold(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It was not tried, and the transaction is still open.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// An earlier one failed: nothing more is written before the restart. The transaction is still open.
    #[error("the database engine has failed")]
    Refused,
    /// The engine failed in the middle of it. Its tables are not what they were, and the failure is raised.
    #[error("the commit failed: {0}")]
    Failed(duckdb::Error),
}

/// Begins a transaction that changes the database.
pub fn begin(connection: &Connection, shared: &Shared) -> Result<(), duckdb::Error> {
    let begun = connection.execute_batch("BEGIN").or_else(|_| {
        // What is left of a transaction that could not be rolled back in its time.
        roll_back(connection, shared);
        connection.execute_batch("BEGIN")
    });
    begun.inspect_err(|error| shared.failure.notice(&error.to_string()))
}

/// Commits, with the memory that is kept for it. A commit that fails is the end of the engine: rows that it appended can be
/// neither there nor gone, and the next ones are written beside them. The write-ahead log is right, so that a restart is.
pub fn commit(connection: &Connection, shared: &Shared) -> Result<(), CommitError> {
    if shared.failure.is_raised() {
        return Err(CommitError::Refused);
    }
    let _reserve = shared.memory.reserve()?;
    let _instant = shared.commits.hold();
    connection.execute_batch("COMMIT").map_err(|error| {
        shared.failure.raise(&format!("a commit failed: {error}"));
        CommitError::Failed(error)
    })
}

/// Takes everything back, and looks whether the engine can go on.
pub fn roll_back(connection: &Connection, shared: &Shared) {
    if let Err(error) = connection.execute_batch("ROLLBACK") {
        shared.failure.notice(&error.to_string());
        tracing::debug!(%error, "nothing to roll back");
    }
}
