//! `/api/export/{table}`.

use serde_json::{Value, json};

use crate::common::{Server, ipc};

async fn server() -> Server {
    let server = Server::start().await;
    let row = |second: u32, symbol: &str| json!({"timestamp": format!("2025-10-21T12:00:{second:02}"), "symbol": symbol, "last_price": second});
    server.ingest("market_data", &json!([row(2, "B"), row(1, "B"), row(1, "A"), row(3, "A")])).await;
    server
}

/// Second and symbol of each row.
fn keys(rows: &Value) -> Vec<String> {
    let key = |row: &Value| format!("{}{}", &row["timestamp"].as_str().unwrap()[17..], row["symbol"].as_str().unwrap());
    rows.as_array().unwrap().iter().map(key).collect()
}

#[tokio::test]
async fn rows_come_by_time_and_label_within_inclusive_bounds() {
    let server = server().await;
    for (query, expected) in [
        ("", &["01A", "01B", "02B", "03A"][..]),
        ("?start=2025-10-21T12:00:02Z", &["02B", "03A"]),
        ("?end=2025-10-21T14:00:01%2B02:00", &["01A", "01B"]),
        ("?start=2025-10-21T12:00:01&end=2025-10-21T12:00:02&symbol=B", &["01B", "02B"]),
        ("?symbol=C", &[]),
        ("?start=2025-10-22&end=2025-10-21", &[]),
    ] {
        let answer = server.get(&format!("/api/export/market_data{query}")).await.expect(200).json();
        assert_eq!(keys(&answer), expected, "{query}");
    }
    let row = server.get("/api/export/market_data?end=2025-10-21T12:00:01&symbol=A").await.json();
    let expected = json!([{"timestamp": "2025-10-21T12:00:01", "symbol": "A", "last_price": 1.0, "bid": null,
        "ask": null, "volume": null, "trades": null, "spread_bps": null}]);
    assert_eq!(row, expected);
}

#[tokio::test]
async fn every_format_is_given_and_named_after_the_table() {
    let server = server().await;
    let arrow = server.get("/api/export/market_data?format=arrow").await.expect(200);
    assert_eq!(ipc::read(&arrow.body).iter().map(|batch| batch.num_rows()).sum::<usize>(), 4);
    let csv = server.get("/api/export/market_data?format=csv").await.expect(200);
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"market_data.csv\"");
    assert_eq!(csv.text().lines().count(), 5);
    assert!(server.get("/api/export/trades?format=csv").await.expect(200).text().starts_with("trade_id,timestamp"));
    let parquet = server.get("/api/export/market_data?format=parquet").await.expect(200);
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
}

#[tokio::test]
async fn what_cannot_be_exported_is_told() {
    let server = server().await;
    assert!(server.get("/api/export/nope").await.expect(404).detail().contains("market_data, strategy_metrics"));
    assert!(server.get("/api/export/trades?format=xml").await.expect(406).detail().contains("parquet"));
    let refused = server.get("/api/export/system_metrics?symbol=A").await.expect(400).detail();
    assert!(refused.contains("system_metrics has no symbol"), "{refused}");
    let problems = server.get("/api/export/trades?start=soon&end=later").await.expect(422).json();
    assert_eq!(problems["detail"].as_array().unwrap().len(), 2, "{problems}");
    assert_eq!(problems["detail"][0]["loc"], json!(["query", "start"]));
}

#[tokio::test]
async fn an_export_of_many_rows_is_whole_and_in_order() {
    let server = Server::start().await;
    // More rows than are sorted together, over hours that are cut apart.
    let rows = 1_200_000;
    for part in 0..6 {
        let mut csv = String::from("timestamp,symbol,volume\n");
        for row in (part * rows / 6)..((part + 1) * rows / 6) {
            let second = 1_761_048_000 + i64::from(row) / 50;
            let instant = chrono::DateTime::from_timestamp(second, 0).unwrap().format("%FT%T");
            csv.push_str(&format!("{instant},S{:02},{row}\n", row % 50));
        }
        let headers = [("content-type", "text/csv")];
        server.send(reqwest::Method::POST, "/api/ingest/market_data", &headers, csv.into_bytes()).await.expect(200);
    }
    let answer = server.get("/api/export/market_data?format=arrow").await.expect(200);
    let mut expected = 0;
    for batch in ipc::read(&answer.body) {
        let volume = batch.column_by_name("volume").unwrap();
        let volume = volume.as_any().downcast_ref::<arrow::array::Int64Array>().unwrap();
        for value in volume.values() {
            assert_eq!(*value, expected);
            expected += 1;
        }
    }
    assert_eq!(expected, i64::from(rows));
}
