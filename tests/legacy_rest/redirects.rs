//! One trailing slash too many, or one too few.

use reqwest::Method;

use crate::common::{Launch, Server, raw};

#[tokio::test]
async fn a_path_that_differs_by_one_slash_is_redirected() {
    let server = Server::start().await;
    for (method, path, target) in [
        (Method::GET, "/health/", "/health"),
        (Method::GET, "/health/live/", "/health/live"),
        (Method::GET, "/api/metrics/current/", "/api/metrics/current"),
        (Method::POST, "/api/metrics/history/", "/api/metrics/history"),
        (Method::POST, "/api/trades", "/api/trades/"),
        (Method::GET, "/api/trades", "/api/trades/"),
        (Method::GET, "/api/trades?limit=10&symbol=AAPL", "/api/trades/?limit=10&symbol=AAPL"),
        (Method::GET, "/api/trades?symbol=a%2Fb%20c", "/api/trades/?symbol=a%2Fb%20c"),
        (Method::GET, "/api/trades/stats/", "/api/trades/stats"),
        (Method::GET, "/api/trades/trade_x/", "/api/trades/trade_x"),
        (Method::GET, "/api/trades/stats/summary/", "/api/trades/stats/summary"),
        (Method::GET, "/api/trades/execution/quality/", "/api/trades/execution/quality"),
        (Method::GET, "/api/system/health/", "/api/system/health"),
        (Method::GET, "/api/system/logs/recent/", "/api/system/logs/recent"),
        (Method::POST, "/api/system/alerts/acknowledge/x/", "/api/system/alerts/acknowledge/x"),
        (Method::GET, "/docs/", "/docs"),
        (Method::GET, "/openapi.json/", "/openapi.json"),
    ] {
        let answer = server.send(method.clone(), path, &[], Vec::new()).await;
        assert_eq!(answer.status, 307, "{method} {path}: {}", answer.text());
        assert_eq!(answer.header("location"), server.url(target), "{method} {path}");
        assert!(answer.body.is_empty(), "{method} {path}");
        assert_eq!(answer.header("content-length"), "0", "{method} {path}");
    }
}

#[tokio::test]
async fn the_location_is_built_from_the_host_that_the_client_named() {
    let server = Launch::new().arguments(["--allowed-hosts", "desk.example"]).start().await;
    let request = "GET /health/ HTTP/1.1\r\nhost: desk.example:8000\r\nconnection: close\r\n\r\n";
    let answer = raw::exchange(server.address, request.as_bytes()).await.to_lowercase();
    assert!(answer.starts_with("http/1.1 307 "), "{answer}");
    assert!(answer.contains("\r\nlocation: http://desk.example:8000/health\r\n"), "{answer}");
}

#[tokio::test]
async fn other_spellings_of_a_path_are_not_found() {
    let server = Server::start().await;
    for path in ["//health", "/HEALTH", "/health//", "/Health", "/api/Trades/", "/favicon.ico", "/nope/"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.text().as_str()), (404, r#"{"detail":"Not Found"}"#), "{path}");
    }
}
