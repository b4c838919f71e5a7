//! One zero and one NaN.
//!
//! Arrow orders floats by their bits: to it, -0.0 is less than 0.0, and a NaN with a sign less than everything. The store
//! orders them by what they are. Rows that come from the store have the plain zero and the plain NaN alone, so that both
//! say the same of them.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::Float64Type;

/// The number itself; the plain zero for either zero, the plain NaN for any.
pub(super) fn ordinary(number: f64) -> f64 {
    if number.is_nan() { f64::NAN } else { number + 0.0 }
}

/// Whether [`ordinary`] leaves the number as it is, bit by bit.
pub(super) fn is_ordinary(number: f64) -> bool {
    ordinary(number).to_bits() == number.to_bits()
}

/// The same numbers, all of them ordinary, if `array` holds floats. Nearly always they are, and nothing is copied.
pub(super) fn ordinary_column(array: &ArrayRef) -> ArrayRef {
    match array.as_primitive_opt::<Float64Type>() {
        // No shortcut in the middle: the loop is vectorised.
        Some(numbers) if !numbers.values().iter().fold(true, |all, number| all & is_ordinary(*number)) => {
            Arc::new(numbers.unary::<_, Float64Type>(ordinary))
        }
        _ => Arc::clone(array),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Array, Float64Array};

    use super::*;

    #[test]
    fn only_zeros_and_nans_change() {
        let odd: ArrayRef = Arc::new(Float64Array::from(vec![Some(-0.0), None, Some(-f64::NAN), Some(-1.5)]));
        let column = ordinary_column(&odd);
        let numbers = column.as_primitive::<Float64Type>();
        assert_eq!(numbers.value(0).to_bits(), 0.0_f64.to_bits());
        assert_eq!(numbers.value(2).to_bits(), f64::NAN.to_bits());
        assert!(numbers.is_null(1) && numbers.value(3) == -1.5);
        let plain: ArrayRef = Arc::new(Float64Array::from(vec![0.0, f64::NAN, f64::MIN, f64::MAX, f64::INFINITY]));
        assert!(Arc::ptr_eq(&ordinary_column(&plain), &plain));
    }
}
