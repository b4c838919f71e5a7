//! In which order the rows of a table are read: span by span, so that no more than some hours are sorted at a time.

use arrow::array::Int64Array;
use arrow::error::ArrowError;
use futures::TryStreamExt;

use super::{BackupError, fill};
use crate::batch::ReadError;
use crate::store::{ReadTransaction, Statement, Value};
use crate::tables::{Table, column};
use crate::time::Micros;

/// Rows that are sorted at one time, as long as a single hour does not have more.
const SPAN_ROWS: i64 = 500_000;
/// All instants that the database knows, the infinite ones included.
const EVER: (Micros, Micros) = (-Micros::MAX, Micros::MAX);

/// The rows of a table, and where they are cut.
pub(super) struct Spans {
    /// All rows.
    pub rows: u64,
    /// From the first instant to the last one, both inclusive; together they hold every instant there is.
    pub spans: Vec<(Micros, Micros)>,
}

impl Spans {
    /// Asks how many rows each hour has.
    pub async fn of(table: &Table, transaction: &ReadTransaction) -> Result<Self, BackupError> {
        let statement = Statement::new(fill(include_str!("../../queries/backup/hours.sql"), table), Vec::new());
        let mut hours = Vec::new();
        let mut answer = transaction.query(statement).await?;
        while let Some(batch) = answer.try_next().await? {
            let failed = |error: ArrowError| ReadError::Failed(error.to_string());
            let starts = column::<Int64Array>(&batch, "hour").map_err(failed)?;
            let rows = column::<Int64Array>(&batch, "rows").map_err(failed)?;
            hours.extend(starts.iter().zip(rows.values().iter().copied()));
        }
        Ok(Self::cut(&hours))
    }

    /// Cuts hours, which are in order and come with their rows.
    fn cut(hours: &[(Option<Micros>, i64)]) -> Self {
        let rows = hours.iter().map(|(_, rows)| u64::try_from(*rows).unwrap_or(0)).sum();
        let mut cuts = Vec::new();
        let mut in_span = 0;
        for (hour, rows) in hours {
            if let Some(hour) = hour.filter(|_| in_span > 0 && in_span + rows > SPAN_ROWS) {
                cuts.push(hour);
                in_span = 0;
            }
            in_span += rows;
        }
        let firsts = [EVER.0].into_iter().chain(cuts.iter().copied());
        let lasts = cuts.iter().map(|cut| cut - 1).chain([EVER.1]);
        let spans = firsts.zip(lasts).collect();
        Self { rows, spans: if rows == 0 { Vec::new() } else { spans } }
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

    const HOUR: Micros = 3_600_000_000;

    #[test]
    fn hours_are_put_together_and_nothing_is_left_out() {
        let hours: Vec<_> = [200_000, 200_000, 200_000, 5_000_000, 1]
            .into_iter()
            .zip(0..)
            .map(|(rows, hour)| (Some(hour * HOUR), rows))
            .collect();
        let cut = Spans::cut(&hours);
        assert_eq!(cut.rows, 5_600_001);
        assert_eq!(
            cut.spans,
            [(EVER.0, 2 * HOUR - 1), (2 * HOUR, 3 * HOUR - 1), (3 * HOUR, 4 * HOUR - 1), (4 * HOUR, EVER.1),]
        );
        assert_eq!(Spans::cut(&hours[..1]).spans, [EVER]);
        assert_eq!(Spans::cut(&[(None, 3)]).spans, [EVER], "infinite instants only");
        assert_eq!(Spans::cut(&[]).spans, []);
    }
}
