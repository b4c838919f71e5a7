//! Values bound to the placeholders of a query.

use std::collections::{BTreeSet, HashMap};

use datafusion::common::ParamValues;
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;
use serde_json::{Map, Value};

use super::errors;
use crate::batch::ReadError;

/// Most text that all the values may hold, in bytes.
const TEXT_BYTES: usize = 64 << 10;

/// Values of a query's placeholders.
///
/// A number is an integer when it is written as one; text stands for a timestamp where it is compared with one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Parameters {
    /// `$1` first.
    Positional(Vec<Value>),
    /// By name, without the `$`.
    Named(Map<String, Value>),
}

impl Parameters {
    /// Refuses values that are too large to be passed on: all of them together are bounded as the text of a query is.
    pub fn check(json: &Value) -> Result<(), ReadError> {
        if text_bytes(json) > TEXT_BYTES {
            return Err(ReadError::Invalid(format!("params hold more than {TEXT_BYTES} bytes of text")));
        }
        Ok(())
    }

    /// A JSON list is for `$1`, `$2`, …, an object for `$name`; null is no parameters at all.
    pub fn read(json: Value) -> Result<Self, ReadError> {
        match json {
            Value::Null => Ok(Self::Positional(Vec::new())),
            Value::Array(values) => Ok(Self::Positional(values)),
            Value::Object(values) => Ok(Self::Named(values)),
            _ => Err(ReadError::Invalid("params must be a list for $1, $2, … or an object for $name".to_owned())),
        }
    }

    /// The plan with every placeholder replaced by its value; [`ReadError::Invalid`] when the two do not fit together.
    pub fn bind(&self, plan: LogicalPlan) -> Result<LogicalPlan, ReadError> {
        let used: BTreeSet<String> =
            plan.get_parameter_names().map_err(|error| errors::read_error(&error))?.into_iter().collect();
        let given: BTreeSet<String> = match self {
            Self::Positional(values) => (1..=values.len()).map(|position| format!("${position}")).collect(),
            Self::Named(values) => values.keys().map(|name| format!("${name}")).collect(),
        };
        if let Some(missing) = used.difference(&given).next() {
            return Err(ReadError::Invalid(format!(
                "the query uses {missing}, but no value is given for it in params"
            )));
        }
        if let Some(unused) = given.difference(&used).next() {
            return Err(ReadError::Invalid(format!("params has a value for {unused}, which the query does not use")));
        }
        if used.is_empty() {
            return Ok(plan);
        }
        plan.with_param_values(self.values()?).map_err(|error| errors::read_error(&error))
    }

    fn values(&self) -> Result<ParamValues, ReadError> {
        match self {
            Self::Positional(values) => {
                let named = (1..).zip(values).map(|(position, value)| scalar(&position.to_string(), value));
                Ok(named.collect::<Result<Vec<_>, _>>()?.into())
            }
            Self::Named(values) => {
                let named = values.iter().map(|(name, value)| Ok((name.clone(), scalar(name, value)?)));
                Ok(named.collect::<Result<HashMap<_, _>, ReadError>>()?.into())
            }
        }
    }
}

fn scalar(name: &str, value: &Value) -> Result<ScalarValue, ReadError> {
    let unsupported =
        |what| ReadError::Invalid(format!("${name} is {what}: give a string, a number, true, false or null"));
    match value {
        Value::Null => Ok(ScalarValue::Null),
        Value::Bool(truth) => Ok(ScalarValue::from(*truth)),
        Value::String(text) => Ok(ScalarValue::from(text.as_str())),
        Value::Number(number) => number
            .as_i64()
            .map(ScalarValue::from)
            .or_else(|| number.as_u64().map(ScalarValue::from))
            .or_else(|| number.as_f64().map(ScalarValue::from))
            .ok_or_else(|| unsupported("a number out of range")),
        Value::Array(_) => Err(unsupported("a list")),
        Value::Object(_) => Err(unsupported("an object")),
    }
}

/// The bytes that a value takes as text, about; one that is no text counts as a short one.
fn text_bytes(json: &Value) -> usize {
    match json {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(text_bytes).sum(),
        Value::Object(values) => values.iter().map(|(name, value)| name.len() + text_bytes(value)).sum(),
        _ => 8,
    }
}
