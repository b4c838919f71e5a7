//! Why there is no backup, or no database from it.

use std::path::PathBuf;

use crate::archive::ArchiveError;
use crate::batch::ReadError;
use crate::location::LocationError;
use crate::store::{MaintenanceError, StoreError};

/// What can go wrong on the way to a backup and back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The place for backups cannot be used.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// A file of the place cannot be read or written.
    #[error("cannot use {file}: {source}")]
    Object {
        /// The file, with its place.
        file: String,
        /// What is wrong.
        source: object_store::Error,
    },
    /// A file of this machine cannot be used.
    #[error("cannot use {}: {source}. Check that the directory exists, may be written to, and has space", .path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The database could not be read.
    #[error("the database cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The database could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The new database may not have the archive.
    #[error(transparent)]
    Archive(#[from] Box<ArchiveError>),
    /// The new database did not take rows.
    #[error("the rows cannot be stored: {0}")]
    Load(#[from] MaintenanceError),
    /// Another backup of this server is running.
    #[error("a backup is running already: wait for its end")]
    Running,
    /// Somebody wanted no more of it.
    #[error("the backup was stopped before its end; nothing of it is kept")]
    Stopped,
    /// There is nothing to restore.
    #[error("there is no complete backup at {0}: observability-api backup --list shows those of a location")]
    NoBackup(String),
    /// There is nothing to list.
    #[error("there is no complete backup at {0}: observability-api backup takes one; name another place with --to")]
    NothingToList(String),
    /// The one that was asked for is not there.
    #[error("there is no complete backup {name} at {place}: observability-api backup --list shows what is there")]
    NotThere {
        /// Its name.
        name: String,
        /// Where it should be.
        place: String,
    },
    /// The newest one may be of the wrong database.
    #[error("several databases have backups at {place}: name one of them with --backup. The newest of each: {newest}")]
    SeveralDatabases {
        /// The place.
        place: String,
        /// Names of backups, and of which database each is.
        newest: String,
    },
    /// A name that no backup can have.
    #[error("{0:?} is no backup: write its name, such as 2026-01-05T14-30-00Z, or latest")]
    NoName(String),
    /// It was written by a newer program.
    #[error("the backup {place} was written by version {program}, which this one is too old for: upgrade it")]
    Newer {
        /// The backup.
        place: String,
        /// The version that wrote it.
        program: String,
    },
    /// A file is not what its manifest says.
    #[error("{file} is damaged: {what}. Use another backup; observability-api restore --verify checks one")]
    Damaged {
        /// The file, with its place.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// There is a database where one should be made.
    #[error("{} exists, and nothing is restored over it: move it away, or name another file with --database", .0.display())]
    Exists(PathBuf),
    /// The database is there and has not got its archive.
    #[error("{} is restored, but it has not got its archive: {source}", .database.display())]
    WithoutArchive {
        /// The database.
        database: PathBuf,
        /// Why not.
        source: Box<ArchiveError>,
    },
    /// The new database does not hold what went in.
    #[error(
        "table {table} of the new database has other rows than the backup ({found}, not {expected}): it was not put in place; check the disk and the memory of this machine"
    )]
    Different {
        /// The table.
        table: String,
        /// Rows and checksum that are there.
        found: String,
        /// Rows and checksum of the backup.
        expected: String,
    },
    /// A fault of ours.
    #[error("{0}")]
    Failed(String),
}
