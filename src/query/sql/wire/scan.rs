//! A statement for the store, on its way from the worker that planned it.

use serde::{Deserialize, Serialize};

use crate::batch::ReadError;
use crate::query::sql::store_sql::StoreSql;
use crate::store::Value;
use crate::tables;
use crate::time::Micros;

/// A [`StoreSql`] as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct ScanRequest {
    parts: Vec<String>,
    tables: Vec<String>,
    span: (Micros, Micros),
    values: Vec<SentValue>,
}

/// A [`Value`] as it is sent. A float goes as its bits: JSON has neither NaN nor infinity.
#[derive(Debug, Serialize, Deserialize)]
enum SentValue {
    Null,
    Boolean(bool),
    Integer(i64),
    Double(u64),
    Text(String),
    Timestamp(i64),
    TextList(Vec<String>),
}

impl From<&StoreSql> for ScanRequest {
    fn from(sql: &StoreSql) -> Self {
        Self {
            parts: sql.parts.clone(),
            tables: sql.tables.iter().map(|table| table.name.to_owned()).collect(),
            span: sql.span,
            values: sql.values.iter().map(SentValue::from).collect(),
        }
    }
}

impl TryFrom<ScanRequest> for StoreSql {
    type Error = ReadError;

    fn try_from(request: ScanRequest) -> Result<Self, ReadError> {
        let table = |name: &String| {
            tables::find(name).ok_or_else(|| ReadError::Failed(format!("a scan of {name:?}, which is no table")))
        };
        let tables = request.tables.iter().map(table).collect::<Result<_, _>>()?;
        let values = request.values.into_iter().map(Value::from).collect();
        Ok(Self { parts: request.parts, tables, span: request.span, values })
    }
}

impl From<&Value> for SentValue {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Boolean(*value),
            Value::Integer(value) => Self::Integer(*value),
            Value::Double(value) => Self::Double(value.to_bits()),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Timestamp(micros) => Self::Timestamp(*micros),
            Value::TextList(texts) => Self::TextList(texts.clone()),
        }
    }
}

impl From<SentValue> for Value {
    fn from(sent: SentValue) -> Self {
        match sent {
            SentValue::Null => Self::Null,
            SentValue::Boolean(value) => Self::Boolean(value),
            SentValue::Integer(value) => Self::Integer(value),
            SentValue::Double(bits) => Self::Double(f64::from_bits(bits)),
            SentValue::Text(text) => Self::Text(text),
            SentValue::Timestamp(micros) => Self::Timestamp(micros),
            SentValue::TextList(texts) => Self::TextList(texts),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_arrive_to_the_bit() {
        for value in [
            Value::Null,
            Value::Boolean(true),
            Value::Integer(i64::MIN),
            Value::Double(-0.0),
            Value::Double(f64::INFINITY),
            Value::Double(f64::NAN),
            Value::Double(0.1 + 0.2),
            Value::Text("O'Neil\u{0}\n".into()),
            Value::Timestamp(i64::MAX),
            Value::TextList(vec!["a".into(), "b".into()]),
        ] {
            let sent = serde_json::to_string(&SentValue::from(&value)).unwrap();
            let found = Value::from(serde_json::from_str::<SentValue>(&sent).unwrap());
            match (&value, &found) {
                (Value::Double(one), Value::Double(other)) => assert_eq!(one.to_bits(), other.to_bits()),
                _ => assert_eq!(value, found),
            }
        }
    }
}
