//! Builds one column from values of text formats.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};

use super::error::shortened;
use super::rows::Value;
use super::{number, timestamp};
use crate::tables::ColumnKind;

/// A column in the making, by its declared type.
pub(crate) enum ColumnBuilder {
    Timestamp(TimestampMicrosecondBuilder),
    Text(StringBuilder),
    Double(Float64Builder),
    BigInt(Int64Builder),
    Integer(Int32Builder),
}

impl ColumnBuilder {
    pub(crate) fn new(kind: ColumnKind, capacity: usize) -> Self {
        match kind {
            ColumnKind::Timestamp => Self::Timestamp(TimestampMicrosecondBuilder::with_capacity(capacity)),
            ColumnKind::Text => Self::Text(StringBuilder::with_capacity(capacity, capacity * 8)),
            ColumnKind::Double => Self::Double(Float64Builder::with_capacity(capacity)),
            ColumnKind::BigInt => Self::BigInt(Int64Builder::with_capacity(capacity)),
            ColumnKind::Integer => Self::Integer(Int32Builder::with_capacity(capacity)),
        }
    }

    pub(crate) fn append_null(&mut self) {
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
            (Self::Double(builder), Value::Number(digits)) => {
                builder.append_value(number::double(digits).map_err(|reason| refused(digits, reason))?);
            }
            (Self::BigInt(builder), Value::Number(digits)) => {
                builder.append_value(number::integer(digits).map_err(|reason| refused(digits, reason))?);
            }
            (Self::Integer(builder), Value::Number(digits)) => {
                builder.append_value(number::integer32(digits).map_err(|reason| refused(digits, reason))?);
            }
            (Self::Timestamp(_), other) => return Err(format!("{} is not a timestamp in text", Shown(other))),
            (Self::Text(_), other) => return Err(format!("{} is not text", Shown(other))),
            (_, other) => return Err(format!("{} is not a number", Shown(other))),
        }
        Ok(())
    }

    pub(crate) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::BigInt(builder) => Arc::new(builder.finish()),
            Self::Integer(builder) => Arc::new(builder.finish()),
        }
    }
}

/// What is said of digits that cannot be stored; what is no number at all is quoted.
fn refused(digits: &str, reason: &'static str) -> String {
    let digits = shortened(digits);
    if reason == number::NOT_A_NUMBER { format!("\"{digits}\" {reason}") } else { format!("{digits} {reason}") }
}

/// A value as an error shows it.
struct Shown<'a>(&'a Value<'a>);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Value::Null => formatter.write_str("null"),
            Value::Boolean(value) => write!(formatter, "{value}"),
            Value::Number(digits) => formatter.write_str(&shortened(digits)),
            Value::Text(text) => write!(formatter, "\"{}\"", shortened(text)),
            Value::Nested => formatter.write_str("an object or array"),
        }
    }
}
