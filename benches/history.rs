//! History over HTTP against the same statement on the same rows in DuckDB alone: `cargo bench --bench history`.
//!
//! Rows stored: `HISTORY_ROWS`, 3 million unless set. The answer is Arrow, five-minute buckets of 50 symbols.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::indexing_slicing, missing_docs)]

mod common;

use std::time::Instant;

use common::{Server, ipc, market_data, median};

const ROUNDS: usize = 9;
const SYMBOLS: usize = 50;
const BATCH: usize = 100_000;
const START: i64 = 1_767_225_600_000_000;

fn main() {
    let rows: usize = std::env::var("HISTORY_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(3_000_000);
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let raw = duckdb::Connection::open(directory.path().join("raw.duckdb")).unwrap();
    raw.execute_batch(include_str!("../queries/schema/001_tables.sql")).unwrap();
    let server = Server::start(directory.path(), &[]);
    for start in (0..rows).step_by(BATCH) {
        let batch = market_data(START + (start / SYMBOLS) as i64 * 1_000_000, BATCH, SYMBOLS);
        raw.appender("market_data").unwrap().append_record_batch(batch.clone()).unwrap();
        let request = client.post(server.url("/api/ingest/market_data"));
        let request = request.header("content-type", "application/vnd.apache.arrow.stream").body(ipc(&batch));
        assert!(runtime.block_on(request.send()).unwrap().status().is_success());
    }
    let end = START + (rows / SYMBOLS) as i64 * 1_000_000;

    let sql = include_str!("../queries/history/market_data.sql")
        .replace("$start", &format!("make_timestamp({START})"))
        .replace("$end", &format!("make_timestamp({end})"))
        .replace("$width", "300000000")
        .replace("$symbols", "'[]'");
    let body = serde_json::json!({
        "start_time": START as f64 / 1e6, "end_time": end as f64 / 1e6, "interval": "5m", "metric_types": ["market_data"],
    });
    let (mut ours, mut raws, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let buckets: usize = raw.prepare(&sql).unwrap().query_arrow([]).unwrap().map(|batch| batch.num_rows()).sum();
        assert!(buckets > 0);
        let raw_seconds = started.elapsed().as_secs_f64();
        let started = Instant::now();
        runtime.block_on(async {
            let request = client.post(server.url("/api/metrics/history?format=arrow")).json(&body);
            let response = request.send().await.unwrap();
            assert!(response.status().is_success());
            assert!(!response.bytes().await.unwrap().is_empty());
        });
        let our_seconds = started.elapsed().as_secs_f64();
        ratios.push(our_seconds / raw_seconds);
        ours.push(our_seconds * 1e3);
        raws.push(raw_seconds * 1e3);
    }
    println!(
        "history of {rows} rows: DuckDB alone {:.1} ms, over HTTP as Arrow {:.1} ms, time ratio {:.2}",
        median(raws),
        median(ours),
        median(ratios)
    );
}
