//! Days whose rows retention has dropped. Their buckets have outlived their rows: they are never made again, since nothing says
//! any more what they say. The buckets of every other day are made of its rows, however old it is.

use std::collections::BTreeMap;

use duckdb::types::{TimeUnit, Value};
use duckdb::{Connection, params};
use serde::{Deserialize, Serialize};

use super::reach::{self, BEGINNING};
use super::text::fill;
use super::{LEVELS, Reach};
use crate::tables::Table;
use crate::time::{DAY, Micros};

/// What retention has dropped of a table, as a backup has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The first instants of the days whose rows were dropped, ascending.
    days: Vec<Micros>,
    /// Where the buckets of a level begin, by its name, where narrow ones were dropped.
    levels: BTreeMap<String, Micros>,
}

impl Dropped {
    /// What the database says of a table.
    pub fn read(connection: &Connection, table: &Table) -> Result<Self, duckdb::Error> {
        let reach = Reach::read(connection, table)?;
        let begins = LEVELS.map(|level| (level.name().to_owned(), reach.of(level).0));
        let levels = begins.into_iter().filter(|(_, from)| *from > BEGINNING).collect();
        let mut statement = connection.prepare(include_str!("../../../queries/rollup/dropped.sql"))?;
        let days = statement.query_map([table.name], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Self { days, levels })
    }

    /// Takes it down in the open transaction.
    pub fn load(&self, connection: &Connection, table: &Table) -> Result<(), duckdb::Error> {
        self.days.iter().try_for_each(|day| take_down(connection, table, *day))?;
        self.levels.iter().try_for_each(|(level, from)| raise(connection, table, level, *from))
    }
}

/// Takes down, in the open transaction, that the buckets of a level begin at an instant.
pub fn raise(connection: &Connection, table: &Table, level: &str, from: Micros) -> Result<(), duckdb::Error> {
    let raise = include_str!("../../../queries/rollup/raise.sql");
    connection.execute(raise, params![table.name, level, Value::Timestamp(TimeUnit::Microsecond, from)]).map(drop)
}

/// Takes down, in the open transaction, that the rows of a day are dropped.
pub fn drop_day(connection: &Connection, table: &Table, day: Micros) -> Result<(), duckdb::Error> {
    take_down(connection, table, day)?;
    reach::rows_begin(connection, table, day.saturating_add(DAY))
}

/// Lets the next start find the days, for a backup of an earlier version names none.
pub fn find_later(connection: &Connection, table: &Table) -> Result<(), duckdb::Error> {
    connection.execute(include_str!("../../../queries/rollup/check_later.sql"), params![table.name]).map(drop)
}

/// Finds, in the open transaction, the days that an earlier version has dropped: those before the end of the last one that
/// have buckets. It made none later, and nobody knows of the others.
pub(super) fn find(connection: &Connection, table: &Table, reach: &Reach) -> Result<(), duckdb::Error> {
    let Some(until) = reach.rows_begin() else { return Ok(()) };
    LEVELS.into_iter().try_for_each(|level| {
        let days = fill(include_str!("../../../queries/rollup/drop_bucket_days.sql"), table, level);
        connection.execute_batch(&days.replace("{until}", &until.to_string()))
    })
}

fn take_down(connection: &Connection, table: &Table, day: Micros) -> Result<(), duckdb::Error> {
    let dropped = include_str!("../../../queries/rollup/drop_day.sql").replace("{table}", table.name);
    connection.execute_batch(&dropped.replace("{day}", &day.to_string()))
}
