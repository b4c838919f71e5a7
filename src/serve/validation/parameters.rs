//! The parameters of the query string.

use std::collections::HashMap;
use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::{Moment, Problem, Step, TIME_RANGES, integer};
use crate::query::TimeRange;
use crate::serve::error::ApiError;

/// Reads parameters one by one, in the order in which problems are to be listed; unknown ones are not looked at.
/// Of a repeated parameter the last wins.
#[derive(Default)]
pub struct Parameters {
    values: HashMap<String, String>,
    problems: Vec<Problem>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Any text is a query string of names and values, so that this does not fail.
        let values = Query::try_from_uri(&parts.uri).map(|Query(values)| values).unwrap_or_default();
        Ok(Self { values, problems: Vec::new() })
    }
}

impl Parameters {
    /// A text; an empty one counts as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A text as it came, or `default`.
    pub fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.values.get(name).map_or(default, String::as_str)
    }

    /// An instant.
    pub fn moment(&mut self, name: &'static str) -> Option<Moment> {
        let text = self.values.get(name)?;
        match Moment::parse(text) {
            Ok(moment) => Some(moment),
            Err(reason) => {
                self.problems.push(Problem::no_moment(path(name), reason, text.as_str().into()));
                None
            }
        }
    }

    /// A whole number, or `default`.
    pub fn integer(&mut self, name: &'static str, default: i64) -> i64 {
        self.integer_within(name, default, i64::MIN, i64::MAX)
    }

    /// A whole number between two bounds, or `default`.
    pub fn integer_within(&mut self, name: &'static str, default: i64, least: i64, most: i64) -> i64 {
        let Some(text) = self.values.get(name) else { return default };
        let input = || text.as_str().into();
        let problem = match integer::parse(text) {
            None => Problem::no_integer(path(name), input()),
            Some(number) if number < least => Problem::below(path(name), least, input()),
            Some(number) if number > most => Problem::above(path(name), most, input()),
            Some(number) => return number,
        };
        self.problems.push(problem);
        default
    }

    /// `true` or `false`, and nothing else: what is nearly one of them may be about rows that would be lost. `false` when
    /// it is absent.
    pub fn boolean(&mut self, name: &'static str) -> bool {
        match self.values.get(name).map(String::as_str) {
            Some("true") => true,
            Some("false") | None => false,
            Some(other) => {
                self.problems.push(Problem::no_boolean(path(name), other.into()));
                false
            }
        }
    }

    /// Refuses every parameter but these, for requests that change something: a misspelled one must not do so.
    pub fn only(&mut self, names: &[&'static str]) {
        let mut others: Vec<_> = self.values.iter().filter(|(name, _)| !names.contains(&name.as_str())).collect();
        others.sort_unstable();
        let unexpected = |(name, value): (&String, &String)| {
            Problem::unexpected(vec![Step::Name("query"), Step::Given(name.clone())], value.as_str().into())
        };
        self.problems.extend(others.into_iter().map(unexpected));
    }

    /// A documented span.
    pub fn time_range(&mut self, name: &'static str) -> Option<TimeRange> {
        self.range(name, |input| Problem::no_choice(path(name), TIME_RANGES, input))
    }

    /// A documented span; what is none is told the pattern.
    pub fn time_range_by_pattern(&mut self, name: &'static str) -> Option<TimeRange> {
        self.range(name, |input| Problem::no_match(path(name), "^(1h|24h|7d|30d)$", input))
    }

    /// Everything that was wrong with what was read, if anything was.
    pub fn finish(&mut self) -> Result<(), ApiError> {
        let problems = std::mem::take(&mut self.problems);
        if problems.is_empty() { Ok(()) } else { Err(ApiError::Validation(problems)) }
    }

    fn range(&mut self, name: &'static str, problem: impl FnOnce(serde_json::Value) -> Problem) -> Option<TimeRange> {
        let text = self.values.get(name)?;
        let range = TimeRange::parse(text);
        if range.is_none() {
            self.problems.push(problem(text.as_str().into()));
        }
        range
    }
}

fn path(name: &'static str) -> Vec<Step> {
    vec![Step::Name("query"), Step::Name(name)]
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::*;

    async fn parameters(query: &str) -> Parameters {
        let (mut parts, ()) = Request::get(format!("/?{query}")).body(()).unwrap().into_parts();
        Parameters::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn the_last_of_a_repeated_parameter_wins() {
        assert_eq!(parameters("limit=1&limit=2").await.integer("limit", 100), 2);
    }

    #[tokio::test]
    async fn bounds_are_told_in_the_order_of_the_fields() {
        let mut parameters = parameters("offset=-1&limit=5000").await;
        parameters.integer_within("limit", 100, 1, 1_000);
        parameters.integer_within("offset", 0, 0, i64::MAX);
        assert_eq!(
            json!(parameters.problems),
            json!([
                { "type": "less_than_equal", "loc": ["query", "limit"], "input": "5000",
                  "msg": "Input should be less than or equal to 1000", "ctx": { "le": 1000 } },
                { "type": "greater_than_equal", "loc": ["query", "offset"], "input": "-1",
                  "msg": "Input should be greater than or equal to 0", "ctx": { "ge": 0 } },
            ])
        );
    }

    #[tokio::test]
    async fn an_unescaped_plus_is_a_blank_and_no_offset() {
        let mut parameters =
            parameters("start_time=2025-10-21T22:00:00+02:00&end_time=2025-10-21T22:00:00%2B02:00").await;
        assert_eq!(parameters.moment("start_time"), None);
        assert_eq!(parameters.problems[0].input, "2025-10-21T22:00:00 02:00");
        assert!(parameters.moment("end_time").is_some());
    }

    #[tokio::test]
    async fn a_boolean_is_one_of_two_words() {
        let of = async |query: &str| {
            let mut parameters = parameters(query).await;
            (parameters.boolean("dry_run"), parameters.problems.len())
        };
        assert_eq!(of("").await, (false, 0));
        assert_eq!(of("dry_run=true").await, (true, 0));
        assert_eq!(of("dry_run=false").await, (false, 0));
        for text in ["1", "0", "True", "TRUE", "yes", "on", "", "%20true", "null"] {
            assert_eq!(of(&format!("dry_run={text}")).await.1, 1, "{text:?}");
        }
        assert_eq!(of("dry_run").await.1, 1, "a name without a value");
    }

    #[tokio::test]
    async fn a_parameter_that_nobody_reads_is_refused_where_it_is_asked_for() {
        let mut parameters = parameters("dryrun=true&dry_run=true").await;
        parameters.only(&["dry_run"]);
        assert_eq!(
            json!(parameters.problems),
            json!([{ "type": "extra_forbidden", "loc": ["query", "dryrun"], "input": "true",
                     "msg": "Extra inputs are not permitted" }])
        );
    }

    #[tokio::test]
    async fn an_empty_text_is_no_filter_but_no_number_either() {
        let mut parameters = parameters("symbol=&limit=&time_range=").await;
        assert_eq!(parameters.text("symbol"), None);
        parameters.integer("limit", 100);
        parameters.time_range_by_pattern("time_range");
        let kinds: Vec<_> = parameters.problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, ["int_parsing", "string_pattern_mismatch"]);
    }
}
