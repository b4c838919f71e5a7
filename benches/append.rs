//! Durable ingest of Arrow IPC over HTTP, upserting by key, against a raw DuckDB append of the same batches without a
//! key, one commit a batch: `cargo bench --bench append`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Instant;

use arrow::record_batch::RecordBatch;
use common::{Server, ipc, market_data, median};

const ROUNDS: usize = 7;
const BATCHES: usize = 60;
const SYMBOLS: usize = 50;
const CLIENTS: usize = 2;

fn main() {
    for rows in [1_000, 10_000, 100_000] {
        let count = if rows == 100_000 { BATCHES / 4 } else { BATCHES };
        let (mut raw, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let start = round as i64 * 1_000_000_000_000;
            let step = (rows / SYMBOLS) as i64 * 1_000_000;
            let batches: Vec<_> =
                (0..count).map(|batch| market_data(start + batch as i64 * step, rows, SYMBOLS, 1_000_000)).collect();
            let total = (rows * count) as f64;
            let raw_rate = total / raw_append(&batches);
            let our_rate = total / ingest(&batches);
            ratios.push(our_rate / raw_rate);
            raw.push(raw_rate);
            ours.push(our_rate);
        }
        println!(
            "{rows:>7}-row batches: raw append {:>9.0} rows/s, ingest over HTTP {:>9.0} rows/s, ratio {:.2}",
            median(raw),
            median(ours),
            median(ratios)
        );
    }
}

/// Seconds that the engine alone takes.
fn raw_append(batches: &[RecordBatch]) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let connection = duckdb::Connection::open(directory.path().join("raw.duckdb")).unwrap();
    connection.execute_batch(include_str!("../queries/schema/001_tables.sql")).unwrap();
    connection.execute_batch("SET checkpoint_threshold = '128MB'").unwrap();
    let started = Instant::now();
    for batch in batches {
        connection.execute_batch("BEGIN").unwrap();
        let mut appender = connection.appender("market_data").unwrap();
        appender.append_record_batch(batch.clone()).unwrap();
        appender.flush().unwrap();
        connection.execute_batch("COMMIT").unwrap();
    }
    started.elapsed().as_secs_f64()
}

/// Seconds that clients of a server take until the last batch is acknowledged.
fn ingest(batches: &[RecordBatch]) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let bodies: Vec<Vec<u8>> = batches.iter().map(ipc).collect();
    let url = server.url("/api/ingest/market_data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let started = Instant::now();
        let mut parts: Vec<Vec<Vec<u8>>> = vec![Vec::new(); CLIENTS];
        for (position, body) in bodies.into_iter().enumerate() {
            parts[position % CLIENTS].push(body);
        }
        let clients = parts.into_iter().map(|bodies| {
            let (client, url) = (client.clone(), url.clone());
            async move {
                for body in bodies {
                    let request = client.post(&url).header("content-type", "application/vnd.apache.arrow.stream");
                    let response = request.body(body).send().await.unwrap();
                    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
                }
            }
        });
        futures::future::join_all(clients).await;
        started.elapsed().as_secs_f64()
    })
}
