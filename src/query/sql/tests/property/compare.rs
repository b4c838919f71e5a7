//! Whether two results are the same.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;

use super::Query;

/// How far the sums of floats may be apart, as a part of the larger one. The rows have numbers up to a hundred and their
/// quarters, so that what is lost by cancellation is bounded as well.
const RELATIVE: f64 = 1e-9;
const ABSOLUTE: f64 = 1e-4;

#[derive(Debug, Clone)]
struct Row {
    /// Cells that are the same bit by bit, as text.
    exact: Vec<String>,
    /// Cells that are sums of floats.
    sums: Vec<Option<f64>>,
}

impl Row {
    /// By what is exact. Groups of NaNs that differ in their bits read alike: by their sums, then.
    fn order(&self, other: &Self) -> Ordering {
        let number = |sum: &Option<f64>| sum.map_or(f64::NEG_INFINITY, |sum| if sum.is_nan() { f64::NAN } else { sum });
        let sums = self.sums.iter().zip(&other.sums).map(|(left, right)| number(left).total_cmp(&number(right)));
        self.exact.cmp(&other.exact).then(sums.fold(Ordering::Equal, Ordering::then))
    }
}

/// Says where two results of a query differ.
pub fn same(query: &Query, alone: &[RecordBatch], both: &[RecordBatch]) -> Result<(), String> {
    let (mut alone, mut both) = (rows(query, alone), rows(query, both));
    if !query.is_ordered {
        alone.sort_by(Row::order);
        both.sort_by(Row::order);
    }
    let differ = || Err(format!("DataFusion alone: {alone:#?}\nwith the store: {both:#?}"));
    if alone.len() != both.len() {
        return differ();
    }
    // Numbers beyond all measure: only that there is a result can be compared.
    let is_wild = ["spread_bps", "slippage_bps", "e300", "Infinity", "volume", "BIGINT", "9223372036854775807", "/"];
    let is_wild = is_wild.iter().any(|word| query.sql.contains(word));
    for (left, right) in alone.iter().zip(&both) {
        let close = left.sums.iter().zip(&right.sums).all(|(left, right)| match (left, right) {
            (None, None) => true,
            (Some(left), Some(right)) => is_wild || is_close(*left, *right),
            _ => false,
        });
        if left.exact != right.exact || !close {
            return differ();
        }
    }
    Ok(())
}

fn is_close(left: f64, right: f64) -> bool {
    left == right
        || (left.is_nan() && right.is_nan())
        || (left - right).abs() <= ABSOLUTE + RELATIVE * left.abs().max(right.abs())
}

fn rows(query: &Query, batches: &[RecordBatch]) -> Vec<Row> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let (mut exact, mut sums) = (Vec::new(), Vec::new());
            for (place, column) in batch.columns().iter().enumerate() {
                let number = column.as_primitive_opt::<Float64Type>();
                match number.filter(|_| query.sums.get(place).copied().unwrap_or(false)) {
                    Some(numbers) => sums.push(numbers.is_valid(row).then(|| numbers.value(row))),
                    None => exact.push(text(column, row)),
                }
            }
            rows.push(Row { exact, sums });
        }
    }
    rows
}

fn text(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    let kind = column.data_type();
    let value = match kind {
        DataType::Float64 => match column.as_primitive::<Float64Type>().value(row) {
            number if number.is_nan() => "NaN".to_owned(),
            number => format!("{number:?}"),
        },
        _ => format!("{:?}", array_value_to_string(column, row).unwrap()),
    };
    format!("{value} {kind}")
}
