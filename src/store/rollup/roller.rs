//! Keeps the buckets of one table: makes those that are complete, and again those that lost their truth.

use std::time::{Duration, Instant};

use duckdb::Connection;

use super::text::{self, fill};
use super::{FINEST, LEVELS, Level, Past};
use crate::archive::Files;
use crate::store::archive::rows_of;
use crate::store::table_writer::{TableWriteError, append};
use crate::tables::Table;
use crate::time::{self, DAY, Micros, SECOND};

/// How long a bucket is left alone after its end: rows that come a little late cost nothing extra.
const LAG: Micros = 120 * SECOND;
/// Rows that are stored before complete buckets are made of them at once.
const ROWS: usize = 400_000;
/// What a step should take: long enough to be worth its statements, short enough for those who wait for the writer.
const STEP: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(120));
/// How long files of archived days may take to come.
const FETCH: Duration = Duration::from_secs(60);
/// The span of a step, which grows and shrinks with the time it takes.
const SPAN: (Micros, Micros) = (60 * SECOND, 32 * DAY);
/// Before every row: year 1.
const BEGINNING: Micros = -719_162 * DAY;

/// Where the rows of a table begin, in the place of a level's name.
const ROWS_LEVEL: &str = "rows";

/// Where levels of a table begin, and its rows: what was before has been dropped.
struct Begins {
    levels: Vec<(String, Micros)>,
}

impl Begins {
    fn read(connection: &Connection, table: &Table) -> Result<Self, duckdb::Error> {
        let mut statement = connection.prepare(include_str!("../../../queries/rollup/progress.sql"))?;
        let levels = statement.query_map([table.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { levels: levels.collect::<Result<_, _>>()? })
    }

    fn of(&self, level: &str) -> Micros {
        self.levels.iter().find(|(name, _)| name == level).map_or(BEGINNING, |(_, from)| *from)
    }
}

/// Takes down, in the open transaction, that rows of a table before an instant are dropped.
pub fn rows_begin(connection: &Connection, table: &Table, from: Micros) -> Result<(), duckdb::Error> {
    let begin = include_str!("../../../queries/rollup/rows_begin.sql").replace("{table}", table.name);
    connection.execute_batch(&begin.replace("{level}", ROWS_LEVEL).replace("{from}", &from.to_string()))
}

/// Keeps the roll-ups of one table. Used by the writer alone.
pub struct Roller {
    table: &'static Table,
    /// What lies before this is rolled up.
    until: Micros,
    oldest: Option<Micros>,
    newest: Option<Micros>,
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
        for level in LEVELS {
            let buckets = text::of_rows(table, table.name, level.width(), 0, 0, "");
            let create = fill(include_str!("../../../queries/rollup/create.sql"), table, level);
            connection.execute_batch(&create.replace("{buckets}", &buckets))?;
            let begin = fill(include_str!("../../../queries/rollup/begin.sql"), table, level);
            connection.execute_batch(&begin.replace("{from}", &BEGINNING.to_string()))?;
        }
        let until = connection
            .prepare(include_str!("../../../queries/rollup/progress.sql"))?
            .query_map([table.name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Micros>(2)?)))?
            .filter_map(Result::ok)
            .find(|(level, _)| level == FINEST.name())
            .map_or(BEGINNING, |(_, until)| until);
        let bounds = include_str!("../../../queries/rollup/newest.sql").replace("{table}", table.name);
        let (oldest, newest) = connection.query_row(&bounds, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (rows, span, behind) = (0, 3_600 * SECOND, true);
        Ok(Self { table, until, oldest, newest, rows, stepped: Instant::now(), span, behind, interval, files })
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

    /// A transaction that stored `past` is committed.
    pub fn committed(&mut self, past: &Past) {
        self.rows += past.rows();
        if let Some((oldest, newest)) = past.seen() {
            self.newest = self.newest.max(Some(newest));
            self.oldest = Some(self.oldest.map_or(oldest, |known| known.min(oldest)));
        }
    }

    /// Whether a step is due now.
    pub fn is_due(&self) -> bool {
        self.behind || self.rows >= ROWS || (self.rows > 0 && self.stepped.elapsed() >= self.interval)
    }

    /// When a step is due at the latest, if nothing more comes.
    pub fn due(&self) -> Option<Instant> {
        if self.behind {
            return Some(Instant::now());
        }
        (self.rows > 0).then(|| self.stepped + self.interval)
    }

    /// Makes again, in the open transaction, the buckets that `past` found stale.
    pub fn mend(&self, connection: &Connection, past: &Past) -> Result<(), TableWriteError> {
        let Some((first, last)) = past.span() else { return Ok(()) };
        let stale = fill(include_str!("../../../queries/rollup/stale.sql"), self.table, FINEST);
        connection.execute_batch(&stale)?;
        append(connection, "stale", Some("temp"), &[past.batch()?])?;
        let begins = Begins::read(connection, self.table)?;
        // Where rows were dropped, buckets say what no row says any more: they stay as they are.
        let keep = include_str!("../../../queries/rollup/keep_old.sql");
        connection.execute_batch(&keep.replace("{until}", &begins.of(ROWS_LEVEL).to_string()))?;
        for (place, level) in LEVELS.into_iter().enumerate() {
            let width = level.width();
            let (from, until) = (time::floor(first, width), time::floor(last, width).saturating_add(width));
            let from = from.max(begins.of(level.name()));
            // What is not rolled up at this level will be made of what is right by then.
            let until = until.min(time::floor(self.until, width));
            if from >= until {
                continue;
            }
            connection.execute_batch(&fill(include_str!("../../../queries/rollup/forget.sql"), self.table, level))?;
            let finer = place.checked_sub(1).and_then(|finer| LEVELS.get(finer).copied());
            // Narrower buckets that were dropped say nothing; the rows are there.
            let finer = finer.filter(|finer| begins.of(finer.name()) <= from);
            self.make(connection, level, finer, (from, until), true)?;
        }
        connection.execute_batch(include_str!("../../../queries/rollup/fresh.sql"))?;
        Ok(())
    }

    /// Makes the next complete buckets, in a transaction of its own. Returns whether there were any.
    pub fn step(&mut self, connection: &Connection) -> Result<bool, TableWriteError> {
        let started = Instant::now();
        let complete = self.complete(time::now());
        self.rows = 0;
        self.stepped = started;
        self.behind = false;
        if complete <= self.until {
            return Ok(false);
        }
        connection.execute_batch("BEGIN")?;
        let until = self.advance(connection, complete);
        connection.execute_batch(if until.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        self.until = until?;
        self.behind = self.until < complete;
        let took = started.elapsed();
        if took < STEP.0 {
            self.span = (self.span * 2).min(SPAN.1);
        } else if took > STEP.1 {
            self.span = (self.span / 2).max(SPAN.0);
        }
        Ok(true)
    }

    /// Before this, buckets are complete.
    fn complete(&self, now: Micros) -> Micros {
        // A row that claims to come from the future must not make everything after it late.
        let newest = self.newest.map_or(BEGINNING, |newest| newest.min(now));
        time::floor(newest.saturating_sub(LAG), FINEST.width()).max(self.until)
    }

    fn advance(&self, connection: &Connection, complete: Micros) -> Result<Micros, TableWriteError> {
        // A span is halved until it is no multiple of a bucket: one that is made in two steps would be there twice.
        let mut until = time::floor(self.until.saturating_add(self.span), FINEST.width()).min(complete);
        let made = self.make(connection, FINEST, None, (self.until, until), false)?;
        if made == 0 && until < complete {
            // Nothing for a while: on to where something is.
            let next = include_str!("../../../queries/rollup/next.sql")
                .replace("{table}", self.table.name)
                .replace("{from}", &until.to_string());
            let next: Option<Micros> = connection.query_row(&next, [], |row| row.get(0))?;
            until = next.map_or(complete, |next| time::floor(next, FINEST.width())).clamp(until, complete);
        }
        for pair in LEVELS.windows(2) {
            let [finer, level] = *pair else { continue };
            let (from, until) = (time::floor(self.until, level.width()), time::floor(until, level.width()));
            if from < until {
                self.make(connection, level, Some(finer), (from, until), false)?;
            }
        }
        for level in LEVELS {
            let record = fill(include_str!("../../../queries/rollup/record.sql"), self.table, level);
            let until = time::floor(until, level.width());
            connection.execute_batch(&record.replace("{until}", &until.to_string()))?;
        }
        Ok(until)
    }

    /// Makes the buckets of a level in a span, out of a finer level or out of rows; only stale ones, or all.
    fn make(
        &self,
        connection: &Connection,
        level: Level,
        finer: Option<Level>,
        (from, until): (Micros, Micros),
        stale_only: bool,
    ) -> Result<usize, TableWriteError> {
        let filter = |of: &str| {
            if !stale_only {
                return String::new();
            }
            let filter = include_str!("../../../queries/rollup/stale_only.sql").replace("{of}", of);
            fill(&filter, self.table, level)
        };
        // Its files stay as they are until the statement has run.
        let mut _lease = None;
        let buckets = match finer {
            None => {
                let (rows, lease) = rows_of(connection, &self.files, FETCH, self.table, from, until)?;
                _lease = lease;
                let of = text::bucket(crate::tables::TIME_COLUMN, level.width());
                text::of_rows(self.table, &rows, level.width(), from, until, &filter(&of))
            }
            Some(finer) => {
                let of = text::bucket("bucket", level.width());
                let span = text::span(self.table, finer, from, until, &filter(&of));
                text::of_buckets(self.table, &format!("({span})"), level.width())
            }
        };
        let keep = fill(include_str!("../../../queries/rollup/keep.sql"), self.table, level);
        Ok(connection.execute(&keep.replace("{buckets}", &buckets), [])?)
    }
}
