//! What history makes of given rows.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::common::{Server, shape};
use crate::recorded;

#[derive(Deserialize)]
struct Case {
    case: String,
    request: Value,
    answer: Value,
}

async fn with_recorded_rows() -> Server {
    let server = Server::start().await;
    for (table, rows) in recorded::<Map<String, Value>>("history_rows.json") {
        server.ingest(&table, &rows).await;
    }
    server
}

#[tokio::test]
async fn the_recorded_rows_give_the_recorded_history() {
    let server = with_recorded_rows().await;
    for case in recorded::<Vec<Case>>("history.json") {
        let answer = server.post("/api/metrics/history", &case.request).await.expect(200).json();
        shape::check(
            &answer,
            &json!({
                "start_time": "str", "end_time": "str", "interval": "str", "data": [{"*": "any"}], "count": "int",
            }),
        );
        for key in ["start_time", "end_time", "interval", "count"] {
            assert_eq!(answer[key], case.answer[key], "{}: {key}", case.case);
        }
        let (ours, theirs) = (answer["data"].as_array().unwrap(), case.answer["data"].as_array().unwrap());
        assert_eq!(order(ours), order(theirs), "{}: newest first, type by type", case.case);
        for row in theirs {
            assert!(ours.iter().any(|candidate| is_same_row(candidate, row)), "{}: no {row} in {ours:#?}", case.case);
        }
    }
}

#[tokio::test]
async fn one_symbol_and_several_add_up() {
    let server = with_recorded_rows().await;
    let window = json!({"start_time": "2025-10-21T13:58:00", "end_time": "2025-10-21T16:00:00", "interval": "1d"});
    for (ask, expected) in [
        (json!({"symbol": "AAPL"}), vec!["AAPL"]),
        (json!({"symbol": "AAPL", "symbols": ["MSFT"]}), vec!["AAPL", "MSFT"]),
        (json!({"symbol": "AAPL", "symbols": ["AAPL"]}), vec!["AAPL"]),
        (json!({"symbols": ["AAPL' OR '1'='1"]}), vec![]),
        (json!({"symbol": "A'B"}), vec![]),
        (json!({"symbol": null}), vec!["AAPL", "MSFT"]),
    ] {
        let mut body = window.clone();
        body["metric_types"] = json!(["market_data"]);
        body.as_object_mut().unwrap().extend(ask.as_object().unwrap().clone());
        let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
        let rows = answer["data"].as_array().unwrap();
        let mut symbols: Vec<_> = rows.iter().map(|row| row["symbol"].as_str().unwrap()).collect();
        symbols.sort_unstable();
        assert_eq!(symbols, expected, "{ask}");
    }
}

#[tokio::test]
async fn both_spellings_of_a_range_and_an_interval_are_taken() {
    let server = Server::start().await;
    for (long, short, seconds) in
        [("HOUR_1", "1h", 3_600), ("HOURS_24", "24h", 86_400), ("DAYS_7", "7d", 604_800), ("DAYS_30", "30d", 2_592_000)]
    {
        for spelling in [long, short] {
            let answer = server.post("/api/metrics/history", &json!({"time_range": spelling})).await.expect(200).json();
            let (start, end) = (&answer["start_time"], &answer["end_time"]);
            assert!(shape::is_naive_timestamp(start.as_str().unwrap()), "{start}");
            let span = instant(end) - instant(start);
            assert_eq!(span.num_seconds(), seconds, "{spelling}");
        }
    }
    for (long, short) in
        [("MINUTE_1", "1m"), ("MINUTE_5", "5m"), ("MINUTE_15", "15m"), ("HOUR_1", "1h"), ("DAY_1", "1d")]
    {
        for spelling in [long, short] {
            let answer = server.post("/api/metrics/history", &json!({"interval": spelling})).await.expect(200).json();
            assert_eq!(answer["interval"], short, "{spelling}");
        }
    }
}

#[tokio::test]
async fn the_range_wins_over_start_and_end() {
    let server = Server::start().await;
    let body = json!({"time_range": "1h", "start_time": "2025-10-21T13:58:00", "end_time": "2025-10-21T14:00:00"});
    let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
    assert_eq!((instant(&answer["end_time"]) - instant(&answer["start_time"])).num_seconds(), 3_600);
    assert_eq!(answer["interval"], "5m");
}

#[tokio::test]
async fn all_four_types_answer_with_the_columns_of_their_tables() {
    let server = Server::start().await;
    let at = |second: u32| format!("2025-10-21T12:00:{second:02}");
    let execution = |second: u32, orders: i64| {
        json!({"timestamp": at(second), "orders_submitted": orders, "orders_filled": 1, "orders_cancelled": 2,
            "orders_rejected": 3, "fill_rate": 0.5, "avg_latency_ms": 10.0, "avg_slippage_bps": null})
    };
    let system = |second: u32, cpu: f64| {
        json!({"timestamp": at(second), "cpu_percent": cpu, "memory_percent": 2.0, "disk_usage_percent": 3.0,
            "uptime_seconds": 4.0, "health_status": "healthy", "active_alerts": 0})
    };
    server.ingest("execution_metrics", &json!([execution(0, 10), execution(30, 20)])).await;
    server.ingest("system_metrics", &json!([system(0, 1.0), system(30, 9.0)])).await;
    let mut body = json!({"start_time": "2025-10-21T12:00:00", "end_time": "2025-10-21T12:00:59"});
    let raw = server.post("/api/metrics/history", &body).await.expect(200).json();
    let expected = [
        ("execution", execution(30, 20)),
        ("execution", execution(0, 10)),
        ("system", system(30, 9.0)),
        ("system", system(0, 1.0)),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(kind, row)| typed(kind, &row)).collect();
    assert_eq!(raw["data"], json!(expected), "without an interval, every row, newest first");
    for row in raw["data"].as_array().unwrap() {
        assert_eq!(row.as_object().unwrap().keys().next().unwrap(), "type");
    }

    body["interval"] = json!("1m");
    let bucketed = server.post("/api/metrics/history", &body).await.expect(200).json();
    let last = |kind, row: Value| {
        let mut row = typed(kind, &row);
        row["timestamp"] = json!("2025-10-21T12:00:00");
        row
    };
    let expected = json!([last("execution", execution(30, 20)), last("system", system(30, 9.0))]);
    assert_eq!(bucketed["data"], expected, "with an interval, the last value of each bucket");

    body["metric_types"] = json!(["system", "nonsense"]);
    let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
    assert_eq!(answer["data"], json!([last("system", system(30, 9.0))]));
}

fn typed(kind: &str, row: &Value) -> Value {
    let mut typed = Map::from_iter([("type".to_owned(), json!(kind))]);
    typed.extend(row.as_object().unwrap().clone());
    Value::Object(typed)
}

fn instant(value: &Value) -> chrono::NaiveDateTime {
    chrono::NaiveDateTime::parse_from_str(value.as_str().unwrap(), "%Y-%m-%dT%H:%M:%S%.f").unwrap()
}

/// What is promised of the order: type by type, newest first; among equal instants nothing is.
fn order(rows: &[Value]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row["type"].as_str().unwrap(), row["timestamp"].as_str().unwrap())).collect()
}

/// The same keys in the same order with the same values, but for the last digit of a mean.
fn is_same_row(ours: &Value, theirs: &Value) -> bool {
    let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|((our_key, our), (their_key, their))| {
            let close = match (our.is_f64(), our.as_f64(), their.as_f64()) {
                (true, Some(our), Some(their)) => (our - their).abs() <= 1e-12 * their.abs(),
                _ => our == their,
            };
            our_key == their_key && close
        })
}
