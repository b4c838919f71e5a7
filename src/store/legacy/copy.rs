//! The copy of a database that is kept before its tables are rebuilt.

use std::fs::File;
use std::path::{Path, PathBuf};

use duckdb::{Connection, params};

use crate::config::StoreSettings;
use crate::store::space::Disk;
use crate::store::{StoreError, connect, files};

/// The table that names the copy, while tables are being rebuilt.
const TABLE: &str = "rebuild_copy";

/// The copy that an earlier start has made of this file.
pub fn made_before(connection: &Connection) -> Result<Option<PathBuf>, duckdb::Error> {
    let columns = connection.prepare(include_str!("../../../queries/schema/columns.sql"))?.exists([TABLE])?;
    if !columns {
        return Ok(None);
    }
    connection
        .query_row(include_str!("../../../queries/legacy/copy.sql"), [], |row| row.get::<_, String>(0))
        .map(|file| Some(file.into()))
}

/// The copy need not be known any more.
pub fn forget(connection: &Connection) -> Result<(), duckdb::Error> {
    connection.execute_batch(include_str!("../../../queries/legacy/drop_copy.sql"))
}

/// Copies the database and its log as they were found, which nothing has changed since the file was opened. Gives
/// another connection, whose database has taken the log in, and the name of the copy, which the database notes.
pub fn make(connection: Connection, settings: &StoreSettings) -> Result<(Connection, PathBuf), StoreError> {
    let path = &settings.path;
    check_space(settings)?;
    // Reading the file would end the lock that the engine has on it.
    drop(connection);
    let kept = copy(path).map_err(|source| {
        // What is there of it takes space, and is of no use.
        let _ = std::fs::remove_file(unfinished(path));
        StoreError::Unusable { path: path.clone(), source }
    })?;
    let connection = connect(path, settings)?;
    connection.execute_batch("CHECKPOINT")?;
    let name = kept.to_string_lossy();
    connection.execute(include_str!("../../../queries/legacy/create_copy.sql"), params![name])?;
    connection.execute_batch("CHECKPOINT")?;
    Ok((connection, kept))
}

/// The copy takes as much as the file. So do the new tables at the most: they have no keys.
fn check_space(settings: &StoreSettings) -> Result<(), StoreError> {
    let path = &settings.path;
    let size =
        |path: &Path| files::size_of(path).map_err(|source| StoreError::Unusable { path: path.to_owned(), source });
    let Some(disk) = Disk::of(path) else { return Ok(()) };
    let needed = 2 * (size(path)? + size(&files::log_of(path))?) + disk.floor(settings.min_free_bytes);
    if disk.free < needed {
        return Err(StoreError::NoSpaceToRebuild { path: path.clone(), needed, free: disk.free });
    }
    Ok(())
}

/// The copy has its name only when it is whole. Its log comes first, so that none is without its own.
fn copy(path: &Path) -> std::io::Result<PathBuf> {
    let kept = files::kept(path, "before-migration");
    let unfinished = unfinished(path);
    let log = files::log_of(path);
    tracing::info!(bytes = files::size_of(path)?, "copying the database to {}", kept.display());
    if log.exists() {
        copy_synced(&log, &unfinished)?;
        files::rename(&unfinished, &files::log_of(&kept))?;
    }
    copy_synced(path, &unfinished)?;
    files::rename(&unfinished, &kept)?;
    Ok(kept)
}

fn unfinished(path: &Path) -> PathBuf {
    files::beside(path, ".before-migration.unfinished")
}

fn copy_synced(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to)?;
    File::open(to)?.sync_all()
}
