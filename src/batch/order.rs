//! The order of history: newest first.

use arrow::array::{StringArray, TimestampMicrosecondArray};
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::tables::{TIME_COLUMN, column};

/// Rows of an ordered batch.
const ROWS: usize = 8_192;

/// The rows of `batches` by time, newest first, and by `label` ascending, in new batches.
///
/// Buckets lie in the database nearly in the opposite order: turning runs of one time around costs a fraction of a sort.
pub fn newest_first(
    batches: Vec<RecordBatch>,
    label: Option<&str>,
) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>> + use<>, ArrowError> {
    let order = order(&batches, label)?;
    let starts = (0..order.len()).step_by(ROWS);
    Ok(starts.map(move |start| {
        let rows = order.get(start..(start + ROWS).min(order.len())).unwrap_or_default();
        interleave_record_batch(&batches.iter().collect::<Vec<_>>(), rows)
    }))
}

/// The rows, by batch and position in it, in the new order.
fn order(batches: &[RecordBatch], label: Option<&str>) -> Result<Vec<(usize, usize)>, ArrowError> {
    let mut rows: Vec<(i64, (usize, usize))> = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    let mut labels = Vec::with_capacity(batches.len());
    for (batch, content) in batches.iter().enumerate() {
        let times = column::<TimestampMicrosecondArray>(content, TIME_COLUMN)?.values();
        rows.extend(times.iter().enumerate().map(|(row, time)| (*time, (batch, row))));
        labels.extend(label.map(|label| column::<StringArray>(content, label)).transpose()?);
    }
    let label = |(batch, row): (usize, usize)| labels.get(batch).map(|labels| labels.value(row));
    if !rows.is_sorted_by(|earlier, later| earlier.0 <= later.0) {
        rows.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| label(a.1).cmp(&label(b.1))));
        return Ok(rows.into_iter().map(|(_, place)| place).collect());
    }
    let mut order = Vec::with_capacity(rows.len());
    for run in rows.chunk_by(|one, next| one.0 == next.0).rev() {
        let first = order.len();
        order.extend(run.iter().map(|(_, place)| *place));
        let Some(run) = order.get_mut(first..) else { continue };
        if !run.is_sorted_by(|a, b| label(*a) <= label(*b)) {
            run.sort_unstable_by(|a, b| label(*a).cmp(&label(*b)));
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;

    use super::*;

    fn batch(rows: &[(i64, &str)]) -> RecordBatch {
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.0)));
        let labels: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)));
        RecordBatch::try_from_iter([(TIME_COLUMN, times), ("symbol", labels)]).unwrap()
    }

    fn ordered(batches: Vec<RecordBatch>) -> Vec<(i64, String)> {
        let mut rows = Vec::new();
        for batch in newest_first(batches, Some("symbol")).unwrap() {
            let batch = batch.unwrap();
            let times = column::<TimestampMicrosecondArray>(&batch, TIME_COLUMN).unwrap();
            let labels = column::<StringArray>(&batch, "symbol").unwrap();
            rows.extend((0..batch.num_rows()).map(|row| (times.value(row), labels.value(row).to_owned())));
        }
        rows
    }

    #[test]
    fn rows_come_newest_first_however_they_lie() {
        let wanted = ["2 a", "2 b", "1 a", "1 b", "0 c"];
        for batches in [
            vec![batch(&[(0, "c"), (1, "a"), (1, "b")]), batch(&[(2, "a"), (2, "b")])],
            vec![batch(&[(0, "c"), (1, "b")]), batch(&[(1, "a"), (2, "b"), (2, "a")])],
            vec![batch(&[(2, "b"), (0, "c"), (1, "b"), (2, "a"), (1, "a")])],
        ] {
            let rows: Vec<_> = ordered(batches).into_iter().map(|(time, label)| format!("{time} {label}")).collect();
            assert_eq!(rows, wanted);
        }
        assert!(ordered(vec![]).is_empty());
        let many: Vec<(i64, &str)> = (0..20_000).map(|time| (time, "a")).collect();
        let rows = ordered(vec![batch(&many)]);
        assert_eq!((rows.len(), rows[0].0, rows[19_999].0), (20_000, 19_999, 0));
    }
}
