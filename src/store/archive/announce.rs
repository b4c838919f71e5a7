//! What is about to change in the archive, kept before it does.

use duckdb::params;

use super::{instant, number};
use crate::store::{Maintenance, MaintenanceError};
use crate::tables::Table;
use crate::time::Micros;

/// The files that were announced, as the database keeps them: `size:hash`, separated by spaces.
pub(super) fn read(announced: &str) -> Vec<(u64, String)> {
    let files = announced.split(' ').filter_map(|file| file.split_once(':'));
    files.filter_map(|(bytes, hash)| Some((bytes.parse().ok()?, hash.to_owned()))).collect()
}

impl Maintenance {
    /// Notes which file is about to take the place of an archived day's. After a kill between the rename and the
    /// transaction that records it, either file is the day's, and so is each that was announced before: an attempt may have
    /// been overtaken by rows after its file got its name.
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
