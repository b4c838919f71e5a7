//! Batches of a table, from rows of any source.

use std::borrow::Cow;

use arrow::record_batch::RecordBatch;

use super::cell::{Cell, Rows};
use super::convert::{Reason, Rules, Stored, convert};
use super::mapping::{Origin, Plan, Target};
use super::reject::{Reject, Rejects};
use crate::ingest::check;
use crate::ingest::column::ColumnBuilder;

/// Why an import cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The file of rejected rows.
    #[error("rejected rows cannot be written down: {0}")]
    Rejected(#[from] std::io::Error),
    /// A batch that breaks the table's promises: a fault of ours.
    #[error("a batch does not fit its table: {0}")]
    Unfit(String),
}

/// Builds batches of the rows of one source that fit its table.
pub struct Converter {
    plan: Plan,
    source: String,
    columns: Vec<ColumnBuilder>,
    /// Rows read so far, those that were rejected included.
    read: u64,
    /// Rows of the batch in the making.
    length: usize,
}

impl Converter {
    /// Follows `plan`; `source` is what reports call the source, and `batch_rows` about the rows of a batch.
    pub fn new(plan: Plan, source: impl Into<String>, batch_rows: usize) -> Self {
        let columns = plan.table.columns.iter().map(|column| ColumnBuilder::new(column.kind, batch_rows)).collect();
        Self { plan, source: source.into(), columns, read: 0, length: 0 }
    }

    /// Rows read so far.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Rows of the batch in the making.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Takes the rows that fit, and hands the others to `rejects`.
    pub fn push(&mut self, rows: &dyn Rows, rejects: &mut Rejects) -> Result<(), ConvertError> {
        let mut values = Vec::with_capacity(self.columns.len());
        for row in 0..rows.count() {
            self.read += 1;
            values.clear();
            match convert_row(&self.plan, rows, row, &mut values) {
                Ok(()) => {
                    self.length += 1;
                    self.columns.iter_mut().zip(values.drain(..)).for_each(|(column, value)| append(column, value));
                }
                Err((column, value, reason)) => {
                    let source = self.source.clone();
                    rejects.add(Reject { source, row: self.read, column, value, reason })?;
                }
            }
        }
        Ok(())
    }

    /// The batch of the rows taken since the last one, if there are any.
    pub fn finish(&mut self) -> Result<Option<RecordBatch>, ConvertError> {
        if self.length == 0 {
            return Ok(None);
        }
        self.length = 0;
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        let batch =
            check::batch(self.plan.table, columns, 0).map_err(|error| ConvertError::Unfit(error.to_string()))?;
        Ok(Some(batch))
    }
}

/// Pushes the values of a row, column by column, up to the first that does not fit.
fn convert_row<'a>(
    plan: &'a Plan,
    rows: &'a dyn Rows,
    row: usize,
    values: &mut Vec<Stored<'a>>,
) -> Result<(), Refusal> {
    if let Some((value, reason)) = rows.fault(row) {
        return Err((None, value, reason.into()));
    }
    for target in &plan.targets {
        values.push(match &target.origin {
            Origin::Absent => Stored::Null,
            Origin::Constant(value) => value.clone(),
            Origin::Column(column) => {
                let cell = rows.cell(row, *column);
                let value = translate(target, cell, &plan.rules)
                    .and_then(|cell| convert(target.column, cell, &plan.rules, target.round));
                value.map_err(|reason| (Some(target.column.name), rows.cell(row, *column).to_string(), reason))?
            }
        });
    }
    Ok(())
}

/// The column, its value as the source has it, and what is wrong with it.
type Refusal = (Option<&'static str>, String, Reason);

/// The cell, or what its word stands for, where the column has a list of words.
fn translate<'a>(target: &'a Target, cell: Cell<'a>, rules: &Rules) -> Result<Cell<'a>, Reason> {
    if rules.is_null(&cell) {
        return Ok(Cell::Null);
    }
    let Some(words) = &target.words else { return Ok(cell) };
    let stored = match (&cell, cell.text()) {
        (_, None) => return Ok(cell),
        // Some write True, some TRUE, some true.
        (Cell::Boolean(_), Some(text)) => {
            words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)).map(|(_, stored)| stored)
        }
        (_, Some(text)) => words.get(text.trim()),
    };
    match stored {
        Some(stored) if stored.is_empty() => Ok(Cell::Null),
        Some(stored) => Ok(Cell::Text(Cow::Borrowed(stored))),
        None => Err("is none of the words that --values lists".into()),
    }
}

fn append(column: &mut ColumnBuilder, value: Stored<'_>) {
    match (column, value) {
        (ColumnBuilder::Timestamp(builder), Stored::Timestamp(value)) => builder.append_value(value),
        (ColumnBuilder::Text(builder), Stored::Text(value)) => builder.append_value(value),
        (ColumnBuilder::Double(builder), Stored::Double(value)) => builder.append_value(value),
        (ColumnBuilder::BigInt(builder), Stored::BigInt(value)) => builder.append_value(value),
        (ColumnBuilder::Integer(builder), Stored::Integer(value)) => builder.append_value(value),
        // `convert` gives values of the column's own kind.
        (column, _) => column.append_null(),
    }
}
