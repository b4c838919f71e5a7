//! The rows of a table in several time ranges, without what lies between them.

use std::time::Duration;

use duckdb::Connection;

use super::rows_of;
use crate::archive::{Files, Lease};
use crate::batch::ReadError;
use crate::store::rollup::TimeRange;
use crate::store::snapshot::Snapshot;
use crate::store::text::fill;
use crate::tables::Table;

/// The rows of a table in time ranges as one relation, which reads nothing that lies between them. Holds at least those rows.
pub(in crate::store) fn rows_in(
    connection: &Connection,
    files: &Files,
    limit: Duration,
    table: &Table,
    ranges: &[TimeRange],
) -> Result<(String, Vec<Lease>), ReadError> {
    let mut leases = Vec::new();
    let mut parts = Vec::new();
    for (from, until) in ranges {
        let (rows, lease) = rows_of(connection, files, limit, table, *from, *until)?;
        leases.extend(lease);
        parts.push(if ranges.len() == 1 { rows } else { rows_between(table, &rows, (*from, *until)) });
    }
    Ok((if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(" UNION ALL ")) }, leases))
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
        let (relation, leases) = rows_in(self.connection, &self.shared.files, self.limit, table, ranges)?;
        self.leases.borrow_mut().extend(leases);
        Ok(relation)
    }
}
