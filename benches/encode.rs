//! How fast answers are encoded and pushed rows decoded: medians, and JSON against the Arrow library's own writer over
//! the same batches in the same run.
//!
//! `cargo bench --bench encode`

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs)]

use std::time::{Duration, Instant};

use arrow::json::WriterBuilder;
use arrow::json::writer::JsonArray;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use futures::TryStreamExt;
use observability_api::batch::BatchStream;
use observability_api::budget::Allowance;
use observability_api::encode::{Format, encode};
use observability_api::ingest;
use observability_api::tables::{MARKET_DATA, MarketDataRow};

const ROWS: i64 = 200_000;
/// What DuckDB hands over at a time.
const BATCH_ROWS: i64 = 2_048;
const RUNS: usize = 15;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let batches = market_data();
    println!("{ROWS} rows of market_data, {} batches, median of {RUNS} runs", batches.len());

    let library = measure("arrow-json", || arrow_json(&batches));
    for format in Format::ALL {
        let encoded = measure(&format!("encode {}", format.name()), || {
            let mut bytes = 0;
            runtime.block_on(chunks(format, &batches, |chunk| bytes += chunk.len()));
            bytes
        });
        if format == Format::Json {
            println!("    {:.1} times as fast as arrow-json", library.as_secs_f64() / encoded.as_secs_f64());
        }
    }
    for format in Format::ALL {
        let mut body = Vec::new();
        runtime.block_on(chunks(format, &batches, |chunk| body.extend_from_slice(chunk)));
        let body = Bytes::from(body);
        measure(&format!("decode {}", format.name()), || {
            let allowance = Allowance::alone(u64::MAX);
            let decoded = ingest::decode(&MARKET_DATA, Some(format.content_type()), body.clone(), &allowance).unwrap();
            assert_eq!(decoded.iter().map(RecordBatch::num_rows).sum::<usize>(), ROWS as usize);
            body.len()
        });
    }
}

/// Market data as the collectors store it: fifty symbols a second, prices in cents.
fn market_data() -> Vec<RecordBatch> {
    let row = |row: i64| {
        let price = (10_000 + (row * 7_919) % 90_000) as f64 / 100.0;
        MarketDataRow {
            timestamp: 1_761_084_000_000_000 + row / 50 * 1_000_000,
            symbol: format!("SYM{:02}", row % 50),
            last_price: Some(price),
            bid: Some(price - 0.01),
            ask: Some(price + 0.01),
            volume: Some(row * 31 % 10_000),
            trades: Some(3),
            spread_bps: Some(0.02 / price * 10_000.0),
        }
    };
    let starts = (0..ROWS).step_by(usize::try_from(BATCH_ROWS).unwrap());
    let rows = |start: i64| (start..(start + BATCH_ROWS).min(ROWS)).map(row).collect::<Vec<_>>();
    starts.map(|start| MarketDataRow::batch(&rows(start)).unwrap()).collect()
}

/// Every chunk, handed to `take` as it comes, as a socket would.
async fn chunks(format: Format, batches: &[RecordBatch], mut take: impl FnMut(&[u8])) {
    let rows = futures::stream::iter(batches.iter().cloned().map(Ok).collect::<Vec<_>>());
    let mut bytes = encode(format, BatchStream::new(MARKET_DATA.schema(), rows));
    while let Some(chunk) = bytes.try_next().await.unwrap() {
        take(&chunk);
    }
}

/// The library's writer, drained after every batch.
fn arrow_json(batches: &[RecordBatch]) -> usize {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    let mut bytes = 0;
    for batch in batches {
        writer.write(batch).unwrap();
        bytes += writer.get_ref().len();
        writer.get_mut().clear();
    }
    writer.finish().unwrap();
    bytes + writer.get_ref().len()
}

fn measure(name: &str, mut run: impl FnMut() -> usize) -> Duration {
    let mut bytes = run();
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        bytes = run();
        times.push(start.elapsed());
    }
    times.sort();
    let median = times.get(RUNS / 2).copied().unwrap_or_default();
    let seconds = median.as_secs_f64();
    println!("{name:16} {:8.0} k rows/s {:6.0} MB/s", ROWS as f64 / seconds / 1e3, bytes as f64 / seconds / 1e6);
    median
}
