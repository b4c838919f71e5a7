//! The simulated desk: labelled everywhere, apart from real data, and reproducible.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Launch, Server, eventually, eventually_within};

async fn demo(seed: &str, symbols: &str) -> Server {
    let arguments = ["--demo", "--demo-symbols", symbols, "--demo-seed", seed, "--write-interval", "100ms"];
    Launch::new().arguments(arguments).start().await
}

#[tokio::test]
async fn simulated_values_are_labelled_and_kept_in_a_database_of_their_own() {
    let server = demo("1", "40").await;
    for table in ["market_data", "strategy_metrics", "execution_metrics", "trades"] {
        eventually_within(Duration::from_secs(60), &format!("{table} fills"), async || {
            (server.sql_value(&format!("SELECT count(*) FROM {table}")).await != 0).then_some(())
        })
        .await;
    }
    let components = server.get("/api/system/components").await.json();
    for name in ["market_data", "strategy", "execution"] {
        let component = &components["components"][name];
        assert_eq!(component["connection"], "simulated", "{name}");
        assert!(component["source"].as_str().unwrap().contains("demo"), "{component}");
    }
    let health = server.get("/api/system/health").await.json();
    assert_eq!(health["connections"]["market_data"], "simulated");
    let log = server.log().to_lowercase();
    assert!(log.contains("simulated") || log.contains("demo"), "the log says so");
    assert!(server.path().join("data/demo.duckdb").exists());
    assert!(!server.path().join("data/observability.duckdb").exists());
}

#[tokio::test]
async fn the_simulated_market_looks_like_one() {
    let server = demo("2", "4").await;
    eventually("a few seconds of it", async || {
        let seconds = server.sql_value("SELECT count(DISTINCT timestamp) FROM market_data").await;
        (seconds.as_i64()? >= 5).then_some(())
    })
    .await;
    let symbols = server.sql_value("SELECT count(DISTINCT symbol) FROM market_data").await;
    assert_eq!(symbols, 4);
    let odd = "SELECT count(*) FROM market_data
        WHERE NOT (bid > 0 AND bid < ask AND last_price > 0 AND volume >= 0 AND trades >= 0 AND spread_bps > 0)";
    assert_eq!(server.sql_value(odd).await, 0, "quotes are quotes");
    let moved =
        server.sql("SELECT symbol FROM market_data GROUP BY symbol HAVING min(last_price) < max(last_price)").await;
    assert!(!moved.is_empty(), "prices move");
    let fills = "SELECT count(*) FROM trades WHERE NOT (quantity > 0 AND price > 0 AND side IN ('buy', 'sell'))";
    assert_eq!(server.sql_value(fills).await, 0);
}

#[tokio::test]
async fn the_same_seed_plays_the_same_market() {
    let (one, same, other) = tokio::join!(demo("7", "4"), demo("7", "4"), demo("8", "4"));
    let mut played = Vec::new();
    for server in [&one, &same, &other] {
        let prices = eventually("twelve rows", async || {
            let rows =
                server.sql("SELECT symbol, last_price, bid, ask, volume FROM market_data ORDER BY timestamp, symbol");
            let rows: Vec<Value> = rows.await;
            (rows.len() >= 12).then(|| json!(rows[..12]))
        })
        .await;
        played.push(prices);
    }
    assert_eq!(played[0], played[1], "the same seed gives the same market");
    assert_ne!(played[0], played[2], "another seed another one");
}
