//! Batches, parted and thinned out so that the last write of a key is the one that stays.

use std::collections::HashSet;

use arrow::array::UInt32Array;
use arrow::compute::{concat_batches, take_record_batch};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};

use crate::tables::Table;

/// The other rows of a batch, and those at `late`, which rises; `None` for no rows.
pub fn parted(batch: &RecordBatch, late: &[usize]) -> Result<(Option<RecordBatch>, Option<RecordBatch>), ArrowError> {
    if late.is_empty() {
        return Ok((Some(batch.clone()), None));
    }
    if late.len() == batch.num_rows() {
        return Ok((None, Some(batch.clone())));
    }
    let mut is_late = late.iter().copied().peekable();
    let others = (0..batch.num_rows()).filter(|row| is_late.next_if_eq(row).is_none());
    let others = take_record_batch(batch, &indices(others))?;
    Ok((Some(others), Some(take_record_batch(batch, &indices(late.iter().copied()))?)))
}

/// The last of the rows that share a key, in their order. `key` are the positions of its columns.
pub fn last_of_each_key(table: &Table, batches: &[RecordBatch], key: &[usize]) -> Result<RecordBatch, ArrowError> {
    let batch = concat_batches(&table.schema(), batches)?;
    let fields = key.iter().map(|column| SortField::new(batch.schema().field(*column).data_type().clone()));
    let columns: Vec<_> = key.iter().map(|column| batch.column(*column).clone()).collect();
    let rows = RowConverter::new(fields.collect())?.convert_columns(&columns)?;
    let mut seen = HashSet::with_capacity(batch.num_rows());
    let mut kept: Vec<usize> = (0..batch.num_rows()).rev().filter(|row| seen.insert(rows.row(*row))).collect();
    if kept.len() == batch.num_rows() {
        return Ok(batch);
    }
    kept.reverse();
    take_record_batch(&batch, &indices(kept.into_iter()))
}

fn indices(rows: impl Iterator<Item = usize>) -> UInt32Array {
    UInt32Array::from_iter_values(rows.map(|row| u32::try_from(row).unwrap_or(u32::MAX)))
}
