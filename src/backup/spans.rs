//! In which order the rows of a table are read: span by span, so that no more than a few days are sorted at a time.

use arrow::array::Int64Array;
use futures::TryStreamExt;

use super::{BackupError, fill};
use crate::batch::ReadError;
use crate::store::{ReadTransaction, Statement, Value};
use crate::tables::{Table, column};
use crate::time::Micros;

/// Rows that are sorted at one time, as long as a single day does not have more.
const SPAN_ROWS: i64 = 2_000_000;

/// The rows of a table, and where they are cut.
pub(super) struct Spans {
    /// All rows.
    pub rows: u64,
    /// From the first instant to the last one, both inclusive; together they hold every instant there is.
    pub spans: Vec<(Micros, Micros)>,
}

impl Spans {
    /// Asks how many rows each day has.
    pub async fn of(table: &Table, transaction: &ReadTransaction) -> Result<Self, BackupError> {
        let statement = Statement::new(fill(include_str!("../../queries/backup/days.sql"), table), Vec::new());
        let mut days = Vec::new();
        let mut answer = transaction.query(statement).await?;
        while let Some(batch) = answer.try_next().await? {
            let values = |name| column::<Int64Array>(&batch, name).map(|column| column.values().to_vec());
            let failed = |error: arrow::error::ArrowError| ReadError::Failed(error.to_string());
            days.extend(values("day").map_err(failed)?.into_iter().zip(values("rows").map_err(failed)?));
        }
        Ok(Self::cut(&days))
    }

    /// Cuts days, which are in order and come with their rows.
    fn cut(days: &[(Micros, i64)]) -> Self {
        let mut starts = Vec::new();
        let mut in_span = SPAN_ROWS;
        for (day, rows) in days {
            if in_span.saturating_add(*rows) > SPAN_ROWS {
                starts.push(*day);
                in_span = 0;
            }
            in_span = in_span.saturating_add(*rows);
        }
        let ends = starts.iter().skip(1).map(|next| next - 1).chain([Micros::MAX]);
        let mut spans: Vec<_> = starts.iter().copied().zip(ends).collect();
        if let Some(first) = spans.first_mut() {
            first.0 = -Micros::MAX;
        }
        Self { rows: days.iter().map(|(_, rows)| u64::try_from(*rows).unwrap_or(0)).sum(), spans }
    }
}

/// The statement for the rows of a span.
pub(super) fn statement(table: &Table, (first, last): (Micros, Micros)) -> Statement {
    let bounds = vec![Value::Timestamp(first), Value::Timestamp(last)];
    Statement::new(fill(include_str!("../../queries/backup/rows.sql"), table), bounds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::DAY;

    #[test]
    fn days_are_put_together_and_nothing_is_left_out() {
        let days: Vec<_> = [900_000, 900_000, 900_000, 5_000_000, 1]
            .into_iter()
            .zip(0..)
            .map(|(rows, day)| (day * DAY, rows))
            .collect();
        let cut = Spans::cut(&days);
        assert_eq!(cut.rows, 7_700_001);
        assert_eq!(
            cut.spans,
            [(-Micros::MAX, 2 * DAY - 1), (2 * DAY, 3 * DAY - 1), (3 * DAY, 4 * DAY - 1), (4 * DAY, Micros::MAX),]
        );
        assert_eq!(Spans::cut(&days[..1]).spans, [(-Micros::MAX, Micros::MAX)]);
        assert_eq!(Spans::cut(&[]).spans, []);
    }
}
