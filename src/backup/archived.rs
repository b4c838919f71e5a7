//! Archived days: their files are copied as they are, in either direction.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;

use super::manifest::{ARCHIVE, ArchivedFile, in_directory};
use super::place::{blocking, unusable};
use super::progress::Counter;
use super::upload::upload;
use super::{BackupError, Place, Step, Watcher};
use crate::archive::{ArchiveError, Content, Digest, Files, Lease, key_column, keys_of, set_aside};
use crate::batch::{Checksum, ReadError};
use crate::store::{ArchivedDay, FiledDay, ReadTransaction, Reader, Store};
use crate::tables::{self, TABLES, Table};
use crate::time::Micros;

/// How often a moment is looked for in which no file of the archive is about to change.
const ATTEMPTS: usize = 5;
/// Time between two of these looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How long an object store may take to give one day.
const DAY_LIMIT: Duration = Duration::from_secs(3_600);

/// The archived days of one moment.
pub(super) struct Archived {
    days: Vec<(&'static Table, ArchivedDay)>,
    files: Files,
    /// Keeps files of this machine as they are.
    _held: Option<Lease>,
}

/// Opens the transaction of a backup, with the archived days that belong to it.
///
/// A day that is archived again gets its new file just before the database knows of it. In between, the file is not the
/// one that the database speaks of, so that this waits for another moment. After a kill in between, it stays so until
/// the next run of the archive: file and database then have the same rows, and the day counts as late.
pub(super) async fn moment(reader: &Reader, files: &Files) -> Result<(ReadTransaction, Archived), BackupError> {
    let mut attempt = 1;
    loop {
        let transaction = reader.held().begin(Duration::MAX).await?;
        let archived = Archived::of(&transaction, files).await?;
        if archived.is_settled() || attempt == ATTEMPTS {
            return Ok((transaction, archived));
        }
        drop((transaction, archived));
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

impl Archived {
    async fn of(transaction: &ReadTransaction, files: &Files) -> Result<Self, BackupError> {
        let days = transaction.look(|snapshot| {
            let mut days = Vec::new();
            for table in TABLES {
                let of_table = snapshot.archived(table, Micros::MIN, Micros::MAX)?;
                days.extend(of_table.into_iter().map(|day| (table, day)));
            }
            Ok(days)
        });
        let days = days.await?;
        // A bucket's files are fetched one by one when it is their turn.
        let held = match files.is_local() {
            true => Some(lease(files, days.iter().map(|(_, day)| day.clone()).collect()).await?),
            false => None,
        };
        Ok(Self { days, files: files.clone(), _held: held })
    }

    /// Whether the files have the size that the database knows of.
    fn is_settled(&self) -> bool {
        let Some(held) = &self._held else { return true };
        let is =
            |(path, (_, day)): (&PathBuf, &(_, ArchivedDay))| path.metadata().is_ok_and(|file| file.len() == day.bytes);
        held.paths().iter().zip(&self.days).all(is)
    }

    /// Copies every file into the backup in `directory`.
    pub async fn copy(
        &self,
        place: &Place,
        directory: &str,
        stop: &CancellationToken,
        watcher: Watcher<'_>,
    ) -> Result<Vec<ArchivedFile>, BackupError> {
        let mut copied = Vec::new();
        for table in TABLES {
            let days: Vec<_> =
                self.days.iter().filter(|(of, _)| std::ptr::eq(*of, table)).map(|(_, day)| day).collect();
            let mut counter = counter(watcher, Step::Copying, table, days.iter().map(|day| day.rows));
            for day in days {
                copied.push(self.copy_day(table, day, place, directory, stop).await?);
                counter.iter_mut().for_each(|counter| counter.add_many(day.rows));
            }
            counter.into_iter().for_each(Counter::end);
        }
        Ok(copied)
    }

    async fn copy_day(
        &self,
        table: &Table,
        day: &ArchivedDay,
        place: &Place,
        directory: &str,
        stop: &CancellationToken,
    ) -> Result<ArchivedFile, BackupError> {
        let lease = lease(&self.files, vec![day.clone()]).await?;
        let path = lease.paths().first().cloned().unwrap_or_default();
        let file = tokio::fs::File::open(&path).await.map_err(unusable(&path))?;
        let chunks = ReaderStream::with_capacity(file, 1 << 20).map_err(|error| unusable(&path)(error));
        let chunks = chunks.map(|chunk| if stop.is_cancelled() { Err(BackupError::Stopped) } else { chunk });
        let name = format!("{ARCHIVE}/{}", day.file);
        let digest = upload(place, &in_directory(directory, &name), chunks).await?;
        if !self.files.is_local() && digest.bytes != day.bytes {
            return Err(BackupError::Failed(format!(
                "{} was archived anew meanwhile: take the backup again",
                day.file
            )));
        }
        Ok(ArchivedFile {
            table: table.name.into(),
            day: day.start,
            file: day.file.clone(),
            late: day.late,
            rows: day.rows,
            checksum: day.checksum.clone(),
            bytes: digest.bytes,
            hash: digest.hash(),
        })
    }
}

/// Reads the archived files of a backup again.
pub(super) async fn verify(
    place: &Place,
    directory: &str,
    files: &[ArchivedFile],
    watcher: Watcher<'_>,
) -> Result<(), BackupError> {
    each(files, Step::Checking, watcher, async |file| {
        let name = in_directory(directory, &file.name());
        is(place, &name, file, digest(place, &name).await?)
    })
    .await
}

/// Copies the archived files of a backup to the archive. A file that is there already, byte for byte, stays; any other in
/// its place is set aside.
pub(super) async fn restore(
    place: &Place,
    directory: &str,
    files: &[ArchivedFile],
    archive: &Place,
    watcher: Watcher<'_>,
) -> Result<(), BackupError> {
    each(files, Step::Copying, watcher, async |file| {
        let name = in_directory(directory, &file.name());
        if archive.size(&file.file).await?.is_some() {
            if file.is(&digest(archive, &file.file).await?) {
                return Ok(());
            }
            let kept = set_aside(&file.file);
            archive.rename(&file.file, &kept).await?;
            tracing::warn!(
                kept = archive.full_name(&kept),
                "a file in the archive that is not the backup's was set aside"
            );
        }
        // Aside first: a name in the archive must never stand for a part of a day.
        let aside = format!("{}.tmp-restore", file.file);
        let copied = upload(archive, &aside, place.stream(&name).await?).await?;
        is(place, &name, file, copied)?;
        archive.rename(&aside, &file.file).await
    })
    .await
}

/// Makes the new database know of the archived days. What has to be read of a bucket's file is, `beside` the database.
pub(super) async fn record(
    store: &Store,
    place: &Place,
    directory: &str,
    files: &[ArchivedFile],
    beside: &Path,
) -> Result<(), BackupError> {
    for file in files {
        let impossible = || BackupError::Damaged {
            file: place.full_name(&in_directory(directory, super::manifest::FILE)),
            what: format!("what it says of {} cannot be", file.file),
        };
        let table = tables::find(&file.table).ok_or_else(impossible)?;
        let checksum = Checksum::parse(file.rows, &file.checksum).ok_or_else(impossible)?;
        let keys = keys(place, &in_directory(directory, &file.name()), table, beside).await?;
        let content = Content { checksum, bytes: file.bytes, hash: file.hash.clone(), keys };
        let day = FiledDay { start: file.day, file: file.file.clone(), content };
        store.load_day(table, day, file.late).await?;
    }
    Ok(())
}

/// The filter of a file's keys, which its database keeps so that a key is looked for in few files.
async fn keys(place: &Place, name: &str, table: &'static Table, beside: &Path) -> Result<Option<Vec<u8>>, BackupError> {
    if key_column(table).is_none() {
        return Ok(None);
    }
    let here = place.file(name);
    if here.is_none() {
        let mut chunks = place.stream(name).await?;
        let mut file = tokio::fs::File::create(beside).await.map_err(unusable(beside))?;
        while let Some(chunk) = chunks.try_next().await? {
            file.write_all(&chunk).await.map_err(unusable(beside))?;
        }
        file.flush().await.map_err(unusable(beside))?;
    }
    let path = here.unwrap_or_else(|| beside.to_owned());
    let full_name = place.full_name(name);
    let damaged = |error: ArchiveError| BackupError::Damaged { file: full_name, what: error.to_string() };
    blocking(move || keys_of(&path, table).map_err(damaged)).await
}

/// Does something to each file, table by table.
async fn each(
    files: &[ArchivedFile],
    step: Step,
    watcher: Watcher<'_>,
    work: impl AsyncFn(&ArchivedFile) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    for table in TABLES {
        let of_table = || files.iter().filter(|file| file.table == table.name);
        let mut counter = counter(watcher, step, table, of_table().map(|file| file.rows));
        for file in of_table() {
            work(file).await?;
            counter.iter_mut().for_each(|counter| counter.add_many(file.rows));
        }
        counter.into_iter().for_each(Counter::end);
    }
    Ok(())
}

/// Counts archived rows of a table, if there are any.
fn counter<'a>(
    watcher: Watcher<'a>,
    step: Step,
    table: &Table,
    rows: impl Iterator<Item = u64>,
) -> Option<Counter<'a>> {
    let of: u64 = rows.sum();
    (of > 0).then(|| Counter::begin(watcher, step, table.name, of))
}

async fn digest(place: &Place, name: &str) -> Result<Digest, BackupError> {
    let mut digest = Digest::default();
    let mut chunks = place.stream(name).await?;
    while let Some(chunk) = chunks.try_next().await? {
        digest.add(&chunk);
    }
    Ok(digest)
}

fn is(place: &Place, name: &str, file: &ArchivedFile, found: Digest) -> Result<(), BackupError> {
    match file.is(&found) {
        true => Ok(()),
        false => Err(BackupError::Damaged {
            file: place.full_name(name),
            what: "its bytes are not those that were saved".into(),
        }),
    }
}

/// Files of a bucket are fetched for this, which takes a thread that may wait.
async fn lease(files: &Files, days: Vec<ArchivedDay>) -> Result<Lease, BackupError> {
    let files = files.clone();
    blocking(move || files.lease(&days, DAY_LIMIT).map_err(|error| ReadError::Failed(error.to_string()).into())).await
}
