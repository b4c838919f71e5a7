//! The same rows in every form.

use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::common::{Server, ipc};
use crate::{count, push, quote};

const ALL: &str = "SELECT * FROM market_data ORDER BY timestamp, symbol";

fn rows() -> Value {
    let mut sparse = quote(2, "Größe €", 0.1);
    for column in ["bid", "volume", "trades"] {
        sparse[column] = Value::Null;
    }
    json!([quote(0, "AAPL", 100.25), quote(1, "AAPL", -0.0), sparse])
}

fn batch() -> RecordBatch {
    let first = 1_761_048_000_250_000;
    let text = |name| Field::new(name, DataType::Utf8, false);
    let number = |name| Field::new(name, DataType::Float64, true);
    let schema = Schema::new(vec![
        Field::new("timestamp", DataType::Timestamp(TimeUnit::Microsecond, None), false),
        text("symbol"),
        number("last_price"),
        number("bid"),
        number("ask"),
        Field::new("volume", DataType::Int64, true),
        Field::new("trades", DataType::Int32, true),
        number("spread_bps"),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(TimestampMicrosecondArray::from(vec![first, first + 1_000_000, first + 2_000_000])),
            Arc::new(StringArray::from(vec!["AAPL", "AAPL", "Größe €"])),
            Arc::new(Float64Array::from(vec![100.25, -0.0, 0.1])),
            Arc::new(Float64Array::from(vec![Some(99.75), Some(-0.5), None])),
            Arc::new(Float64Array::from(vec![100.75, 0.5, 0.6])),
            Arc::new(Int64Array::from(vec![Some(5_000_000_000), Some(5_000_000_000), None])),
            Arc::new(Int32Array::from(vec![Some(7), Some(7), None])),
            Arc::new(Float64Array::from(vec![1.5, 1.5, 1.5])),
        ],
    )
    .unwrap()
}

#[tokio::test]
async fn json_ndjson_and_arrow_store_the_same_rows() {
    let server = Server::start().await;
    let rows = rows();
    let lines = rows.as_array().unwrap().iter().map(|row| format!("{row}\n")).collect::<String>();
    let mut stored = Vec::new();
    for (content_type, body) in [
        ("application/json", rows.to_string().into_bytes()),
        ("application/json; charset=utf-8", serde_json::to_vec_pretty(&rows).unwrap()),
        ("application/x-ndjson", lines.clone().into_bytes()),
        ("application/x-ndjson", lines.trim_end().to_owned().into_bytes()),
        (ipc::MEDIA_TYPE, ipc::write(&[batch()])),
        (ipc::MEDIA_TYPE, ipc::write(&[batch().slice(0, 1), batch().slice(1, 2)])),
    ] {
        let server = Server::start().await;
        let answer = push(&server, "market_data", content_type, body).await.expect(200);
        assert_eq!(answer.text(), r#"{"table":"market_data","rows":3}"#, "{content_type}");
        stored.push((content_type, server.sql(ALL).await));
    }
    server.ingest("market_data", &rows).await;
    let expected = server.sql(ALL).await;
    assert_eq!(
        expected[0],
        json!({"timestamp": "2025-10-21T12:00:00.250000", "symbol": "AAPL", "last_price": 100.25,
        "bid": 99.75, "ask": 100.75, "volume": 5_000_000_000_i64, "trades": 7, "spread_bps": 1.5})
    );
    assert_eq!(expected[2]["symbol"], "Größe €");
    assert_eq!(expected[2]["volume"], Value::Null);
    for (content_type, rows) in stored {
        assert_eq!(rows, expected, "{content_type}");
    }
}

#[tokio::test]
async fn one_object_is_one_row_and_its_columns_come_in_any_order() {
    let server = Server::start().await;
    let body = r#"{"symbol":"X","timestamp":"2025-10-21 12:00:00","ask":2,"trades":3}"#;
    let answer = push(&server, "market_data", "application/json", body).await.expect(200).json();
    assert_eq!(answer["rows"], 1);
    let expected = json!([{"timestamp": "2025-10-21T12:00:00", "symbol": "X", "last_price": null, "bid": null,
        "ask": 2.0, "volume": null, "trades": 3, "spread_bps": null}]);
    assert_eq!(json!(server.sql(ALL).await), expected);
}

#[tokio::test]
async fn instants_with_an_offset_become_utc() {
    let server = Server::start().await;
    let row = |text: &str, symbol: &str| json!({"timestamp": text, "symbol": symbol, "last_price": 1.0});
    let rows = json!([
        row("2025-10-21T12:00:00", "naive"),
        row("2025-10-21T12:00:00Z", "zulu"),
        row("2025-10-21T14:00:00+02:00", "east"),
        row("2025-10-21T07:30:00.000000-04:30", "west"),
    ]);
    server.ingest("market_data", &rows).await;
    let instants = server.sql("SELECT DISTINCT timestamp FROM market_data").await;
    assert_eq!(json!(instants), json!([{"timestamp": "2025-10-21T12:00:00"}]));
}

#[tokio::test]
async fn every_table_takes_its_rows() {
    let server = Server::start().await;
    let at = "2025-10-21T12:00:00";
    for (table, row) in [
        ("market_data", quote(0, "AAPL", 1.0)),
        (
            "strategy_metrics",
            json!({"timestamp": at, "strategy_name": "momentum", "pnl": 1.5, "daily_pnl": -2.0,
            "positions": 3, "signals": 4, "win_rate": 0.5}),
        ),
        (
            "execution_metrics",
            json!({"timestamp": at, "orders_submitted": 1, "orders_filled": 2,
            "orders_cancelled": 3, "orders_rejected": 4, "fill_rate": 0.5, "avg_latency_ms": 6.0,
            "avg_slippage_bps": 7.0}),
        ),
        (
            "trades",
            json!({"trade_id": "1", "timestamp": at, "symbol": "AAPL", "side": "buy", "quantity": 1.5,
            "price": 2.0, "latency_ms": 3.0, "slippage_bps": 4.0, "strategy": "momentum"}),
        ),
        (
            "system_metrics",
            json!({"timestamp": at, "cpu_percent": 1.0, "memory_percent": 2.0,
            "disk_usage_percent": 3.0, "uptime_seconds": 4.0, "health_status": "degraded", "active_alerts": 5}),
        ),
    ] {
        server.ingest(table, &row).await;
        let mut stored = server.sql(&format!("SELECT * FROM {table} WHERE timestamp < '2025-12-01'")).await;
        assert_eq!(stored.len(), 1, "{table}");
        let stored = stored.remove(0);
        for (column, value) in row.as_object().unwrap() {
            assert_eq!(&stored[column], value, "{table}.{column}");
        }
    }
}

#[tokio::test]
async fn compressed_bodies_are_unpacked() {
    let server = Server::start().await;
    let body = rows().to_string();
    let mut gzip = GzipEncoder::new(Vec::new());
    gzip.write_all(body.as_bytes()).await.unwrap();
    gzip.shutdown().await.unwrap();
    let mut zstd = ZstdEncoder::new(Vec::new());
    zstd.write_all(body.as_bytes()).await.unwrap();
    zstd.shutdown().await.unwrap();
    for (encoding, body) in [("gzip", gzip.into_inner()), ("zstd", zstd.into_inner())] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        let answer = server.send(Method::POST, "/api/ingest/market_data", &headers, body.clone()).await.expect(200);
        assert_eq!(answer.json()["rows"], 3, "{encoding}");
        let torn = body[..body.len() / 2].to_vec();
        let answer = server.send(Method::POST, "/api/ingest/market_data", &headers, torn).await;
        assert!((400..500).contains(&answer.status), "half a {encoding} body: {}", answer.status);
    }
    assert_eq!(count(&server, "market_data").await, 3);
}

#[tokio::test]
async fn no_rows_are_no_change() {
    let server = Server::start().await;
    let answer = push(&server, "trades", "application/json", "[]").await.expect(200);
    assert_eq!(answer.text(), r#"{"table":"trades","rows":0}"#);
    assert_eq!(count(&server, "trades").await, 0);
}
