//! Late rows in many hours of archived days, where there is little memory.

use serde_json::json;

use crate::common::{Server, eventually};
use crate::desk::{DAY, FIRST, SECOND, launch, operator, push_quotes, push_trades, quote, today, trade};
use crate::sequences::rolled;

/// Archived days.
const DAYS: i64 = 5;
const INTERVALS: [&str; 5] = ["1m", "5m", "15m", "1h", "1d"];

/// Instants that are spread evenly over the archived days, from `first` on.
fn spread(count: i64, first: i64) -> impl Iterator<Item = i64> {
    (0..count).map(move |number| FIRST + first + number * (DAYS * DAY / count / SECOND) * SECOND)
}

async fn push(server: &Server, instants: impl Iterator<Item = i64>) -> i64 {
    let instants: Vec<_> = instants.collect();
    let quotes: Vec<_> = instants.iter().map(|instant| quote(*instant, "A", 1)).collect();
    let fills: Vec<_> = instants.iter().map(|instant| trade(&instant.to_string(), *instant, 1.0)).collect();
    push_quotes(server, &quotes).await;
    push_trades(server, &fills).await;
    instants.len() as i64
}

async fn volume(server: &Server, interval: &str) -> i64 {
    let text = |instant| chrono::DateTime::from_timestamp_micros(instant).unwrap().format("%FT%T").to_string();
    let body = json!({"start_time": text(FIRST), "end_time": text(FIRST + DAYS * DAY), "interval": interval,
        "metric_types": ["market_data"]});
    let answer = server.post("/api/metrics/history", &body).await.expect(200).json();
    answer["data"].as_array().unwrap().iter().map(|bucket| bucket["total_volume"].as_i64().unwrap()).sum()
}

/// Each query of history with stale hours once took 5 MB for each range of them, which was all that queries have.
#[tokio::test]
async fn history_of_many_stale_hours_needs_little_memory_and_they_are_refreshed() {
    let server = launch().arguments(["--memory-limit", "512MiB"]).start().await;
    let stored = push(&server, spread(200, 0)).await;
    push_quotes(&server, &[quote(today(), "A", 1)]).await;
    push_trades(&server, &[trade("now", today(), 1.0)]).await;
    rolled(&server).await;
    operator(&server, "archive").await;
    // Most of them are new; the others replace what is archived.
    let late = push(&server, spread(200, 7 * SECOND)).await;
    push(&server, spread(100, 0)).await;
    for round in 0..2 {
        for interval in INTERVALS {
            assert_eq!(volume(&server, interval).await, stored + late, "{interval}, round {round}");
        }
    }
    rolled(&server).await;
    for interval in INTERVALS {
        assert_eq!(volume(&server, interval).await, stored + late, "{interval}, refreshed");
    }
    eventually("fills are refreshed", async || {
        let components = server.get("/api/system/components").await.expect(200).json();
        (components["components"]["rollups"]["tables"]["trades"]["stale_hours"] == 0).then_some(())
    })
    .await;
}
