//! The members of a JSON body.

use serde_json::{Map, Value};

use super::{INTERVALS, Moment, Problem, Step, TIME_RANGES};
use crate::query::{Interval, TimeRange};
use crate::serve::error::ApiError;

/// Problems that are told of one body: each is larger than what is wrong.
const MOST_PROBLEMS: usize = 100;

/// Reads members one by one, in the order in which problems are to be listed; unknown ones are not looked at.
pub struct Members<'a> {
    members: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

impl<'a> Members<'a> {
    /// The members of `object`.
    pub fn of(object: &'a Map<String, Value>) -> Self {
        Self { members: object, problems: Vec::new() }
    }

    /// A documented span, or null.
    pub fn time_range(&mut self, name: &'static str) -> Option<TimeRange> {
        let value = self.not_null(name)?;
        let range = value.as_str().and_then(TimeRange::parse);
        self.or_problem(range, || Problem::no_choice(path(name), TIME_RANGES, value.clone()))
    }

    /// A documented bucket; null is none.
    pub fn interval(&mut self, name: &'static str) -> Option<Interval> {
        let value = self.members.get(name)?;
        let interval = value.as_str().and_then(Interval::parse);
        self.or_problem(interval, || Problem::no_choice(path(name), INTERVALS, value.clone()))
    }

    /// An instant as text or number, or null.
    pub fn moment(&mut self, name: &'static str) -> Option<Moment> {
        let value = self.not_null(name)?;
        let moment = match value {
            Value::String(text) => Moment::parse(text),
            Value::Number(number) => Moment::from_unix(number.as_f64().unwrap_or(f64::NAN)),
            _ => return self.or_problem(None, || Problem::no_moment_type(path(name), value.clone())),
        };
        let problem = |reason| Problem::no_moment(path(name), reason, value.clone());
        moment.map_err(|reason| self.problems.push(problem(reason))).ok()
    }

    /// A list of texts, or null.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let value = self.not_null(name)?;
        let elements = self.or_problem(value.as_array(), || Problem::no_list(path(name), value.clone()))?;
        let mut texts = Vec::with_capacity(elements.len());
        for (index, element) in elements.iter().enumerate() {
            if self.problems.len() >= MOST_PROBLEMS {
                break;
            }
            let place = || vec![Step::Name("body"), Step::Name(name), Step::Index(index)];
            texts.extend(self.or_problem(element.as_str(), || Problem::no_text(place(), element.clone())));
        }
        Some(texts.into_iter().map(str::to_owned).collect())
    }

    /// A text, or null.
    pub fn text(&mut self, name: &'static str) -> Option<&'a str> {
        let value = self.not_null(name)?;
        self.or_problem(value.as_str(), || Problem::no_text(path(name), value.clone()))
    }

    /// A text that must be there.
    pub fn required_text(&mut self, name: &'static str) -> Option<&'a str> {
        let Some(value) = self.members.get(name) else {
            self.problems.push(Problem::missing(path(name), Value::Object(self.members.clone())));
            return None;
        };
        self.or_problem(value.as_str(), || Problem::no_text(path(name), value.clone()))
    }

    /// Values by position, as a list, or by name, as an object; or null.
    pub fn list_or_object(&mut self, name: &'static str) -> Option<&'a Value> {
        let value = self.not_null(name)?;
        let fitting = Some(value).filter(|value| value.is_array() || value.is_object());
        self.or_problem(fitting, || Problem::no_list(path(name), value.clone()))
    }

    /// Everything that was wrong with what was read, if anything was.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.problems.is_empty() { Ok(()) } else { Err(ApiError::Validation(self.problems)) }
    }

    fn not_null(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn or_problem<T>(&mut self, value: Option<T>, problem: impl FnOnce() -> Problem) -> Option<T> {
        if value.is_none() {
            self.problems.push(problem());
        }
        value
    }
}

fn path(name: &'static str) -> Vec<Step> {
    vec![Step::Name("body"), Step::Name(name)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is wrong with a history body: kind and place of each problem.
    fn problems(body: &Value) -> Vec<(&'static str, Value)> {
        let mut members = Members::of(body.as_object().unwrap());
        members.time_range("time_range");
        members.moment("start_time");
        members.moment("end_time");
        members.texts("metric_types");
        members.texts("symbols");
        members.interval("interval");
        members.problems.iter().map(|problem| (problem.kind, json!(problem.loc))).collect()
    }

    #[test]
    fn problems_are_listed_in_the_order_of_the_fields() {
        assert_eq!(
            problems(&json!({ "interval": "y", "time_range": "x" })),
            [("enum", json!(["body", "time_range"])), ("enum", json!(["body", "interval"]))]
        );
        assert_eq!(
            problems(&json!({ "symbols": [1, 2] })),
            [("string_type", json!(["body", "symbols", 0])), ("string_type", json!(["body", "symbols", 1]))]
        );
    }

    #[test]
    fn null_means_absent_except_for_the_interval() {
        let nulls = json!({
            "time_range": null, "start_time": null, "end_time": null, "metric_types": null, "symbols": null,
        });
        assert_eq!(problems(&nulls), []);
        assert_eq!(problems(&json!({ "interval": null })), [("enum", json!(["body", "interval"]))]);
    }

    #[test]
    fn each_value_is_told_what_it_should_be() {
        for (body, kind) in [
            (json!({ "time_range": "" }), "enum"),
            (json!({ "time_range": 1 }), "enum"),
            (json!({ "time_range": "1H" }), "enum"),
            (json!({ "interval": 5 }), "enum"),
            (json!({ "start_time": true }), "datetime_type"),
            (json!({ "start_time": [] }), "datetime_type"),
            (json!({ "start_time": "yesterday" }), "datetime_from_date_parsing"),
            (json!({ "metric_types": "strategy" }), "list_type"),
            (json!({ "metric_types": [null] }), "string_type"),
            (json!({ "symbols": {} }), "list_type"),
        ] {
            let problems = problems(&body);
            assert_eq!(problems.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [kind], "{body}");
        }
    }

    #[test]
    fn a_problem_reads_as_clients_know_it() {
        let body = json!({ "interval": "2m" });
        let mut members = Members::of(body.as_object().unwrap());
        members.interval("interval");
        assert_eq!(
            serde_json::to_string(&members.problems).unwrap(),
            r#"[{"type":"enum","loc":["body","interval"],"msg":"Input should be '1m', '5m', '15m', '1h' or '1d'","#
                .to_owned()
                + r#""input":"2m","ctx":{"expected":"'1m', '5m', '15m', '1h' or '1d'"}}]"#
        );
    }

    #[test]
    fn both_spellings_and_numbers_are_understood() {
        let body = json!({ "time_range": "HOUR_1", "interval": "MINUTE_15", "start_time": 1_761_084_000.25 });
        let mut members = Members::of(body.as_object().unwrap());
        assert_eq!(members.time_range("time_range"), Some(TimeRange::Hour1));
        assert_eq!(members.interval("interval"), Some(Interval::Minute15));
        assert_eq!(members.moment("start_time").unwrap().to_string(), "2025-10-21T22:00:00.250000Z");
        assert!(members.finish().is_ok());
    }
}
