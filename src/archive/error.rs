//! Why a day did not come into the archive, or not out of it.

use std::path::{Path, PathBuf};

use crate::batch::ReadError;
use crate::location::LocationError;
use crate::store::MaintenanceError;

/// What can go wrong between the database and the archive. The rows of the day stay where they were.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive cannot be used at all.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// A file of the archive, or of its cache.
    #[error("cannot use {}: {source}. Check that the directory may be written to and has space", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The object store refused.
    #[error("the object store failed: {0}")]
    Store(#[from] object_store::Error),
    /// A file is not Parquet, or its rows could not be written.
    #[error("{}: {source}", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: parquet::errors::ParquetError,
    },
    /// What was read back is not what was written.
    #[error(
        "{file} does not hold what was written to it: {found}, not {expected}. It is not used; check the disk or the object store"
    )]
    Damaged {
        /// The file.
        file: String,
        /// Rows and checksum that it should have.
        expected: String,
        /// Rows and checksum that it has.
        found: String,
    },
    /// A file is not the one that the database lists.
    #[error(
        "{file} cannot be read as the archived day that it is: {what}. Bring that file back from a backup, which has it in \
         its directory archive; queries that do not need the day go on"
    )]
    Unreadable {
        /// The file, with its place.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The archive is another database's.
    #[error(
        "the archive {location} belongs to the database {}: name another place with --archive-location. If that database \
         is gone for good, take its archive over with `observability-api archive --adopt`, or with \
         `observability-api restore --adopt-archive` for a database that is yet to be restored",
        .database.display()
    )]
    Foreign {
        /// The archive.
        location: String,
        /// The database that it belongs to.
        database: PathBuf,
    },
    /// The archive was changed by a copy of this database.
    #[error(
        "the archive {location} was last changed by another copy of this database, {}: only one of them may go on. Stop \
         the other one and take the archive over with `observability-api archive --adopt`, or name another place with \
         --archive-location",
        .database.display()
    )]
    OfACopy {
        /// The archive.
        location: String,
        /// Where the copy is.
        database: PathBuf,
    },
    /// The archive has days of which this database knows nothing.
    #[error(
        "the archive {location} has days and does not say whose they are, and this database lists none of them: name \
         another place with --archive-location, or take the archive over with `observability-api archive --adopt`, or \
         with `observability-api restore --adopt-archive` for a database that is yet to be restored"
    )]
    Unowned {
        /// The archive.
        location: String,
    },
    /// The file that says whose the archive is cannot be read.
    #[error(
        "identity.json in the archive {location} does not say whose the archive is ({reason}): bring it back, or take the \
         archive over with `observability-api archive --adopt`"
    )]
    Unidentified {
        /// The archive.
        location: String,
        /// What is wrong.
        reason: String,
    },
    /// Somebody else took the archive at this very moment.
    #[error("another program changed identity.json in the archive {location} just now: look which one, and try again")]
    Contested {
        /// The archive.
        location: String,
    },
    /// The object store did not answer in time.
    #[error("the archive {0} does not answer")]
    Silent(String),
    /// Rows of the day came in again and again while it was being written.
    #[error("rows of {0} keep coming in: the next run takes it")]
    Overtaken(String),
    /// Questions read the file all the time.
    #[error("{0} is being read: the next run replaces it")]
    InUse(String),
    /// The rows could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The change was not committed.
    #[error(transparent)]
    Maintenance(#[from] MaintenanceError),
    /// What is old enough cannot be told.
    #[error(transparent)]
    Clock(#[from] crate::upkeep::Implausible),
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl ArchiveError {
    /// Whether the archive is not this database's, which trying again does not change.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Foreign { .. } | Self::OfACopy { .. } | Self::Unowned { .. } | Self::Unidentified { .. })
    }

    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }

    pub(super) fn parquet(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let path = path.to_owned();
        |source| Self::Parquet { path, source }
    }
}
