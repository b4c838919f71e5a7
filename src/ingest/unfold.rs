//! How large a column becomes when an encoding that repeats values is undone.

use arrow::array::{Array, ArrayRef, AsArray, OffsetSizeTrait, RunArray};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type, RunEndIndexType};

/// Bytes that `array` takes once each of its rows has its own value: of a dictionary, of runs, or of views.
///
/// Only the outermost encoding is undone. Plain arrays take what they would as a copy.
pub(super) fn bytes(array: &ArrayRef) -> u64 {
    match array.data_type() {
        DataType::Dictionary(..) => dictionary(array),
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => runs::<Int16Type>(array),
            DataType::Int32 => runs::<Int32Type>(array),
            _ => runs::<Int64Type>(array),
        },
        kind if kind.primitive_width().is_some() => fixed_bytes(kind, array.len()),
        kind => {
            (0..array.len()).fold(offsets(kind, array.len()), |sum, row| sum.saturating_add(value_bytes(array, row)))
        }
    }
}

/// The same by the type and the number of rows alone: what values of fixed width take, and the offsets of others.
pub(super) fn fixed_bytes(kind: &DataType, rows: usize) -> u64 {
    let width = kind.primitive_width().unwrap_or(0) as u64;
    offsets(kind, rows).saturating_add(width.saturating_mul(rows as u64))
}

fn dictionary(array: &ArrayRef) -> u64 {
    let Some(dictionary) = array.as_any_dictionary_opt() else { return 0 };
    let values = dictionary.values();
    let overhead = offsets(values.data_type(), array.len());
    if values.is_empty() {
        return overhead;
    }
    if let Some(width) = values.data_type().primitive_width() {
        return overhead.saturating_add((width as u64).saturating_mul(array.len() as u64));
    }
    let keys = dictionary.normalized_keys();
    let valid = keys.iter().enumerate().filter(|(row, _)| array.is_valid(*row));
    valid.fold(overhead, |sum, (_, key)| sum.saturating_add(value_bytes(values, *key)))
}

fn runs<Ends: RunEndIndexType>(array: &ArrayRef) -> u64 {
    let Some(runs) = array.as_any().downcast_ref::<RunArray<Ends>>() else { return 0 };
    let values = runs.values();
    let (start, end) = (runs.offset(), runs.offset() + runs.len());
    // The rows are first taken one by one, by a number of 32 bits, twice.
    let mut sum = offsets(values.data_type(), array.len()).saturating_add(8 * array.len() as u64);
    let mut before = start;
    for (run, until) in runs.run_ends().values().iter().enumerate() {
        let until = arrow::datatypes::ArrowNativeType::as_usize(*until).min(end);
        let rows = until.saturating_sub(before);
        if rows > 0 && run < values.len() {
            sum = sum.saturating_add(value_bytes(values, run).saturating_mul(rows as u64));
        }
        before = before.max(until);
    }
    sum
}

/// What surrounds the values of a text column, and the bits that say which rows have one.
fn offsets(kind: &DataType, rows: usize) -> u64 {
    let rows = rows as u64 + 1;
    let offset = match kind {
        DataType::Utf8 => 4,
        DataType::LargeUtf8 => 8,
        DataType::Utf8View => 16,
        _ => 0,
    };
    rows * offset + rows / 8 + 64
}

fn value_bytes(array: &ArrayRef, row: usize) -> u64 {
    match array.data_type() {
        DataType::Utf8 => length(array.as_string::<i32>().value_offsets(), row),
        DataType::LargeUtf8 => length(array.as_string::<i64>().value_offsets(), row),
        DataType::Utf8View => array.as_string_view().views().get(row).map_or(0, |view| u64::from(*view as u32)),
        DataType::Dictionary(keys, _) => keys.primitive_width().unwrap_or(8) as u64,
        kind => kind.primitive_width().unwrap_or(0) as u64,
    }
}

fn length<Offset: OffsetSizeTrait>(offsets: &[Offset], row: usize) -> u64 {
    let (Some(start), Some(end)) = (offsets.get(row), offsets.get(row + 1)) else { return 0 };
    end.as_usize().saturating_sub(start.as_usize()) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Int32Array, StringArray, StringViewArray};

    use super::*;

    /// The bytes of the texts alone.
    fn text_bytes(array: ArrayRef) -> u64 {
        let values = match array.data_type() {
            DataType::Dictionary(_, values) => values.as_ref().clone(),
            DataType::RunEndEncoded(_, values) => values.data_type().clone(),
            kind => kind.clone(),
        };
        let runs = matches!(array.data_type(), DataType::RunEndEncoded(..));
        let indices = if runs { 8 * array.len() as u64 } else { 0 };
        bytes(&array) - offsets(&values, array.len()) - indices
    }

    #[test]
    fn each_row_counts_the_value_that_it_stands_for() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("ten bytes."), Some("four"), None]));
        let keys = Int32Array::from(vec![Some(0), Some(0), Some(1), None, Some(2)]);
        let dictionary: ArrayRef = Arc::new(DictionaryArray::new(keys, texts.clone()));
        assert_eq!(text_bytes(dictionary.clone()), 24);
        assert_eq!(text_bytes(dictionary.slice(1, 2)), 14);
        let runs: ArrayRef =
            Arc::new(RunArray::<Int32Type>::try_new(&Int32Array::from(vec![5, 7, 8]), &texts).unwrap());
        assert_eq!(text_bytes(runs.clone()), 58);
        assert_eq!(text_bytes(runs.slice(4, 2)), 14);
        let views: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "a text that is not in its view"]));
        assert_eq!(text_bytes(views), 31);
    }
}
