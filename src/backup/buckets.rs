//! What a backup has of the roll-ups: whatever lies before the end of the last day that was dropped. Nothing can make the
//! buckets of dropped days again. Those of days between them, which have rows, go with them, and so do the marks of those that
//! are stale; what comes after is made anew.

use arrow::array::Int64Array;
use futures::TryStreamExt;

use super::BackupError;
use crate::batch::ReadError;
use crate::store::{LEVELS, Level, ReadTransaction, Statement, Value};
use crate::tables::{TABLES, Table, column};
use crate::time::Micros;

/// One table of the schema `rollup`, as far as it is in a backup.
#[derive(Clone, Copy)]
pub(super) enum Buckets {
    /// The buckets of a level that begin before an instant.
    Old { table: &'static Table, level: Level, begin: Micros },
    /// The marks of those that are stale.
    Stale,
}

impl Buckets {
    /// The name of the table, as `market_data_5m`.
    pub fn name(self) -> String {
        match self {
            Self::Old { table, level, .. } => name(table, level),
            Self::Stale => STALE.to_owned(),
        }
    }

    /// How many there are.
    pub async fn count(self, transaction: &ReadTransaction) -> Result<u64, BackupError> {
        let (old, stale) = (
            include_str!("../../queries/backup/buckets_count.sql"),
            include_str!("../../queries/backup/stale_count.sql"),
        );
        let answer = transaction.query(self.fill(old, stale)).await?;
        let batches: Vec<_> = answer.try_collect().await?;
        let failed = |error: arrow::error::ArrowError| ReadError::Failed(error.to_string());
        let mut all = 0;
        for batch in batches {
            all += column::<Int64Array>(&batch, "buckets").map_err(failed)?.values().iter().sum::<i64>();
        }
        Ok(u64::try_from(all).unwrap_or(0))
    }

    /// The statement for all of them.
    pub fn statement(self) -> Statement {
        self.fill(include_str!("../../queries/backup/buckets.sql"), include_str!("../../queries/backup/stale.sql"))
    }

    fn fill(self, old: &str, stale: &str) -> Statement {
        match self {
            Self::Old { begin, .. } => {
                Statement::new(old.replace("{buckets}", &self.name()), vec![Value::Timestamp(begin)])
            }
            Self::Stale => Statement::new(stale, Vec::new()),
        }
    }
}

/// The name of the marks.
const STALE: &str = "stale";

/// Whether a backup may have a table of this name.
pub(super) fn is_known(wanted: &str) -> bool {
    let levels = || TABLES.into_iter().flat_map(|table| LEVELS.map(|level| name(table, level)));
    wanted == STALE || levels().any(|name| name == wanted)
}

fn name(table: &Table, level: Level) -> String {
    format!("{}_{}", table.name, level.name())
}
