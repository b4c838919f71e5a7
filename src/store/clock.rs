//! What the database remembers of the wall clock: a program that has just started knows nothing else to compare it with.

use duckdb::{Connection, OptionalExt, params};

use super::Store;
use super::job::failed;
use super::maintenance::{Maintenance, MaintenanceError};
use super::snapshot::Snapshot;
use super::text::fill;
use super::value::{Value, bind};
use crate::batch::ReadError;
use crate::tables::TABLES;
use crate::time::{self, Micros};

/// What the wall clock has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockRecord {
    /// When it was last believed.
    pub believed_at: Micros,
    /// Another time that it has said since: first and last.
    pub doubted: Option<(Micros, Micros)>,
}

/// What the database remembers. One that remembers nothing believes the clock if it is empty; otherwise the clock is compared
/// with the newest row.
pub(super) fn read(connection: &Connection) -> Result<ClockRecord, duckdb::Error> {
    let record = |row: &duckdb::Row<'_>| {
        let (since, at): (Option<Micros>, Option<Micros>) = (row.get(1)?, row.get(2)?);
        Ok(ClockRecord { believed_at: row.get(0)?, doubted: since.zip(at) })
    };
    let known = connection.query_row(include_str!("../../queries/upkeep/clock.sql"), [], record).optional()?;
    known.map_or_else(|| begin(connection), Ok)
}

fn begin(connection: &Connection) -> Result<ClockRecord, duckdb::Error> {
    let mut newest = None;
    for table in TABLES {
        let sql = fill(include_str!("../../queries/upkeep/newest.sql"), table);
        newest = newest.max(connection.query_row(&sql, [], |row| row.get::<_, Option<Micros>>(0))?);
    }
    // A row may claim to come from the future.
    let now = time::now();
    let record = ClockRecord { believed_at: newest.map_or(now, |newest| newest.min(now)), doubted: None };
    write(connection, record)?;
    Ok(record)
}

fn write(connection: &Connection, record: ClockRecord) -> Result<(), duckdb::Error> {
    let instant = |instant: Option<Micros>| bind(instant.map_or(Value::Null, Value::Timestamp));
    let (since, at) = record.doubted.unzip();
    let [believed, since, at] = [Some(record.believed_at), since, at].map(instant);
    connection.execute(include_str!("../../queries/upkeep/note_clock.sql"), params![believed, since, at]).map(drop)
}

impl Snapshot<'_> {
    /// When the clock was last believed, as far as the database has been told.
    pub fn clock_believed_at(&self) -> Result<Option<Micros>, ReadError> {
        let clock = include_str!("../../queries/upkeep/clock.sql");
        self.connection.query_row(clock, [], |row| row.get(0)).optional().map_err(failed)
    }
}

impl Store {
    /// Takes over when the clock was last believed, or, where that is not known, leaves it to the next start to compare the
    /// clock with the newest row.
    pub async fn load_clock(&self, believed_at: Option<Micros>) -> Result<(), MaintenanceError> {
        self.maintenance
            .transact(move |hands| {
                hands.connection.execute(include_str!("../../queries/upkeep/forget_clock.sql"), [])?;
                let record = believed_at.map(|believed_at| ClockRecord { believed_at, doubted: None });
                Ok(record.map_or(Ok(()), |record| write(hands.connection, record))?)
            })
            .await
    }
}

impl Maintenance {
    /// Remembers what the clock has said.
    pub async fn note_clock(&self, record: ClockRecord) -> Result<(), MaintenanceError> {
        let maintenance = self.clone();
        self.transact(move |hands| {
            maintenance.require_space()?;
            hands.connection.execute(include_str!("../../queries/upkeep/forget_clock.sql"), [])?;
            Ok(write(hands.connection, record)?)
        })
        .await
    }
}
