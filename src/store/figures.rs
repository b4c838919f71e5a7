//! What the writer has done since the start, and the files it works on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files;
use super::space::Disk;
use crate::metrics::{AMOUNTS, Histogram, SECONDS};
use crate::tables::{TABLES, Table};

/// Counted as it is done. Clones share it.
#[derive(Debug, Clone)]
pub struct Figures {
    counts: Arc<Counts>,
}

/// What is counted.
#[derive(Debug)]
pub struct Counts {
    /// How long transactions of writes took, from their begin to the end of their commit, in seconds.
    pub commits: Histogram,
    /// Rows of each of them.
    pub commit_rows: Histogram,
    /// Transactions that were rolled back.
    pub failed_commits: AtomicU64,
    /// How long checkpoints took, in seconds.
    pub checkpoints: Histogram,
    /// Checkpoints that could not be made.
    pub failed_checkpoints: AtomicU64,
    rows: [AtomicU64; TABLES.len()],
    of_dropped_days: [AtomicU64; TABLES.len()],
    path: PathBuf,
    floor: u64,
}

/// Bytes of the database's files and of their disk; `None` where that cannot be found out.
#[derive(Debug, Clone, Copy)]
pub struct FileSizes {
    /// The database.
    pub database: Option<u64>,
    /// Its log, with what is written beside a checkpoint.
    pub log: Option<u64>,
    /// Free on their disk.
    pub free: Option<u64>,
    /// What stays free of it.
    pub floor: u64,
}

impl Figures {
    /// Nothing done yet to the database at `path`, on whose disk `wanted` bytes stay free.
    pub fn new(path: &Path, wanted: u64) -> Self {
        let counts = Counts {
            commits: Histogram::new(SECONDS),
            commit_rows: Histogram::new(AMOUNTS),
            failed_commits: AtomicU64::new(0),
            checkpoints: Histogram::new(SECONDS),
            failed_checkpoints: AtomicU64::new(0),
            rows: Default::default(),
            of_dropped_days: Default::default(),
            path: path.to_owned(),
            floor: Disk::of(path).map_or(wanted, |disk| disk.floor(wanted)),
        };
        Self { counts: Arc::new(counts) }
    }

    /// What was counted so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Rows of each table that were stored since the start, those that replaced others included.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Table, u64)> {
        by_table(&self.counts.rows)
    }

    /// Those of them that are of days whose rows retention had dropped.
    pub fn of_dropped_days(&self) -> impl Iterator<Item = (&'static Table, u64)> {
        by_table(&self.counts.of_dropped_days)
    }

    /// The sizes of the files as they are now.
    pub fn files(&self) -> FileSizes {
        let Counts { path, floor, .. } = &*self.counts;
        let log = [files::log_of(path), files::checkpoint_log_of(path)];
        FileSizes {
            database: files::size_of(path).ok(),
            log: log.iter().map(|path| files::size_of(path).ok()).sum(),
            free: Disk::of(path).map(|disk| disk.free),
            floor: *floor,
        }
    }

    /// Rows of a table are stored, some of them of dropped days.
    pub(super) fn stored(&self, table: &Table, rows: usize, of_dropped_days: usize) {
        let place = TABLES.iter().position(|other| std::ptr::eq(*other, table));
        for (counts, rows) in [(&self.counts.rows, rows), (&self.counts.of_dropped_days, of_dropped_days)] {
            if let Some(count) = place.and_then(|place| counts.get(place)) {
                count.fetch_add(rows as u64, Ordering::Relaxed);
            }
        }
    }
}

fn by_table(counts: &[AtomicU64; TABLES.len()]) -> impl Iterator<Item = (&'static Table, u64)> {
    TABLES.into_iter().zip(counts.iter().map(|rows| rows.load(Ordering::Relaxed)))
}
