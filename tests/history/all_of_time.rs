//! A question about more time than anything was stored in.

use serde_json::json;

use crate::common::Launch;

#[tokio::test]
async fn a_question_about_all_of_time_is_answered_with_what_there_is() {
    let server = Launch::new().start().await;
    let quote = |timestamp: &str| json!({"timestamp": timestamp, "symbol": "A", "last_price": 1.5, "volume": 1});
    let instants = ["1969-12-31T23:59:59", "2024-02-29T12:00:00", "2025-06-01T00:00:30"];
    server.ingest("market_data", &json!(instants.map(quote))).await;
    for interval in ["1m", "1h", "1d"] {
        let body = json!({"metric_types": ["market_data"], "interval": interval,
            "start_time": "0001-01-01T00:00:00", "end_time": "9999-12-31T23:59:59"});
        let history = server.post("/api/metrics/history", &body).await.expect(200).json();
        let prices: Vec<_> = history["data"].as_array().unwrap().iter().map(|row| row["avg_price"].clone()).collect();
        assert_eq!(prices, vec![json!(1.5); instants.len()], "{interval}: {history}");
    }
}
