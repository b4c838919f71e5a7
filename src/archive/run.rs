//! The run: whole days older than the hot window leave the database for the archive.

use std::time::Duration;

use futures::StreamExt;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{ArchiveError, Files, Ownership, day_file, layout};
use crate::batch::BatchStream;
use crate::budget::freed;
use crate::config::ArchiveSettings;
use crate::store::{ArchivedDay, FiledDay, HotDay, Maintenance, MaintenanceError, Reader, Sought, Store};
use crate::tables::{TABLES, Table};
use crate::time::{self, DAY, Micros};

/// Reading one day may take this long; a day of a very large desk is sorted in minutes.
const DAY_LIMIT: Duration = Duration::from_secs(3_600);
/// How often a day is started over when rows of it come in meanwhile.
const ATTEMPTS: usize = 3;

/// Moves days into the archive.
#[derive(Clone)]
pub struct Archive {
    reader: Reader,
    maintenance: Maintenance,
    files: Files,
    ownership: Ownership,
    settings: ArchiveSettings,
    stop: CancellationToken,
}

/// A day that was moved, or that would be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MovedDay {
    /// The table.
    pub table: String,
    /// The date.
    pub date: String,
    /// Rows that leave the database.
    pub rows: u64,
    /// Size of the file, in bytes; `None` before it is written.
    pub bytes: Option<u64>,
    /// Why it stays in the database for now.
    pub error: Option<String>,
}

impl Archive {
    /// Moves days of `store` until `stop` is cancelled.
    pub fn new(store: &Store, settings: ArchiveSettings, stop: CancellationToken) -> Self {
        let (reader, maintenance, files) = (store.reader(), store.maintenance(), store.files());
        Self { reader, maintenance, files, ownership: store.ownership(), settings, stop }
    }

    /// Moves every day that is older than its table's hot window at `now`, one after the other. A day that cannot be
    /// moved stays as it is and does not hold up the others.
    pub async fn run(&self, now: Micros) -> Result<Vec<MovedDay>, ArchiveError> {
        // What another database has changed there since cannot be read either.
        self.ownership.check().await?;
        let mut moved = Vec::new();
        for table in TABLES.into_iter().filter(|table| self.settings.hot_days(table).is_some()) {
            self.let_go(table, None).await?;
        }
        for (table, day) in self.due(now).await? {
            if self.stop.is_cancelled() {
                return Err(ArchiveError::Stopping);
            }
            match self.archive(table, day).await {
                Ok(day) => moved.push(day),
                Err(ArchiveError::Stopping | ArchiveError::Maintenance(MaintenanceError::Stopping)) => {
                    return Err(ArchiveError::Stopping);
                }
                Err(error) => {
                    let date = layout::date(day.start);
                    tracing::warn!(table = table.name, date, %error, "a day stays in the database");
                    moved.push(MovedDay { error: Some(error.to_string()), ..planned(table, day) });
                }
            }
        }
        if !moved.is_empty() {
            self.maintenance.checkpoint().await?;
        }
        Ok(moved)
    }

    /// What a run at `now` would move.
    pub async fn plan(&self, now: Micros) -> Result<Vec<MovedDay>, ArchiveError> {
        let due = self.due(now).await?;
        Ok(due.into_iter().map(|(table, day)| planned(table, day)).collect())
    }

    async fn due(&self, now: Micros) -> Result<Vec<(&'static Table, HotDay)>, ArchiveError> {
        let mut due = Vec::new();
        for table in TABLES {
            let Some(days) = self.settings.hot_days(table) else { continue };
            // A day that is not over is never complete.
            let before = time::day_start(now).saturating_sub(i64::from(days) * DAY);
            let days = self.reader.hot_days(table, before, DAY_LIMIT).await?;
            due.extend(days.into_iter().map(|day| (table, day)));
        }
        Ok(due)
    }

    async fn archive(&self, table: &'static Table, day: HotDay) -> Result<MovedDay, ArchiveError> {
        for _ in 0..ATTEMPTS {
            let touched = self.maintenance.touched(table, day.start).await?;
            // Rows of this day may have taken over the keys of archived ones, which have to go before these become
            // archived. Those that come later are of a day that was touched since.
            self.let_go(table, Some(day.start)).await?;
            let rows = self.reader.day(table, day.start, DAY_LIMIT).await?;
            let filed = self.file(table, day.start, rows).await?;
            let bytes = Some(filed.content.bytes);
            match self.maintenance.hand_over(table, filed, touched).await {
                Ok(rows) => {
                    let day = MovedDay { rows, bytes, ..planned(table, day) };
                    tracing::info!(table = table.name, date = day.date, rows, bytes, "a day is in the archive");
                    return Ok(day);
                }
                Err(MaintenanceError::Overtaken(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ArchiveError::Overtaken(format!("{} of {}", table.name, layout::date(day.start))))
    }

    /// Takes out of the files what rows of the database replace: rows of `day`, or all. A file that is being read keeps it
    /// until the next run, which is right, only that roll-ups know of its rows for so long.
    pub async fn let_go(&self, table: &'static Table, day: Option<Micros>) -> Result<(), ArchiveError> {
        for other in self.reader.taken_over(table, day, DAY_LIMIT).await? {
            match self.thin_out(table, other).await {
                Err(ArchiveError::InUse(file)) if day.is_none() => tracing::info!(file, "replaced rows stay for now"),
                done => done?,
            }
        }
        Ok(())
    }

    async fn thin_out(&self, table: &'static Table, day: ArchivedDay) -> Result<(), ArchiveError> {
        let start = day.start;
        let rows = self.reader.kept(table, day, DAY_LIMIT).await?;
        let filed = self.file(table, start, rows).await?;
        Ok(self.maintenance.thin_out(table, filed).await?)
    }

    /// Writes the file of a day, aside first, and reads it back before it gets its name.
    async fn file(&self, table: &'static Table, start: Micros, rows: BatchStream) -> Result<FiledDay, ArchiveError> {
        let file = layout::file_name(table, start);
        let aside = self.files.aside(&file)?;
        let filed = async {
            let (path, stop, runtime) = (aside.clone(), self.stop.clone(), Handle::current());
            let written = tokio::task::spawn_blocking(move || {
                let mut rows = Box::pin(rows.take_until(stop.cancelled_owned()));
                let written = day_file::write(&path, table, std::iter::from_fn(|| runtime.block_on(rows.next())));
                freed::give_back();
                written
            });
            let content = written.await.map_err(|_| ArchiveError::Stopping)??;
            if self.stop.is_cancelled() {
                return Err(ArchiveError::Stopping);
            }
            let listed = !self.reader.archived_days(table, start, start).await?.is_empty();
            if listed {
                // After a kill between the rename and the transaction that records it, the file is known all the same.
                self.maintenance.announce(table, start, content.bytes, content.hash.clone()).await?;
            }
            self.roll_up_again(table, start).await?;
            self.ownership.confirm().await?;
            self.files.publish(&aside, &file, &content, listed).await?;
            Ok(FiledDay { start, file, content })
        };
        let filed = filed.await;
        if filed.is_err() {
            // What is not complete must not stay; a kill leaves it to the next start.
            let _ = std::fs::remove_file(&aside);
        }
        filed
    }

    /// Refuses when the archive is not the database's.
    pub async fn check(&self) -> Result<(), ArchiveError> {
        self.ownership.check().await
    }

    /// Removes a file that the database does not name any more; true unless somebody still reads it.
    pub async fn remove(&self, file: &str) -> Result<bool, ArchiveError> {
        self.ownership.confirm().await?;
        self.files.remove(file).await
    }

    /// Makes the roll-ups again of the rows that leave the file of an archived day, because rows of other days have taken
    /// over their keys: the writer, which did not look into the files, could not know. Before the file changes: afterwards
    /// nobody could tell which rows those were.
    async fn roll_up_again(&self, table: &'static Table, start: Micros) -> Result<(), ArchiveError> {
        for day in self.reader.archived_days(table, start, start).await? {
            let replaced = self.reader.replaced(table, day, Sought::All, DAY_LIMIT).await?;
            if !replaced.is_empty() {
                self.maintenance.roll_up_again(table, replaced).await?;
            }
        }
        Ok(())
    }
}

fn planned(table: &Table, day: HotDay) -> MovedDay {
    MovedDay { table: table.name.to_owned(), date: layout::date(day.start), rows: day.rows, bytes: None, error: None }
}
