//! `/api/metrics/current` against a bare handler that returns the same bytes: `cargo bench --bench current`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::{Duration, Instant};

use axum::routing::get;
use axum::serve::ListenerExt;
use common::{Server, median};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 16;
const PIPELINED: usize = 8;
const SPAN: Duration = Duration::from_secs(2);

fn main() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &["--demo"]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let body = runtime
        .block_on(async { reqwest::get(server.url("/api/metrics/current")).await.unwrap().bytes().await.unwrap() });
    let bytes = body.len();
    let bare = bare_server(body);
    let (mut ours, mut bares, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let bare_rate = runtime.block_on(rate(&bare, "/api/metrics/current"));
        let our_rate = runtime.block_on(rate(&server.address, "/api/metrics/current"));
        ratios.push(our_rate / bare_rate);
        ours.push(our_rate);
        bares.push(bare_rate);
    }
    println!(
        "/api/metrics/current, {bytes} bytes: bare handler {:.0} requests/s, ours {:.0} requests/s, ratio {:.2}",
        median(bares),
        median(ours),
        median(ratios)
    );
}

/// A server with nothing but a handler that returns `body`, with as many threads as ours.
fn bare_server(body: bytes::Bytes) -> String {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let handler = move || async move { ([("content-type", "application/json")], body.clone()) };
            let router = axum::Router::new().route("/api/metrics/current", get(handler));
            // Without it, requests that follow each other closely wait for the kernel's delayed acknowledgements.
            let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
            axum::serve(listener, router).await.unwrap();
        });
    });
    address
}

/// Answers a second, over some connections that each keep several requests on their way.
async fn rate(address: &str, path: &str) -> f64 {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(PIPELINED);
    let started = Instant::now();
    let connections = (0..CONNECTIONS).map(|_| async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut buffer = Vec::with_capacity(1 << 20);
        let mut answers = 0;
        while started.elapsed() < SPAN {
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut due = PIPELINED;
            while due > 0 {
                if let Some(length) = answer_length(&buffer) {
                    buffer.drain(..length);
                    due -= 1;
                    answers += 1;
                } else {
                    assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "the server hung up");
                }
            }
        }
        answers
    });
    let answers: usize = futures::future::join_all(connections).await.into_iter().sum();
    answers as f64 / started.elapsed().as_secs_f64()
}

/// The length of the answer at the start of the buffer, if all of it is there.
fn answer_length(buffer: &[u8]) -> Option<usize> {
    let head_end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..head_end]).unwrap().to_ascii_lowercase();
    let length: usize = head.split("content-length:").nth(1)?.split("\r\n").next()?.trim().parse().unwrap();
    (buffer.len() >= head_end + length).then_some(head_end + length)
}
