//! Values without parts.

use arrow::array::{
    Array, ArrayAccessor, ArrowPrimitiveType, BooleanArray, Float16Array, Float64Array, PrimitiveArray,
};
use arrow::datatypes::{ArrowTimestampType, DecimalType, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::Cell;
use crate::encode::json::text::{write_float, write_hex, write_integer, write_integral_float, write_string};
use crate::time::{Micros, SECOND, write_naive};

pub(super) struct Boolean<'a>(pub(super) &'a BooleanArray);

impl Cell for Boolean<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.0.value(row) { b"true" } else { b"false" });
    }
}

pub(super) struct Integers<'a, T: ArrowPrimitiveType>(pub(super) &'a PrimitiveArray<T>);

impl<T: ArrowPrimitiveType<Native: itoa::Integer>> Cell for Integers<'_, T> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        write_integer(self.0.value(row), out);
    }
}

pub(super) struct Floats<'a, T: ArrowPrimitiveType>(pub(super) &'a PrimitiveArray<T>);

impl<T: ArrowPrimitiveType<Native: zmij::Float + Into<f64>>> Cell for Floats<'_, T> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        write_float(self.0.value(row), out);
    }
}

pub(super) struct Float16<'a>(pub(super) &'a Float16Array);

impl Cell for Float16<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        write_float(self.0.value(row).to_f32(), out);
    }
}

/// Floats of a column whose integral values are spelled as integers.
pub(super) struct IntegralFloats<'a>(pub(super) &'a Float64Array);

impl Cell for IntegralFloats<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        write_integral_float(self.0.value(row), out);
    }
}

/// Decimals are JSON numbers with all their digits.
pub(super) struct Decimal<'a, T: DecimalType + ArrowPrimitiveType>(pub(super) &'a PrimitiveArray<T>);

impl<T: DecimalType + ArrowPrimitiveType> Cell for Decimal<'_, T> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.value_as_string(row).as_bytes());
    }
}

pub(super) struct Text<A>(pub(super) A);

impl<'a, A: ArrayAccessor<Item = &'a str>> Cell for Text<A> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        write_string(self.0.value(row), out);
    }
}

pub(super) struct Binary<A>(pub(super) A);

impl<'a, A: ArrayAccessor<Item = &'a [u8]>> Cell for Binary<A> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        for byte in self.0.value(row) {
            write_hex(*byte, out);
        }
        out.push(b'"');
    }
}

/// Naive UTC timestamps. Rows of one instant tend to follow each other, so the last text is kept.
pub(super) struct Timestamps<'a, T: ArrowTimestampType> {
    array: &'a PrimitiveArray<T>,
    last: Option<i64>,
    text: Vec<u8>,
}

impl<'a, T: ArrowTimestampType> Timestamps<'a, T> {
    pub(super) fn new(array: &'a PrimitiveArray<T>) -> Self {
        Self { array, last: None, text: Vec::with_capacity(32) }
    }

    /// The text of the timestamp at `row`, or nothing when its year has more digits than any calendar.
    fn text(&mut self, row: usize) -> Option<&[u8]> {
        let value = self.array.value(row);
        if self.last != Some(value) {
            self.text.clear();
            self.last = None;
            write_instant(value, T::UNIT, &mut self.text)?;
            self.last = Some(value);
        }
        Some(&self.text)
    }
}

/// Microseconds or coarser as everywhere; nanoseconds with nine digits where six would lose something.
fn write_instant(value: i64, unit: TimeUnit, out: &mut Vec<u8>) -> Option<()> {
    let micros: Micros = match unit {
        TimeUnit::Second => value.checked_mul(SECOND)?,
        TimeUnit::Millisecond => value.checked_mul(1_000)?,
        TimeUnit::Microsecond => value,
        TimeUnit::Nanosecond => value.div_euclid(1_000),
    };
    let nanos = if unit == TimeUnit::Nanosecond { value.rem_euclid(1_000) } else { 0 };
    if nanos == 0 {
        write_naive(micros, out);
    } else {
        write_naive(micros - micros.rem_euclid(SECOND), out);
        out.extend_from_slice(format!(".{:09}", micros.rem_euclid(SECOND) * 1_000 + nanos).as_bytes());
    }
    Some(())
}

impl<T: ArrowTimestampType> Cell for Timestamps<'_, T> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        write_quoted(self.text(row), b"\"", out);
    }
}

/// Timestamps of a type with a time zone: instants, which are written in UTC and say so.
pub(super) struct ZonedTimestamps<'a, T: ArrowTimestampType>(pub(super) Timestamps<'a, T>);

impl<T: ArrowTimestampType> Cell for ZonedTimestamps<'_, T> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        write_quoted(self.0.text(row), b"Z\"", out);
    }
}

fn write_quoted(text: Option<&[u8]>, end: &[u8], out: &mut Vec<u8>) {
    match text {
        Some(text) => {
            out.push(b'"');
            out.extend_from_slice(text);
            out.extend_from_slice(end);
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// The text that Arrow displays, as a string.
pub(super) struct Display<'a> {
    formatter: ArrayFormatter<'a>,
    text: String,
}

impl<'a> Display<'a> {
    pub(super) fn new(array: &'a dyn Array) -> Result<Self, ArrowError> {
        let options = FormatOptions::new().with_display_error(false);
        Ok(Self { formatter: ArrayFormatter::try_new(array, &options)?, text: String::new() })
    }
}

impl Cell for Display<'_> {
    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        self.text.clear();
        match self.formatter.value(row).write(&mut self.text) {
            Ok(()) => write_string(&self.text, out),
            Err(_) => out.extend_from_slice(b"null"),
        }
    }
}
