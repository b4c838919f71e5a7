//! Bodies that are not taken: the answer names row, column and reason, and nothing of the body is stored.

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::Server;
use crate::{count, push, quote};

/// Three good rows, then one that is changed by `spoil`, then a good one.
fn with_a_bad_row(spoil: impl FnOnce(&mut Value)) -> Vec<Value> {
    let mut rows: Vec<_> = (0..5).map(|second| quote(second, "A", 1.0)).collect();
    spoil(&mut rows[3]);
    rows
}

fn without(row: &mut Value, column: &str) {
    row.as_object_mut().unwrap().remove(column);
}

#[tokio::test]
async fn a_bad_value_is_named_and_the_good_rows_around_it_are_not_stored() {
    let server = Server::start().await;
    let bad = |column: &'static str, value: Value| (column, with_a_bad_row(move |row| row[column] = value));
    for (column, rows) in [
        bad("last_price", json!("dear")),
        bad("last_price", json!(true)),
        bad("last_price", json!([1.0])),
        bad("trades", json!(3_000_000_000_i64)),
        bad("trades", json!(1.5)),
        bad("volume", json!(1e30)),
        bad("symbol", json!(7)),
        bad("symbol", Value::Null),
        bad("timestamp", json!("yesterday")),
        bad("timestamp", json!("2025-02-30T00:00:00")),
        bad("timestamp", Value::Null),
        bad("colour", json!("red")),
        ("symbol", with_a_bad_row(|row| without(row, "symbol"))),
        ("timestamp", with_a_bad_row(|row| without(row, "timestamp"))),
    ] {
        let lines = rows.iter().map(|row| format!("{row}\n")).collect::<String>();
        for (content_type, body) in [("application/json", json!(rows).to_string()), ("application/x-ndjson", lines)] {
            let answer = push(&server, "market_data", content_type, body).await;
            assert_eq!(answer.status, 422, "{content_type}, {}: {}", rows[3], answer.text());
            let detail = answer.detail();
            assert!(detail.contains(column), "the column {column} is named: {detail}");
            assert!(detail.contains("row 4"), "the fourth row is named: {detail}");
        }
    }
    assert_eq!(count(&server, "market_data").await, 0, "nothing is half stored");
    server.ingest("market_data", &quote(0, "A", 1.0)).await;
}

#[tokio::test]
async fn text_that_is_not_json_is_refused() {
    let server = Server::start().await;
    let good = quote(0, "A", 1.0);
    for (content_type, body) in [
        ("application/json", "".to_owned()),
        ("application/json", "{".to_owned()),
        ("application/json", "[1]".to_owned()),
        ("application/json", "\"row\"".to_owned()),
        ("application/json", "null".to_owned()),
        ("application/json", format!("[{good},]")),
        ("application/json", format!("[{good}")),
        ("application/json", format!("[{good}] x")),
        ("application/x-ndjson", format!("{good}\n{{\n")),
        ("application/x-ndjson", format!("{good}\nnull\n")),
        ("application/vnd.apache.arrow.stream", "not a stream".to_owned()),
    ] {
        let answer = push(&server, "market_data", content_type, body.clone()).await;
        assert!([400, 422].contains(&answer.status), "{content_type} {body:?}: {} {}", answer.status, answer.text());
        assert!(!answer.detail().is_empty());
    }
    let answer = push(&server, "market_data", "application/json", b"[{\"symbol\":\"\xff\"}]".to_vec()).await;
    assert!([400, 422].contains(&answer.status));
    assert_eq!(count(&server, "market_data").await, 0);
}

#[tokio::test]
async fn an_unknown_table_is_not_found_and_the_known_ones_are_named() {
    let server = Server::start().await;
    for table in ["nope", "market_data%27", "schema_migrations", "Market_Data"] {
        let answer = push(&server, table, "application/json", "[]").await.expect(404);
        assert!(answer.detail().contains("market_data"), "{table}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_unknown_content_type_is_refused_and_the_known_ones_are_named() {
    let server = Server::start().await;
    for content_type in ["text/plain", "application/octet-stream", "multipart/form-data; boundary=x", "nonsense"] {
        let answer = push(&server, "market_data", content_type, quote(0, "A", 1.0).to_string()).await.expect(415);
        assert!(answer.detail().contains("application/json"), "{}", answer.text());
    }
    let headers = [("content-type", "application/json"), ("content-encoding", "compress")];
    let body = quote(0, "A", 1.0).to_string().into_bytes();
    server.send(Method::POST, "/api/ingest/market_data", &headers, body).await.expect(415);
    assert_eq!(count(&server, "market_data").await, 0);
}

#[tokio::test]
async fn only_post_pushes() {
    let server = Server::start().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = server.send(method, "/api/ingest/market_data", &[], Vec::new()).await.expect(405);
        assert_eq!(answer.header("allow"), "POST");
    }
}

#[tokio::test]
async fn a_required_column_of_trades_cannot_be_null() {
    let server = Server::start().await;
    let good = json!({"trade_id": "1", "timestamp": "2025-10-21T12:00:00", "symbol": "A", "side": "buy",
        "quantity": 1.0, "price": 2.0});
    for column in ["trade_id", "timestamp", "symbol", "side", "quantity", "price"] {
        let mut bad = good.clone();
        bad[column] = Value::Null;
        let answer = server.post("/api/ingest/trades", &json!([good, bad])).await.expect(422);
        assert!(answer.detail().contains(column) && answer.detail().contains("row 2"), "{}", answer.text());
    }
    assert_eq!(count(&server, "trades").await, 0);
}
