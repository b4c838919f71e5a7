//! Fills, and figures over them.

use serde_json::{Value, json};

use crate::common::{Server, eventually, shape};

fn trade(id: &str, second: u32, symbol: &str, side: &str, quantity: f64, price: f64) -> Value {
    json!({"trade_id": id, "timestamp": format!("2025-10-21T12:00:{second:02}"), "symbol": symbol, "side": side,
        "quantity": quantity, "price": price, "latency_ms": 12.5, "slippage_bps": null, "strategy": "momentum"})
}

/// Eight fills of 2025, and one of this minute.
async fn with_trades() -> Server {
    let server = Server::start().await;
    let rows = json!([
        trade("t1", 1, "AAPL", "buy", 10.0, 100.0),
        trade("t2", 2, "MSFT", "sell", 20.0, 50.0),
        trade("t3", 3, "AAPL", "sell", 0.5, 101.25),
        trade("t4", 4, "AAPL", "buy", 40.0, 102.0),
        trade("t5", 5, "MSFT", "buy", 50.0, 51.0),
        trade("a b", 6, "AAPL", "buy", 60.0, 103.0),
        trade("é", 7, "AAPL", "buy", 70.0, 104.0),
        trade("t8", 8, "O'Hara", "buy", 80.0, 105.0),
    ]);
    server.ingest("trades", &rows).await;
    let mut recent = trade("recent", 0, "AAPL", "buy", 2.0, 150.0);
    recent["timestamp"] = json!((chrono::Utc::now() - chrono::TimeDelta::minutes(1)).format("%FT%T%.6f").to_string());
    server.ingest("trades", &recent).await;
    server
}

const DAY: &str = "start_time=2025-10-21&end_time=2025-10-22";

fn ids(answer: &Value) -> Vec<&str> {
    answer["trades"].as_array().unwrap().iter().map(|trade| trade["trade_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_trade_has_eleven_keys_and_whole_quantities_are_integers() {
    let server = with_trades().await;
    let answer = server.get(&format!("/api/trades/?{DAY}&limit=1")).await.expect(200);
    assert_eq!(
        answer.text(),
        r#"{"trades":[{"trade_id":"t1","symbol":"AAPL","side":"buy","quantity":10,"price":100.0,"#.to_owned()
            + r#""timestamp":"2025-10-21T12:00:01","latency_ms":12.5,"slippage_bps":null,"pnl":null,"#
            + r#""strategy":"momentum","order_id":null}],"total":8,"limit":1,"offset":0}"#
    );
    let fractional = server.get("/api/trades/t3").await.expect(200).json();
    assert_eq!(fractional["quantity"], json!(0.5));
}

#[tokio::test]
async fn trades_are_filtered_paged_and_oldest_first() {
    let server = with_trades().await;
    for (query, expected, total) in [
        ("", vec!["t1", "t2", "t3", "t4", "t5", "a b", "é", "t8"], 8),
        ("symbol=AAPL", vec!["t1", "t3", "t4", "a b", "é"], 5),
        ("symbol=AAPL&side=buy", vec!["t1", "t4", "a b", "é"], 4),
        ("symbol=AAPL&side=buy&limit=2&offset=1", vec!["t4", "a b"], 4),
        ("symbol=O%27Hara", vec!["t8"], 1),
        ("symbol=aapl", vec![], 0),
        ("symbol=&side=", vec!["t1", "t2", "t3", "t4", "t5", "a b", "é", "t8"], 8),
        ("side=sideways", vec![], 0),
        ("side=BUY", vec![], 0),
        ("offset=5000", vec![], 8),
    ] {
        let answer = server.get(&format!("/api/trades/?{DAY}&{query}")).await.expect(200).json();
        assert_eq!((ids(&answer), &answer["total"]), (expected, &json!(total)), "{query}");
    }
}

#[tokio::test]
async fn the_window_is_inclusive_utc_and_the_last_day_by_default() {
    let server = with_trades().await;
    for (window, expected) in [
        ("start_time=2025-10-21T12:00:02&end_time=2025-10-21T12:00:04", vec!["t2", "t3", "t4"]),
        ("start_time=2025-10-21T14:00:02%2B02:00&end_time=2025-10-21T12:00:04Z", vec!["t2", "t3", "t4"]),
        ("start_time=2025-10-21T12:00:04&end_time=2025-10-21T12:00:02", vec![]),
        ("end_time=2025-10-21T12:00:01", vec!["t1"]),
        ("start_time=2025-10-21T12:00:08", vec!["t8", "recent"]),
        ("", vec!["recent"]),
    ] {
        let answer = server.get(&format!("/api/trades/?{window}")).await.expect(200).json();
        assert_eq!(ids(&answer), expected, "{window}");
        assert_eq!((&answer["limit"], &answer["offset"]), (&json!(100), &json!(0)));
    }
}

#[tokio::test]
async fn a_trade_is_found_by_its_decoded_id() {
    let server = with_trades().await;
    for (path, id) in [("t8", "t8"), ("a%20b", "a b"), ("%C3%A9", "é")] {
        let trade = server.get(&format!("/api/trades/{path}")).await.expect(200).json();
        assert_eq!(trade["trade_id"], id);
        assert_eq!(trade.as_object().unwrap().len(), 11);
    }
    for path in ["stats", "execution", "active", "history", "t%27%20OR%201=1--", "x%20y"] {
        let answer = server.get(&format!("/api/trades/{path}")).await.expect(404);
        assert_eq!(answer.text(), r#"{"detail":"Trade not found"}"#, "{path}");
    }
    assert_eq!(server.get("/api/trades/a%2Fb").await.expect(404).text(), r#"{"detail":"Not Found"}"#);
}

#[tokio::test]
async fn statistics_count_every_key_even_over_nothing() {
    let server = with_trades().await;
    let empty = server.get("/api/trades/stats/summary?symbol=NOPE&time_range=30d").await.expect(200);
    assert_eq!(
        empty.text(),
        r#"{"count":0,"total_volume":0.0,"avg_price":0.0,"avg_size":0.0,"buy_count":0,"sell_count":0}"#
    );
    let day = server.get("/api/trades/stats/summary").await.expect(200);
    assert_eq!(
        day.text(),
        r#"{"count":1,"total_volume":300.0,"avg_price":150.0,"avg_size":2.0,"buy_count":1,"sell_count":0}"#
    );
    for query in ["symbol=", "symbol=AAPL", "time_range=1h", "time_range=7d&symbol=AAPL"] {
        let answer = server.get(&format!("/api/trades/stats/summary?{query}")).await.expect(200).json();
        assert_eq!(answer["count"], json!(1), "{query}");
    }
    let refused = server.get("/api/trades/stats/summary?time_range=").await.expect(422).json();
    assert_eq!(refused["detail"][0]["type"], "string_pattern_mismatch");
}

#[tokio::test]
async fn execution_quality_is_five_rates() {
    let server = Server::start().await;
    let answer = server.get("/api/trades/execution/quality").await.expect(200);
    assert_eq!(
        answer.text(),
        r#"{"fill_rate":0.0,"avg_latency_ms":0.0,"avg_slippage_bps":0.0,"rejection_rate":0.0,"#.to_owned()
            + r#""cancellation_rate":0.0}"#
    );
}

#[tokio::test]
async fn simulated_trades_have_ids_that_find_them() {
    let server = crate::common::Launch::new().arguments(["--demo"]).start().await;
    let answer = eventually("a simulated order fills", async || {
        let answer = server.get("/api/trades/?limit=1000").await.expect(200).json();
        (answer["trades"].as_array().unwrap().len() > 2).then_some(answer)
    })
    .await;
    let mut ids = ids(&answer);
    let found = server.get(&format!("/api/trades/{}", ids[0])).await.expect(200).json();
    assert_eq!(found, answer["trades"][0]);
    shape::check(
        &found,
        &json!({
            "trade_id": "str", "symbol": "str", "side": "str", "quantity": "any", "price": "float", "timestamp": "ts",
            "latency_ms": "float?", "slippage_bps": "float?", "pnl": "float?", "strategy": "str?", "order_id": "str?",
        }),
    );
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "no id twice");
}
