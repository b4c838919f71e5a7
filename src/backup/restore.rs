//! Making a database of a backup.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt;

use super::manifest::Manifest;
use super::place::{blocking, sync_directory, unusable};
use super::progress::Counter;
use super::verify::{contradiction, declared, is_whole};
use super::{BackupError, Place, Step, TableManifest, Watcher, archived, buckets, fill, part};
use crate::archive::Vacancy;
use crate::batch::Checksum;
use crate::config::StoreSettings;
use crate::store::lock::Lock;
use crate::store::{Identity, MaintenanceError, Statement, Store};
use crate::tables::{self, Table};

/// Rows that are stored in one transaction: as many as the database writes to its file at once.
const LOAD_ROWS: usize = 122_880;
/// What the name of a database ends with until it is whole.
const ASIDE: &str = ".restoring";
/// What belongs to a database file besides itself, by the end of its name.
const COMPANIONS: [&str; 4] = [".wal", ".lock", ".tmp", FETCHED];
/// What the name of an archived file ends with that is read beside the database.
const FETCHED: &str = ".fetched";

/// Makes the database file of `settings` from the backup in `directory`. There must be none.
///
/// The rows go into a file beside it, are read from there again and compared with the manifest, and archived days go to
/// the archive; only then the file gets its name. The new database is another one than that of the backup: an archive that
/// belongs to a database is refused, unless the new one is to `adopt` it. Must be called on a runtime.
pub async fn restore(
    place: &Place,
    directory: &str,
    manifest: &Manifest,
    settings: &StoreSettings,
    adopt: bool,
    watcher: Watcher<'_>,
) -> Result<(), BackupError> {
    let path = &settings.path;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(unusable(parent))?;
    }
    // Held to the end: no server can make a database of that name meanwhile.
    let _lock = Lock::acquire(path)?;
    for existing in [path.clone(), with_end(path, ".wal")] {
        if existing.try_exists().map_err(unusable(&existing))? {
            return Err(BackupError::Exists(existing));
        }
    }
    let vacancy = Vacancy::find(settings, adopt).await.map_err(Box::new)?;
    let archive = settings.archive();
    let archive = if manifest.archived.is_empty() { None } else { Some(Place::open(&archive)?) };
    let aside = with_end(path, ASIDE);
    clear(&aside)?;
    let beside = StoreSettings { path: aside.clone(), ..settings.clone() };
    let made = async {
        let identity = load(place, directory, manifest, &beside, watcher).await?;
        if let Some(archive) = &archive {
            archived::restore(place, directory, &manifest.archived, archive, watcher).await?;
        }
        Ok(identity)
    };
    let identity = match made.await {
        Ok(identity) => identity,
        Err(error) => {
            if let Err(error) = clear(&aside) {
                tracing::debug!(%error, "an unfinished database is left for the next restore to remove");
            }
            return Err(error);
        }
    };
    let database = path.clone();
    blocking(move || put_in_place(&aside, &database)).await?;
    // At last: an archive must not belong to a database that is never there.
    let taken = vacancy.take(&identity, archive.is_some()).await;
    taken.map_err(|source| BackupError::WithoutArchive { database: path.clone(), source: Box::new(source) })
}

/// Stores all rows, reads them again, and closes the file. Says which database it is.
async fn load(
    place: &Place,
    directory: &str,
    manifest: &Manifest,
    settings: &StoreSettings,
    watcher: Watcher<'_>,
) -> Result<Identity, BackupError> {
    let store = Store::open(settings)?;
    let identity = store.identity().clone();
    let loaded = async {
        for of_table in &manifest.tables {
            let table = declared(place, directory, of_table)?;
            let load = async |rows| store.load(table, rows).await;
            load_parts(place, directory, of_table, Some(table.schema()), load, watcher).await?;
        }
        for of_level in &manifest.rollups {
            let unknown = || contradiction(place, directory, &of_level.name);
            buckets::is_known(&of_level.name).then_some(()).ok_or_else(unknown)?;
            let load = async |buckets| store.load_buckets(&of_level.name, buckets).await;
            load_parts(place, directory, of_level, None, load, watcher).await?;
        }
        for (table, begin) in &manifest.rows_begin {
            let dropped = manifest.dropped.get(table).cloned();
            let table = tables::find(table).ok_or_else(|| contradiction(place, directory, table))?;
            store.load_begin(table, *begin, dropped).await?;
        }
        for of_table in &manifest.tables {
            compare(declared(place, directory, of_table)?, of_table, &store, watcher).await?;
        }
        // Of the machine that restores nobody knows whether its clock is right.
        store.load_clock(manifest.clock_believed_at).await?;
        let beside = with_end(&settings.path, FETCHED);
        archived::record(&store, place, directory, &manifest.archived, &beside).await
    };
    let loaded = loaded.await;
    // The first error is the one to tell.
    let closed = store.close().await;
    loaded.and(closed.map_err(BackupError::from)).map(|()| identity)
}

/// Stores the rows, or buckets, of all parts.
async fn load_parts(
    place: &Place,
    directory: &str,
    of_table: &TableManifest,
    declared: Option<SchemaRef>,
    load: impl AsyncFn(Vec<RecordBatch>) -> Result<(), MaintenanceError>,
    watcher: Watcher<'_>,
) -> Result<(), BackupError> {
    let mut counter = Counter::begin(watcher, Step::Restoring, &of_table.name, of_table.rows);
    let mut checksum = Checksum::default();
    let (mut waiting, mut rows) = (Vec::new(), 0);
    for part in &of_table.parts {
        let of_part = part::read(place, directory, declared.clone(), part, async |batch| {
            rows += batch.num_rows();
            waiting.push(batch);
            if rows >= LOAD_ROWS {
                load(std::mem::take(&mut waiting)).await?;
                counter.add(std::mem::take(&mut rows));
            }
            Ok(())
        });
        checksum.merge(&of_part.await?);
    }
    load(waiting).await?;
    counter.add(rows);
    counter.end();
    is_whole(place, directory, of_table, &checksum)
}

/// Reads a table of the new database and compares it with the manifest.
async fn compare(
    table: &'static Table,
    of_table: &TableManifest,
    store: &Store,
    watcher: Watcher<'_>,
) -> Result<(), BackupError> {
    let mut counter = Counter::begin(watcher, Step::Checking, table.name, of_table.rows);
    let statement = Statement::new(fill(include_str!("../../queries/backup/all.sql"), table), Vec::new());
    let transaction = store.reader().held().begin(std::time::Duration::MAX).await?;
    let mut rows = transaction.query(statement).await?;
    let mut checksum = Checksum::default();
    while let Some(batch) = rows.try_next().await? {
        checksum.add(&batch).map_err(|error| BackupError::Failed(error.to_string()))?;
        counter.add(batch.num_rows());
    }
    counter.end();
    if of_table.is(&checksum) {
        return Ok(());
    }
    let of = |rows: u64, checksum: String| format!("{rows} rows, checksum {checksum}");
    Err(BackupError::Different {
        table: table.name.into(),
        found: of(checksum.rows(), checksum.to_string()),
        expected: of(of_table.rows, of_table.checksum.clone()),
    })
}

/// Gives the database its name, when everything of it is on the disk.
fn put_in_place(aside: &Path, path: &Path) -> Result<(), BackupError> {
    let log = with_end(aside, ".wal");
    if log.metadata().is_ok_and(|log| log.len() > 0) {
        return Err(BackupError::Failed(format!(
            "{} could not be completed: check that there is space for it",
            aside.display()
        )));
    }
    let placed = || {
        File::open(aside)?.sync_all()?;
        fs::rename(aside, path)?;
        path.parent().map_or(Ok(()), sync_directory)
    };
    placed().map_err(unusable(path))?;
    clear(aside)
}

/// Removes a database and what belongs to it.
fn clear(path: &Path) -> Result<(), BackupError> {
    let all = COMPANIONS.map(|end| with_end(path, end));
    for path in all.into_iter().chain([path.to_owned()]) {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(&path)(error)),
            _ => {}
        }
    }
    Ok(())
}

fn with_end(path: &Path, end: impl AsRef<OsStr>) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
