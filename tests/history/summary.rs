//! Figures of a time range are the same out of rollups as out of rows, and outlive the rows.

use arrow::record_batch::RecordBatch;
use observability_api::tables::{MarketDataRow, TradeRow};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{Launch, Server, eventually_within, ipc};
use crate::rows::Micros;

const DAY: Micros = 86_400_000_000;
/// What is easily told from each other in the wrong way, or added up wrongly.
const AWKWARD: [f64; 8] = [f64::NAN, f64::INFINITY, 0.0, -0.0, 1e12, -1e12, f64::MIN_POSITIVE, 0.125];
const FAR: [i64; 5] = [i64::MIN, i64::MAX, 0, -1, 4_294_967_296];

fn price(random: &mut ChaCha8Rng, column: usize) -> Option<f64> {
    // One column with all of it, one with what adds up exactly, whatever the order.
    match (column, random.random_range(0..10)) {
        (_, 0) => None,
        (0, 1) => AWKWARD.choose(random).copied(),
        (1, 1) => [0.0, -0.0, 1e12, -1e12].choose(random).copied(),
        _ => Some(f64::from(random.random_range(-100_000..100_000)) / 8.0),
    }
}

fn quotes(random: &mut ChaCha8Rng, until: Micros) -> RecordBatch {
    let quote = |random: &mut ChaCha8Rng| MarketDataRow {
        timestamp: until - random.random_range(0..6 * DAY),
        symbol: ["A", "B", "C"].choose(random).unwrap().to_string(),
        last_price: price(random, 0),
        bid: price(random, 1),
        ask: price(random, 2),
        volume: if random.random_bool(0.1) { FAR.choose(random).copied() } else { Some(random.random_range(0..5_000)) },
        trades: random.random_bool(0.8).then(|| random.random()),
        spread_bps: None,
    };
    MarketDataRow::batch(&(0..3_000).map(|_| quote(random)).collect::<Vec<_>>()).unwrap()
}

fn trades(random: &mut ChaCha8Rng, until: Micros) -> RecordBatch {
    let trade = |random: &mut ChaCha8Rng, number: u64| TradeRow {
        trade_id: format!("{number}"),
        timestamp: until - random.random_range(0..6 * DAY),
        symbol: ["A", "B"].choose(random).unwrap().to_string(),
        side: ["buy", "sell", "hold"].choose(random).unwrap().to_string(),
        quantity: f64::from(random.random_range(1..1_000)),
        price: f64::from(random.random_range(1..100_000)) / 8.0,
        latency_ms: None,
        slippage_bps: Some(-0.0),
        strategy: None,
    };
    TradeRow::batch(&(0..1_000).map(|number| trade(random, number)).collect::<Vec<_>>()).unwrap()
}

async fn push(server: &Server, table: &str, batch: RecordBatch) {
    let headers = [("content-type", ipc::MEDIA_TYPE)];
    server.send(Method::POST, &format!("/api/ingest/{table}"), &headers, ipc::write(&[batch])).await.expect(200);
}

/// Everything that is told of the last seven days.
async fn figures(server: &Server) -> Vec<Value> {
    let summary = server.get("/api/metrics/summary?time_range=7d").await.expect(200).json();
    let of_market = |row: &&Value| row["type"] == "market_data";
    let mut figures: Vec<Value> = summary["data"].as_array().unwrap().iter().filter(of_market).cloned().collect();
    for question in ["", "&symbol=A"] {
        let path = format!("/api/trades/stats/summary?time_range=7d{question}");
        figures.push(server.get(&path).await.expect(200).json());
    }
    figures
}

fn assert_same(one: &[Value], other: &[Value], what: &str) {
    assert_eq!(one.len(), other.len(), "{what}");
    for (one, other) in one.iter().zip(other) {
        let same =
            one.as_object().unwrap().iter().zip(other.as_object().unwrap()).all(|((key, one), (other_key, other))| {
                let close = |one: f64, other: f64| {
                    // A zero has no sign here: which of two equal least values is told depends on the order of rows.
                    if key == "mean" || key.starts_with("avg") {
                        (one - other).abs() <= 1e-9 * other.abs().max(1.0)
                    } else {
                        one == other
                    }
                };
                key == other_key
                    && (one == other || one.as_f64().zip(other.as_f64()).is_some_and(|(one, other)| close(one, other)))
            });
        assert!(same, "{what}:\n{one}, not\n{other}");
    }
}

#[tokio::test]
async fn figures_of_a_time_range_are_those_of_its_rows_and_outlive_them() {
    let now = chrono::Utc::now().timestamp_micros();
    for seed in 0..2 {
        let (mut random, retain) = (ChaCha8Rng::seed_from_u64(seed), ["--retain", "market_data=1d,trades=1d"]);
        let of_rows = Launch::new().arguments(["--rollup-interval", "1h"]).start().await;
        let rolled = Launch::new().arguments(["--rollup-interval", "20ms"]).arguments(retain).start().await;
        let (quotes, trades) = (quotes(&mut random, now), trades(&mut random, now));
        // Before anything that could be rolled up is stored: the first look is at an empty table.
        for server in [&of_rows, &rolled] {
            push(server, "market_data", quotes.clone()).await;
            push(server, "trades", trades.clone()).await;
        }
        let expected = figures(&of_rows).await;
        assert!(expected.len() > 15, "{expected:?}");
        assert_same(&figures(&rolled).await, &expected, "while rollups are made");
        eventually_within(std::time::Duration::from_secs(60), "rollups are made", async || {
            let components = rolled.get("/api/system/components").await.expect(200).json();
            let tables = &components["components"]["rollups"]["tables"];
            ["market_data", "trades"].iter().all(|table| tables[table]["lag_seconds"] == json!(0.0)).then_some(())
        })
        .await;
        assert_same(&figures(&rolled).await, &expected, "out of rollups");
        let lock: Value =
            serde_json::from_slice(&std::fs::read(rolled.path().join("data/observability.duckdb.lock")).unwrap())
                .unwrap();
        let request = rolled.client.post(rolled.url("/api/operator/retention"));
        let dropped = request.bearer_auth(lock["token"].as_str().unwrap()).send().await.unwrap();
        let dropped = dropped.text().await.unwrap();
        assert!(dropped.contains("\"days\":"), "{dropped}");
        assert_same(&figures(&rolled).await, &expected, "when rows have been dropped");
    }
}
