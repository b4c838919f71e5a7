//! How far the roll-ups are, for whoever wants to know.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::{FINEST, Roller};
use crate::tables::Table;
use crate::time::{self, DAY, Micros};

/// How far behind is worth a line in the log.
const WORTH_SAYING: Micros = DAY;

/// The progress of every table. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Rollups {
    tables: Arc<watch::Sender<ByTable>>,
}

/// The progress of each table that has been looked at.
pub type ByTable = BTreeMap<&'static str, TableRollup>;

/// The progress of one table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TableRollup {
    /// Buckets are made up to here, exclusive.
    pub until: Micros,
    /// The time of complete buckets that are not made yet: rows answer in their place.
    pub lag: Micros,
    /// The part of the complete buckets that is made, 0 to 1.
    pub share: f64,
    /// Hours with buckets that late rows have made stale and that wait to be refreshed: rows answer in their place.
    pub stale_hours: usize,
    /// Whether there is any bucket.
    pub has_buckets: bool,
    /// Labels at the most.
    pub labels: usize,
    /// Rows a second where no buckets are made yet, as far as it is known.
    pub rows_per_second: Option<f64>,
    /// Tenths that the log was told of; `None` when nothing had to be said.
    said: Option<u8>,
}

impl TableRollup {
    /// Whether a long way is being made up for.
    pub fn is_filling(&self) -> bool {
        self.lag > WORTH_SAYING
    }
}

impl Rollups {
    /// The progress as it is, and every change of it.
    pub fn watch(&self) -> watch::Receiver<ByTable> {
        self.tables.subscribe()
    }

    /// How many labels a table has at the most; 1 for a table without labels.
    pub fn labels(&self, table: &Table) -> usize {
        self.tables.borrow().get(table.name).map_or(1, |known| known.labels.max(1))
    }

    /// Rows a second of a table where no buckets are made yet, as far as it is known.
    pub fn rows_per_second(&self, table: &Table) -> Option<f64> {
        self.tables.borrow().get(table.name).and_then(|known| known.rows_per_second)
    }

    /// Takes down how far a table is; says in the log how a long way is coming on.
    pub(in crate::store) fn report(&self, roller: &Roller, labels: usize) {
        let name = roller.table().name;
        let (until, complete) = roller.position();
        let oldest = roller.oldest().unwrap_or(until);
        // Before the first row there is nothing to make.
        let made = until.max(time::floor(oldest, FINEST.width()));
        let lag = complete.saturating_sub(made).max(0);
        let length = complete.saturating_sub(oldest).max(1);
        let share = (made.saturating_sub(oldest) as f64 / length as f64).clamp(0.0, 1.0);
        let said = self.tables.borrow().get(name).and_then(|table| table.said);
        let far = lag > WORTH_SAYING;
        let tenths = (share * 10.0) as u8;
        let said = match said {
            None if far => {
                tracing::info!(table = name, "rolling up what is stored; until then rows answer");
                Some(tenths)
            }
            Some(before) if tenths > before => {
                tracing::info!(table = name, percent = tenths * 10, "rolling up what is stored");
                Some(tenths).filter(|_| far)
            }
            unchanged => unchanged,
        };
        let has_buckets = roller.oldest().is_some_and(|oldest| oldest < until);
        let rows_per_second = roller.rows_per_second();
        let stale_hours = roller.stale_hours();
        let now = TableRollup { until, lag, share, stale_hours, has_buckets, labels, rows_per_second, said };
        self.tables.send_if_modified(|tables| tables.insert(name, now) != Some(now));
    }
}
