//! A desk with days of rows, and the commands on it.

use std::path::PathBuf;

use observability_api::tables::{MarketDataRow, SystemMetricsRow, TradeRow};
use reqwest::Method;
use serde_json::Value;

use crate::common::{Ended, Launch, Server, ipc};

pub const SECOND: i64 = 1_000_000;
pub const DAY: i64 = 86_400 * SECOND;
/// 2025-10-21, long ago.
pub const FIRST: i64 = 20_382 * DAY;
/// Days with rows.
pub const DAYS: i64 = 3;
/// Seconds between the quotes of a symbol.
const STEP: i64 = 20;
/// A server that rolls up at once.
pub fn launch() -> Launch {
    Launch::new().arguments(["--rollup-interval", "20ms"])
}

/// Eighths add up without rounding, in whatever order.
pub fn quote(timestamp: i64, symbol: &str, eighths: i64) -> MarketDataRow {
    MarketDataRow {
        timestamp,
        symbol: symbol.to_owned(),
        last_price: (eighths % 11 != 0).then_some(800.0 + eighths as f64 / 8.0),
        bid: Some(800.0),
        ask: (eighths % 3 != 0).then_some(801.0 + eighths as f64 / 8.0),
        volume: Some(eighths),
        trades: Some(1),
        spread_bps: None,
    }
}

pub fn trade(trade_id: &str, timestamp: i64, price: f64) -> TradeRow {
    TradeRow {
        trade_id: trade_id.to_owned(),
        timestamp,
        symbol: "O'Neil".to_owned(),
        side: "buy".to_owned(),
        quantity: 2.0,
        price,
        latency_ms: None,
        slippage_bps: Some(0.5),
        strategy: None,
    }
}

/// All quotes of a day.
pub fn quotes_of(day: i64) -> Vec<MarketDataRow> {
    let seconds = (0..86_400).step_by(STEP as usize);
    let of =
        |second: i64| ["AAPL", "MSFT", "O'Neil"].map(|symbol| quote(day + second * SECOND, symbol, second % 1_009));
    seconds.flat_map(of).collect()
}

pub async fn push<T>(server: &Server, table: &str, rows: &[T], batch: fn(&[T]) -> arrow::record_batch::RecordBatch) {
    let body = ipc::write(&[batch(rows)]);
    let headers = [("content-type", ipc::MEDIA_TYPE)];
    server.send(Method::POST, &format!("/api/ingest/{table}"), &headers, body).await.expect(200);
}

pub async fn push_quotes(server: &Server, rows: &[MarketDataRow]) {
    push(server, "market_data", rows, |rows| MarketDataRow::batch(rows).unwrap()).await;
}

pub async fn push_trades(server: &Server, rows: &[TradeRow]) {
    push(server, "trades", rows, |rows| TradeRow::batch(rows).unwrap()).await;
}

/// Three days of quotes, fills and system metrics, and one row of each table from now.
pub async fn fill(server: &Server) {
    let now = today();
    for day in (0..DAYS).map(|day| FIRST + day * DAY) {
        push_quotes(server, &quotes_of(day)).await;
        let fills: Vec<_> = (0..500)
            .map(|number| trade(&format!("{day}-{number}"), day + number * 170 * SECOND, 100.0 + number as f64 / 8.0))
            .collect();
        push_trades(server, &fills).await;
        let system: Vec<_> = (0..1_440).map(|minute| machine(day + minute * 60 * SECOND)).collect();
        push(server, "system_metrics", &system, |rows| SystemMetricsRow::batch(rows).unwrap()).await;
    }
    push_quotes(server, &[quote(now, "AAPL", 8)]).await;
    push_trades(server, &[trade("now", now, 1.0)]).await;
    push(server, "system_metrics", &[machine(now)], |rows| SystemMetricsRow::batch(rows).unwrap()).await;
}

/// The same instant of today for every server.
pub fn today() -> i64 {
    chrono::Utc::now().timestamp_micros().div_euclid(DAY) * DAY
}

fn machine(timestamp: i64) -> SystemMetricsRow {
    SystemMetricsRow {
        timestamp,
        cpu_percent: Some((timestamp / SECOND % 100) as f64),
        memory_percent: Some(50.0),
        disk_usage_percent: None,
        uptime_seconds: None,
        health_status: Some("healthy".to_owned()),
        active_alerts: Some(0),
    }
}

/// What the operator is answered.
pub async fn operator(server: &Server, what: &str) -> Value {
    let lock = std::fs::read(server.path().join("data/observability.duckdb.lock")).unwrap();
    let lock: Value = serde_json::from_slice(&lock).unwrap();
    let request = server.client.post(server.url(&format!("/api/operator/{what}")));
    let answer = request.bearer_auth(lock["token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{what}");
    answer.json().await.unwrap()
}

/// Runs a command in the directory of a server, with the same settings.
pub async fn command(server: &Server, launch: Launch, arguments: &[&str]) -> Ended {
    let launch = launch.directory(&server.directory).arguments(arguments);
    tokio::task::spawn_blocking(move || launch.run()).await.unwrap()
}

/// The same, where it must succeed. Says what it said.
pub async fn done(server: &Server, arguments: &[&str]) -> String {
    let ended = command(server, Launch::new(), arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out
}

/// The archived file of a table's day.
pub fn file(server: &Server, table: &str, date: &str) -> PathBuf {
    server.path().join(format!("data/archive/observability/{table}/date={date}/rows.parquet"))
}
