//! A desk with rows, and the commands on it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use observability_api::backup::Manifest;
use observability_api::tables::MarketDataRow;
use reqwest::Method;
use tempfile::TempDir;

use crate::common::{Ended, Launch, Server, ipc};

/// 2025-10-21T12:00:00.
pub const START: i64 = 1_761_048_000_000_000;

/// Runs a command in a directory, beside what runs there.
pub async fn command(launch: Launch, arguments: &[&str]) -> Ended {
    let launch = launch.arguments(arguments);
    tokio::task::spawn_blocking(move || launch.run()).await.unwrap()
}

/// The same, where it must succeed. Says what it said.
#[track_caller]
pub fn done(ended: Ended) -> String {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out
}

/// The same, where it must fail. Says what it said.
#[track_caller]
pub fn refused(ended: Ended) -> String {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.starts_with("error: "), "{ended:?}");
    ended.err
}

pub fn directory() -> Arc<TempDir> {
    Arc::new(TempDir::new().unwrap())
}

/// A command beside a server.
pub fn beside(server: &Server) -> Launch {
    Launch::new().directory(&server.directory)
}

/// Pushes so many quotes of ten symbols, a second apart.
pub async fn quotes(server: &Server, rows: i64) {
    let row = |number: i64| MarketDataRow {
        timestamp: START + number / 10 * 1_000_000,
        symbol: format!("S{}", number % 10),
        last_price: Some(100.0 + (number % 777) as f64 / 7.0),
        bid: (number % 3 != 0).then_some(99.5),
        ask: Some(100.5),
        volume: Some(number),
        trades: Some(1),
        spread_bps: None,
    };
    for first in (0..rows).step_by(100_000) {
        let numbers: Vec<_> = (first..rows.min(first + 100_000)).map(row).collect();
        let body = ipc::write(&[MarketDataRow::batch(&numbers).unwrap()]);
        let headers = [("content-type", ipc::MEDIA_TYPE)];
        server.send(Method::POST, "/api/ingest/market_data", &headers, body).await.expect(200);
    }
}

/// The directories of backups, finished or not, oldest first.
pub fn backups(server: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(server.join("data/observability.backups")) else { return Vec::new() };
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// What a backup says that it holds.
pub fn manifest(backup: &Path) -> Manifest {
    serde_json::from_slice(&std::fs::read(backup.join("manifest.json")).unwrap()).unwrap()
}

/// What the operator of a server shows.
pub fn token(server: &Path) -> String {
    let lock = std::fs::read(server.join("data/observability.duckdb.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_slice(&lock).unwrap();
    lock["token"].as_str().unwrap().to_owned()
}

/// Tells a server to take a backup, and returns when it has begun.
pub async fn begun(server: &Server) -> reqwest::Response {
    let request = server.client.post(server.url("/api/operator/backup")).bearer_auth(token(server.path()));
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let first = response.chunk().await.unwrap().expect("a line");
    assert!(first.starts_with(br#"{"step":"saving""#), "{first:?}");
    response
}
