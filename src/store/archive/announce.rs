//! What is about to change in the archive, kept before it does.

use duckdb::params;

use super::{instant, number};
use crate::store::{Maintenance, MaintenanceError};
use crate::tables::Table;
use crate::time::Micros;

impl Maintenance {
    /// Notes which file is about to take the place of an archived day's. After a kill between the rename and the
    /// transaction that records it, either file is the day's.
    pub async fn announce(
        &self,
        table: &'static Table,
        day: Micros,
        bytes: u64,
        hash: String,
    ) -> Result<(), MaintenanceError> {
        self.transact(move |hands| {
            let sql = include_str!("../../../queries/archive/announce.sql");
            hands.connection.execute(sql, params![table.name, instant(day), number(bytes), hash])?;
            Ok(())
        })
        .await
    }
}
