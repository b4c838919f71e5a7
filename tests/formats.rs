//! History, summary, trades and SQL as Arrow, Parquet, CSV and NDJSON, and that pyarrow, polars and pandas read them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

mod common;

use common::{Answer, Server, ipc, python};
use reqwest::Method;
use serde_json::{Value, json};

const FORMATS: [(&str, &str); 5] = [
    ("json", "application/json"),
    ("arrow", ipc::MEDIA_TYPE),
    ("parquet", "application/vnd.apache.parquet"),
    ("csv", "text/csv"),
    ("ndjson", "application/x-ndjson"),
];
const TRADES: &str = "/api/trades/?start_time=2025-10-21&end_time=2025-10-22&limit=1000";
const SUMMARY: &str = "/api/metrics/summary?time_range=30d";

fn history() -> Value {
    json!({"start_time": "2025-10-21T00:00:00", "end_time": "2025-10-21T23:59:59", "interval": "1h"})
}

/// A server with some rows of every table but the machine's: of a day in 2025, and a few of just now.
async fn with_rows() -> Server {
    let server = Server::start().await;
    let ago = |minutes| (chrono::Utc::now() - chrono::TimeDelta::minutes(minutes)).format("%FT%T%.6f").to_string();
    let mut quotes = Vec::new();
    let mut trades = Vec::new();
    for number in 0..120_i64 {
        let timestamp = if number < 100 { format!("2025-10-21T{:02}:30:00.5", number % 24) } else { ago(number) };
        let symbol = ["AAPL", "O'Hara \"quoted\", Größe"][(number % 2) as usize];
        let price = (number % 7 > 0).then_some(100.0 + number as f64 / 8.0);
        quotes.push(json!({"timestamp": timestamp, "symbol": symbol, "last_price": price, "bid": 1.5, "ask": 2.5,
            "volume": number * 1_000_000_000, "trades": number, "spread_bps": null}));
        trades.push(json!({"trade_id": format!("t{number:03}"), "timestamp": timestamp, "symbol": symbol,
            "side": "buy", "quantity": number as f64 / 2.0, "price": 10.25, "latency_ms": 1.0,
            "slippage_bps": null, "strategy": null}));
    }
    server.ingest("market_data", &json!(quotes)).await;
    server.ingest("trades", &json!(trades)).await;
    let strategies: Vec<_> = (0..10)
        .map(|hour| {
            json!({"timestamp": format!("2025-10-21T{hour:02}:00:00"), "strategy_name": "momentum",
            "pnl": f64::from(hour), "daily_pnl": 1.0, "positions": hour, "signals": 2, "win_rate": 0.5})
        })
        .collect();
    server.ingest("strategy_metrics", &json!(strategies)).await;
    server
}

/// One question of every path that has formats, asked with `headers` and the query string `format`.
async fn ask_everywhere(server: &Server, headers: &[(&str, &str)], format: &str) -> Vec<(&'static str, Answer)> {
    let json = [headers, &[("content-type", "application/json")]].concat();
    let sql = json!({"sql": "SELECT * FROM trades ORDER BY trade_id"});
    let post =
        async |path: String, body: Value| server.send(Method::POST, &path, &json, body.to_string().into_bytes()).await;
    let query = |separator| if format.is_empty() { String::new() } else { format!("{separator}format={format}") };
    vec![
        ("history", post(format!("/api/metrics/history{}", query('?')), history()).await),
        ("summary", server.send(Method::GET, &format!("{SUMMARY}{}", query('&')), headers, Vec::new()).await),
        ("trades", server.send(Method::GET, &format!("{TRADES}{}", query('&')), headers, Vec::new()).await),
        ("sql", post(format!("/api/sql{}", query('?')), sql).await),
    ]
}

#[tokio::test]
async fn every_path_speaks_every_format_with_its_media_type() {
    let server = with_rows().await;
    for (format, media_type) in FORMATS {
        for (name, answer) in ask_everywhere(&server, &[], format).await {
            let answer = answer.expect(200);
            let essence = answer.header("content-type").split(';').next().unwrap();
            assert_eq!(essence, media_type, "{name} as {format}");
            assert!(!answer.body.is_empty(), "{name} as {format}");
            let file = answer.header("content-disposition").to_owned();
            match format {
                "parquet" | "csv" => {
                    assert!(file.starts_with("attachment") && file.contains(&format!(".{format}")), "{name}: {file:?}");
                }
                "json" => assert_eq!(file, "", "{name}"),
                _ => {}
            }
        }
        for (name, answer) in ask_everywhere(&server, &[("accept", media_type)], "").await {
            let essence = answer.header("content-type").split(';').next().unwrap();
            assert_eq!((answer.status, essence), (200, media_type), "{name} by Accept");
        }
    }
}

#[tokio::test]
async fn format_wins_over_accept_and_json_is_the_default() {
    let server = with_rows().await;
    let content_types = async |headers: &[(&str, &str)], format: &str| {
        let answers = ask_everywhere(&server, headers, format).await;
        answers.into_iter().map(|(_, answer)| answer.header("content-type").to_owned()).collect::<Vec<_>>()
    };
    for accept in ["*/*", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json, */*", ""] {
        let headers: Vec<_> = (!accept.is_empty()).then_some(("accept", accept)).into_iter().collect();
        assert_eq!(content_types(&headers, "").await, ["application/json"; 4], "{accept}");
    }
    let arrow = [("accept", ipc::MEDIA_TYPE)];
    assert_eq!(content_types(&arrow, "json").await, ["application/json"; 4]);
    assert!(content_types(&arrow, "csv").await.iter().all(|content_type| content_type.starts_with("text/csv")));
    let preference = [("accept", "text/csv;q=0.5, application/vnd.apache.arrow.stream")];
    assert_eq!(content_types(&preference, "").await, [ipc::MEDIA_TYPE; 4]);
    for (name, answer) in ask_everywhere(&server, &[], "xml").await {
        assert!([400, 406, 422].contains(&answer.status), "{name}: {}", answer.status);
        assert!(answer.text().contains("arrow"), "{name} names the formats: {}", answer.text());
    }
}

#[tokio::test]
async fn the_formats_hold_the_same_rows() {
    let server = with_rows().await;
    let as_format = async |format: &str| ask_everywhere(&server, &[], format).await;
    let json = as_format("json").await;
    let lines = as_format("ndjson").await;
    let arrow = as_format("arrow").await;
    for (((name, json), (_, lines)), (_, arrow)) in json.into_iter().zip(lines).zip(arrow) {
        let document = json.json();
        let rows = match name {
            "history" | "summary" => document["data"].clone(),
            "trades" => document["trades"].clone(),
            _ => document,
        };
        let lines: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), rows.as_array().unwrap().len(), "{name}");
        if name == "history" || name == "sql" {
            assert_eq!(json!(lines), rows, "{name}");
        }
        let count: usize = ipc::read(&arrow.body).iter().map(arrow::array::RecordBatch::num_rows).sum();
        assert_eq!(count, lines.len(), "{name}");
    }
}

#[tokio::test]
async fn a_summary_of_a_range_is_one_row_a_type_label_and_column() {
    let server = with_rows().await;
    let answer = server.get(&format!("{SUMMARY}&format=json")).await.expect(200).json();
    let rows = &answer["data"];
    assert_eq!(answer["count"], rows.as_array().unwrap().len());
    let row = rows.as_array().unwrap().iter().find(|row| row["label"] == "AAPL" && row["column"] == "volume");
    let row = row.unwrap_or_else(|| panic!("a row for the volume of AAPL: {rows}"));
    // Quotes 100, 102, …, 118 are of the last two hours; the later the number, the older.
    let expected = json!({"type": "market_data", "label": "AAPL", "column": "volume", "count": 10, "mean": 1.09e11,
        "min": 1e11, "max": 1.18e11, "first": 1.18e11, "last": 1e11});
    assert_eq!(row, &expected);
    let types: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert!(types.contains(&"market_data"));
    let table = server.get("/api/metrics/summary?format=csv").await.expect(200).text();
    assert!(table.starts_with("type,label,column,count,mean,min,max,first,last"), "{table}");
}

#[tokio::test]
async fn answers_without_rows_are_still_whole() {
    let server = Server::start().await;
    for (format, _) in FORMATS {
        let path = format!("/api/trades/?format={format}");
        let answer = server.get(&path).await.expect(200);
        match format {
            "arrow" => assert_eq!(ipc::read(&answer.body).iter().map(|batch| batch.num_rows()).sum::<usize>(), 0),
            "parquet" => assert!(answer.body.starts_with(b"PAR1") && answer.body.ends_with(b"PAR1")),
            "csv" => assert!(answer.text().starts_with("trade_id,symbol,side"), "{}", answer.text()),
            "ndjson" => assert_eq!(answer.text(), ""),
            _ => assert_eq!(answer.json()["total"], 0),
        }
        let body = json!({"sql": "SELECT * FROM trades"});
        server.post(&format!("/api/sql?format={format}"), &body).await.expect(200);
        let body = json!({"time_range": "1h", "metric_types": ["market_data"]});
        server.post(&format!("/api/metrics/history?format={format}"), &body).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pyarrow_polars_and_pandas_read_every_format() {
    let server = with_rows().await;
    let url = server.url("");
    tokio::task::spawn_blocking(move || python::run("read_formats.py", &[&url])).await.unwrap();
}
