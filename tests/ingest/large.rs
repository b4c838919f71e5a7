//! Large writes beside small ones.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::record_batch::RecordBatch;
use serde_json::json;

use crate::common::{Launch, Server, eventually_within, ipc};
use crate::{count, push, quote};

/// More than the writer stores together with others, of two symbols.
const ROWS: usize = 600_000;
const NOON: i64 = 1_761_048_000_000_000;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// The same keys each time.
fn body(price: f64) -> Vec<u8> {
    let times = TimestampMicrosecondArray::from_iter_values((0..ROWS as i64).map(|row| NOON + row / 2));
    let symbols = StringArray::from_iter_values((0..ROWS).map(|row| ["LARGE", "BIG"][row % 2]));
    let columns: Vec<(_, ArrayRef)> = vec![
        ("timestamp", Arc::new(times)),
        ("symbol", Arc::new(symbols)),
        ("last_price", Arc::new(Float64Array::from(vec![price; ROWS]))),
        ("volume", Arc::new(Int64Array::from(vec![price as i64; ROWS]))),
    ];
    ipc::write(&[RecordBatch::try_from_iter(columns).unwrap()])
}

/// Begins to push a body of which all rows replace stored ones, and returns when the writer has them, or has stored them.
async fn begin(server: &Server, price: f64) -> tokio::task::JoinHandle<reqwest::Result<reqwest::Response>> {
    let request = server.client.post(server.url("/api/ingest/market_data")).header("content-type", ipc::MEDIA_TYPE);
    let pushed = tokio::spawn(request.body(body(price)).send());
    eventually_within(PATIENCE, "the writer has the rows", async || {
        let metrics = server.get("/metrics").await.text();
        let bytes = metrics.lines().find_map(|line| line.strip_prefix("observability_queue_bytes "));
        (bytes.unwrap().parse::<f64>().unwrap() > 10e6 || pushed.is_finished()).then_some(())
    })
    .await;
    pushed
}

async fn priced(server: &Server, price: f64) -> serde_json::Value {
    server.sql_value(&format!("SELECT count(*) AS n FROM market_data WHERE last_price = {price:?}")).await
}

#[tokio::test]
async fn small_writes_do_not_wait_for_a_large_one_unless_it_has_their_keys() {
    let server = Server::start().await;
    push(&server, "market_data", ipc::MEDIA_TYPE, body(1.0)).await.expect(200);
    server.ingest("market_data", &json!([quote(10, "SMALL", 5.0), quote(30, "SMALL", 5.0)])).await;
    // Where other work takes the processors, a large write may be done before its rivals have come.
    let mut prices = (0..10).map(|attempt| 20.0 + f64::from(attempt));
    let (price, large) = loop {
        let price = prices.next().expect("small writes wait for no large one, at least once in ten times");
        let large = begin(&server, price).await;
        // Newer than what is stored, older, of a table with an index, and one that replaces a row.
        server.ingest("market_data", &json!([quote(40, "SMALL", 5.0)])).await;
        server.ingest("market_data", &json!([quote(20, "SMALL", 5.0)])).await;
        let trade = json!([{"trade_id": "a", "timestamp": "2025-10-21T12:00:00", "symbol": "A", "side": "buy",
            "quantity": 1, "price": 2.5}]);
        server.ingest("trades", &trade).await;
        server.ingest("market_data", &json!([quote(10, "SMALL", 6.0)])).await;
        let are_first = !large.is_finished();
        let seen = priced(&server, price).await;
        assert!(seen == 0 || seen == ROWS, "all of a write is seen or nothing: {seen}");
        if are_first {
            break (price, large);
        }
        assert_eq!(large.await.unwrap().unwrap().status(), 200);
    };

    let row = json!([{"timestamp": "2025-10-21T12:00:00", "symbol": "LARGE", "last_price": 7.0}]);
    server.ingest("market_data", &row).await;
    assert_eq!(large.await.unwrap().unwrap().status(), 200);
    assert_eq!(count(&server, "market_data").await, ROWS + 4);
    assert_eq!(priced(&server, price).await, ROWS - 1);
    assert_eq!(priced(&server, 7.0).await, 1, "a key that both have is stored in the order of their arrival");
    assert_eq!([priced(&server, 5.0).await, priced(&server, 6.0).await], [3, 1]);
}

/// The total volume of a symbol, of which the first minute is rolled up.
async fn total(server: &Server, symbol: &str) -> i64 {
    let question = json!({"start_time": "2025-10-21T12:00:00", "end_time": "2025-10-21T12:04:59",
        "metric_types": ["market_data"], "interval": "5m"});
    let answer = server.post("/api/metrics/history", &question).await.expect(200).json();
    let row = answer["data"].as_array().unwrap().iter().find(|row| row["symbol"] == symbol);
    row.and_then(|row| row["total_volume"].as_i64()).unwrap_or_else(|| panic!("a total of {symbol}: {answer}"))
}

#[tokio::test]
async fn rollups_say_what_large_and_small_writes_have_left_in_the_past() {
    let server = Launch::new().arguments(["--rollup-interval", "20ms"]).start().await;
    push(&server, "market_data", ipc::MEDIA_TYPE, body(1.0)).await.expect(200);
    server.ingest("market_data", &json!({"timestamp": "2025-10-21T14:00:00", "symbol": "LATER", "volume": 1})).await;
    eventually_within(PATIENCE, "the rows are rolled up", async || {
        let components = server.get("/api/system/components").await.expect(200).json();
        (components["components"]["rollups"]["tables"]["market_data"]["lag_seconds"] == json!(0.0)).then_some(())
    })
    .await;
    let each = ROWS as i64 / 2;
    assert_eq!([total(&server, "LARGE").await, total(&server, "BIG").await], [each, each]);

    let large = begin(&server, 2.0).await;
    let small = json!({"timestamp": "2025-10-21T12:00:30", "symbol": "BIG", "volume": 7});
    server.ingest("market_data", &small).await;
    let meanwhile = total(&server, "BIG").await;
    assert!([each + 7, 2 * each + 7].contains(&meanwhile), "all of the large write or nothing: {meanwhile}");
    assert_eq!(large.await.unwrap().unwrap().status(), 200);
    assert_eq!([total(&server, "LARGE").await, total(&server, "BIG").await], [2 * each, 2 * each + 7]);
    eventually_within(PATIENCE, "the rollups are refreshed", async || {
        let components = server.get("/api/system/components").await.expect(200).json();
        let table = &components["components"]["rollups"]["tables"]["market_data"];
        (table["lag_seconds"] == json!(0.0) && table["stale_hours"] == json!(0)).then_some(())
    })
    .await;
    assert_eq!([total(&server, "LARGE").await, total(&server, "BIG").await], [2 * each, 2 * each + 7]);
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_large_write_leaves_nothing_of_it_or_all() {
    let mut server = Server::start().await;
    push(&server, "market_data", ipc::MEDIA_TYPE, body(1.0)).await.expect(200);
    let large = begin(&server, 2.0).await;
    server.ingest("market_data", &json!([quote(40, "SMALL", 5.0)])).await;
    server.kill();
    let _broken_off = large.await.unwrap();
    let server = Launch::new().directory(&server.directory).start().await;
    assert_eq!(priced(&server, 5.0).await, 1, "what was acknowledged is there");
    let replaced = priced(&server, 2.0).await;
    assert!(replaced == 0 || replaced == ROWS, "{replaced} of {ROWS} rows");
    assert_eq!(count(&server, "market_data").await, ROWS + 1);
}

#[tokio::test]
async fn a_server_that_ends_stores_the_large_write_that_it_has() {
    let mut server = Server::start().await;
    push(&server, "market_data", ipc::MEDIA_TYPE, body(1.0)).await.expect(200);
    let large = begin(&server, 2.0).await;
    assert_eq!(server.terminate().await, Some(0));
    // Clients have some seconds until they are cut, for which a slow machine is too slow; what the writer has is stored.
    if let Ok(answer) = large.await.unwrap() {
        assert_eq!(answer.status(), 200);
    }
    let server = Launch::new().directory(&server.directory).start().await;
    assert_eq!(priced(&server, 2.0).await, ROWS);
}
