//! Archived rows whose keys rows take that come in: their files are looked into soon after, so that rollups do not count both
//! until the next run of the archive.

use std::time::Duration;

use arrow::array::StringArray;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::archive::{ArchiveError, Files};
use crate::store::{Maintenance, MaintenanceError, NewKeys, Reader, Store};
use crate::tables::{TABLES, Table};

/// Keys that come one by one are looked for together.
const PAUSE: Duration = Duration::from_millis(200);
/// It rests so many times as long as it has looked: nearly all keys are new, and no file has them.
const REST: u32 = 10;
/// Time until it tries again what could not be done.
const RETRY: Duration = Duration::from_secs(30);
/// One file is read in this time.
const LIMIT: Duration = Duration::from_secs(600);
/// Files that are fetched from a bucket at one time; what is in others waits for the archive's run, which fetches all.
const MOST_FETCHED: usize = 4;

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

    /// Looks whenever keys have come in. What it has not looked at when the server ends is left to the archive's next run.
    pub async fn run(self) {
        let stop = self.stop.clone();
        stop.run_until_cancelled(self.look_again_and_again()).await;
    }

    async fn look_again_and_again(&self) {
        let mut failing = false;
        loop {
            let (keys, left_out) = self.new_keys.take().await;
            if left_out > 0 {
                tracing::info!(
                    keys = left_out,
                    "rollups of archived rows that these replace wait for the archive's run"
                );
            }
            let begun = Instant::now();
            let mut failed = None;
            for table in TABLES {
                let of_table = keys.iter().filter(|(of, _)| std::ptr::eq(*of, table));
                let keys: Vec<_> = of_table.map(|(_, keys)| keys.clone()).collect();
                if let Err(error) = self.look(table, keys.clone()).await {
                    self.new_keys.add(table, keys);
                    failed = Some(error);
                }
            }
            match &failed {
                Some(error) if !failing => {
                    tracing::warn!(%error, "rollups of archived rows that are replaced are not right yet; trying again");
                }
                Some(error) => tracing::debug!(%error, "rollups of archived rows that are replaced are not right yet"),
                None if failing => tracing::info!("rollups of archived rows that are replaced are right again"),
                None => {}
            }
            failing = failed.is_some();
            tokio::time::sleep(if failing { RETRY } else { PAUSE.max(begun.elapsed() * REST) }).await;
        }
    }

    /// Marks the rollups as stale that count archived rows with one of these keys.
    async fn look(&self, table: &'static Table, keys: Vec<StringArray>) -> Result<(), ArchiveError> {
        if keys.is_empty() {
            return Ok(());
        }
        let is_local = self.files.is_local();
        // A file whose keys are not known would have to be fetched each time.
        let mut days = self.reader.days_with_keys(table, keys, is_local).await?;
        if !is_local && days.len() > MOST_FETCHED {
            tracing::debug!(days = days.len(), "files that may have replaced rows wait for the archive's run");
            days.truncate(MOST_FETCHED);
        }
        let mut outcome = Ok(());
        for (day, sought) in days {
            let marked = match self.reader.replaced(table, day, sought, LIMIT).await {
                Ok(rows) if rows.is_empty() => Ok(()),
                Ok(rows) => self.maintenance.roll_up_again(table, rows).await.map_err(ArchiveError::from),
                Err(error) => Err(error.into()),
            };
            // A file that is out of reach does not hold up others.
            outcome = outcome.and(marked);
            if let Err(ArchiveError::Maintenance(MaintenanceError::Stopping)) = outcome {
                break;
            }
        }
        outcome
    }
}
