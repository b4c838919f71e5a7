//! Backups: the whole database as Parquet files in a directory or an object store, taken while it is written to.
//!
//! A backup is a directory of its location, named after the second at which it was begun:
//!
//! ```text
//! 2026-01-05T14-30-00Z/market_data/part-00000.parquet …   rows of the five tables, ordered by time
//!                      rollup/market_data_5m/part-00000.parquet …   buckets whose rows were dropped
//!                      archive/market_data/date=2025-12-01/rows.parquet …   archived days, as they are
//!                      schema.sql                         the statements that make the tables
//!                      database.json                      whose it is; written first
//!                      manifest.json                      what there is, with rows and checksums; written last
//! ```
//!
//! A directory without its manifest is a backup that was not finished: nobody reads it, and the next backup of the same
//! database removes it. Several databases may use one location; each counts and removes its own backups alone.
//!
//! * [`take`](fn@take) makes one from a single read transaction; `spans` is the order in which it reads, `part` writes
//!   and reads one file, `upload` brings bytes into a place. `archived` copies the files of archived days, `buckets` knows those that have
//!   outlived their rows.
//! * [`catalog`] knows which ones there are, removes unfinished ones, and those beyond the count to keep.
//! * [`verify`](fn@verify) reads one again; [`restore`](fn@restore) makes a database of it.
//! * [`Backups`] takes them in a running server, `schedule` at an interval.
//! * `place` is where they are: it knows how a file there is made to last.

mod archived;
mod buckets;
pub mod catalog;
mod database;
mod error;
mod manifest;
mod name;
mod part;
mod place;
mod progress;
mod restore;
mod schedule;
mod service;
mod spans;
mod take;
mod upload;
mod verify;

pub use database::Database;
pub use error::BackupError;
pub use manifest::{ArchivedFile, Manifest, Part, TableManifest};
pub use name::Name;
pub use place::Place;
pub use progress::{Progress, Step, Watcher};
pub use restore::restore;
pub use service::{Backups, Report};
pub use take::{Taken, take};
pub use verify::verify;

use crate::tables::{TIME_COLUMN, Table};

/// Puts the names of a table into a statement of `queries/backup`. Only declared names are put in, never a value.
fn fill(sql: &str, table: &Table) -> String {
    sql.replace("{table}", table.name).replace("{time}", TIME_COLUMN)
}

#[cfg(test)]
mod tests;
