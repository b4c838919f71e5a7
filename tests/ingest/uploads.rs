//! Bodies that do not arrive.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Launch, Server, eventually};
use crate::{count, push, quote};

async fn impatient() -> Server {
    // Half of this memory is for bodies as they arrive.
    Launch::new().arguments(["--upload-timeout", "1s", "--ingest-memory", "5MiB"]).start().await
}

/// Begins a body of `announced` bytes, and sends `sent` of them.
async fn begin(server: &Server, announced: usize, sent: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/ingest/market_data HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: {announced}\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; sent]).await.unwrap();
    stream
}

async fn answer(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut text)).await;
    read.expect("the server closes").ok();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up_and_its_room_is_there_again() {
    let server = impatient().await;
    let stalled = begin(&server, 1_900_000, 1_500_000).await;
    let large = vec![b' '; 1_000_000];
    let large = [large.as_slice(), json!([quote(0, "A", 1.0)]).to_string().as_bytes()].concat();
    // Small bodies have room of their own.
    server.ingest("market_data", &json!([quote(1, "A", 1.0)])).await;
    let given_up = answer(stalled).await;
    assert!(given_up.starts_with("HTTP/1.1 408 "), "{given_up}");
    assert!(given_up.contains(r#"{"detail":"#) && given_up.contains("connection: close"), "{given_up}");
    push(&server, "market_data", "application/json", large).await.expect(200);
    assert_eq!(count(&server, "market_data").await, 2);
}

#[tokio::test]
async fn a_large_body_that_stands_still_makes_room_for_others() {
    let server = Launch::new().arguments(["--ingest-memory", "4MiB"]).start().await;
    let stalled = tokio::spawn(answer(begin(&server, 1_900_000, 1_500_000).await));
    // Small enough that neither ever waits for the other while the first one still comes.
    let large = [vec![b' '; 300_000], json!([quote(0, "A", 1.0)]).to_string().into_bytes()].concat();
    eventually("both do not fit once the first has been received", async || {
        push(&server, "market_data", "application/json", large.clone()).await.expect(200);
        stalled.is_finished().then_some(())
    })
    .await;
    let given_up = stalled.await.unwrap();
    assert!(given_up.starts_with("HTTP/1.1 408 ") && given_up.contains("others needed the room"), "{given_up}");
    assert!(given_up.contains("connection: close"), "{given_up}");
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_too() {
    let server = impatient().await;
    let started = Instant::now();
    let mut stream = begin(&server, 10_000, 1).await;
    let (mut reading, mut writing) = stream.split();
    let mut text = [0; 12];
    let trickle = async {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        read = reading.read_exact(&mut text) => drop(read.unwrap()),
        () = trickle => {}
    }
    assert_eq!(&text, b"HTTP/1.1 408");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
