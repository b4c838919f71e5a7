//! Builds one column from values of text formats.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};

use super::rows::Value;
use super::timestamp;
use crate::tables::ColumnKind;

/// A column in the making, by its declared type.
pub(super) enum ColumnBuilder {
    Timestamp(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    Double(Float64Builder),
    BigInt(Int64Builder),
    Integer(Int32Builder),
}

impl ColumnBuilder {
    pub(super) fn new(kind: ColumnKind, capacity: usize) -> Self {
        match kind {
            ColumnKind::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(capacity)),
            ColumnKind::Text => Self::Text(StringBuilder::with_capacity(capacity, capacity * 8)),
            ColumnKind::Double => Self::Double(Float64Builder::with_capacity(capacity)),
            ColumnKind::BigInt => Self::BigInt(Int64Builder::with_capacity(capacity)),
            ColumnKind::Integer => Self::Integer(Int32Builder::with_capacity(capacity)),
        }
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Timestamp(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::Double(builder) => builder.append_null(),
            Self::BigInt(builder) => builder.append_null(),
            Self::Integer(builder) => builder.append_null(),
        }
    }

    /// Appends a value that is not null, or says what is wrong with it.
    pub(super) fn append(&mut self, value: &Value<'_>) -> Result<(), String> {
        match (self, value) {
            (Self::Timestamp(builder), Value::Text(text)) => {
                builder.append_value(timestamp::parse(text).map_err(|reason| format!("{} {reason}", Shown(value)))?);
            }
            (Self::Text(builder), Value::Text(text)) => builder.append_value(text),
            (Self::Double(builder), Value::Number(digits)) => builder.append_value(double(digits)?),
            (Self::BigInt(builder), Value::Number(digits)) => builder.append_value(integer(digits)?),
            (Self::Integer(builder), Value::Number(digits)) => {
                let value = i32::try_from(integer(digits)?);
                builder.append_value(value.map_err(|_| format!("{digits} does not fit 32 bits"))?);
            }
            (Self::Timestamp(_), other) => return Err(format!("{} is not a timestamp in text", Shown(other))),
            (Self::Text(_), other) => return Err(format!("{} is not text", Shown(other))),
            (_, other) => return Err(format!("{} is not a number", Shown(other))),
        }
        Ok(())
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::BigInt(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
        }
    }
}

/// The nearest float. A fraction is rounded as everywhere; an integer must come through whole.
fn double(digits: &str) -> Result<f64, String> {
    let value: f64 = digits.parse().map_err(|_| format!("\"{digits}\" is not a number"))?;
    if value.is_infinite() && digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(format!("{digits} does not fit a 64-bit float"));
    }
    // 15 digits always fit.
    if digits.len() > 15 && digits.parse::<i128>().is_ok_and(|integer| value as i128 != integer) {
        return Err(format!("{digits} would lose digits as a 64-bit float"));
    }
    Ok(value)
}

/// An integer, which may be spelled with a fraction of zero or an exponent.
fn integer(digits: &str) -> Result<i64, String> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Ok(value) = digits.parse() {
        return Ok(value);
    }
    if digits.parse::<i128>().is_ok() {
        return Err(format!("{digits} does not fit 64 bits"));
    }
    let value: f64 = digits.parse().map_err(|_| format!("\"{digits}\" is not a number"))?;
    if value.fract() == 0.0 && value.abs() < EXACT {
        Ok(value as i64)
    } else {
        Err(format!("{digits} is not a whole number that fits 64 bits"))
    }
}

/// How much of a text an error shows.
const SHOWN_CHARACTERS: usize = 60;

/// A value as an error shows it.
struct Shown<'a>(&'a Value<'a>);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Value::Null => formatter.write_str("null"),
            Value::Boolean(value) => write!(formatter, "{value}"),
            Value::Number(digits) => formatter.write_str(digits),
            Value::Text(text) => match text.char_indices().nth(SHOWN_CHARACTERS) {
                Some((end, _)) => write!(formatter, "\"{}…\"", text.get(..end).unwrap_or_default()),
                None => write!(formatter, "\"{text}\""),
            },
            Value::Nested => formatter.write_str("an object or array"),
        }
    }
}
