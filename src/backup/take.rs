//! Taking a backup.

use std::collections::HashSet;
use std::pin::Pin;
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use futures::stream::{self, Peekable, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::archived::{self, Archived};
use super::buckets::Buckets;
use super::manifest::{self, Manifest, Part, TableManifest, in_directory};
use super::progress::Counter;
use super::spans::{self, Spans};
use super::{BackupError, Database, Name, Place, Step, Watcher, catalog, part};
use crate::batch::{BatchStream, Checksum, ReadError};
use crate::store::{LEVELS, ReadTransaction, schema};
use crate::tables::{TABLES, Table};
use crate::time::{self, Micros};

/// Rows after which a file ends: eight row groups, some tens of megabytes at the most.
const PART_ROWS: u64 = 8 * 122_880;
/// Batches between the database and the file.
const BATCHES_AHEAD: usize = 8;

/// A backup that has been taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Its name.
    pub backup: String,
    /// Where it is.
    pub location: String,
    /// Rows in it.
    pub rows: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// Older ones that were removed.
    pub removed: Vec<String>,
}

/// Takes a backup of the moment, while the database is written to, and keeps no more than `keep` complete ones.
///
/// All tables are read in one transaction, and the files of the archive belong to it. Ends with [`BackupError::Stopped`]
/// soon after `stop` is cancelled. What was written of a backup that does not succeed is removed.
pub async fn take(
    database: &Database,
    place: &Place,
    keep: Option<usize>,
    stop: &CancellationToken,
    watcher: Watcher<'_>,
) -> Result<Taken, BackupError> {
    let began = Instant::now();
    let Database { reader, files, identity } = database;
    catalog::remove_unfinished(place, identity).await?;
    let (transaction, archived) = archived::moment(reader, files).await?;
    let taken_at = time::now();
    let directory = catalog::begin(place, taken_at, identity).await?.to_string();
    let taking = Taking { transaction, archived, place, directory: &directory, stop, watcher };
    let manifest = match taking.write(taken_at, identity).await {
        Ok(manifest) => manifest,
        Err(error) => {
            if let Err(error) = place.remove(&directory, manifest::FILE).await {
                tracing::debug!(%error, "an unfinished backup is left for the next one to remove");
            }
            return Err(error);
        }
    };
    let removed = match keep {
        Some(keep) => catalog::keep(place, keep, identity).await?,
        None => Vec::new(),
    };
    let taken = Taken {
        backup: directory,
        location: place.full_name(""),
        rows: manifest.rows(),
        bytes: manifest.bytes(),
        seconds: began.elapsed().as_secs_f64(),
        removed: removed.iter().map(Name::to_string).collect(),
    };
    tracing::info!(
        backup = taken.backup,
        location = taken.location,
        rows = taken.rows,
        bytes = taken.bytes,
        seconds = taken.seconds,
        "a backup was taken"
    );
    Ok(taken)
}

/// A backup on its way.
struct Taking<'a> {
    transaction: ReadTransaction,
    archived: Archived,
    place: &'a Place,
    directory: &'a str,
    stop: &'a CancellationToken,
    watcher: Watcher<'a>,
}

/// Rows of a table, or buckets, that are still to be written.
type Rows<'a> = Pin<Box<Peekable<Pin<Box<dyn stream::Stream<Item = Result<RecordBatch, ReadError>> + Send + 'a>>>>>;

impl Taking<'_> {
    async fn write(self, taken_at: Micros, identity: &str) -> Result<Manifest, BackupError> {
        let clock = self.transaction.look(|snapshot| snapshot.clock_believed_at()).await?;
        let mut manifest = Manifest::new(taken_at, Vec::new());
        (manifest.database, manifest.clock_believed_at) = (Some(identity.to_owned()), clock);
        for table in TABLES {
            manifest.tables.push(self.table(table).await?);
            if let Some(begin) = self.transaction.look(move |snapshot| snapshot.rows_begin(table)).await? {
                manifest.rows_begin.insert(table.name.into(), begin);
                let dropped = self.transaction.look(move |snapshot| snapshot.dropped(table)).await?;
                manifest.dropped.insert(table.name.into(), dropped);
                for level in LEVELS {
                    manifest.rollups.extend(self.buckets(Buckets::Old { table, level, begin }).await?);
                }
            }
        }
        manifest.rollups.extend(self.buckets(Buckets::Stale).await?);
        // The rest needs no database.
        let Self { transaction, archived, place, directory, stop, watcher } = self;
        drop(transaction);
        manifest.archived = archived.copy(place, directory, stop, watcher).await?;
        place.put_whole(&in_directory(directory, "schema.sql"), schema::text().into()).await?;
        is_all_there(place, directory, &manifest).await?;
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| BackupError::Failed(error.to_string()))?;
        place.put_whole(&in_directory(directory, manifest::FILE), text.into()).await?;
        Ok(manifest)
    }

    async fn table(&self, table: &'static Table) -> Result<TableManifest, BackupError> {
        let Spans { rows: of, spans } = Spans::of(table, &self.transaction).await?;
        let answers = stream::iter(spans).then(|span| self.transaction.query(spans::statement(table, span)));
        self.write_all(table.name, table.name, of, Box::pin(answers.try_flatten().boxed().peekable())).await
    }

    /// What a backup has of the roll-ups, if there is any of it.
    async fn buckets(&self, buckets: Buckets) -> Result<Option<TableManifest>, BackupError> {
        let of = buckets.count(&self.transaction).await?;
        if of == 0 {
            return Ok(None);
        }
        let answer = self.transaction.query(buckets.statement()).await?;
        let (name, rows) = (buckets.name(), Box::pin(answer.boxed().peekable()));
        self.write_all(&name, &format!("{}/{name}", manifest::ROLLUP), of, rows).await.map(Some)
    }

    /// Writes `of` rows into files of a directory.
    async fn write_all(
        &self,
        name: &str,
        directory: &str,
        of: u64,
        mut rows: Rows<'_>,
    ) -> Result<TableManifest, BackupError> {
        let mut counter = Counter::begin(self.watcher, Step::Saving, name, of);
        let (mut checksum, mut parts) = (Checksum::default(), Vec::new());
        while rows.as_mut().peek().await.is_some() {
            let file = format!("{directory}/part-{:05}.parquet", parts.len());
            let (part, of_part) = self.part(file, &mut rows, &mut counter).await?;
            checksum.merge(&of_part);
            parts.push(part);
        }
        counter.end();
        if checksum.rows() != of {
            return Err(BackupError::Failed(format!("{} of {of} rows of {name} were read", checksum.rows())));
        }
        Ok(TableManifest { name: name.into(), rows: of, checksum: checksum.to_string(), parts })
    }

    /// Writes one file of the rows that are next.
    async fn part(
        &self,
        file: String,
        rows: &mut Rows<'_>,
        counter: &mut Counter<'_>,
    ) -> Result<(Part, Checksum), BackupError> {
        let schema = match rows.as_mut().peek().await {
            Some(Ok(batch)) => batch.schema(),
            Some(Err(error)) => return Err(error.clone().into()),
            None => return Err(BackupError::Failed("a file without rows".into())),
        };
        let name = in_directory(self.directory, &file);
        let (batches, received) = mpsc::channel(BATCHES_AHEAD);
        let written = part::write(self.place, &name, BatchStream::new(schema, ReceiverStream::new(received)));
        let (checksum, written) = tokio::join!(self.feed(rows, batches, counter), written);
        let bytes = match written {
            Err(BackupError::Read(ReadError::Stopping)) if self.stop.is_cancelled() => {
                return Err(BackupError::Stopped);
            }
            written => written?,
        };
        Ok((Part { file, rows: checksum.rows(), bytes, checksum: checksum.to_string() }, checksum))
    }

    /// Passes the rows of one file on. An error goes the same way, so that the file is taken back.
    async fn feed(
        &self,
        rows: &mut Rows<'_>,
        batches: mpsc::Sender<Result<RecordBatch, ReadError>>,
        counter: &mut Counter<'_>,
    ) -> Checksum {
        let mut checksum = Checksum::default();
        while checksum.rows() < PART_ROWS {
            let next = tokio::select! {
                next = rows.next() => next,
                () = self.stop.cancelled() => Some(Err(ReadError::Stopping)),
            };
            let Some(batch) = next else { break };
            let batch = batch.and_then(|batch| match checksum.add(&batch) {
                Ok(()) => Ok(batch),
                Err(error) => Err(ReadError::Failed(error.to_string())),
            });
            counter.add(batch.as_ref().map_or(0, RecordBatch::num_rows));
            let failed = batch.is_err();
            // When the file cannot be written, its error is the one to tell.
            if batches.send(batch).await.is_err() || failed {
                break;
            }
        }
        checksum
    }
}

/// Looks for every file of the manifest, before the manifest says that the backup is complete.
async fn is_all_there(place: &Place, directory: &str, manifest: &Manifest) -> Result<(), BackupError> {
    let found: HashSet<_> = place.files(directory).await?.into_iter().collect();
    for (file, bytes) in manifest.files() {
        let name = in_directory(directory, &file);
        if !found.contains(&(name.clone(), bytes)) {
            let what = "it was changed while the backup was taken".into();
            return Err(BackupError::Damaged { file: place.full_name(&name), what });
        }
    }
    Ok(())
}
