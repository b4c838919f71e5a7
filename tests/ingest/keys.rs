//! A row with the key of an older row replaces it.

use serde_json::{Value, json};

use crate::common::Server;
use crate::{count, quote};

async fn prices(server: &Server) -> Vec<(String, Value)> {
    let rows = server.sql("SELECT timestamp, last_price FROM market_data ORDER BY timestamp, symbol").await;
    rows.into_iter()
        .map(|row| (row["timestamp"].as_str().unwrap()[17..19].to_owned(), row["last_price"].clone()))
        .collect()
}

#[tokio::test]
async fn of_equal_keys_in_one_body_the_last_wins() {
    let server = Server::start().await;
    let rows =
        json!([quote(0, "A", 1.0), quote(0, "B", 2.0), quote(0, "A", 3.0), quote(1, "A", 4.0), quote(0, "A", 5.0)]);
    server.ingest("market_data", &rows).await;
    let expected = [("00".into(), json!(5.0)), ("00".into(), json!(2.0)), ("01".into(), json!(4.0))];
    assert_eq!(prices(&server).await, expected);
}

#[tokio::test]
async fn one_absurd_volume_hides_no_other_row() {
    let server = Server::start().await;
    let mut absurd = quote(0, "A", 1.0);
    absurd["volume"] = json!(i64::MAX);
    let question = json!({"start_time": absurd["timestamp"], "end_time": "2100-01-01", "interval": "1d", "metric_types": ["market_data"]});
    server.ingest("market_data", &json!([absurd, quote(1, "A", 2.0), quote(1, "B", 3.0)])).await;
    let rows = server.post("/api/metrics/history", &question).await.expect(200).json();
    assert_eq!(rows["count"], 2, "{rows}");
    // The sum of them is no 64-bit integer.
    assert_eq!(rows["data"][0]["total_volume"], Value::Null);
}

#[tokio::test]
async fn a_later_body_replaces_the_whole_row() {
    let server = Server::start().await;
    server.ingest("market_data", &json!([quote(0, "A", 1.0), quote(1, "A", 2.0)])).await;
    let mut changed = quote(0, "A", 9.0);
    changed.as_object_mut().unwrap().remove("volume");
    server.ingest("market_data", &json!([changed, quote(2, "A", 3.0)])).await;
    let expected = [("00".into(), json!(9.0)), ("01".into(), json!(2.0)), ("02".into(), json!(3.0))];
    assert_eq!(prices(&server).await, expected);
    let volume = server.sql_value("SELECT volume FROM market_data ORDER BY timestamp LIMIT 1").await;
    assert_eq!(volume, Value::Null, "a column that is left out is null, not the old value");
}

#[tokio::test]
async fn late_rows_find_their_place() {
    let server = Server::start().await;
    for second in [30, 10, 20, 10, 40, 5] {
        server.ingest("market_data", &quote(second, "A", f64::from(second))).await;
    }
    let seconds: Vec<_> = prices(&server).await.into_iter().map(|(second, _)| second).collect();
    assert_eq!(seconds, ["05", "10", "20", "30", "40"]);
}

#[tokio::test]
async fn a_body_sent_twice_changes_nothing() {
    let server = Server::start().await;
    let rows: Vec<_> = (0..50).map(|second| quote(second, "A", f64::from(second))).collect();
    for _ in 0..3 {
        server.ingest("market_data", &json!(rows)).await;
    }
    assert_eq!(count(&server, "market_data").await, 50);
}

#[tokio::test]
async fn trades_are_told_apart_by_their_id_alone() {
    let server = Server::start().await;
    let trade = |id: &str, second: u32, price: f64| {
        json!({"trade_id": id, "timestamp": format!("2025-10-21T12:00:{second:02}"), "symbol": "A", "side": "buy",
            "quantity": 1.0, "price": price})
    };
    server.ingest("trades", &json!([trade("1", 10, 1.0), trade("2", 11, 2.0)])).await;
    server.ingest("trades", &json!([trade("1", 50, 3.0)])).await;
    server.ingest("trades", &json!([trade("2", 1, 4.0), trade("3", 12, 5.0)])).await;
    let rows = server.sql("SELECT trade_id, price FROM trades ORDER BY trade_id").await;
    let expected = [("1", 3.0), ("2", 4.0), ("3", 5.0)].map(|(id, price)| json!({"trade_id": id, "price": price}));
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn keys_hold_when_many_push_at_once() {
    let server = Server::start().await;
    let pushes = (0..20).map(|client: i32| {
        let rows: Vec<_> = (0..30).map(|second| quote(second, "A", f64::from(client))).collect();
        let server = &server;
        async move { server.ingest("market_data", &json!(rows)).await }
    });
    futures::future::join_all(pushes).await;
    let rows = prices(&server).await;
    assert_eq!(rows.len(), 30, "one row a key");
    assert!(rows.iter().all(|(_, price)| price == &rows[0].1), "one body's rows, not a mixture: {rows:?}");
}

#[tokio::test]
async fn keys_hold_across_a_restart() {
    let mut server = Server::start().await;
    server.ingest("market_data", &json!([quote(10, "A", 1.0), quote(20, "A", 2.0)])).await;
    assert_eq!(server.terminate().await, Some(0));
    let server = crate::common::Launch::new().directory(&server.directory).start().await;
    server.ingest("market_data", &json!([quote(10, "A", 3.0), quote(20, "A", 4.0), quote(30, "A", 5.0)])).await;
    let expected = [("10".into(), json!(3.0)), ("20".into(), json!(4.0)), ("30".into(), json!(5.0))];
    assert_eq!(prices(&server).await, expected);
}
