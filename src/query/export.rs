//! Whole rows of a table over a span of time, in the order of time.

use super::named::NamedQuery;
use super::parts::Parts;
use super::{Queries, Window};
use crate::batch::{BatchStream, ReadError};
use crate::store::{Done, Snapshot, Statement, Statements, Value};
use crate::tables::{TIME_COLUMN, Table};
use crate::time::Micros;

/// Rows that are sorted together. The engine holds them until the client has taken them: 4 MB for rows of market data.
const PART_ROWS: i64 = 50_000;

/// Which rows are wanted.
#[derive(Debug, Clone)]
pub struct Export {
    /// The table.
    pub table: &'static Table,
    /// The span, bounds inclusive.
    pub window: Window,
    /// Only this symbol or strategy.
    pub label: Option<String>,
}

impl Queries {
    /// The rows, in the table's own columns, by time and then by the rest of the key. All of them are of one snapshot.
    pub async fn export(&self, export: Export) -> Result<BatchStream, ReadError> {
        let parts = Parts::new(export.window, PART_ROWS);
        let transaction = self.reader.exports().begin(self.export_time_limit).await?;
        transaction.into_result(SortedParts { export, parts }).await
    }
}

/// The statements of an export: one for each part of its time range.
struct SortedParts {
    export: Export,
    parts: Parts,
}

impl Statements for SortedParts {
    fn next(&mut self, snapshot: &Snapshot<'_>, _: Option<Done>) -> Result<Option<Statement>, ReadError> {
        let Self { export, parts } = self;
        let counts = |window, width: Micros| {
            let text = include_str!("../../queries/export/counts.sql").replace("{width}", &width.to_string());
            snapshot.pairs(export.statement(&text, window, snapshot)?)
        };
        let part = parts.next(counts)?;
        part.map(|part| export.statement(include_str!("../../queries/export/rows.sql"), part, snapshot)).transpose()
    }
}

impl Export {
    /// A statement of `queries/export` over `window`.
    fn statement(&self, text: &str, window: Window, snapshot: &Snapshot<'_>) -> Result<Statement, ReadError> {
        let table = self.table;
        let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let rest = table.key.iter().filter(|column| **column != TIME_COLUMN);
        let order: Vec<_> = std::iter::once(&TIME_COLUMN).chain(rest).copied().collect();
        let text = text
            .replace("{columns}", &columns.join(", "))
            .replace("{order}", &order.join(", "))
            .replace("{rows}", &snapshot.rows(table, window.start, window.until())?)
            .replace("{time}", TIME_COLUMN)
            .replace("{label}", table.label.unwrap_or("NULL"));
        let [start, end] = window.values();
        let label = self.label.clone().map_or(Value::Null, Value::Text);
        let query = NamedQuery::parse(&text);
        let parameters = query.bind(&[start, end, ("label", label)]);
        let parameters = parameters.map_err(|name| ReadError::Failed(format!("an export does not give ${name}")))?;
        Ok(Statement::new(query.sql.clone(), parameters))
    }
}
