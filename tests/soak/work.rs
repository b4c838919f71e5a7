//! Clients that do something: rows, SQL without an end, labels that nobody has seen.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use reqwest::Client;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::common::ipc;
use crate::ledger::{Ledger, Outcome};

/// Rows of each batch; ten batches a second make 50,000 rows a second.
pub const BATCH_ROWS: usize = 5_000;
const BATCHES_PER_SECOND: u32 = 10;
const SYMBOLS: usize = 50;
const START: i64 = 1_761_048_000_000_000;
const NEW_LABELS_A_SECOND: usize = 1_000;
/// A million times a million comparisons, that of stored rows at the end: computed, not kept.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b, \
    (SELECT bid FROM market_data LIMIT 1000) c WHERE a.value + b.value < c.bid";

/// A batch whose rows carry its number in `volume`, their own in `trades`, and the square of that in `bid`.
fn batch(number: i64) -> RecordBatch {
    let rows = 0..BATCH_ROWS as i64;
    let step = 1_000_000 / (i64::from(BATCHES_PER_SECOND) * BATCH_ROWS as i64);
    let times = rows.clone().map(|row| START + (number * BATCH_ROWS as i64 + row) * step);
    let symbols = rows.clone().map(|row| format!("S{:02}", row as usize % SYMBOLS));
    let squares = rows.clone().map(|row| (row * row) as f64);
    RecordBatch::try_from_iter([
        ("timestamp", Arc::new(TimestampMicrosecondArray::from_iter_values(times)) as ArrayRef),
        ("symbol", Arc::new(StringArray::from_iter_values(symbols)) as ArrayRef),
        ("last_price", Arc::new(Float64Array::from(vec![1.0; BATCH_ROWS])) as ArrayRef),
        ("bid", Arc::new(Float64Array::from_iter_values(squares)) as ArrayRef),
        ("volume", Arc::new(Int64Array::from(vec![number; BATCH_ROWS])) as ArrayRef),
        ("trades", Arc::new(Int32Array::from_iter_values(rows.map(|row| row as i32))) as ArrayRef),
    ])
    .unwrap()
}

/// Sends batches at a steady rate, and each again until it is taken.
pub async fn ingest(client: Client, base: String, ledger: Arc<Ledger>, stop: CancellationToken) {
    let url = format!("{base}/api/ingest/market_data");
    let mut clock = interval(Duration::from_secs(1) / BATCHES_PER_SECOND);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0;
    while !stop.is_cancelled() {
        clock.tick().await;
        let request = client.post(&url).header("content-type", ipc::MEDIA_TYPE).body(ipc::write(&[batch(number)]));
        match request.send().await {
            Ok(response) if response.status() == 200 => {
                ledger.record(number, Outcome::Acknowledged);
                number += 1;
            }
            // The same batch once more: it is refused unless it is taken later.
            Ok(response) => {
                let status = response.status();
                assert!(
                    matches!(status.as_u16(), 429 | 503),
                    "{status}: {}",
                    response.text().await.unwrap_or_default()
                );
                ledger.record(number, Outcome::Refused);
            }
            Err(error) => {
                println!("a batch got no answer: {error:?}");
                ledger.record(number, Outcome::Unknown);
                number += 1;
            }
        }
    }
}

/// Asks for more than the server can compute, again and again.
pub async fn endless_sql(client: Client, url: String, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let asked = client.post(&url).json(&json!({ "sql": ENDLESS })).send();
        tokio::select! {
            () = stop.cancelled() => return,
            answer = asked => {
                let status = answer.expect("an answer").status().as_u16();
                assert!([408, 413, 429, 503].contains(&status), "a query without an end was answered with {status}");
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Brings labels that nobody has seen before, a thousand a second.
pub async fn label_storm(client: Client, url: String, stop: CancellationToken) {
    let mut clock = interval(Duration::from_secs(1));
    let mut seen = 0;
    while !stop.is_cancelled() {
        clock.tick().await;
        let mut rows = String::from("timestamp,symbol,last_price,volume\n");
        for label in seen..seen + NEW_LABELS_A_SECOND {
            rows.push_str(&format!("2025-01-01T00:00:00,OPTION-{label:09},1.5,-1\n"));
        }
        seen += NEW_LABELS_A_SECOND;
        let pushed = client.post(&url).header("content-type", "text/csv").body(rows).send().await;
        let status = pushed.expect("an answer").status().as_u16();
        assert!([200, 413, 429, 503].contains(&status), "new labels were answered with {status}");
    }
}
