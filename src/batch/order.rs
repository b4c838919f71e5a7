//! The order of history: newest first.

use arrow::array::{StringArray, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::tables::{TIME_COLUMN, column};

/// Rows of an ordered batch.
const ROWS: usize = 8_192;

/// The rows of `batches` by time, newest first, and by `label` ascending, in new batches.
///
/// Buckets lie in the database nearly in the opposite order: turning runs of one time around costs a fraction of a sort.
pub fn newest_first(
    schema: &SchemaRef,
    batches: Vec<RecordBatch>,
    label: Option<&str>,
) -> Result<impl Iterator<Item = Result<RecordBatch, ArrowError>> + use<>, ArrowError> {
    let all = concat_batches(schema, &batches)?;
    drop(batches);
    let order = if all.num_rows() == 0 { Vec::new() } else { order(&all, label)? };
    let order = UInt32Array::from(order);
    let starts = (0..order.len()).step_by(ROWS);
    Ok(starts.map(move |start| take_record_batch(&all, &order.slice(start, ROWS.min(order.len() - start)))))
}

/// The positions of the rows in the new order.
fn order(rows: &RecordBatch, label: Option<&str>) -> Result<Vec<u32>, ArrowError> {
    let times = column::<TimestampMicrosecondArray>(rows, TIME_COLUMN)?.values();
    let labels = label.map(|label| column::<StringArray>(rows, label)).transpose()?;
    let label = |row: u32| labels.map(|labels| labels.value(row as usize));
    let time = |row: u32| times.get(row as usize).copied();
    // Runs of one time, in the order in which they lie.
    let mut runs: Vec<(u32, u32)> = Vec::new();
    let count =
        u32::try_from(rows.num_rows()).map_err(|_| ArrowError::ComputeError("too many rows to order".into()))?;
    let mut start = 0;
    for row in 1..=count {
        if row == count || time(row) != time(start) {
            runs.push((start, row));
            start = row;
        }
    }
    if !runs.is_sorted_by(|earlier, later| time(earlier.0) < time(later.0)) {
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_unstable_by(|a, b| time(*b).cmp(&time(*a)).then_with(|| label(*a).cmp(&label(*b))));
        return Ok(order);
    }
    let mut order = Vec::with_capacity(rows.num_rows());
    for (start, end) in runs.into_iter().rev() {
        let first = order.len();
        order.extend(start..end);
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
        let schema = batch(&[]).schema();
        let mut rows = Vec::new();
        for batch in newest_first(&schema, batches, Some("symbol")).unwrap() {
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
