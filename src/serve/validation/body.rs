//! A request's body, and the JSON object in it.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::{Problem, Step};
use crate::budget::Allowance;
use crate::encode::Format;
use crate::ingest::DecodeError;
use crate::serve::bodies::Bodies;
use crate::serve::error::ApiError;
use crate::serve::incoming::Upload;

/// Bodies up to this size are parsed at once, larger ones beside the threads that serve sockets.
const SMALL: usize = 16 << 10;
/// Values that the body of a query may have (what could begin or follow one counts, within texts too), and what one of
/// them takes in memory.
const VALUES: usize = 100_000;
const VALUE_BYTES: u64 = 256;

/// The JSON object of a request, counted as long as it is held.
pub struct Object {
    /// What is in it.
    pub members: Map<String, Value>,
    _held: Option<Allowance>,
}

/// The JSON object that the body is. Without a content type it is taken for JSON.
pub async fn object(bodies: &Bodies, upload: Upload) -> Result<Object, ApiError> {
    let headers = upload.headers.clone();
    let body = match bodies.receive_query(upload).await {
        Err(ApiError::BrokenBody(_)) => return Err(ApiError::UnreadableBody),
        received => received?,
    };
    let values = body.bytes.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if values > VALUES {
        return Err(ApiError::TooManyValues(VALUES));
    }
    if body.bytes.len() <= SMALL {
        return Ok(Object { members: parse_object(&headers, &body.bytes)?, _held: None });
    }
    let reading = move |allowance: Allowance| {
        let memory = VALUE_BYTES * values as u64 + 4 * body.bytes.len() as u64;
        allowance.take(memory).map_err(DecodeError::from)?;
        Ok(Object { members: parse_object(&headers, &body.bytes)?, _held: Some(allowance) })
    };
    bodies.read(reading).await?
}

fn parse_object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let refused = |problem| ApiError::Validation(vec![problem]);
    if body.is_empty() {
        return Err(refused(Problem::missing(vec![Step::Name("body")], Value::Null)));
    }
    if !is_json(headers) {
        return Err(refused(Problem::no_object(String::from_utf8_lossy(body).into())));
    }
    let text = std::str::from_utf8(body).map_err(|_| ApiError::UnreadableBody)?;
    match parse(text).map_err(|error| refused(Problem::no_json(offset(text, &error), reason(text, &error))))? {
        Value::Object(members) => Ok(members),
        Value::Null => Err(refused(Problem::missing(vec![Step::Name("body")], Value::Null))),
        other => Err(refused(Problem::no_object(other))),
    }
}

/// Whether the content type is one for JSON, or missing.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(content_type) = headers.get(CONTENT_TYPE) else { return true };
    content_type.to_str().is_ok_and(|text| Format::from_content_type(text) == Some(Format::Json))
}

/// JSON, and the literals for non-finite numbers that some writers add to it; those are read as `null`.
fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| match without_non_finite(text) {
        Some(mended) => serde_json::from_str(&mended),
        None => Err(error),
    })
}

/// The text with `NaN`, `Infinity` and `-Infinity` outside strings as `null`; `None` if there are none.
fn without_non_finite(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len() + 16);
    let mut found = false;
    // Every second piece between quotes is a string, once escaped quotes are left alone.
    let mut inside = false;
    let mut rest = text;
    while let Some(position) = rest.find(['"', '\\', 'N', 'I', '-']) {
        let (before, at) = rest.split_at_checked(position)?;
        mended.push_str(before);
        let literal = ["NaN", "Infinity", "-Infinity"].into_iter().find(|literal| at.starts_with(literal));
        let length = match (literal, at.chars().next()?) {
            (Some(literal), _) if !inside => {
                mended.push_str("null");
                found = true;
                rest = at.strip_prefix(literal)?;
                continue;
            }
            (_, '\\') => 1 + at.chars().nth(1).map_or(0, char::len_utf8),
            (_, '"') => {
                inside = !inside;
                1
            }
            _ => 1,
        };
        let (kept, after) = at.split_at_checked(length)?;
        mended.push_str(kept);
        rest = after;
    }
    mended.push_str(rest);
    found.then_some(mended)
}

/// The character at which the text stops being JSON.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.chars().count();
    }
    let lines: usize =
        text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(|line| line.chars().count()).sum();
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The parser counts bytes, and the byte at which it stopped is included.
    let before = line.char_indices().take_while(|(at, _)| *at + 1 < error.column()).count();
    lines + before
}

fn reason(text: &str, error: &serde_json::Error) -> &'static str {
    const NAME_EXPECTED: &str = "Expecting property name enclosed in double quotes";
    let (first, last) = (text.trim_start(), text.trim_end());
    if error.is_eof() && first.starts_with('{') && last.ends_with(['{', ',']) {
        return NAME_EXPECTED;
    }
    let reasons = [
        ("trailing characters", "Extra data"),
        ("key must be a string", NAME_EXPECTED),
        ("EOF while parsing an object", "Expecting ',' delimiter"),
        ("trailing comma", "Expecting value"),
        ("expected `:`", "Expecting ':' delimiter"),
        ("expected `,`", "Expecting ',' delimiter"),
        ("EOF while parsing a string", "Unterminated string"),
        ("control character", "Invalid control character"),
        ("invalid escape", "Invalid \\escape"),
        ("recursion limit", "Nested too deeply"),
    ];
    let text = error.to_string();
    reasons.into_iter().find(|(prefix, _)| text.starts_with(prefix)).map_or("Expecting value", |(_, reason)| reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(text: &str) -> Result<Map<String, Value>, Value> {
        parse_object(&HeaderMap::new(), text.as_bytes()).map_err(|error| match error {
            ApiError::Validation(problems) => json!(problems),
            other => json!(other.to_string()),
        })
    }

    #[test]
    fn says_where_a_text_stops_being_json() {
        for (text, offset, reason) in [
            (r#"{"time_range": "1h","#, 20, "Expecting property name enclosed in double quotes"),
            (r#"{"metric_types":["execution"]} x"#, 31, "Extra data"),
            ("{'a':1}", 1, "Expecting property name enclosed in double quotes"),
            ("  ", 2, "Expecting value"),
            ("{\n\"é\":\n\"éé\" 1}", 12, "Expecting ',' delimiter"),
        ] {
            let expected = json!([{
                "type": "json_invalid", "loc": ["body", offset], "msg": "JSON decode error", "input": {},
                "ctx": { "error": reason },
            }]);
            assert_eq!(body(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_last_of_a_repeated_member_wins() {
        assert_eq!(body(r#"{"interval":"1m","interval":"1h"}"#).unwrap()["interval"], "1h");
    }

    #[test]
    fn non_finite_numbers_are_read_as_null() {
        let members = body(r#"{"a":NaN,"b":-Infinity,"c":"NaN \" Infinity","d":-1}"#).unwrap();
        assert_eq!(Value::Object(members), json!({ "a": null, "b": null, "c": "NaN \" Infinity", "d": -1 }));
    }

    #[test]
    fn what_is_no_object_is_told_so() {
        let missing = json!([{ "type": "missing", "loc": ["body"], "msg": "Field required", "input": null }]);
        assert_eq!(body(""), Err(missing.clone()));
        assert_eq!(body("null"), Err(missing));
        for (text, input) in [("[]", json!([])), ("\"abc\"", json!("abc"))] {
            let problems = body(text).unwrap_err();
            assert_eq!(problems[0]["type"], "model_attributes_type");
            assert_eq!(problems[0]["input"], input);
        }
    }

    #[test]
    fn only_json_media_types_are_read_as_json() {
        for (content_type, json) in [
            ("application/json", true),
            ("APPLICATION/JSON", true),
            ("application/json; charset=utf-8", true),
            ("application/vnd.api+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
            assert_eq!(parse_object(&headers, b"{}").is_ok(), json, "{content_type}");
        }
    }
}
