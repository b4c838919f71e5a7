//! When the log is worked off: between two transactions, so that nobody waits for it who has just been served, and in a
//! quiet moment if there is one.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::figures::Figures;
use super::files;
use super::memory::{EngineMemory, NoMemory};
use crate::budget::freed;

/// In a quiet moment a log of this part of the threshold is worth it.
const PART_WHEN_QUIET: u64 = 4;
/// A moment is quiet when nothing was written for this long.
const QUIET: Duration = Duration::from_secs(2);
/// Time to the next attempt when one did not succeed, at first and at the most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// Why a checkpoint was not made.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It was not tried.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// The engine refused.
    #[error("{0}")]
    Engine(#[from] duckdb::Error),
}

/// Keeps the log short. Used by the writer alone.
pub struct Checkpoints {
    log: PathBuf,
    threshold: u64,
    figures: Figures,
    /// Its size at the last look, and when it was last seen to change.
    size: u64,
    changed: Instant,
    /// Before this nothing is tried.
    not_before: Instant,
    retry: Duration,
}

impl Checkpoints {
    /// Works off the log of the database at `path` when it has `threshold` bytes.
    pub fn new(path: &Path, threshold: u64, figures: Figures) -> Self {
        let now = Instant::now();
        Self { log: files::log_of(path), threshold, figures, size: 0, changed: now, not_before: now, retry: RETRY.0 }
    }

    /// When there is something to do at the latest, if nothing more is written.
    pub fn due(&self) -> Option<Instant> {
        let due = if self.size >= self.threshold {
            Some(self.changed)
        } else {
            (self.size >= self.threshold / PART_WHEN_QUIET).then(|| self.changed + QUIET)
        };
        due.map(|due| due.max(self.not_before))
    }

    /// Whether the last attempts did not succeed.
    pub fn is_held_up(&self) -> bool {
        self.retry > RETRY.0
    }

    /// Looks at the log, and works it off when it is time.
    pub fn keep_short(&mut self, connection: &Connection, memory: &EngineMemory) -> Result<(), CheckpointError> {
        let now = Instant::now();
        let size = files::size_of(&self.log).unwrap_or(self.size);
        if size != self.size {
            (self.size, self.changed) = (size, now);
        }
        if self.due().is_some_and(|due| due <= now) { self.checkpoint(connection, memory) } else { Ok(()) }
    }

    /// Works off the log. The engine does not wait for others here: it refuses while one of them is in the way.
    pub fn checkpoint(&mut self, connection: &Connection, memory: &EngineMemory) -> Result<(), CheckpointError> {
        let started = Instant::now();
        let done = memory.take().map_err(CheckpointError::from).and_then(|reserve| {
            let done = connection.execute_batch("CHECKPOINT");
            drop(reserve);
            Ok(done?)
        });
        // Rows that were held until now: tens of megabytes.
        freed::give_back();
        let counts = self.figures.counts();
        (self.size, self.changed) = (files::size_of(&self.log).unwrap_or(0), Instant::now());
        match &done {
            Ok(()) => {
                counts.checkpoints.record_duration(started.elapsed());
                self.retry = RETRY.0;
                if self.size >= self.threshold {
                    // What keeps it long is not gone at once.
                    self.not_before = self.changed + RETRY.0;
                }
            }
            Err(_) => {
                counts.failed_checkpoints.fetch_add(1, Ordering::Relaxed);
                self.not_before = self.changed + self.retry;
                self.retry = (self.retry * 2).min(RETRY.1);
            }
        }
        done
    }
}
