//! Retention: what is older than it is to be kept is dropped, in whole days.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::archive::{Archive, ArchiveError, Files, Named, date, parse};
use crate::config::RetentionSettings;
use crate::store::{
    ArchivedDay, FINEST, HotDay, LEVELS, Level, Maintenance, MaintenanceError, NewKeys, Reader, Sought, Store,
};
use crate::tables::{TABLES, Table};
use crate::time::{self, DAY, Micros};

/// Counting what is to be dropped may take this long.
const LIMIT: Duration = Duration::from_secs(600);
/// Rollups of a day that goes are refreshed in this time, or it stays; and how often it is looked at.
const REFRESH: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
/// A file that was never completed is given this long: somebody may be writing it.
const UNFINISHED: chrono::TimeDelta = chrono::TimeDelta::days(1);

/// Drops days.
#[derive(Clone)]
pub struct Retention {
    reader: Reader,
    maintenance: Maintenance,
    new_keys: NewKeys,
    files: Files,
    archive: Archive,
    settings: RetentionSettings,
}

/// What was dropped, or would be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Dropped {
    /// The table.
    pub table: String,
    /// The level of its roll-ups; `None` for its rows.
    pub level: Option<String>,
    /// What is from this date on is kept.
    pub before: String,
    /// Days with rows; `None` for buckets.
    pub days: Option<usize>,
    /// Rows or buckets.
    pub rows: u64,
    /// Size of the files in the archive, in bytes.
    pub archived_bytes: u64,
}

impl Retention {
    /// Drops days of `store`, of which some are in `archive`.
    pub fn new(store: &Store, archive: Archive, settings: RetentionSettings) -> Self {
        let (reader, maintenance, files) = (store.reader(), store.maintenance(), store.files());
        Self { reader, maintenance, new_keys: store.new_keys(), files, archive, settings }
    }

    /// Drops, or with `dry_run` counts, what is too old at `now`, one day after the other.
    pub async fn run(&self, now: Micros, dry_run: bool) -> Result<Vec<Dropped>, ArchiveError> {
        let mut dropped = Vec::new();
        if !dry_run {
            self.archive.check().await?;
        }
        let first_kept = |days: u32| time::day_start(now).saturating_sub(i64::from(days) * DAY);
        for table in TABLES {
            if let Some(days) = self.settings.table(table) {
                dropped.extend(self.rows(table, first_kept(days), dry_run).await?);
            }
            for level in LEVELS {
                if let Some(days) = self.settings.level(level) {
                    dropped.extend(self.buckets(table, level, first_kept(days), dry_run).await?);
                }
            }
        }
        if !dry_run {
            self.remove_files(first_kept).await?;
            if !dropped.is_empty() {
                self.maintenance.checkpoint().await?;
            }
        }
        Ok(dropped)
    }

    async fn rows(
        &self,
        table: &'static Table,
        before: Micros,
        dry_run: bool,
    ) -> Result<Option<Dropped>, ArchiveError> {
        // What the roll-ups keep has to be in them first.
        let rolled = self.reader.look(move |snapshot| Ok(snapshot.rolled(table))).await?;
        let Some(rolled) = rolled.into_iter().find(|rolled| rolled.level == FINEST) else { return Ok(None) };
        let before = before.min(time::day_start(rolled.until));
        let mut hot = self.reader.hot_days(table, before, LIMIT).await?;
        let mut archived = self.reader.archived_days(table, Micros::MIN, before.saturating_sub(1)).await?;
        let mut touched = BTreeMap::new();
        if !dry_run {
            // Rows that come in from here on may take over keys of archived ones, which would come back with the day.
            for day in days(&hot, &archived) {
                touched.insert(day, self.maintenance.touched(table, day).await?);
            }
            hot = self.reader.hot_days(table, before, LIMIT).await?;
            hot.retain(|day| touched.contains_key(&day.start));
            let stay = self.let_go(table, &hot).await?;
            hot.retain(|day| !stay.contains(&day.start));
            archived.retain(|day| !stay.contains(&day.start));
            let mut first_kept = stay.first().copied();
            for day in days(&hot, &archived) {
                // Oldest first, and none after one that stays: rollups are as they were before the first row that is kept.
                if first_kept.is_some_and(|first| day > first) {
                    break;
                }
                let unchanged = touched.get(&day).copied().unwrap_or_default();
                match self.drop_day(table, day, unchanged).await {
                    Err(ArchiveError::Maintenance(MaintenanceError::Overtaken(reason))) => {
                        tracing::info!(table = table.name, date = date(day), reason, "a day stays");
                        first_kept = Some(day);
                    }
                    done => drop(done?),
                }
            }
            if let Some(first) = first_kept {
                hot.retain(|day| day.start < first);
                archived.retain(|day| day.start < first);
            }
        }
        let days = days(&hot, &archived);
        if days.is_empty() {
            return Ok(None);
        }
        let rows = hot.iter().map(|day| day.rows).chain(archived.iter().map(|day| day.rows)).sum();
        let archived_bytes = archived.iter().map(|day| day.bytes).sum();
        if !dry_run {
            // The files come after all of it: a question that has begun may still read them.
            for day in archived {
                if !self.archive.remove(&day.file).await? {
                    tracing::info!(file = day.file, "a file is being read and is removed by the next run");
                }
            }
            tracing::info!(table = table.name, before = date(before), days = days.len(), rows, "days were dropped");
        }
        Ok(Some(Dropped {
            table: table.name.to_owned(),
            level: None,
            before: date(before),
            days: Some(days.len()),
            rows,
            archived_bytes,
        }))
    }

    /// Drops a day. What rows of other days replace of its file, rollups count without it first: afterwards nothing could make
    /// them. That is waited for a while.
    async fn drop_day(&self, table: &'static Table, day: Micros, touched: u64) -> Result<(), ArchiveError> {
        let until = Instant::now() + REFRESH;
        let mut known = HashSet::new();
        loop {
            // Rows that come in from here on may replace others.
            let keys = self.new_keys.number();
            for archived in self.reader.archived_days(table, day, day).await? {
                let mut replaced = self.reader.replaced(table, archived, Sought::All, LIMIT).await?;
                replaced.retain(|row| known.insert(row.clone()));
                if !replaced.is_empty() {
                    self.maintenance.roll_up_again(table, replaced).await?;
                }
            }
            match self.maintenance.drop_day(table, day, (touched, keys)).await {
                Err(MaintenanceError::Overtaken(_))
                    if Instant::now() < until && self.maintenance.touched(table, day).await? == touched =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                done => return Ok(done.map(drop)?),
            }
        }
    }

    /// Takes out of the files of other days what rows of these days replace: it must not come back when they go. Returns the
    /// days that have to stay, because such a file is being read.
    async fn let_go(&self, table: &'static Table, days: &[HotDay]) -> Result<Vec<Micros>, ArchiveError> {
        let mut stay = Vec::new();
        for day in days {
            match self.archive.let_go(table, Some(day.start)).await {
                Err(ArchiveError::InUse(file)) => {
                    tracing::info!(
                        table = table.name,
                        date = date(day.start),
                        file,
                        "a day stays: a file is being read"
                    );
                    stay.push(day.start);
                }
                done => done?,
            }
        }
        Ok(stay)
    }

    async fn buckets(
        &self,
        table: &'static Table,
        level: Level,
        before: Micros,
        dry_run: bool,
    ) -> Result<Option<Dropped>, ArchiveError> {
        // Wider buckets have to be made of them first. A table that is silent keeps the narrow ones of its last day.
        let before = before.min(time::day_start(self.reader.rolled_until(table)));
        let mut rows = self.reader.buckets_before(table, level, before, LIMIT).await?;
        if rows == 0 {
            return Ok(None);
        }
        if !dry_run {
            rows = self.maintenance.drop_buckets(table, level, before).await?;
            tracing::info!(
                table = table.name,
                level = level.name(),
                before = date(before),
                rows,
                "buckets were dropped"
            );
        }
        let (name, level) = (table.name.to_owned(), Some(level.name().to_owned()));
        Ok(Some(Dropped { table: name, level, before: date(before), days: None, rows, archived_bytes: 0 }))
    }

    /// Removes what earlier runs could not: files of days that are too old and that nothing names any more, and files
    /// that were never completed.
    async fn remove_files(&self, first_kept: impl Fn(u32) -> Micros) -> Result<(), ArchiveError> {
        for file in self.files.list().await? {
            let remove = match parse(&file.name) {
                Some(Named::Day(table, day)) => match self.settings.table(table) {
                    Some(days) if day < first_kept(days) => {
                        self.reader.archived_days(table, day, day).await?.is_empty()
                    }
                    _ => false,
                },
                Some(Named::Aside) => chrono::Utc::now() - file.changed > UNFINISHED,
                None => false,
            };
            if remove && self.archive.remove(&file.name).await? {
                tracing::info!(file = file.name, bytes = file.bytes, "a file that nothing names was removed");
            }
        }
        Ok(())
    }
}

/// The days of both tiers, each once.
fn days(hot: &[HotDay], archived: &[ArchivedDay]) -> Vec<Micros> {
    let mut days: Vec<Micros> = hot.iter().map(|day| day.start).chain(archived.iter().map(|day| day.start)).collect();
    days.sort_unstable();
    days.dedup();
    days
}
