//! How many connections there may be, and how long they may stay.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::common::{Launch, Server, eventually, eventually_within, raw};

const SLOW_HEAD: &[u8] = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\nx-slow: ";

/// A server that has room for `connections` of them.
async fn small(connections: usize) -> Server {
    Launch::new().arguments(["--max-connections".to_owned(), connections.to_string()]).start().await
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address).await.expect("the system accepts")
}

/// A request that is under way until its client reads on.
async fn busy(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let head = "GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    stream
}

/// A request that is under way until the rest of its body comes, which is eight bytes.
async fn asking(server: &Server) -> TcpStream {
    let mut stream = connect(server).await;
    let head = "POST /api/sql HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{").await.unwrap();
    stream
}

/// What comes back, if anything does: who finds no place may be hung up on.
async fn try_get(server: &Server, path: &str) -> Option<String> {
    let mut stream = connect(server).await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer));
    read.await.expect("nobody is left waiting").ok()?;
    Some(answer).filter(|answer| !answer.is_empty())
}

/// Whether it is answered.
async fn is_served(server: &Server, path: &str) -> Option<()> {
    try_get(server, path).await.filter(|answer| answer.starts_with("HTTP/1.1 200 ")).map(drop)
}

/// A figure of `/metrics`.
async fn figure(server: &Server, name: &str) -> u64 {
    let text = raw::get(server.address, "/metrics").await;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
}

#[tokio::test]
async fn connections_that_say_nothing_make_room_for_those_that_do() {
    let server = small(16).await;
    let mut held = Vec::new();
    for number in 0..64 {
        let mut stream = connect(&server).await;
        if number % 2 == 0 {
            stream.write_all(SLOW_HEAD).await.ok();
        }
        held.push(stream);
    }
    for path in ["/health/live", "/api/metrics/current"] {
        let asked = Instant::now();
        let patience = Duration::from_secs(3);
        eventually_within(patience, "somebody makes room", async || is_served(&server, path).await).await;
        println!("{path} after {:?}", asked.elapsed());
    }
    assert!(figure(&server, "observability_connections").await <= 18);
    assert_eq!(figure(&server, "observability_connections_limit").await, 16);
    assert!(figure(&server, "observability_connections_closed_total{reason=\"displaced\"}").await > 0);
}

#[tokio::test]
async fn when_everybody_is_at_work_a_newcomer_is_told_so_and_liveness_is_answered() {
    let server = small(8).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(busy(&server).await);
    }
    let refused = try_get(&server, "/api/metrics/current").await.unwrap().to_lowercase();
    assert!(refused.starts_with("http/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nretry-after: 1\r\n") && refused.contains("\r\nconnection: close\r\n"), "{refused}");
    assert!(refused.contains("--max-connections"), "the way out is named: {refused}");
    eventually("a place to be told it is free again", async || is_served(&server, "/health/live").await).await;
    drop(held);
    eventually("their places are free again", async || is_served(&server, "/api/metrics/current").await).await;
    assert!(figure(&server, "observability_connections_refused_total{reason=\"limit\"}").await > 0);
}

#[tokio::test]
async fn connections_with_bodies_that_do_not_come_make_room() {
    let server = small(8).await;
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(asking(&server).await);
    }
    eventually("somebody makes room", async || is_served(&server, "/api/metrics/current").await).await;
    drop(held);
}

#[tokio::test]
async fn a_websocket_keeps_its_place_and_the_others_have_theirs() {
    let server = small(8).await;
    let handshake = format!(
        "GET /ws/metrics HTTP/1.1\r\nhost: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server.address
    );
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = connect(&server).await;
        client.write_all(handshake.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        client.read_exact(&mut status).await.unwrap();
        match &status {
            b"HTTP/1.1 101" => clients.push(client),
            refused => assert_eq!(refused, b"HTTP/1.1 403"),
        }
    }
    assert_eq!(clients.len(), 6, "three quarters of the places are for them");
    assert_eq!(figure(&server, "observability_websocket_clients_limit").await, 6);
    // They have been quiet for longer than a newcomer waits, and are not asked to leave.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let mut idle = Vec::new();
    for _ in 0..6 {
        idle.push(connect(&server).await);
    }
    eventually("there is room beside them", async || is_served(&server, "/api/metrics/current").await).await;
    assert_eq!(server.get("/health/live").await.json()["websocket_connections"], 6);
}

#[tokio::test]
async fn there_are_as_many_as_there_is_memory_for() {
    let server = Launch::new().arguments(["--memory-limit=128MiB"]).start().await;
    assert_eq!(figure(&server, "observability_connections_limit").await, 1_024);
    let log = server.log();
    let line = log.lines().find(|line| line.contains("fewer connections")).expect("it is said");
    assert!(line.contains("INFO") && line.contains("--memory-limit"), "{line}");
}

#[tokio::test]
async fn long_heads_that_do_not_end_make_room_for_those_that_do() {
    let server = Launch::new().arguments(["--memory-limit=128MiB"]).start().await;
    let mut held = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(&server).await;
        // Who finds no room is hung up on.
        stream.write_all(SLOW_HEAD).await.ok();
        stream.write_all(&[b'x'; 12 << 10]).await.ok();
        held.push(stream);
    }
    let refused = "observability_connections_refused_total{reason=\"heads\"}";
    eventually("there is no room for all of them", async || (figure(&server, refused).await > 0).then_some(())).await;
    let long = format!("/health/live?{}", "x".repeat(10 << 10));
    eventually_within(Duration::from_secs(10), "somebody makes room", async || is_served(&server, &long).await).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn descriptors_are_raised_and_a_part_of_them_is_kept_from_connections() {
    let server = Launch::new().descriptors(40, 96).start().await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(open_files.split_whitespace().nth(3), Some("96"), "{open_files}");
    assert!(server.log().contains("fewer connections than --max-connections"), "{}", server.log());

    let mut held = Vec::new();
    for _ in 0..150 {
        held.push(connect(&server).await);
    }
    eventually("somebody makes room", async || is_served(&server, "/api/metrics/current").await).await;
    // The database has descriptors for what it does.
    server
        .ingest(
            "trades",
            &serde_json::json!([{"trade_id": "1", "timestamp": "2025-10-21T12:00:00", "symbol": "A",
        "side": "buy", "quantity": 1, "price": 1}]),
        )
        .await;
    assert_eq!(server.sql_value("SELECT count(*) FROM trades").await, 1);
    assert_eq!(figure(&server, "observability_connections_refused_total{reason=\"descriptors\"}").await, 0);
}

#[tokio::test]
async fn a_head_without_an_end_is_refused() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    stream.write_all(SLOW_HEAD).await.unwrap();
    let mut sent = 0;
    while sent < 1 << 20 && stream.write_all(&[b'x'; 4_096]).await.is_ok() {
        sent += 4_096;
    }
    let mut answer = Vec::new();
    let _reset_or_not = stream.read_to_end(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    raw::get(server.address, "/health/live").await;
}

#[tokio::test]
async fn a_graceful_end_lets_a_request_finish_and_waits_for_no_silent_client() {
    let mut server = Server::start().await;
    let _silent = connect(&server).await;
    let mut slow = connect(&server).await;
    slow.write_all(SLOW_HEAD).await.unwrap();
    let mut asking = asking(&server).await;
    server.signal("TERM");
    asking.write_all(b"\"sql\":\"}").await.unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 422 "), "{answer}");
    assert_eq!(server.ended().await, Some(0));
    assert!(TcpSocket::new_v4().unwrap().connect(server.address).await.is_err());
}
