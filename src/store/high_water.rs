//! The newest stored instant of each series of a table.
//!
//! A row above its series' mark cannot have a stored row with its key, so it is appended without looking. Only the
//! others go the slow way, through staging.

use std::collections::HashMap;

use arrow::array::{StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::text::fill;
use crate::tables::{TIME_COLUMN, Table, column};
use crate::time::Micros;

type Marks = HashMap<Box<str>, Micros>;

/// The marks of one table: what is committed, and what the open transaction would make of it.
pub struct HighWater {
    label: Option<&'static str>,
    committed: Marks,
    open: Marks,
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
                committed.insert(label.into_boxed_str(), newest);
            }
        }
        Ok(Self { label, committed, open: Marks::default() })
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
        if let Some(mark) = self.open.get_mut(label) {
            let above = time > *mark;
            if above {
                *mark = time;
            }
            return above;
        }
        let above = self.committed.get(label).is_none_or(|mark| time > *mark);
        if above {
            self.open.insert(label.into(), time);
        }
        above
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
