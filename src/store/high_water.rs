//! Where the series of a table have no rows.
//!
//! A row above its series' newest instant cannot have a stored row with its key, and neither can one in a gap that was
//! left when the newest instant jumped: both are appended without looking. Batches of several clients, which overtake
//! each other, fall into such gaps. Only the others go the slow way, through staging.

use std::collections::HashMap;

use arrow::array::{StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::text::fill;
use crate::tables::{TIME_COLUMN, Table, column};
use crate::time::Micros;

/// Gaps that are remembered of a series, the last ones: as many batches may overtake one.
const GAPS: usize = 32;

type Marks = HashMap<Box<str>, Series>;

/// The marks of one table: what is committed, and what the open transaction would make of it.
pub struct HighWater {
    label: Option<&'static str>,
    committed: Marks,
    open: Marks,
    /// Counts batches: a series has at most one new gap a batch.
    batch: u64,
}

/// What is known of one series.
#[derive(Debug, Clone, Copy)]
struct Series {
    newest: Micros,
    /// From one row to the next in a batch: a gap of that width is none.
    pace: Micros,
    /// Bounds, exclusive, between which no row is stored; the last one made is at `last`.
    gaps: [(Micros, Micros); GAPS],
    last: usize,
    /// The batch that made it.
    batch: u64,
}

impl Series {
    /// A series of which `newest` is the newest instant, and of which it is not known where else it has rows.
    fn new(newest: Micros) -> Self {
        Self { newest, pace: 0, gaps: [(0, 0); GAPS], last: 0, batch: 0 }
    }

    /// Takes a row in, if it is sure that none of its instant is stored.
    fn take(&mut self, time: Micros, batch: u64) -> bool {
        if time > self.newest {
            if self.batch == batch {
                self.pace = time.saturating_sub(self.newest);
            }
            self.leave((self.newest, time), None, batch);
            self.newest = time;
            return true;
        }
        let Some(gap) = self.gaps.iter().position(|(after, before)| *after < time && time < *before) else {
            return false;
        };
        // Rows mostly come in the order of time: what follows falls above this one.
        if let Some((after, _)) = self.gaps.get_mut(gap) {
            let below = std::mem::replace(after, time);
            self.leave((below, time), Some(gap), batch);
        }
        true
    }

    /// The first row of a batch leaves a gap before it, in the place of the oldest but for the one at `kept`.
    fn leave(&mut self, gap: (Micros, Micros), kept: Option<usize>, batch: u64) {
        if self.batch == batch {
            return;
        }
        self.batch = batch;
        if gap.1.saturating_sub(gap.0) <= self.pace {
            return;
        }
        let next = |place: usize| (place + 1) % GAPS;
        self.last = next(self.last);
        if kept == Some(self.last) {
            self.last = next(self.last);
        }
        if let Some(oldest) = self.gaps.get_mut(self.last) {
            *oldest = gap;
        }
    }
}

/// A batch, parted at the marks.
pub struct Parted {
    /// Rows that cannot replace anything, in their order.
    pub above: Option<RecordBatch>,
    /// Rows that may replace stored ones, in their order.
    pub late: Option<RecordBatch>,
}

impl HighWater {
    /// Reads the marks of a table whose key is the time and, where there is one, the label.
    pub fn load(connection: &Connection, table: &'static Table) -> Result<Self, duckdb::Error> {
        let label = table.label.filter(|label| table.key.contains(label));
        let sql =
            fill(include_str!("../../queries/write/high_water.sql"), table).replace("{label}", label.unwrap_or("''"));
        let mut statement = connection.prepare(&sql)?;
        let marks = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<Micros>>(1)?)))?;
        let mut committed = Marks::default();
        for mark in marks {
            if let (label, Some(newest)) = mark? {
                committed.insert(label.into_boxed_str(), Series::new(newest));
            }
        }
        Ok(Self { label, committed, open: Marks::default(), batch: 0 })
    }

    /// The number of series.
    pub fn len(&self) -> usize {
        self.committed.len()
    }

    /// Parts a batch and moves the open marks.
    pub fn part(&mut self, batch: &RecordBatch) -> Result<Parted, ArrowError> {
        let times = column::<TimestampMicrosecondArray>(batch, TIME_COLUMN)?;
        let labels = self.label.map(|label| column::<StringArray>(batch, label)).transpose()?;
        let mut late = Vec::new();
        self.batch += 1;
        for (row, time) in times.values().iter().copied().enumerate() {
            let label = labels.map_or("", |labels| labels.value(row));
            if !self.raise(label, time) {
                late.push(row);
            }
        }
        if late.is_empty() {
            return Ok(Parted { above: Some(batch.clone()), late: None });
        }
        if late.len() == batch.num_rows() {
            return Ok(Parted { above: None, late: Some(batch.clone()) });
        }
        let mut is_late = late.iter().copied().peekable();
        let above = (0..batch.num_rows()).filter(|row| is_late.next_if_eq(row).is_none());
        Ok(Parted {
            above: Some(take_record_batch(batch, &indices(above))?),
            late: Some(take_record_batch(batch, &indices(late.into_iter()))?),
        })
    }

    /// The transaction is committed: its marks hold.
    pub fn commit(&mut self) {
        self.committed.extend(self.open.drain());
    }

    /// The transaction is rolled back: its marks are forgotten.
    pub fn rollback(&mut self) {
        self.open.clear();
    }

    fn raise(&mut self, label: &str, time: Micros) -> bool {
        if let Some(series) = self.open.get_mut(label) {
            return series.take(time, self.batch);
        }
        let mut series = self.committed.get(label).copied().unwrap_or_else(|| Series::new(Micros::MIN));
        let taken = series.take(time, self.batch);
        if taken {
            self.open.insert(label.into(), series);
        }
        taken
    }
}

/// The last of the rows that share a key, in their order.
pub fn last_of_each_key(batch: &RecordBatch, key: &[usize]) -> Result<RecordBatch, ArrowError> {
    let rows = arrow::row::RowConverter::new(
        key.iter()
            .map(|column| arrow::row::SortField::new(batch.schema().field(*column).data_type().clone()))
            .collect(),
    )?
    .convert_columns(&key.iter().map(|column| batch.column(*column).clone()).collect::<Vec<_>>())?;
    let mut seen = std::collections::HashSet::with_capacity(batch.num_rows());
    let mut kept: Vec<usize> = (0..batch.num_rows()).rev().filter(|row| seen.insert(rows.row(*row))).collect();
    if kept.len() == batch.num_rows() {
        return Ok(batch.clone());
    }
    kept.reverse();
    take_record_batch(batch, &indices(kept.into_iter()))
}

fn indices(rows: impl Iterator<Item = usize>) -> UInt32Array {
    UInt32Array::from_iter_values(rows.map(|row| u32::try_from(row).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a series that are stored without looking, of batches of instants.
    fn taken(batches: &[&[Micros]]) -> Vec<Vec<Micros>> {
        let mut series = Series::new(0);
        let mut number = 0;
        let mut of_batch = |batch: &&[Micros]| {
            number += 1;
            batch.iter().copied().filter(|time| series.take(*time, number)).collect()
        };
        batches.iter().map(&mut of_batch).collect()
    }

    #[test]
    fn batches_that_overtake_each_other_are_stored_without_looking() {
        assert_eq!(taken(&[&[5, 6], &[7, 8], &[3, 4], &[1, 2]]), [[5, 6], [7, 8], [3, 4], [1, 2]]);
        assert_eq!(taken(&[&[7, 8], &[3, 4], &[5, 6], &[1, 2]]), [[7, 8], [3, 4], [5, 6], [1, 2]]);
    }

    #[test]
    fn an_instant_that_may_be_stored_is_never_taken_twice() {
        assert_eq!(taken(&[&[3, 4], &[4, 3, 2, 2, 0]]), [vec![3, 4], vec![2]]);
        // Among all orders of a few instants in a few batches.
        let mut state = 1_u64;
        for _ in 0..2_000 {
            let mut series = Series::new(0);
            let mut seen = std::collections::HashSet::from([0]);
            for batch in 1..=8 {
                for _ in 0..4 {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let time = i64::try_from(state >> 33).unwrap() % 24;
                    let new = seen.insert(time);
                    assert!(!series.take(time, batch) || new, "{time} was stored already");
                }
            }
        }
    }

    #[test]
    fn what_is_rolled_back_is_forgotten() {
        let mut marks = HighWater { label: None, committed: Marks::default(), open: Marks::default(), batch: 1 };
        assert!(marks.raise("", 5) && marks.raise("", 9));
        marks.rollback();
        assert!(marks.raise("", 9));
        marks.commit();
        assert!(!marks.raise("", 9));
    }
}
