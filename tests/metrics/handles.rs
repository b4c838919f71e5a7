//! Open files stay as many as they were, whatever clients do.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Launch, Server, eventually};
use crate::{push, quotes};

/// 2025-10-21T00:00:00, long ago.
const DAY: i64 = 1_761_004_800_000_000;
const ROUNDS: usize = 40;

/// Files and sockets that the program has open.
fn open(server: &Server) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

/// One request of every kind, and clients that go away.
async fn round(server: &Server, round: usize) {
    for path in [
        "/metrics",
        "/health/ready",
        "/api/metrics/current",
        "/api/metrics/summary",
        "/api/trades/",
        "/api/system/components",
        "/api/export/market_data?format=parquet",
    ] {
        server.get(path).await.expect(200);
    }
    server.sql("SELECT count(*) FROM market_data").await;
    let history = json!({"metric_type": "market_data", "interval": "1m",
        "start_time": "2025-10-21T00:00:00", "end_time": "2025-10-22T00:00:00"});
    server.post("/api/metrics/history", &history).await.expect(200);
    let trade = json!([{"trade_id": format!("{round}"), "timestamp": "2025-11-21T00:00:00", "symbol": "A",
        "side": "buy", "quantity": 1, "price": 1, "strategy": "s"}]);
    server.ingest("trades", &trade).await;
    server.get("/no/such/path").await.expect(404);
    for request in ["GET /api/export/market_data?format=csv HTTP/1.1", "GET /ws/metrics HTTP/1.1", "GET /metr"] {
        let mut client = TcpStream::connect(server.address).await.unwrap();
        let text = format!("{request}\r\nhost: {}\r\n\r\n", server.address);
        client.write_all(text.as_bytes()).await.unwrap();
        if request.contains("export") {
            client.read_exact(&mut [0; 100]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn open_files_are_as_many_after_hundreds_of_requests() {
    if !std::path::Path::new("/proc/self/fd").exists() {
        return println!("SKIPPED: this system does not show open files");
    }
    let server = Launch::new().arguments(["--hot-days", "1"]).start().await;
    push(&server, quotes(DAY, 0, 100_000)).await;
    let lock = std::fs::read(server.path().join("data/observability.duckdb.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_slice(&lock).unwrap();
    let token = format!("Bearer {}", lock["token"].as_str().unwrap());
    let headers = [("authorization", token.as_str())];
    let archive = server.send(Method::POST, "/api/operator/archive", &headers, Vec::new());
    let moved = archive.await.expect(200).json();
    assert_eq!(moved.as_array().map(Vec::len), Some(1), "{moved}");

    for number in 0..3 {
        round(&server, number).await;
    }
    let before = eventually("the first clients are gone", async || {
        let open = open(&server);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        (open == self::open(&server)).then_some(open)
    })
    .await;
    for number in 3..ROUNDS {
        round(&server, number).await;
    }
    eventually("all that was opened for clients is closed", async || (open(&server) <= before + 1).then_some(())).await;
    println!("{before} open files before and {} after {ROUNDS} rounds", open(&server));
}
