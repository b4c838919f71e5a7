//! JSON compared with a template of types.
//!
//! A template is JSON: a word stands for a value's type (`str`, `int`, `float`, `bool`, `ts`, `any`, with `?` when it may
//! be null), an object lists its keys in order (or has the one key `*` for any keys), an array has the template of each
//! of its items. A float is a number that was written with a fraction or an exponent, an integer one without.

use serde_json::Value;

/// Stops the test when `value` is not what `template` says.
#[track_caller]
pub fn check(value: &Value, template: &Value) {
    if let Err(problem) = compare(value, template, "$") {
        panic!("{problem}\nin {value:#}");
    }
}

/// Whether `text` is a naive UTC instant: six digits of fraction, or none when they would all be zero.
pub fn is_naive_timestamp(text: &str) -> bool {
    let pattern = match text.len() {
        19 => "dddd-dd-ddTdd:dd:dd",
        26 if !text.ends_with(".000000") => "dddd-dd-ddTdd:dd:dd.dddddd",
        _ => return false,
    };
    text.chars().zip(pattern.chars()).all(|(is, wanted)| if wanted == 'd' { is.is_ascii_digit() } else { is == wanted })
}

fn compare(value: &Value, template: &Value, at: &str) -> Result<(), String> {
    match template {
        Value::String(word) => word_matches(value, word).then_some(()).ok_or(format!("{at}: {value} is not {word}")),
        Value::Object(fields) => {
            let object = value.as_object().ok_or(format!("{at}: {value} is not an object"))?;
            if let Some(each) = fields.get("*") {
                return object.iter().try_for_each(|(key, value)| compare(value, each, &format!("{at}.{key}")));
            }
            let (keys, wanted): (Vec<_>, Vec<_>) = (object.keys().collect(), fields.keys().collect());
            if keys != wanted {
                return Err(format!("{at}: keys {keys:?}, wanted {wanted:?}"));
            }
            fields.iter().try_for_each(|(key, template)| compare(&object[key], template, &format!("{at}.{key}")))
        }
        Value::Array(each) => {
            let items = value.as_array().ok_or(format!("{at}: {value} is not an array"))?;
            items.iter().enumerate().try_for_each(|(index, item)| compare(item, &each[0], &format!("{at}[{index}]")))
        }
        exact => (value == exact).then_some(()).ok_or(format!("{at}: {value} is not {exact}")),
    }
}

fn word_matches(value: &Value, word: &str) -> bool {
    if let Some(word) = word.strip_suffix('?') {
        return value.is_null() || word_matches(value, word);
    }
    match word {
        "str" => value.is_string(),
        "int" => value.is_i64() || value.is_u64(),
        "float" => value.is_f64(),
        "any" => true,
        "bool" => value.is_boolean(),
        "ts" => value.as_str().is_some_and(is_naive_timestamp),
        other => panic!("no such type in a template: {other}"),
    }
}
