//! Durable ingest of Arrow IPC over HTTP, upserting by key, against a raw DuckDB append of the same batches without a
//! key, one commit a batch: `cargo bench --bench append`. Then once for long: 30 million rows in batches of 10,000, with
//! the memory that the server takes meanwhile; `APPEND_ROWS` sets another number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

mod common;

use std::sync::Arc;
use std::time::Instant;

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use arrow::record_batch::RecordBatch;
use common::{Server, ipc, market_data, median};

const ROUNDS: usize = 7;
const BATCHES: usize = 60;
const SYMBOLS: usize = 50;
const CLIENTS: usize = 2;
/// Rows of a batch of the long run.
const LONG_BATCH: usize = 10_000;
const SECOND: i64 = 1_000_000;

/// The same rows again and again, each time later.
struct Load {
    first: RecordBatch,
    batches: usize,
}

impl Load {
    fn new(start: i64, rows: usize, batches: usize) -> Self {
        Self { first: market_data(start, rows, SYMBOLS, SECOND), batches }
    }

    fn rows(&self) -> f64 {
        (self.first.num_rows() * self.batches) as f64
    }

    fn batch(&self, number: usize) -> RecordBatch {
        let later = (number * self.first.num_rows() / SYMBOLS) as i64 * SECOND;
        let place = self.first.schema().index_of("timestamp").unwrap();
        let mut columns = self.first.columns().to_vec();
        let times = columns[place].as_primitive::<TimestampMicrosecondType>();
        columns[place] = Arc::new(times.unary::<_, TimestampMicrosecondType>(|time| time + later));
        RecordBatch::try_new(self.first.schema(), columns).unwrap()
    }

    /// What each client sends, every other batch.
    fn bodies(&self) -> [impl Iterator<Item = Vec<u8>>; CLIENTS] {
        std::array::from_fn(|client| (client..self.batches).step_by(CLIENTS).map(|number| ipc(&self.batch(number))))
    }
}

fn main() {
    for rows in [1_000, 10_000, 100_000] {
        let count = if rows == 100_000 { BATCHES / 4 } else { BATCHES };
        let (mut raw, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let load = Load::new(round as i64 * 1_000_000_000_000, rows, count);
            let raw_rate = load.rows() / raw_append(&load);
            let bodies = load.bodies().map(|bodies| bodies.collect::<Vec<_>>().into_iter());
            let our_rate = load.rows() / ingest(bodies).0;
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
    let rows: usize = std::env::var("APPEND_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(30_000_000);
    let load = Load::new(1_000_000_000_000_000, LONG_BATCH, rows / LONG_BATCH);
    let raw = load.rows() / raw_append(&load);
    let (seconds, resident) = ingest(load.bodies());
    let ours = load.rows() / seconds;
    println!(
        "{rows} rows, {LONG_BATCH} a batch: raw append {raw:>9.0} rows/s, ingest over HTTP {ours:>9.0} rows/s, ratio {:.2}, \
         {} MiB resident at the end",
        ours / raw,
        resident >> 20
    );
}

/// Seconds that the engine alone takes.
fn raw_append(load: &Load) -> f64 {
    let directory = tempfile::tempdir().unwrap();
    let connection = duckdb::Connection::open(directory.path().join("raw.duckdb")).unwrap();
    connection.execute_batch(include_str!("../queries/schema/001_tables.sql")).unwrap();
    connection.execute_batch("SET checkpoint_threshold = '128MB'").unwrap();
    let batches: Vec<_> = (0..load.batches.min(BATCHES)).map(|number| load.batch(number)).collect();
    let started = Instant::now();
    for number in 0..load.batches {
        let batch = batches.get(number).cloned().unwrap_or_else(|| load.batch(number));
        connection.execute_batch("BEGIN").unwrap();
        let mut appender = connection.appender("market_data").unwrap();
        appender.append_record_batch(batch).unwrap();
        appender.flush().unwrap();
        connection.execute_batch("COMMIT").unwrap();
    }
    started.elapsed().as_secs_f64()
}

/// Seconds that clients of a server take until the last batch is acknowledged, and the bytes that it has in memory then.
fn ingest<Bodies: Iterator<Item = Vec<u8>>>(bodies: [Bodies; CLIENTS]) -> (f64, u64) {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let url = server.url("/api/ingest/market_data");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let started = Instant::now();
        let clients = bodies.map(|bodies| {
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
        (started.elapsed().as_secs_f64(), server.resident_bytes())
    })
}
