//! The database of a command. A file is open in one process at a time: when a server has it, the server is asked, and
//! otherwise the file is opened here, for as long as the command takes.

use std::path::PathBuf;

use super::client::ClientError;
use crate::batch::{ReadError, WriteError};
use crate::config::StoreSettings;
use crate::query::QueryFileError;
use crate::store::{Store, StoreError};

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no file.
    #[error("there is no database at {}: name it with --database, or a server with --server", .0.display())]
    Missing(PathBuf),
    /// The server that has it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A question gave no answer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Rows were not stored.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A file of queries.
    #[error(transparent)]
    Queries(#[from] QueryFileError),
}

/// Opens the file, which must be there.
pub(super) fn open_existing(settings: &StoreSettings) -> Result<Store, DatabaseError> {
    if settings.path.exists() { Ok(Store::open(settings)?) } else { Err(DatabaseError::Missing(settings.path.clone())) }
}
