//! Batches of any schema, brought to the schema of a table.

use arrow::array::new_null_array;
use arrow::datatypes::Schema;
use arrow::record_batch::RecordBatch;

use super::error::DecodeError;
use super::{check, convert};
use crate::tables::Table;

/// Takes the batches of one body, which share a schema.
pub(super) struct Normaliser {
    table: &'static Table,
    /// Where each of the table's columns is found in the body.
    sources: Vec<Option<usize>>,
    rows: usize,
    batches: Vec<RecordBatch>,
}

impl Normaliser {
    /// Matches columns by name, in any order. Nullable columns may be absent.
    pub(super) fn new(table: &'static Table, schema: &Schema) -> Result<Self, DecodeError> {
        for (position, field) in schema.fields().iter().enumerate() {
            if table.position(field.name()).is_none() {
                return Err(DecodeError::unknown_column(table, field.name(), None));
            }
            if schema.fields().iter().take(position).any(|earlier| earlier.name() == field.name()) {
                let reason = "is given twice".to_owned();
                return Err(DecodeError::Column { column: field.name().clone(), reason });
            }
        }
        let sources = table.columns.iter().map(|column| {
            let source = schema.fields().iter().position(|field| field.name() == column.name);
            match source {
                None if !column.nullable => Err(DecodeError::MissingColumn { column: column.name, table: table.name }),
                source => Ok(source),
            }
        });
        Ok(Self { table, sources: sources.collect::<Result<_, _>>()?, rows: 0, batches: Vec::new() })
    }

    /// Converts and checks one batch.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<(), DecodeError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let columns = self.table.columns.iter().zip(&self.sources).map(|(column, source)| {
            match source.and_then(|source| batch.columns().get(source)) {
                Some(array) => convert::column(column, array, self.rows),
                None => Ok(new_null_array(&column.kind.data_type(), batch.num_rows())),
            }
        });
        let batch = check::batch(self.table, columns.collect::<Result<_, _>>()?, self.rows)?;
        self.rows += batch.num_rows();
        self.batches.push(batch);
        Ok(())
    }

    /// All batches that have rows.
    pub(super) fn finish(self) -> Vec<RecordBatch> {
        self.batches
    }
}
