//! Pushing rows: what is taken, what is refused, and that nothing is ever half stored.
//!
//! `formats` pushes the same rows in every form, `keys` looks at rows that replace rows, `refusals` at bodies that are
//! not taken, `arrow_columns` at columns that come in other types, `limits` at bodies that are too much, `bombs` at those
//! that only become too much, `uploads` at those that do not arrive, `labels` at many labels and long ones, `large` at many
//! rows beside few.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

#[path = "../common/mod.rs"]
mod common;

mod arrow_columns;
mod bombs;
mod formats;
mod keys;
mod labels;
mod large;
mod limits;
mod refusals;
mod uploads;

use reqwest::Method;
use serde_json::{Value, json};

use common::{Answer, Server};

/// Pushes a body of some content type.
async fn push(server: &Server, table: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let headers = [("content-type", content_type)];
    server.send(Method::POST, &format!("/api/ingest/{table}"), &headers, body.into()).await
}

/// How many rows the table has.
async fn count(server: &Server, table: &str) -> Value {
    server.sql_value(&format!("SELECT count(*) AS n FROM {table}")).await
}

/// A row of market data with every column.
fn quote(second: u32, symbol: &str, price: f64) -> Value {
    json!({"timestamp": format!("2025-10-21T12:00:{second:02}.250000"), "symbol": symbol, "last_price": price,
        "bid": price - 0.5, "ask": price + 0.5, "volume": 5_000_000_000_i64, "trades": 7, "spread_bps": 1.5})
}
