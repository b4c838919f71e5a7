//! Rows and buckets that come back from a backup.

use arrow::record_batch::RecordBatch;

use super::maintenance::Hands;
use super::rollup::{self, Level, rolled_up_before};
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

    /// Appends buckets of a level, as [`load`](Self::load) appends rows.
    pub async fn load_buckets(
        &self,
        table: &'static Table,
        level: Level,
        batches: Vec<RecordBatch>,
    ) -> Result<(), MaintenanceError> {
        let load = move |hands: &Hands<'_>| {
            let mut appender =
                hands.connection.appender_to_db(&rollup::text::fill("{table}_{level}", table, level), "rollup")?;
            for batch in batches {
                appender.append_record_batch(batch)?;
            }
            Ok(appender.flush()?)
        };
        self.maintenance.transact(load).await
    }

    /// Takes down that rows of a table begin at an instant, and that its roll-ups reach as far as there.
    pub async fn load_begin(&self, table: &'static Table, begin: Micros) -> Result<(), MaintenanceError> {
        self.maintenance.transact(move |hands| Ok(rolled_up_before(hands.connection, table, begin)?)).await
    }

    /// Takes down that the archive has a day, and whether there are rows of it in the database as well.
    pub async fn load_day(&self, table: &'static Table, day: FiledDay, late: bool) -> Result<(), MaintenanceError> {
        self.maintenance.transact(move |hands| archive::record(hands, table, &day, late)).await
    }
}
