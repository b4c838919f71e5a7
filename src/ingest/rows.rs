//! Builds a table's batches value by value, for formats that come as text.

use std::borrow::Cow;

use arrow::record_batch::RecordBatch;

use super::column::ColumnBuilder;
use super::error::{DecodeError, REQUIRED};
use super::meter::Meter;
use super::{BATCH_ROWS, MAX_ROWS, check};
use crate::tables::Table;

/// A value as text formats have it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A number, as its digits.
    Number(&'a str),
    /// Text.
    Text(Cow<'a, str>),
    /// An object or an array.
    Nested,
}

/// Takes rows column by column: [`begin`](Self::begin), [`set`](Self::set) for each value, [`end`](Self::end).
pub(super) struct RowBuilder<'a> {
    meter: &'a Meter<'a>,
    table: &'static Table,
    columns: Vec<ColumnBuilder>,
    /// Bit by bit, which columns of the row at hand are set.
    set: u64,
    /// The row at hand, from 1.
    row: usize,
    /// Where the next column name is looked for first: rows tend to name their columns in one order.
    next: usize,
    /// Rows that are in batches already.
    flushed: usize,
    /// What was counted before the batch at hand.
    before: u64,
    /// What is counted for it and not used yet.
    spare: u64,
    /// Texts of the batch at hand, in bytes.
    text_bytes: usize,
    batches: Vec<RecordBatch>,
}

/// Room for a value in a builder, which grows to twice what is in it.
const VALUE_BYTES: u64 = 24;
/// Texts of a batch are at most about as long as this; one text may be longer.
const BATCH_TEXT_BYTES: usize = 8 << 20;
/// What is counted at a time.
const STEP: u64 = 64 << 10;

impl<'a> RowBuilder<'a> {
    /// Reserves room for the rows of a body of `body_bytes`.
    pub(super) fn new(
        table: &'static Table,
        bytes_per_row: usize,
        body_bytes: usize,
        meter: &'a Meter<'a>,
    ) -> Result<Self, DecodeError> {
        let capacity = (body_bytes / bytes_per_row + 1).min(BATCH_ROWS);
        let before = meter.used();
        meter.take_each(capacity * table.columns.len(), VALUE_BYTES)?;
        let columns = table.columns.iter().map(|column| ColumnBuilder::new(column.kind, capacity)).collect();
        let (spare, text_bytes, batches) = (0, 0, Vec::new());
        Ok(Self { meter, table, columns, set: 0, row: 0, next: 0, flushed: 0, before, spare, text_bytes, batches })
    }

    /// Begins the next row.
    pub(super) fn begin(&mut self) -> Result<(), DecodeError> {
        self.row += 1;
        self.set = 0;
        self.next = 0;
        if self.row > MAX_ROWS {
            return Err(DecodeError::TooManyRows(MAX_ROWS));
        }
        self.spend(VALUE_BYTES * self.columns.len() as u64)
    }

    /// Counts what the batch at hand is about to grow by.
    fn spend(&mut self, bytes: u64) -> Result<(), DecodeError> {
        if bytes > self.spare {
            let more = bytes.max(STEP);
            self.meter.take(more)?;
            self.spare += more;
        }
        self.spare -= bytes;
        Ok(())
    }

    /// The column of that name, which the row at hand must not have set before.
    pub(super) fn column(&mut self, name: &str) -> Result<usize, DecodeError> {
        let expected = self.table.columns.get(self.next).filter(|column| column.name == name).map(|_| self.next);
        let Some(position) = expected.or_else(|| self.table.position(name)) else {
            return Err(DecodeError::unknown_column(self.table, name, Some(self.row)));
        };
        if self.set & (1 << position) != 0 {
            return Err(self.refuse(format!("column \"{name}\" is given twice")));
        }
        self.set |= 1 << position;
        self.next = position + 1;
        Ok(position)
    }

    /// Sets a column of the row at hand.
    pub(super) fn set(&mut self, position: usize, value: &Value<'_>) -> Result<(), DecodeError> {
        if let Value::Text(text) = value {
            // A builder that grows has its old room and the new one, of twice the size, for a moment.
            self.spend(3 * text.len() as u64)?;
            self.text_bytes += text.len();
        }
        let (Some(builder), Some(column)) = (self.columns.get_mut(position), self.table.columns.get(position)) else {
            return Ok(());
        };
        let outcome = match value {
            Value::Null if column.nullable => {
                builder.append_null();
                Ok(())
            }
            Value::Null => Err(REQUIRED.to_owned()),
            value => builder.append(value),
        };
        outcome.map_err(|reason| DecodeError::Value { row: self.row, column: column.name, reason })
    }

    /// Ends the row at hand: what it left out is null.
    pub(super) fn end(&mut self) -> Result<(), DecodeError> {
        for position in 0..self.columns.len() {
            if self.set & (1 << position) == 0 {
                self.set(position, &Value::Null)?;
            }
        }
        if self.row - self.flushed >= BATCH_ROWS || self.text_bytes >= BATCH_TEXT_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// The error of the row at hand.
    pub(super) fn refuse(&self, reason: String) -> DecodeError {
        DecodeError::Row { row: self.row, reason }
    }

    /// The batches of all rows.
    pub(super) fn finish(mut self) -> Result<Vec<RecordBatch>, DecodeError> {
        self.flush()?;
        Ok(self.batches)
    }

    fn flush(&mut self) -> Result<(), DecodeError> {
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        let batch = check::batch(self.table, columns, self.flushed)?;
        self.flushed += batch.num_rows();
        self.meter.settle(self.before + self.meter.kept(batch.columns()));
        self.before = self.meter.used();
        self.spare = 0;
        self.text_bytes = 0;
        if batch.num_rows() > 0 {
            self.batches.push(batch);
        }
        Ok(())
    }
}
