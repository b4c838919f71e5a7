//! Days that are in the archive and gain rows: those rows replace the ones of the day's file that have their key.

use std::collections::BTreeSet;

use duckdb::Connection;

use super::text::fill;
use crate::tables::Table;
use crate::time::Micros;

/// The archived days of one table, read when they are needed. Used by the writer alone, which makes every change of them.
#[derive(Debug, Default)]
pub struct LateDays {
    archived: Option<BTreeSet<Micros>>,
}

impl LateDays {
    /// Something other than a late row may have changed which days are in the archive.
    pub fn forget(&mut self) {
        self.archived = None;
    }

    /// Notes, in the open transaction, that rows of these days are stored.
    pub fn note(
        &mut self,
        connection: &Connection,
        table: &Table,
        days: &BTreeSet<Micros>,
    ) -> Result<(), duckdb::Error> {
        if days.is_empty() {
            return Ok(());
        }
        let archived = match &mut self.archived {
            Some(archived) => archived,
            unknown => unknown.insert(read(connection, table)?),
        };
        let late: Vec<_> = days.intersection(archived).map(|day| format!("make_timestamp({day})::DATE")).collect();
        if late.is_empty() {
            return Ok(());
        }
        let note = fill(include_str!("../../queries/archive/late.sql"), table);
        connection.execute_batch(&note.replace("{days}", &late.join(", ")))
    }
}

fn read(connection: &Connection, table: &Table) -> Result<BTreeSet<Micros>, duckdb::Error> {
    let mut statement = connection.prepare(include_str!("../../queries/archive/all_days.sql"))?;
    statement.query_map([table.name], |row| row.get(0))?.collect()
}
