//! How far the roll-ups of a table reach, as the database says.

use duckdb::Connection;

use super::{FINEST, LEVELS, Level};
use crate::tables::Table;
use crate::time::{self, DAY, Micros};

/// Before every row: year 1.
pub const BEGINNING: Micros = -719_162 * DAY;

/// Where rows of a table were dropped, in the place of a level's name.
const ROWS: &str = "rows";

/// From where to where the levels of a table reach, and up to where days of its rows were dropped.
pub struct Reach {
    levels: Vec<(String, Micros, Micros)>,
}

impl Reach {
    /// Reads it in the open transaction.
    pub fn read(connection: &Connection, table: &Table) -> Result<Self, duckdb::Error> {
        let mut statement = connection.prepare(include_str!("../../../queries/rollup/progress.sql"))?;
        let levels = statement.query_map([table.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(Self { levels: levels.collect::<Result<_, _>>()? })
    }

    /// From the first bucket of a level to the end of its last one.
    pub fn of(&self, level: Level) -> (Micros, Micros) {
        self.named(level.name()).unwrap_or((BEGINNING, BEGINNING))
    }

    /// The first instant of the day in which the rollups of a table end: those of every level reach as far as there.
    pub fn last_day(&self) -> Micros {
        time::day_start(self.of(FINEST).1)
    }

    /// The end of the last day that was dropped; `None` when none was.
    pub fn rows_begin(&self) -> Option<Micros> {
        self.named(ROWS).map(|(from, _)| from)
    }

    fn named(&self, name: &str) -> Option<(Micros, Micros)> {
        self.levels.iter().find(|(level, _, _)| level == name).map(|(_, from, until)| (*from, *until))
    }
}

/// Takes down, in the open transaction, that the last dropped day of a table ends at an instant and its roll-ups reach as far
/// as there.
pub fn rolled_up_before(connection: &Connection, table: &Table, from: Micros) -> Result<(), duckdb::Error> {
    for level in LEVELS {
        let reached = include_str!("../../../queries/rollup/record.sql");
        let reached = super::text::fill(reached, table, level).replace("{until}", &from.to_string());
        connection.execute_batch(&reached)?;
    }
    rows_begin(connection, table, from)
}

/// Takes down, in the open transaction, that a day which ends at an instant is dropped.
pub(super) fn rows_begin(connection: &Connection, table: &Table, from: Micros) -> Result<(), duckdb::Error> {
    let begin = include_str!("../../../queries/rollup/rows_begin.sql").replace("{table}", table.name);
    connection.execute_batch(&begin.replace("{level}", ROWS).replace("{from}", &from.to_string()))
}
