//! One transaction of the worker: it makes the next complete buckets of a table, or refreshes stale ones.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::ranges::TimeRange;
use super::refresh::refresh_marked;
use super::text::{self, Wanted, fill};
use super::{FINEST, LEVELS, Level, Reach};
use crate::archive::{Files, Lease};
use crate::store::archive::ranges::rows_in;
use crate::store::commit;
use crate::store::reader::Shared;
use crate::store::table_writer::TableWriteError;
use crate::tables::{TIME_COLUMN, Table};
use crate::time::{self, Micros};

/// What has been fetched before is at hand within this time.
const AT_HAND: Duration = Duration::from_secs(1);

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Makes buckets from one instant on, at most as far as they are complete, and not much more than a span of them.
    Advance {
        /// What lies before this is rolled up.
        from: Micros,
        /// What lies before this may be.
        complete: Micros,
        /// How far one step goes.
        span: Micros,
    },
    /// Refreshes the stale buckets of a time range.
    Refresh(TimeRange),
    /// Gives up the buckets from an instant on: it lies in the future, and rows answer until it has come.
    Retreat(Micros),
}

/// The next step of a table.
pub struct Step {
    pub(super) table: &'static Table,
    pub(super) work: Work,
    /// Rows of archived days, which buckets may be made of.
    pub(super) files: Files,
    /// Those files are at hand.
    pub(super) lease: Option<Lease>,
}

/// What has become of a step.
pub struct Stepped {
    /// The table.
    pub table: &'static Table,
    pub(super) work: Work,
    pub(super) took: Duration,
    /// Up to where buckets are made now, where that has changed.
    pub(super) until: Result<Option<Micros>, TableWriteError>,
}

impl Step {
    /// Takes the step in a transaction of its own.
    pub fn take(&self, connection: &Connection, shared: &Shared) -> Stepped {
        let started = Instant::now();
        let until = self.transact(connection, shared);
        Stepped { table: self.table, work: self.work, took: started.elapsed(), until }
    }

    fn transact(&self, connection: &Connection, shared: &Shared) -> Result<Option<Micros>, TableWriteError> {
        let _files_stay = &self.lease;
        commit::begin(connection, shared)?;
        // A panic of a library would leave the writer waiting for this step for ever.
        let worked = catch_unwind(AssertUnwindSafe(|| self.work(connection)));
        let worked = worked.unwrap_or_else(|panic| Err(TableWriteError::panicked(panic.as_ref())));
        let until = worked.and_then(|until| {
            commit::commit(connection, shared)?;
            Ok(until)
        });
        if until.is_err() {
            commit::roll_back(connection, shared);
        }
        until
    }

    fn work(&self, connection: &Connection) -> Result<Option<Micros>, TableWriteError> {
        match self.work {
            Work::Advance { from, complete, span } => self.advance(connection, from, complete, span).map(Some),
            Work::Refresh(range) => refresh_marked(connection, self.table, &self.files, range).map(|()| None),
            Work::Retreat(to) => self.retreat(connection, to).map(|()| Some(to)),
        }
    }

    fn advance(
        &self,
        connection: &Connection,
        from: Micros,
        complete: Micros,
        span: Micros,
    ) -> Result<Micros, TableWriteError> {
        let reach = Reach::read(connection, self.table)?;
        // A span is halved until it is no multiple of a bucket: one that is made in two steps would be there twice.
        let mut until = time::floor(from.saturating_add(span), FINEST.width()).min(complete);
        let made = make(connection, self.table, &self.files, FINEST, None, &[(from, until)], false)?;
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
            let (from, until) = (time::floor(from, level.width()), time::floor(until, level.width()));
            if from < until {
                // Narrower buckets that were dropped say nothing; the rows are there.
                let finer = Some(finer).filter(|finer| reach.of(*finer).0 <= from);
                make(connection, self.table, &self.files, level, finer, &[(from, until)], false)?;
            }
        }
        self.record(connection, until)?;
        Ok(until)
    }

    fn retreat(&self, connection: &Connection, to: Micros) -> Result<(), TableWriteError> {
        for level in LEVELS {
            let retreat = fill(include_str!("../../../queries/rollup/retreat.sql"), self.table, level);
            connection.execute_batch(&retreat.replace("{until}", &to.to_string()))?;
        }
        self.record(connection, to)
    }

    fn record(&self, connection: &Connection, until: Micros) -> Result<(), TableWriteError> {
        for level in LEVELS {
            let record = fill(include_str!("../../../queries/rollup/record.sql"), self.table, level);
            let until = time::floor(until, level.width());
            connection.execute_batch(&record.replace("{until}", &until.to_string()))?;
        }
        Ok(())
    }
}

/// Makes the buckets of a level in time ranges, ascending, out of a finer level or out of rows; only stale ones, or all.
pub(super) fn make(
    connection: &Connection,
    table: &Table,
    files: &Files,
    level: Level,
    finer: Option<Level>,
    ranges: &[TimeRange],
    stale_only: bool,
) -> Result<usize, TableWriteError> {
    let Some(((from, _), (_, until))) = ranges.first().zip(ranges.last()) else { return Ok(0) };
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
            // What has to be fetched has been fetched before the transaction began.
            let (rows, lease) = rows_in(connection, files, AT_HAND, table, ranges)?;
            _lease = lease;
            let of = text::bucket(TIME_COLUMN, level.width());
            text::of_rows(table, Wanted::All, &rows, &of, (*from, *until), &filter(&of))
        }
        Some(finer) => {
            let of = text::bucket("bucket", level.width());
            let spans = ranges.iter().map(|range| text::span(table, Wanted::All, finer, *range, ""));
            let spans = spans.collect::<Vec<_>>().join(" UNION ALL ");
            // Filtered as one: what is stale is joined, and each join takes memory of its own.
            let spans = include_str!("../../../queries/rollup/spans.sql").trim_end().replace("{spans}", &spans);
            text::of_buckets(table, Wanted::All, &spans.replace("{filter}", &filter(&of)), level.width())
        }
    };
    let keep = fill(include_str!("../../../queries/rollup/keep.sql"), table, level);
    Ok(connection.execute(&keep.replace("{buckets}", &buckets), [])?)
}
