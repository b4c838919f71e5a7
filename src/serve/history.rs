//! `/api/metrics/history`: rows of each metric type over a time range.

use std::collections::HashSet;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};

use super::incoming::Upload;
use super::respond::{self, Wanted};
use super::validation::{self, Members, Moment, Problem, Step};
use super::{ApiError, AppState};
use crate::encode::json::Options;
use crate::encode::{self, Format};
use crate::query::{HistoryRequest, Interval, MetricType, Window};
use crate::tables;
use crate::time::{self, Micros, SECOND};

/// The JSON of strategies never had a null; the other formats tell what is not known.
const SPELLING: Options = Options { integral_as_integer: &[], null_as_zero: tables::ALWAYS_NUMBERS };
/// How far back a question reaches that does not say.
const DEFAULT_SPAN: Micros = 3_600 * SECOND;

/// Different symbols that one request may name.
const MOST_SYMBOLS: usize = 10_000;

/// What a client asked for, with its times as it wrote them.
struct Question {
    start: Moment,
    end: Moment,
    request: HistoryRequest,
}

/// The rows: as JSON and NDJSON each type with its own columns, in the other formats as one table.
pub async fn history(
    State(state): State<AppState>,
    Wanted(format): Wanted,
    upload: Upload,
) -> Result<Response, ApiError> {
    let body = validation::object(&state.bodies, upload).await?;
    let question = Question::parse(&body.members, time::now())?;
    let encoded = match format {
        Format::Json => {
            let parts = state.queries.history(&question.request);
            let closing = |rows| format!(r#"],"count":{rows}}}"#).into_bytes();
            encode::json::document_with(SPELLING, question.opening(), parts, closing)
        }
        Format::Ndjson => encode::ndjson_parts(state.queries.history(&question.request)),
        Format::Arrow | Format::Parquet | Format::Csv => {
            encode::encode(format, state.queries.history_table(&question.request).await?)
        }
    };
    respond::bytes(&state.store.responses, format, "history", encoded).await
}

impl Question {
    fn parse(body: &Map<String, Value>, now: Micros) -> Result<Self, ApiError> {
        let mut members = Members::of(body);
        let range = members.time_range("time_range");
        let start = members.moment("start_time");
        let end = members.moment("end_time");
        let metric_types = members.texts("metric_types").unwrap_or_default();
        let mut symbols = members.texts("symbols").unwrap_or_default();
        let interval = members.interval("interval");
        let symbol = members.text("symbol").filter(|symbol| !symbol.is_empty());
        members.finish()?;

        symbols.extend(symbol.map(str::to_owned));
        let mut seen = HashSet::new();
        symbols.retain(|symbol| seen.insert(symbol.clone()));
        if symbols.len() > MOST_SYMBOLS {
            let loc = vec![Step::Name("body"), Step::Name("symbols")];
            return Err(ApiError::Validation(vec![Problem::too_many(loc, MOST_SYMBOLS, symbols.len())]));
        }
        let (start, end) = match range.map(|range| range.until(now)) {
            Some(window) => (Moment::naive(window.start), Moment::naive(window.end)),
            None => (start.unwrap_or(Moment::naive(now - DEFAULT_SPAN)), end.unwrap_or(Moment::naive(now))),
        };
        let metric_types = match metric_types.as_slice() {
            [] => MetricType::ALL.to_vec(),
            names => names.iter().filter_map(|name| MetricType::parse(name)).collect(),
        };
        let window = Window { start: start.utc(), end: end.utc() };
        Ok(Self { start, end, request: HistoryRequest { window, metric_types, symbols, interval } })
    }

    fn opening(&self) -> Vec<u8> {
        let interval = self.request.interval.unwrap_or(Interval::DEFAULT).as_str();
        format!(r#"{{"start_time":"{}","end_time":"{}","interval":"{interval}","data":["#, self.start, self.end)
            .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Micros = 1_761_084_000 * SECOND;

    fn question(body: Value) -> Question {
        Question::parse(body.as_object().unwrap(), NOW).unwrap()
    }

    #[test]
    fn nothing_asked_is_the_last_hour_of_everything() {
        for body in [json!({}), json!({ "metric_types": [], "symbols": null })] {
            let question = question(body);
            assert_eq!(question.request.window, Window { start: NOW - 3_600 * SECOND, end: NOW });
            assert_eq!(question.request.metric_types, MetricType::ALL);
            assert_eq!((question.request.symbols.len(), question.request.interval), (0, None));
            let opening =
                r#"{"start_time":"2025-10-21T21:00:00","end_time":"2025-10-21T22:00:00","interval":"5m","data":["#;
            assert_eq!(question.opening(), opening.as_bytes());
        }
    }

    #[test]
    fn a_time_range_wins_over_times() {
        let question = question(json!({ "time_range": "DAYS_7", "start_time": "2020-01-01" }));
        assert_eq!(question.request.window.start, NOW - 7 * time::DAY);
    }

    #[test]
    fn times_are_compared_in_utc_and_told_as_they_came() {
        let question = question(json!({ "start_time": "2025-10-21T22:00:00.250+02:00", "interval": "HOUR_1" }));
        assert_eq!(question.request.window.start, NOW - 7_200 * SECOND + 250_000);
        let opening = String::from_utf8(question.opening()).unwrap();
        assert!(opening.starts_with(r#"{"start_time":"2025-10-21T22:00:00.250000+02:00","#), "{opening}");
        assert!(opening.ends_with(r#""interval":"1h","data":["#), "{opening}");
    }

    #[test]
    fn symbol_and_symbols_add_up() {
        assert_eq!(question(json!({ "symbol": "A", "symbols": ["B"] })).request.symbols, ["B", "A"]);
        assert_eq!(question(json!({ "symbol": "A" })).request.symbols, ["A"]);
    }

    #[test]
    fn a_symbol_counts_once_and_there_is_a_bound() {
        assert_eq!(question(json!({ "symbols": vec!["A"; 20_000], "symbol": "A" })).request.symbols, ["A"]);
        let many: Vec<_> = (0..=MOST_SYMBOLS).map(|symbol| symbol.to_string()).collect();
        let refused = Question::parse(json!({ "symbols": many }).as_object().unwrap(), NOW).err().unwrap();
        assert!(matches!(refused, ApiError::Validation(problems) if problems.len() == 1));
    }

    #[test]
    fn an_unknown_type_matches_nothing() {
        let question = question(json!({ "metric_types": ["nonsense", "system"] }));
        assert_eq!(question.request.metric_types, [MetricType::System]);
    }
}
