//! Everything at once with little memory: exports that nobody reads, wide sorts, history, and clients that push rows. Then the
//! program is killed. Every acknowledged batch is whole after the restart, and nothing else is there.
//!
//! `STRESS_SECONDS` says how long it goes on, 12 unless it is set.
//!
//! `unread` are results of which nothing is read; in `rivals` clients write the same keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

mod batches;
#[path = "../common/mod.rs"]
mod common;
mod rivals;
mod unread;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use batches::{ROWS, Told};
use common::{Launch, Server};

/// Little, for what is asked of it.
const MEMORY: &str = "--memory-limit=384MiB";
const UNREAD_EXPORTS: usize = 40;
const WRITERS: u64 = 3;
/// Batches that are there before the rest begins.
const FIRST: usize = 10;

/// An export of which nothing is read.
async fn unread_export(server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let request = format!("GET /api/export/market_data?format=json HTTP/1.1\r\nhost: {}\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Sends the same request again and again, whatever comes back.
async fn repeat(client: reqwest::Client, url: String, body: serde_json::Value) {
    loop {
        if let Ok(response) = client.post(&url).json(&body).send().await {
            let _rows = response.bytes().await;
        }
    }
}

/// Pushes batches one after the other and takes down what it was told of each.
async fn push(client: reqwest::Client, url: String, writer: u64, until: tokio::time::Instant) -> Vec<(u64, Told)> {
    let mut told = Vec::new();
    for number in 0.. {
        if tokio::time::Instant::now() >= until {
            break;
        }
        let batch = writer + WRITERS * number;
        let request = client.post(&url).header("content-type", "text/csv").body(batches::csv(batch));
        told.push(match request.send().await {
            Ok(response) if response.status() == 200 => (batch, Told::Stored),
            Ok(response) => {
                let status = response.status().as_u16();
                assert!([413, 429, 503].contains(&status), "a refusal says that it is one: {status}");
                assert!(status == 413 || response.headers().contains_key("retry-after"));
                (batch, Told::Refused)
            }
            Err(_) => (batch, Told::Nothing),
        });
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_batch_is_whole_and_no_other_is_there() {
    let seconds = std::env::var("STRESS_SECONDS").map_or(12, |text| text.parse().unwrap());
    let mut server = Launch::new().arguments([MEMORY]).start().await;
    let ingest = server.url("/api/ingest/market_data");
    let mut told = Vec::new();
    for batch in (1_000_000..).take(FIRST) {
        let first = server.client.post(&ingest).header("content-type", "text/csv").body(batches::csv(batch));
        assert_eq!(first.send().await.unwrap().status(), 200);
        told.push((batch, Told::Stored));
    }

    let mut unread = Vec::new();
    for _ in 0..UNREAD_EXPORTS {
        unread.push(unread_export(&server).await);
    }
    let mut readers = JoinSet::new();
    let sort = json!({"sql": "SELECT * FROM market_data ORDER BY last_price DESC, symbol LIMIT 200000"});
    let group = json!({"sql": "SELECT symbol, last_price, count(*) AS n FROM market_data GROUP BY 1, 2"});
    let history = json!({"start_time": "2020-01-01", "end_time": "2030-01-01", "interval": "1m"});
    for (path, body) in
        [("/api/sql", &sort), ("/api/sql", &group), ("/api/sql", &sort), ("/api/metrics/history", &history)]
    {
        readers.spawn(repeat(server.client.clone(), server.url(path), body.clone()));
    }
    let until = tokio::time::Instant::now() + Duration::from_secs(seconds);
    let writers = (0..WRITERS).map(|writer| push(server.client.clone(), ingest.clone(), writer, until));
    told.extend(futures::future::join_all(writers).await.into_iter().flatten());
    let log = server.log();
    assert!(!log.contains("cannot go on") && !log.contains("panicked"), "{log}");
    server.get("/health/live").await.expect(200);
    server.kill();
    readers.abort_all();
    drop(unread);

    let server = Launch::new().directory(&server.directory).start().await;
    let stored: BTreeMap<_, _> = batches::stored(&server).await;
    for (batch, told) in &told {
        let rows = stored.get(batch).copied().unwrap_or(0);
        match told {
            Told::Stored => assert_eq!(rows, ROWS, "batch {batch} was acknowledged"),
            Told::Refused => assert_eq!(rows, 0, "batch {batch} was refused"),
            Told::Nothing => assert!([0, ROWS].contains(&rows), "batch {batch} has {rows} rows"),
        }
    }
    let known: std::collections::BTreeSet<_> = told.iter().map(|(batch, _)| *batch).collect();
    assert!(stored.keys().all(|batch| known.contains(batch)), "nobody sent any other");
    let acknowledged = told.iter().filter(|(_, told)| *told == Told::Stored).count();
    println!("{acknowledged} of {} batches were acknowledged, and are whole", told.len());
    assert!(acknowledged > FIRST, "rows go in beside all that");
}
