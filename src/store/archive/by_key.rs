//! The row of a key, wherever it is.

use std::time::{Duration, Instant};

use duckdb::params;

use super::{LATEST, archived, instant, lease, list, quoted};
use crate::archive::{FileKeys, key_column};
use crate::batch::ReadError;
use crate::store::job::failed;
use crate::store::snapshot::{ArchivedDay, Snapshot};
use crate::store::text::fill;
use crate::tables::Table;
use crate::time::Micros;

/// Filters that are held at a time.
const FILTERS: usize = 16;

/// A day and the filter of its keys, where there is one.
pub(super) type Filtered = (Micros, Option<Vec<u8>>);

impl Snapshot<'_> {
    /// The relation that has the row of `key`, of a table whose key is a text of its own: the database, which wins, else
    /// the file of the newest archived day that has it. Files that cannot have it are not looked at, and no more than
    /// one of the others is held. The table itself when there is no such row.
    pub fn rows_with_key(&self, table: &'static Table, key: &str) -> Result<String, ReadError> {
        let Some(column) = key_column(table) else { return self.rows(table, Micros::MIN, Micros::MAX) };
        let begun = Instant::now();
        let stored = fill(include_str!("../../../queries/archive/stored_key.sql"), table);
        if self.counts(&stored, key)? {
            return Ok(table.name.to_owned());
        }
        let mut before = LATEST;
        loop {
            let days = self.filters(table, before)?;
            let Some((oldest, _)) = days.last() else { return Ok(table.name.to_owned()) };
            before = *oldest;
            for (day, _) in days.iter().filter(|(_, filter)| FileKeys::new(filter.as_deref()).may_have(key)) {
                for day in archived(self.connection, table, *day, *day)? {
                    let left = self.limit.checked_sub(begun.elapsed()).ok_or(ReadError::TimedOut(self.limit))?;
                    if let Some(rows) = self.file_with_key(table, &day, (column, key), left)? {
                        return Ok(rows);
                    }
                }
            }
        }
    }

    /// The rows of a day's file, if one of them has the key.
    fn file_with_key(
        &self,
        table: &Table,
        day: &ArchivedDay,
        (column, key): (&str, &str),
        limit: Duration,
    ) -> Result<Option<String>, ReadError> {
        let lease = lease(&self.shared.files, std::slice::from_ref(day), limit)?;
        let files = list(&lease.paths().iter().map(|path| quoted(path)).collect::<Vec<_>>());
        let filed = include_str!("../../../queries/archive/filed_key.sql");
        if !self.counts(&filed.replace("{files}", &files).replace("{key}", column), key)? {
            return Ok(None);
        }
        self.leases.borrow_mut().push(lease);
        let rows = fill(include_str!("../../../queries/archive/settled.sql"), table).replace("{files}", &files);
        Ok(Some(format!("({rows})")))
    }

    /// The newest days before one, newest first, with their filters.
    pub(super) fn filters(&self, table: &Table, before: Micros) -> Result<Vec<Filtered>, ReadError> {
        let sql = include_str!("../../../queries/archive/keys.sql").replace("{limit}", &FILTERS.to_string());
        let mut statement = self.connection.prepare(&sql).map_err(failed)?;
        let day = |row: &duckdb::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let days = statement.query_map(params![table.name, instant(before)], day);
        days.and_then(Iterator::collect).map_err(failed)
    }

    fn counts(&self, sql: &str, key: &str) -> Result<bool, ReadError> {
        let count: i64 = self.connection.query_row(sql, [key], |row| row.get(0)).map_err(failed)?;
        Ok(count > 0)
    }
}
