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
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

impl ArchiveError {
    pub(super) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }

    pub(super) fn parquet(path: &Path) -> impl FnOnce(parquet::errors::ParquetError) -> Self {
        let path = path.to_owned();
        |source| Self::Parquet { path, source }
    }
}
