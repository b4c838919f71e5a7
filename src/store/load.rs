//! Rows and buckets that come back from a backup.

use arrow::record_batch::RecordBatch;

use super::maintenance::Hands;
use super::rollup::dropped::{Dropped, find_later};
use super::rollup::rolled_up_before;
use super::table_writer::append;
use super::{FiledDay, MaintenanceError, Store, archive};
use crate::tables::Table;
use crate::time::Micros;

impl Store {
    /// Appends rows as they are, all of them or none, and returns when they are durable. Nothing is replaced: this is
    /// for a new database whose rows have been stored before, and no other row may have come in.
    pub async fn load(&self, table: &'static Table, batches: Vec<RecordBatch>) -> Result<(), MaintenanceError> {
        self.maintenance.transact(move |hands| Ok(append(hands.connection, table.name, None, &batches)?)).await
    }

    /// Appends buckets of a level, or marks of stale ones, as [`load`](Self::load) appends rows: `of` is their table.
    pub async fn load_buckets(&self, of: &str, batches: Vec<RecordBatch>) -> Result<(), MaintenanceError> {
        let of = of.to_owned();
        let load = move |hands: &Hands<'_>| {
            let mut appender = hands.connection.appender_to_db(&of, "rollup")?;
            for batch in batches {
                appender.append_record_batch(batch)?;
            }
            Ok(appender.flush()?)
        };
        self.maintenance.transact(load).await
    }

    /// Takes down that rows of a table were dropped up to an instant, and that its roll-ups reach as far as there. Backups of
    /// older versions do not know what was `dropped`.
    pub async fn load_begin(
        &self,
        table: &'static Table,
        begin: Micros,
        dropped: Option<Dropped>,
    ) -> Result<(), MaintenanceError> {
        let load = move |hands: &Hands<'_>| {
            rolled_up_before(hands.connection, table, begin)?;
            let loaded = match dropped {
                Some(dropped) => dropped.load(hands.connection, table),
                None => find_later(hands.connection, table),
            };
            Ok(loaded?)
        };
        self.maintenance.transact(load).await
    }

    /// Takes down that the archive has a day, and whether there are rows of it in the database as well.
    pub async fn load_day(&self, table: &'static Table, day: FiledDay, late: bool) -> Result<(), MaintenanceError> {
        self.maintenance.transact(move |hands| archive::record(hands, table, &day, late)).await
    }
}
