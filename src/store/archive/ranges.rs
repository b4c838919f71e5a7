//! The rows of a table in several time ranges, without what lies between them.

use std::path::Path;
use std::time::Duration;

use duckdb::Connection;

use super::{archived, by_time, filed, lease, quoted, relation, replacing, rows_of};
use crate::archive::{Files, Lease};
use crate::batch::ReadError;
use crate::store::rollup::TimeRange;
use crate::store::snapshot::{ArchivedDay, Snapshot};
use crate::store::text::fill;
use crate::tables::Table;
use crate::time::DAY;

/// The rows of a table in time ranges, ascending, as one relation, which reads nothing that lies between them. Holds at
/// least those rows.
///
/// Every range has a scan of its own: the engine skips what lies outside of one range, but not what lies between several.
/// All are joined at once with the rows that replace others: a join for each range would take 5 MB each.
pub(in crate::store) fn rows_in(
    connection: &Connection,
    files: &Files,
    limit: Duration,
    table: &Table,
    ranges: &[TimeRange],
) -> Result<(String, Option<Lease>), ReadError> {
    let (first, end) = match ranges {
        [] => return Ok((table.name.to_owned(), None)),
        [(from, until)] => return rows_of(connection, files, limit, table, *from, *until),
        [(first, _), .., (_, end)] => (*first, *end),
    };
    let mut days = archived(connection, table, first, end.saturating_sub(1))?;
    days.retain(|day| ranges.iter().any(|range| meets(day, *range)));
    let lease = if days.is_empty() { None } else { Some(lease(files, &days, limit)?) };
    let paths = lease.iter().flat_map(Lease::paths).map(|path| path.as_path());
    let (late, settled): (Vec<_>, Vec<_>) = days.iter().zip(paths).partition(|(day, _)| day.late || !by_time(table));
    let hot = replacing(table, late.iter().map(|(day, _)| *day));
    let stored = ranges.iter().map(|range| rows_between(table, table.name, *range));
    let settled = filed_in(table, &settled, ranges);
    Ok((relation(table, stored.chain(settled), filed_in(table, &late, ranges), &hot), lease))
}

/// The rows of files in the time ranges that their days meet, as statements.
fn filed_in(table: &Table, days: &[(&ArchivedDay, &Path)], ranges: &[TimeRange]) -> impl Iterator<Item = String> {
    ranges.iter().filter_map(move |range| {
        let files = days.iter().filter(|(day, _)| meets(day, *range));
        let files: Vec<_> = files.map(|(_, path)| quoted(path)).collect();
        (!files.is_empty()).then(|| rows_between(table, &format!("({})", filed(table, &files)), *range))
    })
}

fn meets(day: &ArchivedDay, (from, until): TimeRange) -> bool {
    from < day.start.saturating_add(DAY) && day.start < until
}

fn rows_between(table: &Table, rows: &str, (from, until): TimeRange) -> String {
    fill(include_str!("../../../queries/archive/range.sql"), table)
        .replace("{rows}", rows)
        .replace("{from}", &from.to_string())
        .replace("{until}", &until.to_string())
}

impl Snapshot<'_> {
    /// The rows of a table in time ranges as a relation for FROM, which reads nothing that lies between them.
    pub fn rows_in(&self, table: &Table, ranges: &[TimeRange]) -> Result<String, ReadError> {
        let (relation, lease) = rows_in(self.connection, &self.shared.files, self.limit, table, ranges)?;
        self.leases.borrow_mut().extend(lease);
        Ok(relation)
    }
}
