//! What production does to a database, done for real: each file is one fault.
//!
//! Some of them need to mount a small file system, which takes root; without it they say that they are skipped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod clock;
mod damaged_log;
mod engine_failure;
mod full_disk;
mod legacy_file;
mod places;
mod signal;
mod small_disk;
mod two_programs;

use serde_json::{Value, json};

use common::Server;

/// `rows` quotes of body number `body`, all of it told by `volume`; no two bodies share a key.
fn quotes(body: u64, rows: u64) -> Value {
    let quote = |row: u64| {
        let instant = chrono::DateTime::from_timestamp((1_761_048_000 + body * 100_000 + row) as i64, 0).unwrap();
        json!({"timestamp": instant.format("%FT%T").to_string(), "symbol": "A", "last_price": row as f64 * 0.37,
            "bid": row as f64 / 3.0, "ask": row as f64 / 7.0, "volume": body, "trades": 1, "spread_bps": 1.5})
    };
    json!((0..rows).map(quote).collect::<Vec<_>>())
}

/// The bodies that are stored, with the number of rows of each.
async fn bodies(server: &Server) -> Vec<(u64, u64)> {
    let rows = server.sql("SELECT volume, count(*) AS n FROM market_data GROUP BY volume ORDER BY volume").await;
    rows.iter().map(|row| (row["volume"].as_u64().unwrap(), row["n"].as_u64().unwrap())).collect()
}

/// The ids of the alerts that hold now.
async fn alerts(server: &Server) -> Vec<String> {
    let health = server.get("/api/system/health").await.expect(200).json();
    let alerts = health["alerts"].as_array().cloned().unwrap_or_default();
    alerts.iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
}

/// Names of the files in a directory that hold `part`, in order.
fn files_with(directory: &std::path::Path, part: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.contains(part)).collect();
    names.sort();
    names
}
