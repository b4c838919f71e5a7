//! Labels that are seen once, more of them than the server keeps in memory, and labels that are too long.

use std::sync::Arc;

use arrow::array::{Float64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use serde_json::json;

use crate::common::{Launch, ipc};
use crate::{count, push, quote};

const LABELS: usize = 60_000;
/// A share of it that keeps about a third of the labels.
const MEMORY: &str = "256MiB";
const NOON: i64 = 1_761_048_000_000_000;

/// A row of each label, all of one instant.
fn storm(price: f64) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter([
        ("timestamp", Arc::new(TimestampMicrosecondArray::from_value(NOON, LABELS)) as _),
        ("symbol", Arc::new(StringArray::from_iter_values((0..LABELS).map(|label| format!("OPT{label:08}")))) as _),
        ("last_price", Arc::new(Float64Array::from_value(price, LABELS)) as _),
    ]);
    ipc::write(&[batch.unwrap()])
}

#[tokio::test]
async fn rows_of_labels_that_are_not_kept_in_memory_are_replaced_and_not_doubled() {
    let mut server = Launch::new().arguments(["--memory-limit", MEMORY]).start().await;
    let sum = "SELECT sum(last_price) AS s FROM market_data";
    for (price, restarts) in [(1.0, false), (2.0, false), (3.0, true)] {
        if restarts {
            server.terminate().await;
            server = Launch::new().arguments(["--memory-limit", MEMORY]).directory(&server.directory).start().await;
        }
        push(&server, "market_data", ipc::MEDIA_TYPE, storm(price)).await.expect(200);
        assert_eq!(count(&server, "market_data").await, LABELS, "{price}");
        assert_eq!(server.sql_value(sum).await, json!(price * LABELS as f64));
    }
    // A label of which nothing is known any more, and one that was never seen, at an instant that others have.
    let mut later = quote(0, "OPT00000000", 7.0);
    later["timestamp"] = json!("2025-10-21T12:00:00");
    let mut new = later.clone();
    new["symbol"] = json!("NEW");
    server.ingest("market_data", &json!([later, new, quote(1, "OPT00000000", 8.0)])).await;
    assert_eq!(count(&server, "market_data").await, LABELS + 2);
    let prices = "SELECT last_price FROM market_data WHERE symbol = 'OPT00000000' ORDER BY timestamp";
    assert_eq!(server.sql(prices).await, [json!({"last_price": 7.0}), json!({"last_price": 8.0})]);
}

#[tokio::test]
async fn a_label_that_is_too_long_is_refused_with_its_place() {
    let server = crate::Server::start().await;
    let rows = json!([quote(0, "A", 1.0), quote(1, &"A".repeat(1_025), 1.0)]);
    let answer = push(&server, "market_data", "application/json", rows.to_string()).await.expect(422).json();
    let detail = answer["detail"].as_str().unwrap();
    assert!(detail.contains("row 2, column \"symbol\"") && detail.contains("at most 1024 bytes"), "{detail}");
    assert_eq!(count(&server, "market_data").await, 0);
    server.ingest("market_data", &quote(1, &"A".repeat(1_024), 1.0)).await;
}
