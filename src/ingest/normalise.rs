//! Batches of any schema, brought to the schema of a table.

use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

use super::error::{DecodeError, shortened};
use super::meter::Meter;
use super::{MAX_ROWS, check, convert, unfold};
use crate::tables::Table;

/// Batches of fewer rows are put together: each batch takes memory of its own, here and on its way into the database.
const FEW_ROWS: usize = 2_048;
/// As many small ones are put together at a time.
const SMALL_BATCHES: usize = 256;
/// What a column of a batch takes besides its values.
const COLUMN_BYTES: u64 = 512;

/// Takes the batches of one body, which share a schema.
pub(super) struct Normaliser<'a> {
    table: &'static Table,
    meter: &'a Meter<'a>,
    /// Where each of the table's columns is found in the body.
    sources: Vec<Option<usize>>,
    rows: usize,
    batches: Vec<RecordBatch>,
    /// Small batches that follow the others.
    small: Vec<RecordBatch>,
    /// Their rows.
    small_rows: usize,
    /// What they keep allocated.
    small_bytes: u64,
}

/// Where each of the table's columns is found among columns of these names: matched by name, in any order. Nullable
/// columns may be absent.
pub(super) fn sources<'a>(
    table: &'static Table,
    names: impl Iterator<Item = &'a str>,
) -> Result<Vec<Option<usize>>, DecodeError> {
    let mut sources = vec![None; table.columns.len()];
    for (position, name) in names.enumerate() {
        let source = table.position(name).and_then(|column| sources.get_mut(column));
        let Some(source) = source else { return Err(DecodeError::unknown_column(table, name, None)) };
        if source.replace(position).is_some() {
            return Err(DecodeError::Column { column: shortened(name), reason: "is given twice".to_owned() });
        }
    }
    match table.columns.iter().zip(&sources).find(|(column, source)| source.is_none() && !column.nullable) {
        Some((column, _)) => Err(DecodeError::MissingColumn { column: column.name, table: table.name }),
        None => Ok(sources),
    }
}

impl<'a> Normaliser<'a> {
    /// Refuses a schema whose columns are not the table's, or whose values can never become theirs.
    pub(super) fn new(table: &'static Table, schema: &Schema, meter: &'a Meter<'a>) -> Result<Self, DecodeError> {
        let sources = sources(table, schema.fields().iter().map(|field| field.name().as_str()))?;
        for (column, source) in table.columns.iter().zip(&sources) {
            if let Some(field) = source.and_then(|source| schema.fields().get(source)) {
                convert::check_type(column, field.data_type())?;
            }
        }
        let (batches, small) = (Vec::new(), Vec::new());
        Ok(Self { table, meter, sources, rows: 0, batches, small, small_rows: 0, small_bytes: 0 })
    }

    /// Refuses a batch that would be too many rows, before it is decoded.
    pub(super) fn check_rows(&self, more: u64) -> Result<(), DecodeError> {
        match (self.rows as u64).saturating_add(more) > MAX_ROWS as u64 {
            true => Err(DecodeError::TooManyRows(MAX_ROWS)),
            false => Ok(()),
        }
    }

    /// Converts and checks one batch. What was counted since `before` was for decoding it; afterwards only what the
    /// converted batch keeps is.
    pub(super) fn add(&mut self, batch: RecordBatch, before: u64) -> Result<(), DecodeError> {
        let rows = batch.num_rows();
        self.check_rows(rows as u64)?;
        if rows == 0 {
            self.meter.settle(before);
            return Ok(());
        }
        let mut nulls: Vec<ArrayRef> = Vec::new();
        let mut columns = Vec::with_capacity(self.sources.len());
        for (column, source) in self.table.columns.iter().zip(&self.sources) {
            columns.push(match source.and_then(|source| batch.columns().get(source)) {
                Some(array) => convert::column(column, array, self.rows, self.meter)?,
                None => {
                    let kind = column.kind.data_type();
                    match nulls.iter().find(|array| array.data_type() == &kind) {
                        Some(array) => array.clone(),
                        None => {
                            self.meter.take(unfold::fixed_bytes(&kind, rows))?;
                            let array = new_null_array(&kind, rows);
                            nulls.push(array.clone());
                            array
                        }
                    }
                }
            });
        }
        drop(batch);
        let batch = check::batch(self.table, columns, self.rows)?;
        self.rows += rows;
        let kept = self.meter.kept(batch.columns()) + COLUMN_BYTES * batch.num_columns() as u64;
        self.meter.settle(before.saturating_add(kept));
        self.gather(batch, kept)
    }

    /// Keeps a batch, putting small ones together.
    fn gather(&mut self, batch: RecordBatch, kept: u64) -> Result<(), DecodeError> {
        if batch.num_rows() >= FEW_ROWS {
            self.put_together()?;
            self.batches.push(batch);
            return Ok(());
        }
        self.small_bytes += kept;
        self.small_rows += batch.num_rows();
        self.small.push(batch);
        if self.small.len() < SMALL_BATCHES && self.small_rows < 4 * FEW_ROWS { Ok(()) } else { self.put_together() }
    }

    fn put_together(&mut self) -> Result<(), DecodeError> {
        self.small_rows = 0;
        let without = self.meter.used().saturating_sub(std::mem::take(&mut self.small_bytes));
        let small = std::mem::take(&mut self.small);
        let batch = match small.as_slice() {
            [] => return Ok(()),
            [_] => {
                self.batches.extend(small);
                return Ok(());
            }
            several => {
                let copied = several.iter().flat_map(RecordBatch::columns).map(unfold::bytes);
                self.meter.take(copied.fold(0, u64::saturating_add))?;
                let batch = concat_batches(&self.table.schema(), several);
                batch.map_err(|error| DecodeError::Row { row: 1, reason: error.to_string() })?
            }
        };
        drop(small);
        let kept = self.meter.kept(batch.columns()) + COLUMN_BYTES * batch.num_columns() as u64;
        self.meter.settle(without.saturating_add(kept));
        self.batches.push(batch);
        Ok(())
    }

    /// All batches that have rows.
    pub(super) fn finish(mut self) -> Result<Vec<RecordBatch>, DecodeError> {
        self.put_together()?;
        Ok(self.batches)
    }
}
