//! Computes stale buckets again.

use std::collections::BTreeSet;

use duckdb::Connection;

use super::ranges::{TimeRange, ranges};
use super::reach::Reach;
use super::step::make;
use super::text::fill;
use super::{FINEST, LEVELS, marks};
use crate::archive::Files;
use crate::store::table_writer::TableWriteError;
use crate::tables::Table;
use crate::time::{self, Micros};

/// Leaves those of the finest buckets in the temporary table `stale` that have rows to be made of, and says when they begin.
/// Of a day whose rows were dropped, buckets say what no row says any more: they stay as they are.
pub(super) fn keep_outlived(
    connection: &Connection,
    table: &Table,
    reach: &Reach,
) -> Result<Vec<Micros>, duckdb::Error> {
    if reach.rows_begin().is_some() {
        let keep = include_str!("../../../queries/rollup/keep_outlived.sql");
        connection.execute_batch(&keep.replace("{table}", table.name))?;
    }
    marks::gathered(connection)
}

/// Refreshes, in the open transaction, the finest buckets in the temporary table `stale`, which start at `starts`, and the
/// wider ones that they are in. Files of archived days must be at hand.
pub(super) fn refresh(
    connection: &Connection,
    table: &Table,
    files: &Files,
    reach: &Reach,
    starts: &[Micros],
) -> Result<(), TableWriteError> {
    let made = reach.of(FINEST).1;
    for (place, level) in LEVELS.into_iter().enumerate() {
        let width = level.width();
        // What is not rolled up at this level will be made of what is right by then.
        let (from, until) = (reach.of(level).0, time::floor(made, width));
        let buckets: BTreeSet<Micros> = starts.iter().map(|start| time::floor(*start, width)).collect();
        let clip = |(start, end): TimeRange| Some((start.max(from), end.min(until))).filter(|(start, end)| start < end);
        let ranges: Vec<_> = ranges(buckets, width).into_iter().filter_map(clip).collect();
        let Some((first, _)) = ranges.first() else { continue };
        connection.execute_batch(&fill(include_str!("../../../queries/rollup/forget.sql"), table, level))?;
        let finer = place.checked_sub(1).and_then(|finer| LEVELS.get(finer).copied());
        // Narrower buckets that were dropped say nothing; the rows are there.
        let finer = finer.filter(|finer| reach.of(*finer).0 <= *first);
        make(connection, table, files, level, finer, &ranges, true)?;
    }
    Ok(())
}

/// Refreshes the marked buckets of a time range in the open transaction, and takes their marks away.
pub(super) fn refresh_marked(
    connection: &Connection,
    table: &Table,
    files: &Files,
    range: TimeRange,
) -> Result<(), TableWriteError> {
    marks::gather(connection, table, range)?;
    let reach = Reach::read(connection, table)?;
    let starts = keep_outlived(connection, table, &reach)?;
    refresh(connection, table, files, &reach, &starts)?;
    connection.execute_batch(include_str!("../../../queries/rollup/fresh.sql"))?;
    Ok(marks::unmark(connection, table, range)?)
}
