//! Makes buckets of one table: those of the next span, or again those that lost their truth.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::text::{self, Wanted, fill};
use super::{FINEST, LEVELS, Level};
use crate::archive::Files;
use crate::store::archive::rows_of;
use crate::store::commit;
use crate::store::reader::Shared;
use crate::store::table_writer::TableWriteError;
use crate::tables::{TIME_COLUMN, Table};
use crate::time::{self, Micros};

/// How long files of archived days may take to come.
const FETCH: Duration = Duration::from_secs(60);

/// The next complete buckets of a table.
pub struct Step {
    pub(super) table: &'static Table,
    /// What lies before this is rolled up.
    pub(super) from: Micros,
    /// What lies before this may be: no older row may be stored meanwhile.
    pub(super) complete: Micros,
    /// How far one step goes.
    pub(super) span: Micros,
    /// Rows of archived days, which buckets may be made of.
    pub(super) files: Files,
}

/// What has become of a step.
pub struct Stepped {
    /// The table.
    pub table: &'static Table,
    pub(super) complete: Micros,
    pub(super) took: Duration,
    /// Up to where buckets are made now.
    pub(super) until: Result<Micros, TableWriteError>,
}

impl Step {
    /// Makes the buckets in a transaction of its own.
    pub fn make(&self, connection: &Connection, shared: &Shared) -> Stepped {
        let started = Instant::now();
        let until = self.transact(connection, shared);
        Stepped { table: self.table, complete: self.complete, took: started.elapsed(), until }
    }

    fn transact(&self, connection: &Connection, shared: &Shared) -> Result<Micros, TableWriteError> {
        commit::begin(connection, shared)?;
        // A panic of a library would leave the writer waiting for this step for ever.
        let advanced = catch_unwind(AssertUnwindSafe(|| self.advance(connection)));
        let advanced = advanced.unwrap_or_else(|panic| Err(TableWriteError::Panicked(text_of(panic.as_ref()))));
        let made = advanced.and_then(|until| {
            commit::commit(connection, shared)?;
            Ok(until)
        });
        if made.is_err() {
            commit::roll_back(connection, shared);
        }
        made
    }

    fn advance(&self, connection: &Connection) -> Result<Micros, TableWriteError> {
        let complete = self.complete;
        // A span is halved until it is no multiple of a bucket: one that is made in two steps would be there twice.
        let mut until = time::floor(self.from.saturating_add(self.span), FINEST.width()).min(complete);
        let rolled = (self.from, until);
        let made = make(connection, self.table, &self.files, FINEST, None, rolled, false)?;
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
            let (from, until) = (time::floor(self.from, level.width()), time::floor(until, level.width()));
            if from < until {
                make(connection, self.table, &self.files, level, Some(finer), (from, until), false)?;
            }
        }
        for level in LEVELS {
            let record = fill(include_str!("../../../queries/rollup/record.sql"), self.table, level);
            let until = time::floor(until, level.width());
            connection.execute_batch(&record.replace("{until}", &until.to_string()))?;
        }
        Ok(until)
    }
}

/// Makes the buckets of a level in a span, out of a finer level or out of rows; only stale ones, or all.
pub(super) fn make(
    connection: &Connection,
    table: &Table,
    files: &Files,
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
        fill(&filter, table, level)
    };
    // Its files stay as they are until the statement has run.
    let mut _lease = None;
    let buckets = match finer {
        None => {
            let (rows, lease) = rows_of(connection, files, FETCH, table, from, until)?;
            _lease = lease;
            let of = text::bucket(TIME_COLUMN, level.width());
            text::of_rows(table, Wanted::All, &rows, &of, (from, until), &filter(&of))
        }
        Some(finer) => {
            let of = text::bucket("bucket", level.width());
            let span = text::span(table, Wanted::All, finer, (from, until), &filter(&of));
            text::of_buckets(table, Wanted::All, &format!("({span})"), level.width())
        }
    };
    let keep = fill(include_str!("../../../queries/rollup/keep.sql"), table, level);
    Ok(connection.execute(&keep.replace("{buckets}", &buckets), [])?)
}

/// What a panic says of itself.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".into())
}
