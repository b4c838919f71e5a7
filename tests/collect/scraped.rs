//! Rows that come of the desk's metrics.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Server, eventually, eventually_within};
use crate::{Desk, execution, market_data, risk};

/// The newest rows of a table, newest first.
async fn newest(server: &Server, table: &str, condition: &str) -> Vec<Value> {
    server.sql(&format!("SELECT * FROM {table} WHERE {condition} ORDER BY timestamp DESC LIMIT 5")).await
}

#[tokio::test]
async fn rows_arrive_within_two_seconds_and_every_door_shows_them() {
    let desk = Desk::start().await;
    let server = &desk.server;
    desk.server.get("/health").await.expect(200);
    eventually_within(Duration::from_secs(3), "all four tables have rows", async || {
        let mut tables = 0;
        for table in ["market_data", "strategy_metrics", "execution_metrics", "system_metrics"] {
            tables += usize::from(server.sql_value(&format!("SELECT count(*) FROM {table}")).await != 0);
        }
        (tables == 4).then_some(())
    })
    .await;
    let row = newest(server, "market_data", "symbol = 'AAPL'").await.remove(0);
    assert_eq!((&row["last_price"], &row["symbol"]), (&json!(150.25), &json!("AAPL")));

    let body = json!({"time_range": "1h", "metric_types": ["market_data"], "symbols": ["TSLA"]});
    let history = server.post("/api/metrics/history", &body).await.expect(200).json();
    assert_eq!(history["data"][0]["avg_price"], json!(242.5));
    let symbols = server.get("/api/metrics/symbols").await.json();
    assert_eq!(symbols, json!({"symbols": ["AAPL", "TSLA"], "count": 2}));
    let current = server.get("/api/metrics/current").await.json();
    let apple = &current["market_data"]["symbols"]["AAPL"];
    assert_eq!(apple["last_price"], json!(150.25));
    assert_eq!((&apple["bid"], &apple["ask"]), (&json!(0.0), &json!(0.0)), "this desk has no quotes");
    let health = server.get("/api/system/health").await.json();
    assert_eq!(
        health["connections"],
        json!({
            "market_data": "connected", "execution": "connected", "database": "connected",
        })
    );
    let stats = server.get("/api/system/stats").await.json();
    for collector in ["market_data", "strategy", "execution", "system"] {
        assert_ne!(stats["collectors"][collector]["metrics_collected"], 0, "{collector}");
        assert_eq!(stats["collectors"][collector]["errors"], 0, "{collector}");
    }
}

#[tokio::test]
async fn a_change_reaches_the_database_and_the_latest_values_within_two_seconds() {
    let desk = Desk::start().await;
    let server = &desk.server;
    eventually("the first rows", async || {
        let rows = newest(server, "market_data", "symbol = 'AAPL'").await;
        rows.first().map(|row| row["last_price"] == json!(150.25))
    })
    .await;
    desk.market_data.set(&market_data(151.75, 1_000, 100));
    eventually_within(Duration::from_millis(2_500), "the new price", async || {
        let stored = newest(server, "market_data", "symbol = 'AAPL' AND last_price = 151.75").await;
        let current = server.get("/api/metrics/current").await.json();
        let shown = current["market_data"]["symbols"]["AAPL"]["last_price"] == json!(151.75);
        (shown && !stored.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn counters_become_increments_and_a_reset_is_a_fresh_start() {
    let desk = Desk::start().await;
    let server = &desk.server;
    // The very first scrape cannot know since when its counters count; what is added later can be told exactly.
    let added = async || {
        let sums = server.sql("SELECT sum(volume) AS v, sum(trades) AS t FROM market_data WHERE symbol = 'AAPL'").await;
        (sums[0]["v"].as_i64(), sums[0]["t"].as_i64())
    };
    let (volume, trades) = eventually("the first rows", async || {
        let (volume, trades) = added().await;
        Some((volume?, trades?))
    })
    .await;
    desk.market_data.set(&market_data(150.5, 1_250, 107));
    eventually("what was added since", async || {
        (added().await == (Some(volume + 250), Some(trades + 7))).then_some(())
    })
    .await;
    desk.market_data.set(&market_data(150.75, 40, 3));
    eventually("a reset adds what the counter holds now", async || {
        (added().await == (Some(volume + 290), Some(trades + 10))).then_some(())
    })
    .await;
    let least = server.sql_value("SELECT min(volume) AS least FROM market_data").await;
    assert!(least.as_i64().unwrap() >= 0, "no increment is negative: {least}");
}

#[tokio::test]
async fn orders_are_counted_since_midnight_with_the_quality_of_their_fills() {
    let desk = Desk::start().await;
    let server = &desk.server;
    eventually("the first row", async || newest(server, "execution_metrics", "true").await.pop()).await;
    desk.execution.set(&execution(10, 4));
    let row = eventually("ten orders", async || {
        newest(server, "execution_metrics", "orders_submitted = 10").await.into_iter().next()
    })
    .await;
    assert_eq!(
        (&row["orders_filled"], &row["orders_cancelled"], &row["orders_rejected"]),
        (&json!(4), &json!(0), &json!(0))
    );
    assert_eq!(
        (&row["fill_rate"], &row["avg_latency_ms"], &row["avg_slippage_bps"]),
        (&json!(0.4), &json!(2.0), &json!(0.5))
    );
    let section = server.get("/api/metrics/current").await.json()["execution"].clone();
    assert_eq!((&section["orders_today"], &section["fills_today"]), (&json!(10), &json!(4)));
    assert_eq!((&section["fill_rate"], &section["avg_latency_ms"]), (&json!(0.4), &json!(2.0)));
    let quality = server.get("/api/trades/execution/quality").await.json();
    assert_eq!((&quality["fill_rate"], &quality["avg_latency_ms"]), (&json!(0.4), &json!(2.0)));

    desk.execution.set(&execution(5, 1));
    let row = eventually("five more after a restart of the service", async || {
        newest(server, "execution_metrics", "orders_submitted = 15").await.into_iter().next()
    })
    .await;
    assert_eq!(row["orders_filled"], 5);
}

#[tokio::test]
async fn profit_is_realised_and_unrealised_together() {
    let desk = Desk::start().await;
    let server = &desk.server;
    let row = eventually("the first row", async || {
        newest(server, "strategy_metrics", "pnl = 106.0").await.into_iter().next()
    })
    .await;
    assert_eq!(row["positions"], 3);
    desk.risk.set(&risk(250.0));
    let row = eventually("the profit that was made", async || {
        newest(server, "strategy_metrics", "pnl = 256.0").await.into_iter().next()
    })
    .await;
    let strategies = server.get("/api/metrics/current").await.json()["strategy"].clone();
    let name = row["strategy_name"].as_str().unwrap();
    assert_eq!(strategies["strategies"][name]["pnl"], json!(256.0));
    assert_eq!((&strategies["total_pnl"], &strategies["open_positions"]), (&json!(256.0), &json!(3)));
}

#[tokio::test]
async fn unusable_samples_are_skipped_and_counted_and_the_rest_is_kept() {
    let desk = Desk::start().await;
    let server = &desk.server;
    eventually("the first row", async || newest(server, "market_data", "symbol = 'AAPL'").await.pop()).await;
    let odd = "market_data_price{symbol=\"AAPL\"} NaN\n\
               market_data_price{symbol=\"TSLA\"} +Inf\n\
               market_data_price{symbol=\"NVDA\"} 900.5\n\
               this is not a sample\n\
               no_such_metric{a=\"b\"} 1\n\
               market_data_ticks_received_total 7\n";
    desk.market_data.set(odd);
    eventually("the usable sample", async || {
        newest(server, "market_data", "symbol = 'NVDA' AND last_price = 900.5").await.pop()
    })
    .await;
    for value in ["'NaN'", "'Infinity'"] {
        let condition = format!("last_price = CAST({value} AS DOUBLE)");
        assert!(newest(server, "market_data", &condition).await.is_empty(), "no {value} is stored");
    }
    let health = server.get("/api/system/health").await.json();
    assert_eq!(health["connections"]["market_data"], "connected");
    let account = server.get("/api/system/components").await.json()["components"]["market_data"].clone();
    let skipped = account["skipped_samples"].as_i64().unwrap();
    assert!(skipped >= 4, "two values, a line and a name are skipped in each scrape: {account}");
    assert_eq!(server.get("/health/ready").await.expect(200).json()["collectors"]["market_data"], true);
}

#[tokio::test]
async fn quotes_are_kept_when_a_desk_has_them_and_give_the_spread() {
    let desk = Desk::start().await;
    let quotes = market_data(100.0, 1, 1)
        + "# TYPE market_data_bid gauge\nmarket_data_bid{symbol=\"AAPL\"} 99.5\n\
           # TYPE market_data_ask gauge\nmarket_data_ask{symbol=\"AAPL\"} 100.5\n";
    desk.market_data.set(&quotes);
    let row = eventually("a quoted row", async || {
        newest(&desk.server, "market_data", "symbol = 'AAPL' AND bid = 99.5").await.pop()
    })
    .await;
    assert_eq!((&row["ask"], &row["spread_bps"]), (&json!(100.5), &json!(100.0)));
}

#[tokio::test]
async fn a_counter_is_the_same_however_its_labels_are_written_and_a_creation_time_is_no_price() {
    let desk = Desk::start().await;
    let server = &desk.server;
    // As Python's client has it: a gauge with the time of its making beside each counter.
    let text = |labels: &str, volume: u64| {
        format!(
            "# TYPE market_data_volume_total counter\nmarket_data_volume_total{{{labels}}} {volume}\n\
             # TYPE market_data_price gauge\nmarket_data_price{{symbol=\"NVDA\"}} 900.5\n\
             # TYPE price_updates_created gauge\nprice_updates_created{{symbol=\"NVDA\"}} 1.764228e+09\n\
             price_updates_created{{symbol=\"AMD\"}} 1.764228e+09\n"
        )
    };
    eventually("the first rows", async || newest(server, "market_data", "symbol = 'AAPL'").await.pop()).await;
    let sums = "SELECT sum(volume) AS v, max(last_price) AS p FROM market_data WHERE symbol = 'NVDA'";
    let orders = ["symbol=\"NVDA\",venue=\"X\"", "venue=\"X\", symbol=\"NVDA\"", "symbol=\"NVDA\",venue=\"X\","];
    for (round, labels) in orders.into_iter().cycle().take(6).enumerate() {
        // It was not there before, so it has begun at zero.
        let volume = 1_000 + round as u64;
        desk.market_data.set(&text(labels, volume));
        eventually("what was added", async || (server.sql(sums).await[0]["v"] == json!(volume)).then_some(())).await;
    }
    assert_eq!(server.sql(sums).await[0]["p"], json!(900.5));
    assert!(newest(server, "market_data", "symbol = 'AMD'").await.is_empty());
}

#[tokio::test]
async fn signals_are_counted_while_the_profit_is_not_known() {
    let desk = Desk::start().await;
    let server = &desk.server;
    let text =
        |pnl: &str, signals: u32| format!("{pnl}\n# TYPE risk_signals_total counter\nrisk_signals_total {signals}\n");
    let wait = async |condition: &str| {
        eventually(condition, async || newest(server, "strategy_metrics", condition).await.pop()).await;
    };
    wait("pnl = 106.0").await;
    // It was not there before, so it has begun at zero.
    for (pnl, signals, condition) in [
        ("risk_pnl_realized 100", 10, "signals = 10 AND pnl = 100"),
        ("risk_pnl_realized NaN", 15, "signals = 15 AND pnl IS NULL"),
        ("", 18, "signals = 18 AND pnl IS NULL"),
        ("risk_pnl_realized 101", 20, "signals = 20 AND pnl = 101"),
    ] {
        desk.risk.set(&text(pnl, signals));
        wait(condition).await;
    }
}
