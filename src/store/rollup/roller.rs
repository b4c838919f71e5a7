//! Keeps the buckets of one table: has those made that are complete, and those refreshed that late rows made stale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use duckdb::Connection;
use tokio::sync::Notify;

use super::density::Density;
use super::fetch::{Fetch, Fetched};
use super::pending::Pending;
use super::ranges::ranges;
use super::reach::{BEGINNING, Reach};
use super::refresh::{keep_outlived, refresh};
use super::step::Work;
use super::text::{self, Wanted, fill};
use super::{Bounds, FINEST, LEVELS, Level, Past, Step, Stepped, marks};
use crate::archive::{Files, date};
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
/// What a step should take: long enough to be worth its statements, short enough for what waits for it.
const STEP: (Duration, Duration) = (Duration::from_millis(60), Duration::from_millis(200));
/// The span of a step, which grows and shrinks with the time it takes.
const SPAN: (Micros, Micros) = (60 * SECOND, 32 * DAY);
/// Hours of which stale buckets are refreshed at once, in the transaction that stores the late rows; more of them wait.
const AT_ONCE: usize = 8;
/// Hours of buckets in the future that are given up: a clock that was ahead for a while leaves no more.
const FUTURE: i64 = 7 * 24;
/// How long to wait before looking again whether they can be.
const RETREAT: Duration = Duration::from_secs(600);

/// Keeps the rollups of one table. Used by the writer alone.
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
    /// Stale buckets that are marked.
    pending: Pending,
    /// Whether stale buckets come before new ones the next time: they take turns.
    refresh_first: bool,
    /// Up to where buckets may change while a step is under way.
    running: Option<Micros>,
    /// The day whose buckets could not be made the last time.
    failing: Option<Micros>,
    /// Dropped days of which rows came later, as the log was told.
    told: BTreeSet<Micros>,
    /// When to look next whether buckets lie in the future.
    retreat: Instant,
    /// Rows of archived days, which buckets may be made of, and those that steps wait for.
    files: Files,
    advancing: Fetch,
    refreshing: Fetch,
    arrived: Arc<Notify>,
    bounds: Bounds,
}

impl Roller {
    /// Creates what is missing in the database and reads how far it is. `arrived` is told when it is worth a look whether a
    /// step is due.
    pub fn new(
        connection: &Connection,
        table: &'static Table,
        interval: Duration,
        (files, bounds, arrived): (Files, Bounds, Arc<Notify>),
    ) -> Result<Self, duckdb::Error> {
        let bucket = |level: Level| text::bucket(TIME_COLUMN, level.width());
        for level in LEVELS {
            let buckets = text::of_rows(table, Wanted::All, table.name, &bucket(level), (0, 0), "");
            let create = fill(include_str!("../../../queries/rollup/create.sql"), table, level);
            connection.execute_batch(&create.replace("{buckets}", &buckets))?;
            let begin = fill(include_str!("../../../queries/rollup/begin.sql"), table, level);
            connection.execute_batch(&begin.replace("{from}", &BEGINNING.to_string()))?;
        }
        marks::check(connection, table)?;
        let pending = Pending::new(marks::hours(connection, table)?);
        if !pending.is_empty() {
            bounds.mark(table);
        }
        let (_, until) = Reach::read(connection, table)?.of(FINEST);
        let newest = include_str!("../../../queries/rollup/newest.sql").replace("{table}", table.name);
        let (oldest, newest): (Option<Micros>, _) =
            connection.query_row(&newest, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
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
            pending,
            refresh_first: false,
            running: None,
            failing: None,
            told: BTreeSet::new(),
            retreat: now,
            files,
            advancing: Fetch::default(),
            refreshing: Fetch::default(),
            arrived,
            bounds,
        })
    }

    /// The table.
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// Watches what a transaction stores. What gets into buckets that a step is making counts as late: the step may not see
    /// it.
    pub fn past(&self) -> Past {
        Past::new(self.table, self.running.map_or(self.until, |running| running.max(self.until)))
    }

    /// Up to where buckets are made, and up to where they are complete.
    pub fn position(&self) -> (Micros, Micros) {
        (self.until, self.complete(time::now()))
    }

    /// The oldest row, as far as it is known.
    pub fn oldest(&self) -> Option<Micros> {
        self.oldest
    }

    /// Hours with stale buckets that wait to be refreshed.
    pub fn stale_hours(&self) -> usize {
        self.pending.len()
    }

    /// Rows a second where no buckets are made yet, as far as it is known.
    pub fn rows_per_second(&self) -> Option<f64> {
        self.density.per_second()
    }

    /// Keeps the buckets that `past` found stale exact, in the open transaction: a few are refreshed at once. Where there are
    /// many, where rows are in the archive or where a step is under way, they are marked and refreshed later.
    pub fn keep_exact(&self, connection: &Connection, past: &mut Past) -> Result<(), TableWriteError> {
        let Some((reach, starts)) = self.stage(connection, past)? else { return Ok(()) };
        let hours = hours(&starts);
        let are_hot = starts.first().is_none_or(|first| *first >= self.bounds.archive_end(self.table));
        if are_hot && hours.len() <= AT_ONCE && self.running.is_none() {
            refresh(connection, self.table, &self.files, &reach, &starts)?;
        } else {
            self.mark_staged(connection, past, hours)?;
        }
        Ok(connection.execute_batch(include_str!("../../../queries/rollup/fresh.sql"))?)
    }

    /// Marks the buckets that `past` found stale, in the open transaction.
    pub fn mark(&self, connection: &Connection, past: &mut Past) -> Result<(), TableWriteError> {
        let Some((_, starts)) = self.stage(connection, past)? else { return Ok(()) };
        self.mark_staged(connection, past, hours(&starts))?;
        Ok(connection.execute_batch(include_str!("../../../queries/rollup/fresh.sql"))?)
    }

    /// Puts the stale buckets into the temporary table `stale`; `None` if there is none.
    fn stage(&self, connection: &Connection, past: &mut Past) -> Result<Option<(Reach, Vec<Micros>)>, TableWriteError> {
        if past.buckets().is_empty() {
            return Ok(None);
        }
        connection.execute_batch(&fill(include_str!("../../../queries/rollup/stale.sql"), self.table, FINEST))?;
        append(connection, "stale", Some("temp"), &[past.batch()?])?;
        let reach = Reach::read(connection, self.table)?;
        let starts = keep_outlived(connection, self.table, &reach)?;
        past.keep_outlived(&starts);
        Ok(Some((reach, starts)))
    }

    fn mark_staged(
        &self,
        connection: &Connection,
        past: &mut Past,
        hours: BTreeSet<Micros>,
    ) -> Result<(), duckdb::Error> {
        self.bounds.mark(self.table);
        past.mark(hours);
        marks::mark(connection, self.table)
    }

    /// A transaction that stored `past` is committed.
    pub fn committed(&mut self, past: &Past) {
        self.rows += past.rows();
        self.pending.add(past.marked());
        self.forget_worked_off();
        if let Some((oldest, newest)) = past.seen() {
            self.density.add(past.rows(), (oldest, newest));
            self.newest = self.newest.max(Some(newest));
            self.settle();
            self.oldest = Some(self.oldest.map_or(oldest, |known| known.min(oldest)));
        }
    }

    /// Rows of dropped days are stored. Said once for a day.
    pub fn came_too_late(&mut self, days: &BTreeMap<Micros, usize>) {
        for (day, rows) in days {
            if self.told.insert(*day) {
                tracing::warn!(
                    table = self.table.name,
                    date = date(*day),
                    rows,
                    "rows came for a day that retention has dropped: SQL, exports and raw history have them, its roll-ups stay \
                     as they are"
                );
            }
        }
    }

    /// A transaction is rolled back, and with it what it marked.
    pub fn rolled_back(&mut self) {
        self.forget_worked_off();
    }

    /// Something other than late rows may have marked buckets.
    pub fn maintained(&mut self, connection: &Connection) {
        if !self.bounds.is_marked(self.table) {
            return;
        }
        match marks::hours(connection, self.table) {
            Ok(hours) => self.pending.add(&hours),
            Err(error) => tracing::error!(table = self.table.name, %error, "stale rollups wait for the next start"),
        }
        self.forget_worked_off();
    }

    fn forget_worked_off(&self) {
        if self.pending.is_empty() {
            self.bounds.refreshed(self.table);
        }
    }

    /// Whether a step is due now.
    pub fn is_due(&self) -> bool {
        self.due().is_some_and(|due| due <= Instant::now())
    }

    /// When a step is due at the latest, if nothing more comes.
    pub fn due(&self) -> Option<Instant> {
        let refresh = self.pending.due().filter(|_| !self.refreshing.is_waiting());
        self.advance_due().into_iter().chain(refresh).min()
    }

    fn advance_due(&self) -> Option<Instant> {
        if self.advancing.is_waiting() {
            return None;
        }
        if self.behind || self.rows >= ROWS {
            return Some(self.stepped);
        }
        let settled = self.is_settling().then(|| self.stepped + HOLD);
        let interval = (self.rows > 0 || self.has_rows_ahead()).then(|| self.stepped + self.interval);
        settled.into_iter().chain(interval).min()
    }

    /// The next step, if there is anything to do and its files are at hand. It must be taken.
    pub fn step(&mut self, connection: &Connection) -> Option<Step> {
        let now = Instant::now();
        // Before a look at what has settled since: that is what an advance may be due for.
        let advance = self.advance_due().is_some_and(|due| due <= now);
        let refresh = !self.refreshing.is_waiting() && self.pending.due().is_some_and(|due| due <= now);
        self.settle();
        if refresh && (self.refresh_first || !advance) {
            self.refresh_first = false;
            return self.refresh(connection, now);
        }
        self.refresh_first = true;
        if advance { self.advance(connection) } else { None }
    }

    fn refresh(&mut self, connection: &Connection, now: Instant) -> Option<Step> {
        let range = self.pending.next(now)?;
        let context = (&self.files, &self.bounds, &self.arrived);
        let hours = ranges(self.pending.within(range), Level::Hour1.width());
        let fetched = self.refreshing.files(connection, self.table, context, Work::Refresh(range), &hours);
        let step = self.fetched(fetched)?;
        self.pending.begun();
        self.running = Some(self.until);
        Some(step)
    }

    fn advance(&mut self, connection: &Connection) -> Option<Step> {
        let now = time::now();
        if let Some(to) = self.future(connection, now) {
            // Told before the commit: what is read from rows is right before and after it.
            self.bounds.made_only_until(self.table, to);
            self.running = Some(self.until);
            return Some(Step { table: self.table, work: Work::Retreat(to), files: self.files.clone(), lease: None });
        }
        let (from, complete, span) = (self.until, self.complete(now), self.span);
        (self.rows, self.stepped, self.behind) = (0, Instant::now(), false);
        if from >= complete {
            return None;
        }
        let context = (&self.files, &self.bounds, &self.arrived);
        let range = (from, from.saturating_add(span).min(complete));
        let fetched =
            self.advancing.files(connection, self.table, context, Work::Advance { from, complete, span }, &[range]);
        if matches!(&fetched, Fetched::Waiting) {
            self.behind = true;
        }
        let step = self.fetched(fetched)?;
        match step.work {
            Work::Advance { from, complete, .. } if from == self.until => self.running = Some(complete),
            // Its files were fetched for what has been given up since.
            _ => {
                self.behind = true;
                return None;
            }
        }
        Some(step)
    }

    fn fetched(&mut self, fetched: Fetched) -> Option<Step> {
        match fetched {
            Fetched::Ready(work, lease) => Some(Step { table: self.table, work, files: self.files.clone(), lease }),
            Fetched::Waiting => None,
            Fetched::Failed(work, error) => {
                self.failed(work, &error);
                None
            }
        }
    }

    /// A step has ended. What it did not make is made of rows later. Says up to where buckets are made now, if that has
    /// changed.
    pub fn stepped(&mut self, stepped: Stepped) -> Result<Option<Micros>, TableWriteError> {
        self.running = None;
        let until = match stepped.until {
            Ok(until) => until,
            Err(error) => {
                self.failed(stepped.work, &error);
                return Err(error);
            }
        };
        match stepped.work {
            Work::Refresh(range) => {
                self.pending.done(range, stepped.took);
                self.forget_worked_off();
            }
            Work::Retreat(to) => {
                tracing::warn!(
                    table = self.table.name,
                    from = time::format_naive(self.until),
                    to = time::format_naive(to),
                    "rollups of a time that has not come yet are given up: the clock was ahead"
                );
                (self.until, self.behind) = (to, true);
            }
            Work::Advance { complete, .. } => {
                self.failing = None;
                self.until = until.unwrap_or(self.until);
                self.behind = self.until < complete;
                if stepped.took < STEP.0 {
                    self.span = (self.span * 2).min(SPAN.1);
                } else if stepped.took > STEP.1 {
                    self.span = (self.span / 2).max(SPAN.0);
                }
            }
        }
        Ok(until)
    }

    fn failed(&mut self, work: Work, error: &TableWriteError) {
        match work {
            Work::Refresh(range) => {
                if self.pending.failed(range) {
                    let (table, from) = (self.table.name, time::format_naive(range.0));
                    tracing::warn!(table, from, %error, "stale rollups are not refreshed, rows answer in their place; trying again");
                }
            }
            Work::Retreat(_) => {
                tracing::error!(table = self.table.name, %error, "rollups in the future stay for now");
                self.bounds.made_until(self.table, self.until);
                self.retreat = Instant::now() + RETREAT;
            }
            Work::Advance { from, .. } => {
                // Said once for a day: it may be out of reach for long.
                let (table, day) = (self.table.name, time::day_start(from));
                if self.failing.replace(day) == Some(day) {
                    tracing::debug!(table, %error, "a rollup is still not made");
                } else {
                    tracing::error!(table, %error, "a rollup was not made; rows answer in its place; trying again");
                }
                // Tried again when the interval is over.
                self.rows += 1;
            }
        }
    }

    /// Where the buckets should end that lie in the future, if there are some that can be given up: few enough, and with rows
    /// to be made of again. A clock that is behind sees all of history in the future, which then stays as it is.
    fn future(&mut self, connection: &Connection, now: Micros) -> Option<Micros> {
        if self.until <= now || self.retreat > Instant::now() {
            return None;
        }
        let to = time::floor(now.saturating_sub(LAG), Level::Hour1.width());
        self.retreat = Instant::now() + RETREAT;
        let can = || {
            let reach = Reach::read(connection, self.table)?;
            let kept = LEVELS.map(|level| reach.of(level).0).into_iter().chain(reach.rows_begin()).max();
            let since = fill(include_str!("../../../queries/rollup/hours_since.sql"), self.table, Level::Hour1);
            let hours: i64 = connection.query_row(&since.replace("{from}", &to.to_string()), [], |row| row.get(0))?;
            Ok::<_, duckdb::Error>(hours <= FUTURE && kept.is_none_or(|kept| kept <= to))
        };
        match can() {
            Ok(can) => can.then_some(to),
            Err(error) => {
                tracing::debug!(table = self.table.name, %error, "rollups in the future stay for now");
                None
            }
        }
    }

    /// Whether there are rows beyond what is made, which a clock that is behind takes for rows of the future: they are looked
    /// at again until their time, or a clock that is right, has come.
    fn has_rows_ahead(&self) -> bool {
        self.newest.is_some_and(|newest| time::floor(newest.saturating_sub(LAG), FINEST.width()) > self.until)
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

fn hours(starts: &[Micros]) -> BTreeSet<Micros> {
    starts.iter().map(|start| time::floor(*start, Level::Hour1.width())).collect()
}
