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
    /// The path of the database is a directory.
    #[error(
        "{} is a directory: name the database file in it, as --database {} or in DUCKDB_PATH",
        .path.display(), .path.join("observability.duckdb").display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// The engine names a database after its file, and cannot tell it from a schema of that name.
    #[error("{} cannot be the name of a database: a part of every database is called so. Give the file another name", .path.display())]
    Reserved {
        /// The database file.
        path: PathBuf,
    },
    /// Another program has the file open in the engine.
    #[error("{} is open in another program: close it there, then start the server again ({reason})", .path.display())]
    HeldElsewhere {
        /// The database file.
        path: PathBuf,
        /// Who has it, in the engine's words.
        reason: String,
    },
    /// The file is no database, is damaged, or was written by another version of the engine.
    #[error(
        "{} cannot be read ({reason}); it was left as it is. Bring back the last backup with `observability-api restore`, \
         or start with a new file named by --database or DUCKDB_PATH",
        .path.display()
    )]
    Unreadable {
        /// The database file.
        path: PathBuf,
        /// What is wrong with it, in the engine's words.
        reason: String,
    },
    /// The file cannot be opened for another reason.
    #[error("{} cannot be opened: {reason}", .path.display())]
    NotOpened {
        /// The database file.
        path: PathBuf,
        /// Why not, in the engine's words.
        reason: String,
    },
    /// The tables of an older service cannot be rebuilt for want of space.
    #[error(
        "{} has keys or indexes of an older service and has to be rebuilt once, after a copy of it is made: that takes \
         {needed} bytes, and {free} are free. Make room on its disk, or move the file to a larger one; it was left as it is",
        .path.display()
    )]
    NoSpaceToRebuild {
        /// The database file.
        path: PathBuf,
        /// Bytes that the copy and the new tables need.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// Rows of an older service cannot be told from each other.
    #[error(
        "{rows} rows of {table} in the database have no value in one of {columns}, which every row needs: give them one \
         or delete them with the DuckDB command line, then start the server again; the file was left as it is"
    )]
    IncompleteRows {
        /// The table.
        table: &'static str,
        /// How many they are.
        rows: u64,
        /// The columns that no row may leave empty.
        columns: String,
    },
    /// A table was not rebuilt with all of its rows.
    #[error(
        "{table} has {expected} rows and its new form would have {rebuilt}: the table was left as it is. This is a fault of \
         the program, please report it"
    )]
    RowsDiffer {
        /// The table.
        table: &'static str,
        /// Rows that it should have.
        expected: u64,
        /// Rows that it would have.
        rebuilt: u64,
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
