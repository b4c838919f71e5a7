//! Keeps the buckets of one table: makes those that are complete, and again those that lost their truth.

use std::time::{Duration, Instant};

use duckdb::Connection;

use super::density::Density;
use super::reach::{BEGINNING, Reach};
use super::step::make;
use super::text::{self, Wanted, fill};
use super::{FINEST, LEVELS, Level, Past, Step, Stepped};
use crate::archive::Files;
use crate::store::table_writer::{TableWriteError, append};
use crate::tables::{TIME_COLUMN, Table};
use crate::time::{self, DAY, Micros, SECOND};

/// How long a bucket is left alone after its end: rows that come a little late cost nothing extra.
const LAG: Micros = 120 * SECOND;
/// And how long its last row is stored before it is made: batches of several clients, which overtake each other, may be
/// longer than any lag.
const HOLD: Duration = Duration::from_millis(250);
/// Rows that are stored before complete buckets are made of them at once.
const ROWS: usize = 400_000;
/// What a step should take: long enough to be worth its statements, short enough for a late row, which waits for it.
const STEP: (Duration, Duration) = (Duration::from_millis(60), Duration::from_millis(200));
/// The span of a step, which grows and shrinks with the time it takes.
const SPAN: (Micros, Micros) = (60 * SECOND, 32 * DAY);
/// Keeps the roll-ups of one table. Used by the writer alone.
pub struct Roller {
    table: &'static Table,
    /// What lies before this is rolled up.
    until: Micros,
    oldest: Option<Micros>,
    newest: Option<Micros>,
    /// The newest instant as it was a while ago, and as it is since then.
    settled: Option<Micros>,
    settling: (Instant, Option<Micros>),
    density: Density,
    /// Rows stored since the last step.
    rows: usize,
    stepped: Instant,
    /// The span of the next step.
    span: Micros,
    /// Whether the last step left complete buckets behind.
    behind: bool,
    /// How long complete buckets wait at the most.
    interval: Duration,
    /// Rows of archived days, which stale buckets may be made of.
    files: Files,
}

impl Roller {
    /// Creates what is missing in the database and reads how far it is.
    pub fn new(
        connection: &Connection,
        table: &'static Table,
        interval: Duration,
        files: Files,
    ) -> Result<Self, duckdb::Error> {
        let bucket = |level: Level| text::bucket(TIME_COLUMN, level.width());
        for level in LEVELS {
            let buckets = text::of_rows(table, Wanted::All, table.name, &bucket(level), (0, 0), "");
            let create = fill(include_str!("../../../queries/rollup/create.sql"), table, level);
            connection.execute_batch(&create.replace("{buckets}", &buckets))?;
            let begin = fill(include_str!("../../../queries/rollup/begin.sql"), table, level);
            connection.execute_batch(&begin.replace("{from}", &BEGINNING.to_string()))?;
        }
        let (_, until) = Reach::read(connection, table)?.of(FINEST);
        let bounds = include_str!("../../../queries/rollup/newest.sql").replace("{table}", table.name);
        let (oldest, newest): (Option<Micros>, _) =
            connection.query_row(&bounds, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let since = oldest.map_or(until, |oldest| oldest.max(until));
        let rows = include_str!("../../../queries/rollup/rows_since.sql").replace("{table}", table.name);
        let rows = connection.query_row(&rows.replace("{from}", &since.to_string()), [], |row| row.get(0))?;
        let now = Instant::now();
        Ok(Self {
            table,
            until,
            oldest,
            newest,
            density: Density::new(rows, since, newest),
            settled: newest,
            settling: (now, newest),
            rows: 0,
            stepped: now,
            span: 3_600 * SECOND,
            behind: true,
            interval,
            files,
        })
    }

    /// The table.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// Watches what a transaction stores.
    pub fn past(&self) -> Past {
        Past::new(self.table, self.until)
    }

    /// Up to where buckets are made, and up to where they are complete.
    pub fn position(&self) -> (Micros, Micros) {
        (self.until, self.complete(time::now()))
    }

    /// The oldest row, as far as it is known.
    pub fn oldest(&self) -> Option<Micros> {
        self.oldest
    }

    /// Rows a second where no buckets are made yet, as far as it is known.
    pub fn rows_per_second(&self) -> Option<f64> {
        self.density.per_second()
    }

    /// A transaction that stored `past` is committed.
    pub fn committed(&mut self, past: &Past) {
        self.rows += past.rows();
        if let Some((oldest, newest)) = past.seen() {
            self.density.add(past.rows(), (oldest, newest));
            self.newest = self.newest.max(Some(newest));
            self.settle();
            self.oldest = Some(self.oldest.map_or(oldest, |known| known.min(oldest)));
        }
    }

    /// Whether a step is due now.
    pub fn is_due(&self) -> bool {
        let waited = self.stepped.elapsed();
        self.behind
            || self.rows >= ROWS
            || (self.rows > 0 && waited >= self.interval)
            || (self.is_settling() && waited >= HOLD)
    }

    /// When a step is due at the latest, if nothing more comes.
    pub fn due(&self) -> Option<Instant> {
        if self.behind {
            return Some(Instant::now());
        }
        let settled = self.is_settling().then(|| self.stepped + HOLD);
        let interval = (self.rows > 0).then(|| self.stepped + self.interval);
        settled.into_iter().chain(interval).min()
    }

    /// Makes again, in the open transaction, the buckets that `past` found stale.
    pub fn mend(&self, connection: &Connection, past: &Past) -> Result<(), TableWriteError> {
        let Some((first, last)) = past.span() else { return Ok(()) };
        let stale = fill(include_str!("../../../queries/rollup/stale.sql"), self.table, FINEST);
        connection.execute_batch(&stale)?;
        append(connection, "stale", Some("temp"), &[past.batch()?])?;
        let reach = Reach::read(connection, self.table)?;
        // Where rows were dropped, buckets say what no row says any more: they stay as they are.
        let keep = include_str!("../../../queries/rollup/keep_old.sql");
        let rows_begin = reach.rows_begin().unwrap_or(BEGINNING);
        connection.execute_batch(&keep.replace("{until}", &rows_begin.to_string()))?;
        for (place, level) in LEVELS.into_iter().enumerate() {
            let width = level.width();
            let (from, until) = (time::floor(first, width), time::floor(last, width).saturating_add(width));
            let from = from.max(reach.of(level).0);
            // What is not rolled up at this level will be made of what is right by then.
            let until = until.min(time::floor(self.until, width));
            if from >= until {
                continue;
            }
            connection.execute_batch(&fill(include_str!("../../../queries/rollup/forget.sql"), self.table, level))?;
            let finer = place.checked_sub(1).and_then(|finer| LEVELS.get(finer).copied());
            // Narrower buckets that were dropped say nothing; the rows are there.
            let finer = finer.filter(|finer| reach.of(*finer).0 <= from);
            make(connection, self.table, &self.files, level, finer, (from, until), true)?;
        }
        connection.execute_batch(include_str!("../../../queries/rollup/fresh.sql"))?;
        Ok(())
    }

    /// The next complete buckets, if there are any.
    pub fn step(&mut self) -> Option<Step> {
        self.settle();
        let complete = self.complete(time::now());
        (self.rows, self.stepped, self.behind) = (0, Instant::now(), false);
        let step = Step { table: self.table, from: self.until, complete, span: self.span, files: self.files.clone() };
        (self.until < complete).then_some(step)
    }

    /// A step has ended. What it did not make is made of rows later. Says up to where buckets are made now.
    pub fn stepped(&mut self, stepped: Stepped) -> Result<Micros, TableWriteError> {
        self.until = stepped.until?;
        self.behind = self.until < stepped.complete;
        if stepped.took < STEP.0 {
            self.span = (self.span * 2).min(SPAN.1);
        } else if stepped.took > STEP.1 {
            self.span = (self.span / 2).max(SPAN.0);
        }
        Ok(self.until)
    }

    /// Whether the last step came too early for the last rows.
    fn is_settling(&self) -> bool {
        self.rows == 0 && self.settled < self.newest
    }

    fn settle(&mut self) {
        if self.settling.0.elapsed() >= HOLD {
            self.settled = self.settling.1;
            self.settling = (Instant::now(), self.newest);
        }
    }

    /// Before this, buckets are complete.
    fn complete(&self, now: Micros) -> Micros {
        // A row that claims to come from the future must not make everything after it late.
        let newest = self.settled.map_or(BEGINNING, |newest| newest.min(now));
        time::floor(newest.saturating_sub(LAG), FINEST.width()).max(self.until)
    }
}
