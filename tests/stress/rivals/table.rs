//! The two tables that are written to, and the keys in them: one after the other through three days.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;

use super::serial::Number;
use crate::common::ipc;

pub const DAY: i64 = 86_400_000_000;
/// Keys of one day.
pub const KEYS: usize = 80_000;
pub const DAYS: usize = 3;
/// From one instant to the next. The rows of a day last an hour and 40 minutes.
pub const STEP: i64 = 75_000;
pub const LABELS: [&str; 2] = ["EVEN", "ODD"];
pub const TABLES: [Table; 2] = [Table::Quotes, Table::Machines];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Its key has a label.
    Quotes,
    /// Its key is the time alone.
    Machines,
}

impl Table {
    pub fn name(self) -> &'static str {
        match self {
            Self::Quotes => "market_data",
            Self::Machines => "system_metrics",
        }
    }

    /// The column that has the number of the write.
    pub fn figure(self) -> &'static str {
        match self {
            Self::Quotes => "last_price",
            Self::Machines => "cpu_percent",
        }
    }

    /// The instant of a key, after the first day's beginning, and the place of its label.
    pub fn key(self, key: usize) -> (i64, usize) {
        let (day, of_day) = (key / KEYS, key % KEYS);
        let (row, label) = if self == Self::Quotes { (of_day / 2 * 2, of_day % 2) } else { (of_day, 0) };
        (day as i64 * DAY + row as i64 * STEP, label)
    }

    /// Rows of these keys, with the number of the write in each.
    pub fn body(self, first: i64, keys: Range<usize>, number: Number) -> Vec<u8> {
        let rows = keys.len();
        let times = TimestampMicrosecondArray::from_iter_values(keys.clone().map(|key| first + self.key(key).0));
        let figures = Float64Array::from(vec![f64::from(number); rows]);
        let mut columns: Vec<(_, ArrayRef)> = vec![("timestamp", Arc::new(times))];
        match self {
            Self::Quotes => {
                let labels = StringArray::from_iter_values(keys.map(|key| LABELS[self.key(key).1]));
                columns.push(("symbol", Arc::new(labels)));
                columns.push(("last_price", Arc::new(figures)));
                columns.push(("volume", Arc::new(Int64Array::from(vec![i64::from(number); rows]))));
            }
            Self::Machines => columns.push(("cpu_percent", Arc::new(figures))),
        }
        ipc::write(&[RecordBatch::try_from_iter(columns).unwrap()])
    }
}
