//! Clients that take nothing of what they asked for, and those who ask beside them.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::common::http2::{Came, Http2};
use crate::common::{Launch, Server, eventually, raw};

/// Little, so that few clients are many.
const MEMORY: &str = "--memory-limit=128MiB";
/// Streams of one connection.
const STREAMS: usize = 32;
/// How long a request waits for room.
const PATIENCE: Duration = Duration::from_secs(5);

/// A figure of `/metrics`.
async fn figure(server: &Server, name: &str) -> u64 {
    let text = server.get("/metrics").await.expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
}

/// A page is answered in time, and whether the server lives at once.
async fn is_served(server: &Server) {
    let asked = Instant::now();
    server.get("/health/live").await.expect(200);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    for path in ["/metrics", "/api/trades/?limit=5"] {
        let asked = Instant::now();
        server.get(path).await.expect(200);
        assert!(asked.elapsed() < PATIENCE, "{path}: {:?}", asked.elapsed());
    }
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
    let mut crowd = Vec::new();
    for _ in 0..24 {
        let mut connection = Http2::connect(server.address).await;
        for _ in 0..STREAMS {
            connection.ask("/metrics").await;
        }
        crowd.push(connection);
    }
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
    let mut crowd = Vec::new();
    for _ in 0..limit / page / STREAMS + 1 {
        let mut other = Http2::connect(server.address).await;
        for _ in 0..STREAMS {
            other.ask("/metrics").await;
        }
        crowd.push(other);
    }
    let (mut taken, mut after_the_cut) = (0, 0);
    let began = Instant::now();
    while after_the_cut < 2 && began.elapsed() < Duration::from_secs(9) {
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
    let server = Launch::new().arguments([MEMORY]).start().await;
    let slow = slow_reader(&server).await;
    let mut crowd = Vec::new();
    for _ in 0..48 {
        crowd.push(unread(&server).await);
    }
    is_served(&server).await;
    let whole = server.get("/docs/assets/swagger-ui-bundle.js").await.expect(200).body.len();
    let read = slow.await.unwrap();
    assert!(read > whole, "all of {whole}, and a head: {read}");
    drop(crowd);
    eventually("all of it is given back", async || {
        (figure(&server, "observability_response_bytes").await == 0).then_some(())
    })
    .await;
}

/// Reads a large file, and takes some seconds over it.
async fn slow_reader(server: &Server) -> tokio::task::JoinHandle<usize> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let request = format!(
        "GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        server.address
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::spawn(async move {
        let mut read = 0;
        let mut buffer = vec![0; 32 << 10];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return read,
                Ok(more) => read += more,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
}

#[tokio::test]
async fn small_answers_keep_their_length() {
    let server = Server::start().await;
    for path in ["/api/metrics/current", "/metrics", "/openapi.json", "/api/trades/?limit=5", "/health/ready"] {
        let answer = raw::get(server.address, path).await.to_lowercase();
        assert!(answer.contains("\r\ncontent-length: "), "{path}: {}", &answer[..answer.len().min(300)]);
    }
}
