//! Values bound to the parameters of a statement.

use duckdb::types::{TimeUnit, Value as Bound};

/// A value bound to a parameter of a statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A 64-bit integer.
    Integer(i64),
    /// A 64-bit float.
    Double(f64),
    /// Text.
    Text(String),
    /// Microseconds since the epoch, bound as a naive `TIMESTAMP`.
    Timestamp(i64),
    /// A list of text, bound as JSON text: `from_json($1, '["VARCHAR"]')` reads it.
    TextList(Vec<String>),
}

/// The engine's form of a value.
pub fn bind(value: Value) -> Bound {
    match value {
        Value::Null => Bound::Null,
        Value::Boolean(value) => Bound::Boolean(value),
        Value::Integer(value) => Bound::BigInt(value),
        Value::Double(value) => Bound::Double(value),
        Value::Text(text) => Bound::Text(text),
        Value::Timestamp(micros) => Bound::Timestamp(TimeUnit::Microsecond, micros),
        Value::TextList(texts) => Bound::Text(serde_json::Value::from(texts).to_string()),
    }
}
