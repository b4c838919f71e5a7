//! Clients that take nothing of what they asked for, and those who ask beside them.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::common::http2::{Came, Http2};
use crate::common::{Launch, Server, eventually, raw};

/// Little, so that few clients are many.
const MEMORY: &str = "--memory-limit=128MiB";
/// Streams of one connection.
const STREAMS: usize = 32;

/// A figure of `/metrics`.
pub async fn figure(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").await.expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
}

/// Pages are answered, which also says that they had not to wait for room in vain.
async fn is_served(server: &Server) {
    for path in ["/health/live", "/metrics", "/api/trades/?limit=5"] {
        server.get(path).await.expect(200);
    }
}

/// Clients with many requests each, who take nothing.
async fn http2_crowd(server: &Server, connections: usize, path: &str) -> Vec<Http2> {
    let mut crowd = Vec::new();
    for _ in 0..connections {
        let mut connection = Http2::connect(server.address).await;
        for _ in 0..STREAMS {
            connection.ask(path).await;
        }
        crowd.push(connection);
    }
    crowd
}

/// Asks for the same page again and again, and reads nothing.
async fn unread(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let request = format!(
        "GET /openapi.json HTTP/1.1\r\nhost: {0}\r\n\r\nGET /metrics HTTP/1.1\r\nhost: {0}\r\n\r\n",
        server.address
    );
    stream.write_all(request.repeat(100).as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn http2_streams_without_a_window_are_bounded_and_make_room() {
    let server = Launch::new().arguments([MEMORY]).start().await;
    is_served(&server).await;
    let before = server.peak_memory();
    let crowd = http2_crowd(&server, 24, "/metrics").await;
    is_served(&server).await;
    eventually("those who take nothing are cut", async || {
        (figure(&server, "observability_responses_cut_total").await > 0).then_some(())
    })
    .await;
    let taken = server.peak_memory() - before;
    assert!(taken < 48 << 20, "{} MiB for {} streams", taken >> 20, 24 * STREAMS);
    drop(crowd);
    eventually("all of it is given back", async || {
        let held = figure(&server, "observability_response_bytes").await;
        (held == 0 && figure(&server, "observability_requests_under_way").await == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_crowd_of_connections_keeps_no_newcomer_out() {
    let server = Launch::new().arguments([MEMORY]).start().await;
    is_served(&server).await;
    let crowd = http2_crowd(&server, 140, "/metrics").await;
    let newcomers = (0..8).map(|_| async {
        let answer = raw::get(server.address, "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{}", answer.lines().next().unwrap_or_default());
    });
    futures::join!(is_served(&server), futures::future::join_all(newcomers));
    drop(crowd);
}

#[tokio::test]
async fn a_stream_that_takes_nothing_is_cut_while_another_of_its_connection_goes_on() {
    let server = Launch::new().arguments([MEMORY]).start().await;
    let page = server.get("/metrics").await.expect(200).body.len();
    let limit = usize::try_from(figure(&server, "observability_response_bytes_limit").await).unwrap();
    // Older than all others, so that it makes room first.
    let mut connection = Http2::connect(server.address).await;
    let moving = connection.ask("/docs/assets/swagger-ui-bundle.js").await;
    for _ in 1..STREAMS {
        connection.ask("/metrics").await;
    }
    let _crowd = http2_crowd(&server, limit / page / STREAMS + 1, "/metrics").await;
    let (mut taken, mut after_the_cut) = (0, 0);
    let began = Instant::now();
    while after_the_cut < 2 && began.elapsed() < Duration::from_secs(25) {
        connection.allow(0, 1_000).await;
        connection.allow(moving, 1_000).await;
        loop {
            match connection.next().await.expect("the connection stays for its other stream") {
                Came::Data(number, length) if number == moving => break taken += length,
                Came::Data(number, _) => panic!("{number} has no window"),
                _ => {}
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        after_the_cut += u32::from(server.log().contains("responses were cut"));
    }
    assert!(after_the_cut == 2 && taken >= 2_000, "{after_the_cut} {taken}");
}

#[tokio::test]
async fn http1_clients_that_read_nothing_make_room_and_a_slow_one_is_left_alone() {
    const FILE: &str = "/docs/assets/swagger-ui-bundle.js";
    let server = Launch::new().arguments([MEMORY]).start().await;
    let slow = slow_reader(&server, FILE).await;
    let mut crowd = Vec::new();
    for _ in 0..48 {
        crowd.push(unread(&server).await);
    }
    let (read, ()) = tokio::join!(slow, is_served(&server));
    let whole = server.get(FILE).await.expect(200).body.len();
    assert!(read.len() > whole, "all of {whole}, and a head: {}", read.len());
    drop(crowd);
    eventually("all of it is given back", async || {
        (figure(&server, "observability_response_bytes").await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_slow_reader_of_an_export_gets_all_of_it_beside_those_who_read_nothing() {
    const ROWS: usize = 12_000;
    const EXPORT: &str = "/api/export/trades?format=json";
    let server = Launch::new().arguments([MEMORY]).start().await;
    let row = |number: usize| {
        json!({"trade_id": format!("{number:0200}"), "timestamp": "2026-01-05T10:00:00", "symbol": "S",
               "side": "buy", "quantity": 1, "price": 1.5})
    };
    for part in 0..ROWS / 1_000 {
        server.ingest("trades", &(part * 1_000..(part + 1) * 1_000).map(row).collect()).await;
    }
    // Before all others, so that it would make room first.
    let slow = slow_reader(&server, EXPORT).await;
    let crowd = http2_crowd(&server, 12, EXPORT).await;
    let waiting = http2_crowd(&server, 12, "/metrics").await;
    let read = String::from_utf8(slow.await).unwrap();
    assert_eq!(read.matches("\"trade_id\"").count(), ROWS);
    assert!(read.ends_with("0\r\n\r\n"), "the response is whole");
    drop((crowd, waiting));
}

/// Begins to read a large response, and takes its time over it until others have been cut.
async fn slow_reader(server: &Server, path: &str) -> impl Future<Output = Vec<u8>> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut read = vec![0];
    stream.read_exact(&mut read).await.unwrap();
    async move {
        let mut buffer = vec![0; 32 << 10];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return read,
                Ok(more) => read.extend_from_slice(&buffer[..more]),
            }
            if !server.log().contains("responses were cut") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

#[tokio::test]
async fn small_answers_keep_their_length() {
    let server = Server::start().await;
    for path in ["/api/metrics/current", "/metrics", "/openapi.json", "/api/trades/?limit=5", "/health/ready"] {
        let answer = raw::get(server.address, path).await.to_lowercase();
        assert!(answer.contains("\r\ncontent-length: "), "{path}: {}", &answer[..answer.len().min(300)]);
    }
}
