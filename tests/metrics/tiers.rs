//! Rows that move from tier to tier.

use reqwest::Method;

use crate::Figures;
use crate::common::{Launch, eventually};
use crate::{push, quotes};

/// 2025-10-21T00:00:00, long ago.
const DAY: i64 = 1_761_004_800_000_000;
const ROWS: usize = 30_000;

#[tokio::test]
async fn archived_days_and_buckets_are_counted_where_they_are() {
    let server = Launch::new().arguments(["--hot-days", "1", "--rollup-interval", "1ms"]).start().await;
    push(&server, quotes(DAY, 0, ROWS)).await;
    let amount = |figures: &Figures, what: &str, tier: &str| {
        figures.find(&format!("observability_table_{what}"), &[("table", "market_data"), ("tier", tier)])
    };
    eventually("complete buckets are made and counted", async || {
        let figures = Figures::of(&server).await;
        // Fifty symbols, ten minutes; the newest two minutes are left alone for a while.
        let share = figures.find("observability_rollup_share_ratio", &[("table", "market_data")])?;
        (amount(&figures, "rows", "rollup_1m")? >= 50.0 * 7.0 && share > 0.99).then_some(())
    })
    .await;
    let figures = Figures::of(&server).await;
    assert!(figures.get("observability_rollup_share_ratio", &[("table", "market_data")]) > 0.5);
    assert!(figures.find("observability_upkeep_last_success", &[("run", "archive")]).is_none(), "it has not run");

    let components = server.get("/api/system/components").await.expect(200).json();
    let rollups = &components["components"]["rollups"];
    assert_eq!((rollups["status"].as_str(), rollups["state"].as_str()), (Some("ready"), Some("current")));
    assert!(rollups["tables"]["market_data"]["share"].as_f64().unwrap() > 0.5, "{rollups}");
    assert!(rollups["tables"]["market_data"]["lag_seconds"].is_number(), "{rollups}");

    let lock = std::fs::read(server.path().join("data/observability.duckdb.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_slice(&lock).unwrap();
    let token = format!("Bearer {}", lock["token"].as_str().unwrap());
    let headers = [("authorization", token.as_str())];
    server.send(Method::POST, "/api/operator/archive", &headers, Vec::new()).await.expect(200);
    eventually("the day is counted in the archive, and no more in the database", async || {
        let figures = Figures::of(&server).await;
        let moved = amount(&figures, "rows", "archive")? == ROWS as f64 && amount(&figures, "bytes", "archive")? > 1e4;
        (moved && figures.get("observability_upkeep_last_success", &[("run", "archive")]) == 1.0).then_some(())
    })
    .await;
    let figures = Figures::of(&server).await;
    assert_eq!(figures.get("observability_archived_days_total", &[]), 1.0);
    assert!(figures.get("observability_upkeep_last_timestamp_seconds", &[("run", "archive")]) > 1.7e9);
    let buckets = amount(&figures, "rows", "rollup_1m");
    assert!(buckets >= Some(350.0), "buckets stay: {buckets:?}");
}
