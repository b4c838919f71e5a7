//! A checksum of rows that depends neither on their order nor on how they are cut into batches.

use std::fmt;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use twox_hash::XxHash64;

/// How many rows there are, and the sum of their hashes modulo 2⁶⁴. Shown as 16 hexadecimal digits.
///
/// The hash of a row is XXH64 with seed 0 over its cells in the order of the columns. A cell is one byte 0 when it is
/// NULL, else one byte 1 and then its value: integers, instants and floats as the 8 bytes of an `i64` or of an `f64`,
/// little end first; text as its length in the same form, then its UTF-8 bytes. Names of columns do not count. Files
/// keep these sums, so the definition must stay as it is.
///
/// The sum finds rows that were lost, doubled or changed by accident. It is no defence against somebody who changes
/// them on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checksum {
    rows: u64,
    sum: u64,
}

impl Checksum {
    /// Takes the rows of a batch in. Fails for columns of other types than those that tables are declared with.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = batch.columns().iter().map(|column| Cells::of(column.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let mut bytes = Vec::new();
        for row in 0..batch.num_rows() {
            bytes.clear();
            columns.iter().for_each(|cells| cells.write(row, &mut bytes));
            self.sum = self.sum.wrapping_add(XxHash64::oneshot(0, &bytes));
            self.rows += 1;
        }
        Ok(())
    }

    /// Takes in the rows that another checksum is of.
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The checksum of so many rows, by its digits.
    pub fn parse(rows: u64, digits: &str) -> Option<Self> {
        let sum = u64::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 16)?;
        Some(Self { rows, sum })
    }

    /// Rows taken in so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.sum)
    }
}

/// A column, by what its cells are.
enum Cells<'a> {
    Instants(&'a arrow::array::TimestampMicrosecondArray),
    Text(&'a arrow::array::StringArray),
    Doubles(&'a arrow::array::Float64Array),
    Longs(&'a arrow::array::Int64Array),
    Integers(&'a arrow::array::Int32Array),
}

impl<'a> Cells<'a> {
    fn of(column: &'a dyn Array) -> Result<Self, ArrowError> {
        match column.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                Ok(Self::Instants(column.as_primitive::<TimestampMicrosecondType>()))
            }
            DataType::Utf8 => Ok(Self::Text(column.as_string())),
            DataType::Float64 => Ok(Self::Doubles(column.as_primitive::<Float64Type>())),
            DataType::Int64 => Ok(Self::Longs(column.as_primitive::<Int64Type>())),
            DataType::Int32 => Ok(Self::Integers(column.as_primitive::<Int32Type>())),
            other => Err(ArrowError::SchemaError(format!("a column of type {other} has no checksum"))),
        }
    }

    fn write(&self, row: usize, bytes: &mut Vec<u8>) {
        let column: &dyn Array = match self {
            Self::Instants(column) => column,
            Self::Text(column) => column,
            Self::Doubles(column) => column,
            Self::Longs(column) => column,
            Self::Integers(column) => column,
        };
        if column.is_null(row) {
            return bytes.push(0);
        }
        bytes.push(1);
        match self {
            Self::Instants(column) => bytes.extend_from_slice(&column.value(row).to_le_bytes()),
            Self::Text(column) => {
                let text = column.value(row).as_bytes();
                bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
                bytes.extend_from_slice(text);
            }
            Self::Doubles(column) => bytes.extend_from_slice(&column.value(row).to_le_bytes()),
            Self::Longs(column) => bytes.extend_from_slice(&column.value(row).to_le_bytes()),
            Self::Integers(column) => bytes.extend_from_slice(&i64::from(column.value(row)).to_le_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::MarketDataRow;

    fn row(number: i64) -> MarketDataRow {
        MarketDataRow {
            timestamp: number,
            symbol: format!("S{}", number % 3),
            last_price: (number % 5 != 0).then_some(number as f64 / 7.0),
            bid: None,
            ask: Some(-0.0),
            volume: Some(number),
            trades: Some(i32::try_from(number).unwrap()),
            spread_bps: None,
        }
    }

    fn batch(numbers: impl IntoIterator<Item = i64>) -> RecordBatch {
        MarketDataRow::batch(&numbers.into_iter().map(row).collect::<Vec<_>>()).unwrap()
    }

    fn checksum(batches: &[RecordBatch]) -> Checksum {
        let mut checksum = Checksum::default();
        batches.iter().for_each(|batch| checksum.add(batch).unwrap());
        checksum
    }

    #[test]
    fn order_and_batches_do_not_count() {
        let whole = batch(0..1_000);
        let reversed = batch((0..1_000).rev());
        let parts = [reversed.slice(0, 1), reversed.slice(1, 700), reversed.slice(701, 299)];
        assert_eq!(checksum(&[whole]), checksum(&parts));
        let mut merged = checksum(&parts[..2]);
        merged.merge(&checksum(&parts[2..]));
        assert_eq!(merged, checksum(&parts));
    }

    #[test]
    fn a_row_more_or_less_or_changed_is_seen() {
        let whole = checksum(&[batch(0..1_000)]);
        assert_ne!(whole.to_string(), checksum(&[batch(0..999)]).to_string());
        assert_ne!(whole.to_string(), checksum(&[batch(0..1_000), batch([7])]).to_string());
        let mut rows: Vec<_> = (0..1_000).map(row).collect();
        rows[500].ask = Some(0.0);
        assert_ne!(whole, checksum(&[MarketDataRow::batch(&rows).unwrap()]));
    }

    #[test]
    fn a_value_does_not_slip_into_the_next_column() {
        let mut shifted = row(3);
        (shifted.bid, shifted.last_price) = (shifted.last_price, None);
        assert_ne!(checksum(&[batch([3])]), checksum(&[MarketDataRow::batch(&[shifted]).unwrap()]));
    }

    #[test]
    fn what_files_keep_stays_valid() {
        assert_eq!(checksum(&[batch(0..1_000)]).to_string(), "d5ec21f28d8f7116");
        assert_eq!(checksum(&[]).to_string(), "0000000000000000");
        let whole = checksum(&[batch(0..1_000)]);
        assert_eq!(Checksum::parse(1_000, &whole.to_string()), Some(whole));
        assert_eq!(Checksum::parse(1, "d5ec"), None);
    }
}
