//! Rows that come back from a backup.

use arrow::record_batch::RecordBatch;

use super::table_writer::append;
use super::{FiledDay, MaintenanceError, Store, archive};
use crate::tables::Table;

impl Store {
    /// Appends rows as they are, all of them or none, and returns when they are durable. Nothing is replaced: this is
    /// for a new database whose rows have been stored before, and no other row may have come in.
    pub async fn load(&self, table: &'static Table, batches: Vec<RecordBatch>) -> Result<(), MaintenanceError> {
        self.maintenance.transact(move |hands| Ok(append(hands.connection, table.name, None, &batches)?)).await
    }

    /// Takes down that the archive has a day, and whether there are rows of it in the database as well.
    pub async fn load_day(&self, table: &'static Table, day: FiledDay, late: bool) -> Result<(), MaintenanceError> {
        self.maintenance.transact(move |hands| archive::record(hands.connection, table, &day, late)).await
    }
}
