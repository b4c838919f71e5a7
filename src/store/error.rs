//! Why the database could not be opened or read.

use std::path::PathBuf;

/// What can go wrong between the program and its database file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another server has the file.
    #[error(
        "{} is in use by another server{}: stop it, or give this one a file of its own with --database or DUCKDB_PATH",
        .path.display(), .holder
    )]
    InUse {
        /// The database file.
        path: PathBuf,
        /// Who has it, as far as is known.
        holder: String,
    },
    /// The file or its directory cannot be used.
    #[error("cannot use {}: {source}. Check that the directory exists, may be written to, and has space", .path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file holds a table with other columns than those declared.
    #[error(
        "table {table} in the database has the columns ({found}), but this version needs ({expected}): \
         restore the matching version, or move the file away and start with a new one"
    )]
    SchemaMismatch {
        /// The table.
        table: &'static str,
        /// What the file has.
        found: String,
        /// What is declared.
        expected: String,
    },
    /// The file has seen schema files that this version does not know.
    #[error("the database was written by a newer version (schema {found}, this one knows {known}): upgrade the server")]
    Newer {
        /// The schema version of the file.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// The archive of old days cannot be used.
    #[error("the archive cannot be used: {0}")]
    Archive(#[from] Box<crate::archive::ArchiveError>),
    /// The engine failed.
    #[error("the database failed: {0}")]
    Engine(#[from] duckdb::Error),
    /// The writer thread could not be started, or ended before its time.
    #[error("the writer has stopped: {0}")]
    Writer(String),
}
