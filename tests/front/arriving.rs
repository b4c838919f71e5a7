//! Requests whose bodies do not come, or hardly, and those who ask beside them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::common::http2::{Came, Http2};
use crate::common::{Launch, Server, eventually, raw};
use crate::stalled::figure;

/// Little, so that few clients are many: 128 requests whose bodies arrive, 8 MiB for large bodies, 1 MiB for small ones.
const MEMORY: &str = "--memory-limit=128MiB";
/// How long a client that was cut waits before it comes back.
const AGAIN: Duration = Duration::from_millis(100);
const INGEST: &str = "/api/ingest/market_data";
const QUESTIONS: [&str; 3] = ["/api/sql", "/api/metrics/history", INGEST];

fn head(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// Clients that announce `length` bytes, send all but a few of `sent`, and begin again whenever they are cut.
fn crowd(server: &Server, clients: usize, length: usize, sent: usize) -> JoinSet<()> {
    let (address, body) = (server.address, Arc::new(vec![b' '; sent]));
    let client = |number: usize| {
        let (head, body) = (head(QUESTIONS[number % QUESTIONS.len()], length), Arc::clone(&body));
        async move {
            loop {
                let Ok(mut stream) = TcpStream::connect(address).await else { continue };
                let _cut = stream.write_all(head.as_bytes()).await;
                let _cut = stream.write_all(&body).await;
                let _cut = stream.read_to_end(&mut Vec::new()).await;
                // Other tests need the processors too.
                tokio::time::sleep(AGAIN).await;
            }
        }
    };
    (0..clients).map(client).collect()
}

/// Waits until some were cut: there is no room for all of them.
async fn some_are_cut(server: &Server) {
    eventually("those that do not come make room", async || {
        (figure(server, "observability_bodies_cut_total").await > 0).then_some(())
    })
    .await;
}

/// Everybody else is answered, on connections of their own and on one that is kept.
async fn others_are_served(server: &Server) {
    let row = json!([{"timestamp": "2026-01-05T10:00:00", "symbol": "A", "last_price": 1.5}]);
    for _ in 0..8 {
        server.ingest("market_data", &row).await;
        assert_eq!(server.sql_value("SELECT count(*) AS n FROM market_data").await, 1);
        server.post("/api/metrics/history", &json!({"time_range": "1h"})).await.expect(200);
        server.get("/api/trades/?limit=5").await.expect(200);
        let text = r#"{"sql":"SELECT 1 AS n"}"#;
        let request = head("/api/sql", text.len()).replace("\r\nhost", "\r\nconnection: close\r\nhost") + text;
        let answer = raw::exchange(server.address, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_whose_bodies_do_not_come_keep_nobody_out() {
    let server = Launch::new().arguments([MEMORY]).start().await;
    let crowd = crowd(&server, 200, 1_000, 0);
    some_are_cut(&server).await;
    others_are_served(&server).await;
    let arriving = figure(&server, "observability_requests_arriving").await;
    assert!(arriving <= figure(&server, "observability_requests_arriving_limit").await, "{arriving}");
    assert!(figure(&server, "observability_requests_under_way_limit").await >= 2 * arriving);
    drop(crowd);
    eventually("all places are free again", async || {
        (figure(&server, "observability_requests_arriving").await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_stop_half_way_keep_nobody_out() {
    let server = Launch::new().arguments([MEMORY]).start().await;
    let (large, small) = (crowd(&server, 40, 900_000, 500_000), crowd(&server, 60, 65_536, 60_000));
    some_are_cut(&server).await;
    others_are_served(&server).await;
    drop((large, small));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_http2_whose_bodies_stand_still_keep_nobody_out() {
    let server = Launch::new().arguments([MEMORY]).start().await;
    let mut connections = Vec::new();
    for _ in 0..16 {
        let mut connection = Http2::connect(server.address).await;
        for _ in 0..32 {
            connection.begin(INGEST).await;
        }
        connections.push(connection);
    }
    some_are_cut(&server).await;
    others_are_served(&server).await;
    let mut newcomer = Http2::connect(server.address).await;
    let number = newcomer.ask("/api/trades/?limit=1").await;
    assert_eq!(newcomer.next().await, Some(Came::Headers(number)));
}

#[tokio::test]
async fn a_slow_body_is_taken_while_nobody_needs_its_room() {
    let server = Launch::new().arguments([MEMORY]).start().await;
    let text = json!([{"timestamp": "2026-01-05T10:00:00", "symbol": "A", "last_price": 1.5}]).to_string();
    let body = [vec![b' '; 20_000], text.into_bytes()].concat();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head(INGEST, body.len()).as_bytes()).await.unwrap();
    // Far behind the pace at which a body is never late.
    for piece in body.chunks(2_000) {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}

#[tokio::test]
async fn who_is_refused_before_the_body_is_read_is_told_that_the_connection_ends() {
    let server = Launch::new().arguments([MEMORY]).start().await;
    for (path, status) in
        [("/api/sql", 413), ("/api/metrics/history", 413), (INGEST, 413), ("/nowhere", 404), ("/", 405)]
    {
        let answer = raw::exchange(server.address, head(path, 100 << 20).as_bytes()).await.to_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{path}: {answer}");
    }
    // What was read is not in the way of the next request.
    let refused = head("/nowhere", 5)
        + "12345"
        + &head("/api/sql", 2).replace("\r\nhost", "\r\nconnection: close\r\nhost")
        + "{}";
    let answers = raw::exchange(server.address, refused.as_bytes()).await;
    let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["404", "422"], "{answers}");
}
