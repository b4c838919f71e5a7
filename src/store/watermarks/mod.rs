//! Watermarks: which rows cannot replace anything, so that they are appended without looking.
//!
//! A row above the watermark of its series has no stored row with its key, and neither has one in a gap that was left
//! when the watermark jumped. Any other row is late and goes through staging, which is slower and always right. So a
//! watermark that is too high costs time and never a row, and this is what bounds the memory: of the series that nobody
//! speaks of only one instant is kept, above which none of them has a row. For the same reason nothing is taken back
//! when a transaction is.

mod series;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use arrow::array::{StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::text::fill;
use crate::tables::{TIME_COLUMN, Table, column};
use crate::time::Micros;

use series::Series;

/// What a series takes besides the text of its label and its gaps: its place in a map that is seldom full, and what the
/// allocator rounds up.
const SERIES_BYTES: usize = 160;
/// Looking series up scans the table, so it takes at most one part in so many of the writer's time.
const PART_FOR_LOOKING_UP: u32 = 20;

/// The watermarks of one table.
pub struct Watermarks {
    table: &'static Table,
    label: Option<&'static str>,
    known: HashMap<Box<str>, Series>,
    /// What `known` takes, and what it may take.
    bytes: usize,
    limit: usize,
    /// No series that is not known has a row above this.
    forgotten_until: Micros,
    /// How many series that may be.
    forgotten: usize,
    /// Counts batches: a series has at most one new gap in each.
    batch: u32,
    /// Whether a row was late for no other reason than that its series is not known.
    has_missed: bool,
    /// Series are not looked up before this.
    look_up_after: Option<Instant>,
}

impl Watermarks {
    /// Reads the watermarks of a table whose key is the time and, where there is one, the label; as many as `limit` bytes
    /// have room for, the highest first.
    pub fn load(connection: &Connection, table: &'static Table, limit: usize) -> Result<Self, duckdb::Error> {
        let mut watermarks = Self::empty(table, limit);
        let most = limit / SERIES_BYTES + 1;
        let mut statement =
            connection.prepare(&watermarks.statement(include_str!("../../../queries/write/watermarks.sql"), most))?;
        let found = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Micros>(1)?)))?;
        for series in found {
            let (label, watermark) = series?;
            if watermarks.bytes.saturating_add(bytes_of(&label)) > limit {
                watermarks.forgotten_until = watermark;
                break;
            }
            watermarks.remember(&label, Series::new(watermark));
        }
        if watermarks.forgotten_until > Micros::MIN {
            let count = watermarks.statement(include_str!("../../../queries/write/labels.sql"), most);
            let all: i64 = connection.query_row(&count, [], |row| row.get(0))?;
            watermarks.forgotten = usize::try_from(all).unwrap_or(usize::MAX).saturating_sub(watermarks.known.len());
        }
        Ok(watermarks)
    }

    fn empty(table: &'static Table, limit: usize) -> Self {
        Self {
            table,
            label: table.label.filter(|label| table.key.contains(label)),
            known: HashMap::new(),
            bytes: 0,
            limit,
            forgotten_until: Micros::MIN,
            forgotten: 0,
            batch: 0,
            has_missed: false,
            look_up_after: None,
        }
    }

    fn statement(&self, sql: &str, most: usize) -> String {
        fill(sql, self.table).replace("{label}", self.label.unwrap_or("''")).replace("{most}", &most.to_string())
    }

    /// How many series there are at the most.
    pub fn series(&self) -> usize {
        self.known.len().saturating_add(self.forgotten)
    }

    /// The rows of a batch that may replace stored ones, in their order; the others cannot. The watermarks move.
    pub fn late_rows(&mut self, batch: &RecordBatch) -> Result<Vec<usize>, ArrowError> {
        let times = column::<TimestampMicrosecondArray>(batch, TIME_COLUMN)?;
        let labels = self.label.map(|label| column::<StringArray>(batch, label)).transpose()?;
        self.batch = self.batch.wrapping_add(1);
        let rows = times.values().iter().copied().enumerate();
        let late = rows.filter(|(row, time)| !self.take(labels.map_or("", |labels| labels.value(*row)), *time));
        Ok(late.map(|(row, _)| row).collect())
    }

    /// Takes a row in, if it is sure that no row with its key is stored; otherwise the row is late.
    fn take(&mut self, label: &str, time: Micros) -> bool {
        let Some(series) = self.known.get_mut(label) else {
            if time <= self.forgotten_until {
                self.has_missed = true;
                return false;
            }
            let mut series = Series::new(self.forgotten_until);
            series.take(time, self.batch);
            self.remember(label, series);
            return true;
        };
        let before = series.heap_bytes();
        let taken = series.take(time, self.batch);
        self.bytes += series.heap_bytes() - before;
        if self.bytes > self.limit {
            self.forget();
        }
        taken
    }

    fn remember(&mut self, label: &str, series: Series) {
        self.bytes += bytes_of(label) + series.heap_bytes();
        self.known.insert(label.into(), series);
        if self.bytes > self.limit {
            self.forget();
        }
    }

    /// Forgets half of the series: those that nobody has spoken of for longest, and of these the lowest.
    fn forget(&mut self) {
        let now = self.batch;
        let recent = |series: &Series| (Reverse(now.wrapping_sub(series.batch())), series.watermark());
        let mut order: Vec<_> = self.known.values().map(recent).collect();
        if order.is_empty() {
            return;
        }
        let middle = order.len() / 2;
        let last = *order.select_nth_unstable(middle).1;
        let (mut bytes, mut forgotten, mut until) = (0, 0, self.forgotten_until);
        self.known.retain(|label, series| {
            let stays = recent(series) > last;
            if stays {
                bytes += bytes_of(label) + series.heap_bytes();
            } else {
                forgotten += 1;
                until = until.max(series.watermark());
            }
            stays
        });
        (self.bytes, self.forgotten_until) = (bytes, until);
        self.forgotten = self.forgotten.saturating_add(forgotten);
    }

    /// Looks up, in the open transaction, the series of staged rows that are not known, if any row was late for that. It
    /// is not needed to be right, but makes the next rows of these series faster.
    pub fn look_up_staged(&mut self, connection: &Connection) -> Result<(), duckdb::Error> {
        let started = Instant::now();
        let early = self.look_up_after.is_some_and(|after| started < after);
        if !std::mem::take(&mut self.has_missed) || early || self.label.is_none() {
            return Ok(());
        }
        // No more than leaves room for those that are known.
        let most = self.limit / SERIES_BYTES / 4;
        let mut statement =
            connection.prepare(&self.statement(include_str!("../../../queries/write/watermarks_of.sql"), most))?;
        let found = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Micros>(1)?)))?;
        for series in found {
            let (label, watermark) = series?;
            if !self.known.contains_key(label.as_str()) {
                self.forgotten = self.forgotten.saturating_sub(1);
                self.remember(&label, Series::new(watermark));
            }
        }
        let pause = started.elapsed().checked_mul(PART_FOR_LOOKING_UP).unwrap_or(Duration::MAX);
        self.look_up_after = started.checked_add(pause);
        Ok(())
    }
}

fn bytes_of(label: &str) -> usize {
    SERIES_BYTES + label.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::MARKET_DATA;

    #[test]
    fn what_may_be_stored_is_late_whether_or_not_its_transaction_was_committed() {
        let mut watermarks = Watermarks::empty(&MARKET_DATA, 1 << 20);
        assert!(watermarks.take("A", 5) && watermarks.take("A", 9));
        assert!(!watermarks.take("A", 9));
        assert!(watermarks.take("B", 9));
    }

    #[test]
    fn a_million_labels_take_no_more_than_the_limit_and_none_is_taken_for_new() {
        let limit = 1 << 20;
        let mut watermarks = Watermarks::empty(&MARKET_DATA, limit);
        let label = |number: i64| format!("L{number}");
        for number in 0..100_000 {
            watermarks.batch += 1;
            assert!(watermarks.take(&label(number), number));
            assert!(watermarks.bytes <= limit);
            let bytes: usize = if number % 1_000 == 0 {
                watermarks.known.iter().map(|(label, series)| bytes_of(label) + series.heap_bytes()).sum()
            } else {
                watermarks.bytes
            };
            assert_eq!(bytes, watermarks.bytes);
        }
        assert_eq!(watermarks.series(), 100_000);
        for number in 0..100_000 {
            assert!(!watermarks.take(&label(number), number), "{number} is stored already");
        }
        // Those that were spoken of last are known: rows above them are appended.
        assert!(watermarks.take(&label(99_999), 200_000) && watermarks.take(&label(99_998), 100_001));
        // Of the others it is known that they have nothing above what was forgotten last.
        assert!(watermarks.take(&label(0), 100_001));
    }

    #[test]
    fn labels_that_are_spoken_of_stay_known_while_others_come_and_go() {
        let mut watermarks = Watermarks::empty(&MARKET_DATA, 1 << 20);
        for number in 0..50_000 {
            watermarks.batch += 1;
            assert!(watermarks.take("steady", number));
            // Dated ahead, so that every label that is not known is late at once.
            watermarks.take(&format!("L{number}"), 1_000_000 + number);
        }
        assert!(watermarks.known.contains_key("steady"));
        assert!(!watermarks.take("unknown", 50_000) && watermarks.has_missed);
    }
}
