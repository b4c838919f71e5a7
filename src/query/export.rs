//! Whole rows of a table over a span of time, in the order of time.

use arrow::array::Int64Array;
use futures::TryStreamExt;

use super::named::NamedQuery;
use super::{Queries, Window};
use crate::batch::{BatchStream, ReadError};
use crate::store::{Snapshot, Statement, Value};
use crate::tables::{self, TIME_COLUMN, Table};
use crate::time::{Micros, SECOND};

/// Rows that are sorted together. All rows at once would need the memory of all.
const SPAN_ROWS: i64 = 500_000;
const HOUR: Micros = 3_600 * SECOND;

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
    /// The rows, in the table's own columns, by time and then by the rest of the key. All of them are of one moment.
    pub async fn export(&self, export: Export) -> Result<BatchStream, ReadError> {
        let window = export.window;
        let asked = export.clone();
        let hours = self.reader.ask(
            move |snapshot| {
                Ok(vec![asked.statement(include_str!("../../queries/export/hours.sql"), window, snapshot)?])
            },
            self.time_limit,
        );
        let spans = spans(window, &hours.await?.try_collect::<Vec<_>>().await?)?;
        let rows = move |snapshot: &Snapshot<'_>| {
            let rows = include_str!("../../queries/export/rows.sql");
            spans.into_iter().map(|span| export.statement(rows, span, snapshot)).collect()
        };
        self.reader.exports().ask(rows, self.export_time_limit).await
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

/// Cuts a window between hours, so that each part has about [`SPAN_ROWS`] rows. The parts leave nothing out.
fn spans(window: Window, hours: &[arrow::record_batch::RecordBatch]) -> Result<Vec<Window>, ReadError> {
    let failed = |error: arrow::error::ArrowError| ReadError::Failed(error.to_string());
    let mut spans = Vec::new();
    let (mut start, mut rows_in_span) = (window.start, 0);
    for batch in hours {
        let hour = tables::column::<Int64Array>(batch, "hour").map_err(failed)?;
        let rows = tables::column::<Int64Array>(batch, "rows").map_err(failed)?;
        for (hour, rows) in hour.values().iter().zip(rows.values()) {
            let begins = hour * HOUR;
            if rows_in_span > 0 && rows_in_span + rows > SPAN_ROWS && begins > start {
                spans.push(Window { start, end: begins - 1 });
                (start, rows_in_span) = (begins, 0);
            }
            rows_in_span += rows;
        }
    }
    spans.push(Window { start, end: window.end });
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use arrow::record_batch::RecordBatch;

    use super::*;

    fn hours(hours: &[(i64, i64)]) -> RecordBatch {
        let column = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
        let (hour, rows) = hours.iter().copied().unzip();
        RecordBatch::try_from_iter([("hour", column(hour)), ("rows", column(rows))]).unwrap()
    }

    #[test]
    fn a_window_is_cut_without_a_gap() {
        let window = Window { start: 5, end: 100 * HOUR };
        assert_eq!(spans(window, &[]).unwrap(), [window]);
        assert_eq!(spans(window, &[hours(&[(0, 10), (99, 10)])]).unwrap(), [window]);
        let parts =
            spans(window, &[hours(&[(0, 900_000), (1, 300_000)]), hours(&[(2, 100_000), (50, 400_000)])]).unwrap();
        let cuts: Vec<_> = parts.iter().map(|part| (part.start, part.end)).collect();
        assert_eq!(cuts, [(5, HOUR - 1), (HOUR, 50 * HOUR - 1), (50 * HOUR, 100 * HOUR)]);
    }
}
