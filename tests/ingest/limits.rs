//! Bodies that are too much, and a writer that is behind.

use async_compression::tokio::write::ZstdEncoder;
use reqwest::Method;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::common::{Launch, Server, raw};
use crate::{count, quote};

const LIMIT: usize = 64 << 20;

#[tokio::test]
async fn a_body_that_announces_too_much_is_refused_unread() {
    let server = Server::start().await;
    let request = format!(
        "POST /api/ingest/market_data HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
        server.address,
        LIMIT + 1
    );
    let answer = raw::exchange(server.address, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains(r#"{"detail":""#), "{answer}");
    assert!(answer.contains("connection: close"), "what is left of the body is not the next request: {answer}");
}

#[tokio::test]
async fn a_body_that_grows_too_large_when_unpacked_is_refused() {
    let server = Server::start().await;
    let mut encoder = ZstdEncoder::new(Vec::new());
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..=LIMIT >> 20 {
        encoder.write_all(&blanks).await.unwrap();
    }
    encoder.write_all(quote(0, "A", 1.0).to_string().as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    let headers = [("content-type", "application/json"), ("content-encoding", "zstd")];
    let answer = server.send(Method::POST, "/api/ingest/market_data", &headers, encoder.into_inner()).await.expect(413);
    assert!(!answer.detail().is_empty());
    assert_eq!(count(&server, "market_data").await, 0);
}

#[tokio::test]
async fn when_the_writer_is_behind_clients_are_told_when_to_come_back() {
    let server = Launch::new().arguments(["--queue-size", "64KiB"]).start().await;
    let rows: Vec<_> = (0..60).map(|second| quote(second, &"A".repeat(400), 1.0)).collect();
    let rows = json!(rows);
    let pushes = (0..40).map(|_| server.post("/api/ingest/market_data", &rows));
    let answers = futures::future::join_all(pushes).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(refused.len() < answers.len(), "some are taken");
    assert!(!refused.is_empty(), "forty bodies at once are more than a small queue holds");
    for answer in refused {
        assert!([429, 503].contains(&answer.status), "{}", answer.text());
        assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    }
    let too_large: Vec<_> = (0..6_000).map(|row| quote(row % 60, &row.to_string(), 1.0)).collect();
    let answer = server.post("/api/ingest/market_data", &json!(too_large)).await.expect(413);
    assert!(answer.detail().contains("parts"), "{}", answer.text());
    assert_eq!(count(&server, "market_data").await, 60);
}
