//! Sums at the end of what an integer of 64 bits holds.

use serde_json::{Value, json};

use crate::common::{Launch, Server, eventually};

/// The total of each bucket of five minutes, of each symbol.
async fn totals(server: &Server) -> Vec<(String, Value)> {
    let body = json!({"start_time": "2025-10-21T12:00:00", "end_time": "2025-10-21T12:04:59",
        "metric_types": ["market_data"], "interval": "5m"});
    let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
    let total = |row: &Value| (row["symbol"].as_str().unwrap().to_owned(), row["total_volume"].clone());
    let mut totals: Vec<_> = answer["data"].as_array().unwrap().iter().map(total).collect();
    totals.sort_by(|one, other| one.0.cmp(&other.0));
    totals
}

#[tokio::test]
async fn a_sum_that_does_not_fit_is_not_told_and_others_are_exact() {
    let server = Launch::new().arguments(["--rollup-interval", "20ms"]).start().await;
    let rows = [
        ("fits", vec![i64::MAX - 1, 1]),
        ("fits below", vec![i64::MIN + 1, -1]),
        ("over", vec![i64::MAX, 1]),
        ("under", vec![i64::MIN, -1]),
        ("back", vec![i64::MAX, i64::MAX, i64::MIN, -7]),
        ("usual", vec![40, 2]),
    ];
    let row = |symbol: &str, (minute, volume): (usize, &i64)| json!({"timestamp": format!("2025-10-21T12:0{minute}:00"), "symbol": symbol, "volume": volume});
    let rows: Vec<_> =
        rows.iter().flat_map(|(symbol, volumes)| volumes.iter().enumerate().map(|each| row(symbol, each))).collect();
    let expected = [
        ("back", json!(i64::MAX - 8)),
        ("fits", json!(i64::MAX)),
        ("fits below", json!(i64::MIN)),
        ("over", Value::Null),
        ("under", Value::Null),
        ("usual", json!(42)),
    ];
    let expected = expected.map(|(symbol, total)| (symbol.to_owned(), total));
    server.ingest("market_data", &json!(rows)).await;
    assert_eq!(totals(&server).await, expected, "from rows");
    server.ingest("market_data", &json!({"timestamp": "2025-10-21T14:00:00", "symbol": "later", "volume": 1})).await;
    eventually("they are rolled up", async || {
        let components = server.get("/api/system/components").await.expect(200).json();
        (components["components"]["rollups"]["tables"]["market_data"]["lag_seconds"] == json!(0.0)).then_some(())
    })
    .await;
    assert_eq!(totals(&server).await, expected, "from rollups");
}
