//! What the server is called.

use crate::common::{Launch, Server, raw};
use crate::{exchange, status};

async fn named(server: &Server, host: &str) -> u16 {
    status(server, "GET /api/metrics/current", &[format!("host: {host}")], "").await
}

#[tokio::test]
async fn a_page_whose_name_was_made_to_point_here_reads_nothing() {
    let server = Server::start().await;
    let port = server.address.port();
    for host in
        ["evil.example", &format!("evil.example:{port}"), "localhost.evil.example", "10.0.0.1", "", "localhost@x"]
    {
        assert_eq!(named(&server, host).await, 421, "{host}");
    }
    for host in ["localhost", "LOCALHOST.", "127.0.0.1", "[::1]"] {
        assert_eq!(named(&server, host).await, 200, "{host}");
        assert_eq!(named(&server, &format!("{host}:{port}")).await, 200, "{host}:{port}");
    }
    let refusal = exchange(&server, "GET /health", &["host: evil.example".to_owned()], "").await;
    assert!(refusal.contains("--allowed-hosts"), "the way out is named: {refusal}");
    let socket = ["host: evil.example", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"];
    let socket = socket.map(str::to_owned);
    assert_eq!(status(&server, "GET /ws/metrics", &socket, "").await, 421);
}

#[tokio::test]
async fn a_request_names_one_server() {
    let server = Server::start().await;
    let twice = [format!("host: {}", server.address), "host: evil.example".to_owned()];
    assert_eq!(status(&server, "GET /health", &twice, "").await, 400);
    assert_eq!(status(&server, "GET /health", &[], "").await, 400);
    let own = [format!("host: {}", server.address)];
    assert_eq!(status(&server, "GET http://evil.example/health", &own, "").await, 421);
    assert_eq!(status(&server, &format!("GET http://{}/health", server.address), &own, "").await, 200);
    let old = raw::exchange(server.address, b"GET /health HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 "), "{old}");
}

#[tokio::test]
async fn a_server_for_every_address_has_any_address_but_only_the_names_it_was_given() {
    let launch = Launch::new().without_address();
    let server =
        launch.arguments(["--host", "0.0.0.0", "--port", "0", "--allowed-hosts", "desk.example"]).start().await;
    for host in ["10.1.2.3:8000", "[fd00::1]", "localhost", "desk.example", "Desk.Example:443"] {
        assert_eq!(named(&server, host).await, 200, "{host}");
    }
    assert_eq!(named(&server, "evil.example").await, 421);
    // As a proxy passes a page's request on that came to it by HTTPS.
    let proxied =
        ["host: desk.example", "origin: https://desk.example", "sec-fetch-site: same-origin"].map(str::to_owned);
    assert_eq!(status(&server, "POST /api/sql", &proxied, r#"{"sql":"SELECT 1"}"#).await, 200);

    let server = Launch::new().arguments(["--allowed-hosts", "*"]).start().await;
    assert_eq!(named(&server, "whatever.example").await, 200);
}
