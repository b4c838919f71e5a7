//! The paths about the service itself.

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{Server, eventually, raw, shape};

#[tokio::test]
async fn the_root_names_the_ways_in() {
    let server = Server::start().await;
    let answer = server.get("/").await.expect(200);
    assert_eq!(
        answer.text(),
        r#"{"service":"Trading Observability API","version":"1.0.0","docs":"/docs","websocket":"/ws/metrics","#
            .to_owned()
            + r#""endpoints":{"metrics":"/api/metrics","trades":"/api/trades","system":"/api/system"}}"#
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
}

#[tokio::test]
async fn health_is_always_healthy() {
    let server = Server::start().await;
    let answer = server.get("/health?x=1").await.expect(200);
    assert_eq!(answer.text(), r#"{"status":"healthy","service":"observability-api"}"#);
    assert!(!answer.header("server").contains("uvicorn"));
    assert_eq!(answer.header("content-length"), "50");
}

#[tokio::test]
async fn ready_lists_the_collectors_and_says_503_until_all_are_alive() {
    let server = Server::start().await;
    let ready = eventually("all collectors are alive", async || {
        let answer = server.get("/health/ready").await;
        let all = answer.json()["ready"].as_bool().unwrap();
        assert_eq!(answer.status, if all { 200 } else { 503 });
        all.then(|| answer.json())
    });
    let alive = json!({"market_data": true, "strategy": true, "execution": true, "system": true});
    assert_eq!(ready.await, json!({"ready": true, "collectors": alive}));
}

#[tokio::test]
async fn live_counts_seconds_since_the_process_began() {
    let server = Server::start().await;
    let first = server.get("/health/live").await.expect(200).json();
    shape::check(&first, &json!({"alive": "bool", "websocket_connections": "int", "uptime_seconds": "float"}));
    assert_eq!((&first["alive"], &first["websocket_connections"]), (&json!(true), &json!(0)));
    let uptime = first["uptime_seconds"].as_f64().unwrap();
    assert!((0.0..120.0).contains(&uptime), "{uptime} is not the age of the process");
    eventually("the uptime grows", async || {
        let later = server.get("/health/live").await.json()["uptime_seconds"].as_f64().unwrap();
        (later > uptime).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_documentation_needs_nothing_from_the_network() {
    let server = Server::start().await;
    for path in ["/docs", "/redoc", "/docs/oauth2-redirect"] {
        let mut answer = server.get(path).await;
        if (300..400).contains(&answer.status) {
            let target = answer.header("location").replace(&server.url(""), "");
            answer = server.get(&target).await;
        }
        let answer = answer.expect(200);
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{path}");
        for loaded in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
            assert!(!answer.text().contains(loaded), "{path} loads from elsewhere");
        }
        let head = server.send(Method::HEAD, path, &[], Vec::new()).await;
        assert!(head.status < 400 && head.body.is_empty(), "HEAD {path}: {}", head.status);
    }
}

#[tokio::test]
async fn the_openapi_document_describes_every_legacy_path() {
    let server = Server::start().await;
    let answer = server.get("/openapi.json").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    for (path, method) in [
        ("/", "get"),
        ("/health", "get"),
        ("/health/ready", "get"),
        ("/health/live", "get"),
        ("/api/metrics/current", "get"),
        ("/api/metrics/history", "post"),
        ("/api/metrics/symbols", "get"),
        ("/api/metrics/summary", "get"),
        ("/api/trades/", "get"),
        ("/api/trades/{trade_id}", "get"),
        ("/api/trades/stats/summary", "get"),
        ("/api/trades/execution/quality", "get"),
        ("/api/system/health", "get"),
        ("/api/system/performance", "get"),
        ("/api/system/components", "get"),
        ("/api/system/logs/recent", "get"),
        ("/api/system/alerts/acknowledge/{alert_id}", "post"),
        ("/api/system/stats", "get"),
        ("/api/ingest/{table}", "post"),
        ("/api/sql", "post"),
        ("/api/operator/archive", "post"),
        ("/api/operator/retention", "post"),
        ("/api/operator/backup", "post"),
    ] {
        assert!(document["paths"][path][method].is_object(), "{method} {path} is not described");
    }
    let head = server.send(Method::HEAD, "/openapi.json", &[], Vec::new()).await.expect(200);
    assert!(head.body.is_empty());
}

#[tokio::test]
async fn answers_are_plain_whatever_the_client_would_take() {
    let server = Server::start().await;
    let headers = [("accept-encoding", "gzip, br, zstd, deflate")];
    let answer = server.send(Method::GET, "/health", &headers, Vec::new()).await.expect(200);
    assert_eq!(answer.header("content-encoding"), "");
    assert_eq!(answer.json()["status"], Value::from("healthy"));
    let by_hand = raw::get(server.address, "/health").await.to_lowercase();
    assert!(by_hand.starts_with("http/1.1 200 ok\r\n"), "{by_hand}");
    assert!(by_hand.contains("\r\ndate: ") && !by_hand.contains("transfer-encoding"), "{by_hand}");
}
