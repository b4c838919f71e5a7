//! What the server tells of itself, and how it holds up in the long run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod exposition;
mod figures;
mod handles;
mod idle;
mod long_reader;
mod long_run;
mod tiers;

use observability_api::tables::MarketDataRow;
use reqwest::Method;

use common::{Server, ipc};
use figures::Figures;

/// Quotes of fifty symbols, a second apart, as an Arrow stream. Quote `first` is `start` microseconds after 1970.
fn quotes(start: i64, first: usize, rows: usize) -> Vec<u8> {
    let row = |number: usize| MarketDataRow {
        timestamp: start + (number / 50) as i64 * 1_000_000,
        symbol: format!("SYM{:03}", number % 50),
        last_price: Some(100.0 + (number as f64 * 0.37).sin()),
        bid: Some(99.99 + (number as f64 * 0.41).sin()),
        ask: Some(100.01 + (number as f64 * 0.43).sin()),
        volume: Some((number % 977) as i64),
        trades: Some((number % 31) as i32),
        spread_bps: Some(2.0 + (number as f64 * 0.37).sin() * 0.1),
    };
    let rows: Vec<_> = (first..first + rows).map(row).collect();
    ipc::write(&[MarketDataRow::batch(&rows).unwrap()])
}

/// Pushes a body of quotes, which must be taken.
async fn push(server: &Server, body: Vec<u8>) {
    let headers = [("content-type", ipc::MEDIA_TYPE)];
    server.send(Method::POST, "/api/ingest/market_data", &headers, body).await.expect(200);
}
