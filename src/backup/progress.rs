//! How far a backup or its restore has come.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Time between two reports of one table.
const PACE: Duration = Duration::from_millis(100);

/// What is being done with the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// They are written to the backup.
    Saving,
    /// They are read again and compared.
    Checking,
    /// They are written to the new database.
    Restoring,
    /// Their files, which are those of archived days, are copied.
    Copying,
}

/// How far the rows of a table are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is done with them.
    pub step: Step,
    /// The table, or the level of its roll-ups.
    pub table: String,
    /// Rows that are done.
    pub rows: u64,
    /// All of them.
    pub of: u64,
}

/// Whoever wants to know. It must not wait.
pub type Watcher<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// Counts the rows of one table, and tells of them now and then.
pub(super) struct Counter<'a> {
    watcher: Watcher<'a>,
    progress: Progress,
    told: Instant,
}

impl<'a> Counter<'a> {
    /// Tells that it begins.
    pub fn begin(watcher: Watcher<'a>, step: Step, table: &str, of: u64) -> Self {
        let progress = Progress { step, table: table.to_owned(), rows: 0, of };
        watcher(progress.clone());
        Self { watcher, progress, told: Instant::now() }
    }

    /// So many rows more are done.
    pub fn add(&mut self, rows: usize) {
        self.add_many(rows as u64);
    }

    /// The same, for rows that were never in memory.
    pub fn add_many(&mut self, rows: u64) {
        self.progress.rows += rows;
        if self.told.elapsed() >= PACE {
            self.told = Instant::now();
            (self.watcher)(self.progress.clone());
        }
    }

    /// Tells how far it came.
    pub fn end(self) {
        (self.watcher)(self.progress);
    }
}
