//! Whole tables on their way in and out: `export`, `import` of files, and `import timescaledb`.
//!
//! `round_trip` brings every table out and in again in every format, `api` asks `/api/export`, `mapping` and `rejects`
//! look at files that are shaped in another way than the tables, `large` at one that is larger than memory should be,
//! `timescaledb` copies from a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod api;
mod large;
mod mapping;
mod rejects;
mod round_trip;
mod timescaledb;

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use common::{Ended, Launch};

/// A directory with a database of its own, and the commands that work on it while no server runs.
struct Desk {
    directory: Arc<TempDir>,
}

impl Desk {
    fn new() -> Self {
        Self { directory: Arc::new(TempDir::new().unwrap()) }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The program with these arguments.
    fn launch(&self, arguments: &[&str]) -> Launch {
        Launch::new().directory(&self.directory).arguments(arguments)
    }

    /// Runs a command to its end, which must be a success.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ended {
        let ended = self.launch(arguments).run();
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended
    }

    /// Runs a command to its end, which must be a failure, and returns what it said.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let ended = self.launch(arguments).run();
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        ended.err
    }

    /// The rows of a question.
    #[track_caller]
    fn sql(&self, sql: &str) -> Value {
        serde_json::from_str(&self.run(&["query", sql]).out).unwrap()
    }
}

/// Rows of each table, with values that are easily spoilt on the way.
fn samples() -> Vec<(&'static str, Value)> {
    let at = |second: u32| format!("2025-10-21T12:00:{second:02}.250001");
    vec![
        (
            "market_data",
            json!([
                {"timestamp": at(0), "symbol": "AAPL", "last_price": 0.1, "bid": -0.0, "ask": 1e-300,
                 "volume": i64::MAX, "trades": i32::MIN, "spread_bps": 1.5},
                {"timestamp": at(1), "symbol": "Größe €, \"x\"\n", "last_price": 5e-324},
                {"timestamp": "1969-12-31T23:59:59.999999", "symbol": "1e5", "volume": 0, "trades": 0},
            ]),
        ),
        (
            "strategy_metrics",
            json!([{"timestamp": at(0), "strategy_name": "momentum", "pnl": -1.25, "daily_pnl": 0.0, "positions": 3,
                 "signals": 4, "win_rate": 0.5},
                {"timestamp": at(0), "strategy_name": "idle"}]),
        ),
        (
            "execution_metrics",
            json!([{"timestamp": at(0), "orders_submitted": 1, "orders_filled": 2, "orders_cancelled": 3,
                 "orders_rejected": 4, "fill_rate": 0.5, "avg_latency_ms": 6.0, "avg_slippage_bps": 7.0},
                {"timestamp": at(1)}]),
        ),
        (
            "system_metrics",
            json!([{"timestamp": "2020-01-01", "cpu_percent": 1.0, "memory_percent": 2.0, "disk_usage_percent": 3.0,
                 "uptime_seconds": 4.0, "health_status": "degraded", "active_alerts": 5},
                {"timestamp": "2020-01-02"}]),
        ),
        (
            "trades",
            json!([{"trade_id": "007", "timestamp": at(0), "symbol": "AAPL", "side": "buy", "quantity": 1.5,
                 "price": 2.0, "latency_ms": 3.0, "slippage_bps": 4.0, "strategy": "momentum"},
                {"trade_id": "null", "timestamp": at(0), "symbol": "NaN", "side": "sell", "quantity": 1.0, "price": 1e22}]),
        ),
    ]
}
