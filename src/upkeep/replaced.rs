//! Archived rows whose keys rows take that come in: their files are looked into soon after, so that rollups do not count both
//! until the next run of the archive.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::postponed::PostponedFiles;
use crate::archive::{ArchiveError, Files};
use crate::store::{Maintenance, NewKeys, Reader, Sought, Store, Unlooked};
use crate::tables::{TABLES, Table};
use crate::time::Micros;

/// Keys that come one by one are looked for together.
const PAUSE: Duration = Duration::from_millis(200);
/// It rests so many times as long as it has looked: nearly all keys are new, and no file has them.
const REST: u32 = 10;
/// Time until it tries again what could not be done.
const RETRY: Duration = Duration::from_secs(30);
/// One file is read in this time.
const LIMIT: Duration = Duration::from_secs(600);
/// Files that are fetched from a bucket at one time; others are postponed.
const MOST_FETCHED: usize = 4;
/// When no keys have come in for so long, it is noted that none are pending: not after each fill.
const QUIET: Duration = Duration::from_secs(10);

/// Looks for archived rows that are replaced.
pub struct ReplacedRows {
    reader: Reader,
    maintenance: Maintenance,
    files: Files,
    new_keys: NewKeys,
    stop: CancellationToken,
}

impl ReplacedRows {
    /// Those of `store`, until `stop` is cancelled.
    pub fn new(store: &Store, stop: CancellationToken) -> Self {
        let (reader, maintenance, files) = (store.reader(), store.maintenance(), store.files());
        Self { reader, maintenance, files, new_keys: store.new_keys(), stop }
    }

    /// Looks whenever keys have come in. The database notes what it has not looked at when the server ends.
    pub async fn run(self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.look_again_and_again()).await;
    }

    async fn look_again_and_again(&self) {
        let mut postponed = PostponedFiles::default();
        let mut failing = false;
        let mut next = Instant::now() + QUIET;
        loop {
            let begun;
            let mut failed = Vec::new();
            let mut reason = None;
            tokio::select! {
                unlooked = self.new_keys.take() => {
                    begun = Instant::now();
                    for table in TABLES {
                        if let Err(error) = self.look(table, &unlooked, &mut postponed).await {
                            failed.push(table);
                            reason = Some(error);
                        }
                    }
                }
                () = tokio::time::sleep_until(postponed.due().unwrap_or(next)) => {
                    begun = Instant::now();
                    for (table, day, sought) in postponed.take(MOST_FETCHED) {
                        if let Err(error) = self.look_into(table, day, sought).await {
                            postponed.add(table, day, Sought::All);
                            reason = Some(error);
                        }
                    }
                }
            }
            self.new_keys.looked(&failed, postponed.tables());
            if failed.is_empty() && postponed.is_empty() && begun >= next {
                self.note_looked().await;
            }
            match &reason {
                Some(error) if !failing => {
                    tracing::warn!(%error, "rollups of archived rows that are replaced are not right yet; trying again");
                }
                Some(error) => tracing::debug!(%error, "rollups of archived rows that are replaced are not right yet"),
                None if failing => tracing::info!("rollups of archived rows that are replaced are right again"),
                None => {}
            }
            failing = reason.is_some();
            tokio::time::sleep(if failing { RETRY } else { PAUSE.max(begun.elapsed() * REST) }).await;
            next = Instant::now() + QUIET;
        }
    }

    /// Marks the rollups as stale that count archived rows with new keys. Of a bucket, only some files are looked into.
    async fn look(
        &self,
        table: &'static Table,
        unlooked: &Unlooked,
        postponed: &mut PostponedFiles,
    ) -> Result<(), ArchiveError> {
        let is_local = self.files.is_local();
        let is_all = unlooked.is_all_of(table);
        let days = match (is_all, unlooked.keys_of(table)) {
            (true, _) => self.reader.days_with_stored_keys(table, LIMIT).await?,
            (false, keys) if keys.is_empty() => return Ok(()),
            // A file whose keys are not known would have to be fetched each time.
            (false, keys) => self.reader.days_with_keys(table, keys, is_local).await?,
        };
        let mut outcome = Ok(());
        for (place, (day, sought)) in days.into_iter().enumerate() {
            if !is_local && place >= MOST_FETCHED {
                postponed.add(table, day.start, sought);
                continue;
            }
            let begun = Instant::now();
            // A file that is out of reach does not hold up others.
            outcome = outcome.and(self.look_into(table, day.start, sought).await);
            if is_all && is_local {
                tokio::time::sleep(begun.elapsed() * REST).await;
            }
        }
        outcome
    }

    async fn look_into(&self, table: &'static Table, day: Micros, sought: Sought) -> Result<(), ArchiveError> {
        // As it is now: its file may have changed since it was found.
        for day in self.reader.archived_days(table, day, day).await? {
            let rows = self.reader.replaced(table, day, sought.clone(), LIMIT).await?;
            if !rows.is_empty() {
                self.maintenance.roll_up_again(table, rows).await?;
            }
        }
        Ok(())
    }

    async fn note_looked(&self) {
        if let Err(error) = self.maintenance.note_looked(&self.new_keys).await {
            tracing::debug!(%error, "the next start looks for replaced rows once more");
        }
    }
}
