//! Users' own SQL.
//!
//! `answers` compares with DuckDB's Python package and looks at formats and parameters, `refusals` at what is not
//! allowed and at the bounds of a query, `bounds` at what it takes of the machine; `processes` finds what runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod bounds;
mod processes;
mod refusals;

use common::Server;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// Rows of all tables, the same in every run. `system_metrics` is left to the machine.
fn rows() -> Map<String, Value> {
    let mut random = ChaCha8Rng::seed_from_u64(20_251_021);
    let symbols = ["AAPL", "MSFT", "O'Hara", "Größe"];
    let strategies = ["momentum", "mean reversion"];
    let at =
        |second: u32| format!("2025-10-21T{:02}:{:02}:{:02}.125000", second / 3_600, second / 60 % 60, second % 60);
    let mut tables = Map::new();
    let mut quotes = Vec::new();
    let mut metrics = Vec::new();
    let mut executions = Vec::new();
    let mut trades = Vec::new();
    for step in 0..240_u32 {
        let second = step * 47;
        for symbol in symbols {
            let price = 100.0 + f64::from(random.random_range(-400..400)) / 8.0;
            quotes.push(json!({"timestamp": at(second), "symbol": symbol,
                "last_price": random.random_bool(0.9).then_some(price), "bid": price - 0.25, "ask": price + 0.25,
                "volume": random.random_range(0..10_000_000_000_i64), "trades": random.random_range(0..500),
                "spread_bps": random.random_bool(0.8).then_some(50.0 / price)}));
        }
        for strategy in strategies {
            metrics.push(json!({"timestamp": at(second), "strategy_name": strategy,
                "pnl": f64::from(random.random_range(-4_000..4_000)) / 4.0, "daily_pnl": 0.5,
                "positions": random.random_range(0..5), "signals": step, "win_rate": 0.5}));
        }
        executions.push(json!({"timestamp": at(second), "orders_submitted": step, "orders_filled": step / 2,
            "orders_cancelled": step / 4, "orders_rejected": step / 8, "fill_rate": 0.5,
            "avg_latency_ms": random.random_range(0..100), "avg_slippage_bps": null}));
        let symbol = symbols[random.random_range(0..symbols.len())];
        trades.push(json!({"trade_id": format!("t{step}"), "timestamp": at(second), "symbol": symbol,
            "side": if random.random_bool(0.5) { "buy" } else { "sell" }, "quantity": random.random_range(1..500),
            "price": 100.0 + f64::from(random.random_range(-400..400)) / 8.0,
            "latency_ms": random.random_bool(0.9).then(|| f64::from(random.random_range(0..4_000)) / 16.0),
            "slippage_bps": f64::from(random.random_range(-80..80)) / 16.0,
            "strategy": strategies[random.random_range(0..strategies.len())]}));
    }
    for (table, rows) in
        [("market_data", quotes), ("strategy_metrics", metrics), ("execution_metrics", executions), ("trades", trades)]
    {
        tables.insert(table.to_owned(), json!(rows));
    }
    tables
}

async fn with_rows() -> Server {
    let server = Server::start().await;
    for (table, rows) in rows() {
        server.ingest(&table, &rows).await;
    }
    server
}
