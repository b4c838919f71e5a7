//! The order of history: newest first.

use std::ops::Range;

use arrow::array::{Array, ArrayData, MutableArrayData, StringArray, TimestampMicrosecondArray, make_array};
use arrow::compute::interleave_record_batch;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use crate::tables::{TIME_COLUMN, column};

/// Rows of an ordered batch, or a few more.
const ROWS: usize = 8_192;
/// About how many bytes an ordered batch may have; of wide rows there are fewer in it.
const ORDERED_BYTES: usize = 2 << 20;
/// Runs of this many rows on average are copied as they are; shorter ones row by row.
const LONG: usize = 4;

/// Rows of one batch that stay together: which batch, and where in it.
type Run = (usize, Range<usize>);

/// The rows of `batches` by time, newest first, and by `label` ascending, in new batches.
///
/// Buckets lie in the database nearly in the opposite order: copying the runs of each time costs a fraction of a sort.
pub fn newest_first(
    batches: Vec<RecordBatch>,
    label: Option<&str>,
) -> Result<impl ExactSizeIterator<Item = Result<RecordBatch, ArrowError>> + use<>, ArrowError> {
    let order = order(&batches, label)?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let are_long = rows >= LONG * order.len();
    let columns: Vec<Vec<ArrayData>> = batches.first().map_or_else(Vec::new, |first| {
        let column = |place| batches.iter().map(|batch| batch.column(place).to_data()).collect();
        (0..first.num_columns()).map(column).collect()
    });
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    let most_rows = (ORDERED_BYTES / (bytes / rows.max(1)).max(1)).clamp(1, ROWS);
    Ok(parts(order, most_rows).into_iter().map(move |runs| {
        if are_long {
            return copied(&batches, &columns, &runs);
        }
        let rows: Vec<_> = runs.into_iter().flat_map(|(batch, run)| run.map(move |row| (batch, row))).collect();
        interleave_record_batch(&batches.iter().collect::<Vec<_>>(), &rows)
    }))
}

/// Runs, as many at a time as make a batch.
fn parts(order: Vec<Run>, most_rows: usize) -> Vec<Vec<Run>> {
    let (mut parts, mut part, mut rows) = (Vec::new(), Vec::new(), 0);
    for run in order {
        rows += run.1.len();
        part.push(run);
        if rows >= most_rows {
            parts.push(std::mem::take(&mut part));
            rows = 0;
        }
    }
    parts.extend((!part.is_empty()).then_some(part));
    parts
}

fn copied(batches: &[RecordBatch], columns: &[Vec<ArrayData>], runs: &[Run]) -> Result<RecordBatch, ArrowError> {
    let rows = runs.iter().map(|(_, run)| run.len()).sum();
    // Only the batches that they are of.
    let of = |run: &Run| run.0;
    let (first, last) = (runs.iter().map(of).min().unwrap_or(0), runs.iter().map(of).max().unwrap_or(0));
    let column = |column: &Vec<ArrayData>| {
        let sources = column.get(first..=last).unwrap_or_default().iter().collect();
        let mut copy = MutableArrayData::new(sources, false, rows);
        runs.iter().for_each(|(batch, run)| copy.extend(batch - first, run.start, run.end));
        make_array(copy.freeze())
    };
    let schema = batches.first().map(RecordBatch::schema).unwrap_or_else(|| arrow::datatypes::Schema::empty().into());
    RecordBatch::try_new(schema, columns.iter().map(column).collect())
}

/// The runs in the new order.
fn order(batches: &[RecordBatch], label: Option<&str>) -> Result<Vec<Run>, ArrowError> {
    let mut runs: Vec<(i64, Run)> = Vec::new();
    let mut labels = Vec::with_capacity(batches.len());
    let mut are_sorted = true;
    for (batch, content) in batches.iter().enumerate() {
        let times = column::<TimestampMicrosecondArray>(content, TIME_COLUMN)?.values();
        let mut start = 0;
        for run in times.chunk_by(|one, next| one == next) {
            let (time, end) = (run.first().copied().unwrap_or_default(), start + run.len());
            are_sorted &= runs.last().is_none_or(|(before, _)| *before <= time);
            runs.push((time, (batch, start..end)));
            start = end;
        }
        labels.extend(label.map(|label| column::<StringArray>(content, label)).transpose()?);
    }
    let label = &|batch: usize, row: usize| labels.get(batch).map(|labels| labels.value(row));
    let alone = |runs: &[(i64, Run)]| {
        let rows = runs.iter().flat_map(|(time, (batch, run))| {
            run.clone().map(move |row| (*time, label(*batch, row), (*batch, row..row + 1)))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        rows.into_iter().map(|(_, _, row)| row).collect::<Vec<Run>>()
    };
    if !are_sorted {
        return Ok(alone(&runs));
    }
    let mut order = Vec::with_capacity(runs.len());
    for of_one_time in runs.chunk_by(|one, next| one.0 == next.0).rev() {
        let of_run = |(_, (batch, run)): &(i64, Run)| {
            let batch = *batch;
            run.clone().map(move |row| label(batch, row))
        };
        if of_one_time.iter().flat_map(of_run).is_sorted() {
            order.extend(of_one_time.iter().map(|(_, run)| run.clone()));
        } else {
            order.extend(alone(of_one_time));
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
        let wide = "x".repeat(4_096);
        let wide: Vec<(i64, &str)> = (0..2_000).map(|time| (time, wide.as_str())).collect();
        let parts: Vec<_> = newest_first(vec![batch(&wide)], Some("symbol")).unwrap().map(Result::unwrap).collect();
        assert!(parts.iter().all(|part| part.get_array_memory_size() <= 2 * ORDERED_BYTES), "{}", parts.len());
        assert_eq!(parts.iter().map(RecordBatch::num_rows).sum::<usize>(), 2_000);
        let many: Vec<(i64, &str)> = (0..20_000).map(|time| (time, "a")).collect();
        let rows = ordered(vec![batch(&many)]);
        assert_eq!((rows.len(), rows[0].0, rows[19_999].0), (20_000, 19_999, 0));
    }
}
