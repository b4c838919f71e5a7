//! Buckets that have outlived their rows: nothing can make them again, so a backup holds them.

use arrow::array::Int64Array;
use futures::TryStreamExt;

use super::BackupError;
use crate::batch::ReadError;
use crate::store::{LEVELS, Level, ReadTransaction, Statement, Value};
use crate::tables::{TABLES, Table, column};
use crate::time::Micros;

/// The buckets of a level of a table's roll-ups that begin before its rows do.
pub(super) struct Outlived {
    pub table: &'static Table,
    pub level: Level,
    pub rows_begin: Micros,
}

impl Outlived {
    /// The name of the level, as in `market_data_5m`.
    pub fn name(&self) -> String {
        name(self.table, self.level)
    }

    /// How many there are.
    pub async fn count(&self, transaction: &ReadTransaction) -> Result<u64, BackupError> {
        let answer = transaction.query(self.fill(include_str!("../../queries/backup/buckets_count.sql"))).await?;
        let batches: Vec<_> = answer.try_collect().await?;
        let failed = |error: arrow::error::ArrowError| ReadError::Failed(error.to_string());
        let mut all = 0;
        for batch in batches {
            all += column::<Int64Array>(&batch, "buckets").map_err(failed)?.values().iter().sum::<i64>();
        }
        Ok(u64::try_from(all).unwrap_or(0))
    }

    /// The statement for all of them.
    pub fn statement(&self) -> Statement {
        self.fill(include_str!("../../queries/backup/buckets.sql"))
    }

    fn fill(&self, sql: &str) -> Statement {
        let sql = sql.replace("{buckets}", &self.name());
        Statement::new(sql, vec![Value::Timestamp(self.rows_begin)])
    }
}

/// The level that a name like `market_data_5m` stands for.
pub(super) fn find(wanted: &str) -> Option<(&'static Table, Level)> {
    let levels = TABLES.into_iter().flat_map(|table| LEVELS.map(|level| (table, level)));
    levels.into_iter().find(|(table, level)| name(table, *level) == wanted)
}

fn name(table: &Table, level: Level) -> String {
    format!("{}_{}", table.name, level.name())
}
