//! Stale buckets that wait in the database to be refreshed, so that a crash forgets none.

use std::collections::BTreeSet;

use duckdb::Connection;

use super::ranges::TimeRange;
use super::text::fill;
use super::{FINEST, Level, Reach, dropped};
use crate::tables::{TIME_COLUMN, Table};
use crate::time::{self, Micros};

/// All instants that are stored.
const ALWAYS: TimeRange = (time::FIRST, time::LAST);

/// Marks, in the open transaction, the buckets in the temporary table `stale`.
pub fn mark(connection: &Connection, table: &Table) -> Result<(), duckdb::Error> {
    connection.execute_batch(&named(include_str!("../../../queries/rollup/mark.sql"), table, FINEST))
}

/// Gathers the marked buckets of a time range in the temporary table `stale`.
pub fn gather(connection: &Connection, table: &Table, range: TimeRange) -> Result<(), duckdb::Error> {
    connection.execute_batch(&within(include_str!("../../../queries/rollup/marked.sql"), table, FINEST, range))
}

/// The buckets in the temporary table `stale`, ascending, whatever their label.
pub fn gathered(connection: &Connection) -> Result<Vec<Micros>, duckdb::Error> {
    instants(connection, include_str!("../../../queries/rollup/staged.sql"))
}

/// Takes the marks of a time range away.
pub fn unmark(connection: &Connection, table: &Table, range: TimeRange) -> Result<(), duckdb::Error> {
    connection.execute_batch(&within(include_str!("../../../queries/rollup/unmark.sql"), table, FINEST, range))
}

/// The buckets of a level in a time range that hold marked ones, ascending.
pub fn waiting(
    connection: &Connection,
    table: &Table,
    level: Level,
    range: TimeRange,
) -> Result<Vec<Micros>, duckdb::Error> {
    instants(connection, &within(include_str!("../../../queries/rollup/waiting.sql"), table, level, range))
}

/// The hours that hold marked buckets.
pub fn hours(connection: &Connection, table: &Table) -> Result<BTreeSet<Micros>, duckdb::Error> {
    Ok(waiting(connection, table, Level::Hour1, ALWAYS)?.into_iter().collect())
}

/// Compares the rollups of a table with its rows, once, where an earlier version may have left some incomplete, and marks
/// what they miss.
pub fn check(connection: &Connection, table: &Table) -> Result<(), duckdb::Error> {
    let unchecked = include_str!("../../../queries/rollup/unchecked.sql");
    if connection.query_row(unchecked, [table.name], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(());
    }
    connection.execute_batch("BEGIN")?;
    let checked = mark_incomplete(connection, table)
        .and_then(|()| connection.execute(include_str!("../../../queries/rollup/checked.sql"), [table.name]).map(drop));
    connection.execute_batch(if checked.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    checked
}

fn mark_incomplete(connection: &Connection, table: &Table) -> Result<(), duckdb::Error> {
    let reach = Reach::read(connection, table)?;
    let made = reach.of(FINEST).1;
    dropped::find(connection, table, &reach)?;
    // Nothing is missing after the last narrow bucket, or row, that was dropped.
    let last = super::LEVELS.map(|level| reach.of(level).0).into_iter().chain(reach.rows_begin()).max();
    for level in super::LEVELS {
        let from = reach.of(level).0.max(time::FIRST);
        let until = time::floor(made.min(last.unwrap_or(time::FIRST)), level.width());
        if from < until {
            let incomplete = include_str!("../../../queries/rollup/incomplete.sql");
            let minute = super::text::bucket(TIME_COLUMN, FINEST.width());
            let bucket = super::text::bucket(TIME_COLUMN, level.width());
            let incomplete = incomplete.replace("{minute}", &minute).replace("{bucket}", &bucket);
            let marked = connection.execute(&within(&incomplete, table, level, (from, until)), [])?;
            if marked > 0 {
                tracing::warn!(
                    table = table.name,
                    level = level.name(),
                    buckets = marked,
                    "rollups miss rows and are refreshed"
                );
            }
        }
    }
    Ok(())
}

fn instants(connection: &Connection, sql: &str) -> Result<Vec<Micros>, duckdb::Error> {
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

fn within(sql: &str, table: &Table, level: Level, (from, until): TimeRange) -> String {
    named(sql, table, level).replace("{from}", &from.to_string()).replace("{until}", &until.to_string())
}

fn named(sql: &str, table: &Table, level: Level) -> String {
    let named = table.label.map_or_else(String::new, |label| format!(", label AS {label}"));
    fill(sql, table, level).replace("{, label_named}", &named).replace("{label_or_none}", table.label.unwrap_or("''"))
}
