//! What a backup is taken of.

use serde::{Deserialize, Serialize};

use crate::archive::Files;
use crate::store::{Reader, Store};

/// A database that is open. Clones share it.
#[derive(Clone)]
pub struct Database {
    pub(super) reader: Reader,
    pub(super) files: Files,
    /// Which one it is, so that it is told from others whose backups are in the same place.
    pub(super) identity: String,
}

impl Database {
    /// That of a store.
    pub fn of(store: &Store) -> Self {
        Self { reader: store.reader(), files: store.files(), identity: store.identity().database.clone() }
    }
}

/// What the first file of a backup says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Owner {
    /// The identity of the database.
    pub database: String,
}

impl Owner {
    /// The name of the file.
    pub const FILE: &str = "database.json";
}
