//! One item of a 422 answer.

use serde::Serialize;
use serde_json::{Value, json};

/// What is wrong, where, and with which input; fields in the order of the wire.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// The kind of problem, for programs.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The way to the offending value.
    pub loc: Vec<Step>,
    /// The problem in words.
    pub msg: String,
    /// The offending value as received.
    pub input: Value,
    /// The bound or the reason, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctx: Option<Value>,
}

/// One step of the way to a value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Step {
    /// `query` or `body`, then a name.
    Name(&'static str),
    /// A name that the client chose.
    Given(String),
    /// A position in a list, or in a text.
    Index(usize),
}

impl Problem {
    fn new(kind: &'static str, loc: Vec<Step>, msg: impl Into<String>, input: Value) -> Self {
        Self { kind, loc, msg: msg.into(), input, ctx: None }
    }

    fn with(mut self, context: Value) -> Self {
        self.ctx = Some(context);
        self
    }

    /// Something required is not there; `input` is what was looked at.
    pub fn missing(loc: Vec<Step>, input: Value) -> Self {
        Self::new("missing", loc, "Field required", input)
    }

    /// The body is no object.
    pub fn no_object(input: Value) -> Self {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        Self::new("model_attributes_type", vec![Step::Name("body")], msg, input)
    }

    /// The body is no JSON, from the character at `offset` on.
    pub fn no_json(offset: usize, reason: &str) -> Self {
        Self::new("json_invalid", vec![Step::Name("body"), Step::Index(offset)], "JSON decode error", json!({}))
            .with(json!({ "error": reason }))
    }

    /// None of the words that are allowed.
    pub fn no_choice(loc: Vec<Step>, expected: &str, input: Value) -> Self {
        Self::new("enum", loc, format!("Input should be {expected}"), input).with(json!({ "expected": expected }))
    }

    /// A text that does not match.
    pub fn no_match(loc: Vec<Step>, pattern: &str, input: Value) -> Self {
        Self::new("string_pattern_mismatch", loc, format!("String should match pattern '{pattern}'"), input)
            .with(json!({ "pattern": pattern }))
    }

    /// No list.
    pub fn no_list(loc: Vec<Step>, input: Value) -> Self {
        Self::new("list_type", loc, "Input should be a valid list", input)
    }

    /// A list of more than it may have.
    pub fn too_many(loc: Vec<Step>, bound: usize, found: usize) -> Self {
        let msg = format!("List should have at most {bound} different items, not {found}");
        Self::new("too_long", loc, msg, Value::Null).with(json!({ "max_length": bound, "actual_length": found }))
    }

    /// No text.
    pub fn no_text(loc: Vec<Step>, input: Value) -> Self {
        Self::new("string_type", loc, "Input should be a valid string", input)
    }

    /// A text that is no instant.
    pub fn no_moment(loc: Vec<Step>, reason: &str, input: Value) -> Self {
        let msg = format!("Input should be a valid datetime or date, {reason}");
        Self::new("datetime_from_date_parsing", loc, msg, input).with(json!({ "error": reason }))
    }

    /// A value that cannot be an instant.
    pub fn no_moment_type(loc: Vec<Step>, input: Value) -> Self {
        Self::new("datetime_type", loc, "Input should be a valid datetime", input)
    }

    /// A text that is no whole number.
    pub fn no_integer(loc: Vec<Step>, input: Value) -> Self {
        let msg = "Input should be a valid integer, unable to parse string as an integer";
        Self::new("int_parsing", loc, msg, input)
    }

    /// A text that is neither `true` nor `false`.
    pub fn no_boolean(loc: Vec<Step>, input: Value) -> Self {
        let msg = "Input should be a valid boolean, 'true' or 'false'";
        Self::new("bool_parsing", loc, msg, input)
    }

    /// A name that nothing has here.
    pub fn unexpected(loc: Vec<Step>, input: Value) -> Self {
        Self::new("extra_forbidden", loc, "Extra inputs are not permitted", input)
    }

    /// A number below its bound.
    pub fn below(loc: Vec<Step>, bound: i64, input: Value) -> Self {
        Self::new("greater_than_equal", loc, format!("Input should be greater than or equal to {bound}"), input)
            .with(json!({ "ge": bound }))
    }

    /// A number above its bound.
    pub fn above(loc: Vec<Step>, bound: i64, input: Value) -> Self {
        Self::new("less_than_equal", loc, format!("Input should be less than or equal to {bound}"), input)
            .with(json!({ "le": bound }))
    }
}
