//! The machine's own collector, and rows that wait to be written.

use std::time::Duration;

use serde_json::json;

use crate::common::{Launch, Server, eventually, eventually_within};

#[tokio::test]
async fn the_machine_is_stored_once_a_second() {
    let server = Server::start().await;
    let rows = eventually("five rows", async || {
        let rows = server.sql("SELECT * FROM system_metrics ORDER BY timestamp").await;
        (rows.len() >= 5).then_some(rows)
    })
    .await;
    let seconds = |row: &serde_json::Value| {
        let text = row["timestamp"].as_str().unwrap();
        chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").unwrap().and_utc().timestamp_micros() as f64
            / 1e6
    };
    let span = seconds(&rows[4]) - seconds(&rows[0]);
    assert!((3.0..6.0).contains(&span), "five rows span {span} s");
    for row in &rows {
        for column in ["cpu_percent", "memory_percent", "disk_usage_percent"] {
            assert!((0.0..=100.0).contains(&row[column].as_f64().unwrap()), "{row}");
        }
    }
    assert!(rows[4]["uptime_seconds"].as_f64() > rows[0]["uptime_seconds"].as_f64());
}

#[tokio::test]
async fn an_orderly_end_writes_what_still_waits() {
    // Nothing is written by itself within this test: only the end of the program can have written the rows.
    let launch = Launch::new().arguments(["--write-interval", "1h", "--batch-size", "100000"]);
    let mut server = launch.arguments(["--collect-interval", "100ms"]).start().await;
    let collected = eventually_within(Duration::from_secs(15), "twenty rounds", async || {
        let stats = server.get("/api/system/stats").await.json();
        let collected = stats["collectors"]["system"]["metrics_collected"].as_i64().unwrap();
        (collected >= 20).then_some(collected)
    })
    .await;
    assert_eq!(server.terminate().await, Some(0));
    let server = Launch::new().directory(&server.directory).start().await;
    let stored = server.sql_value("SELECT count(*) FROM system_metrics").await.as_i64().unwrap();
    assert!(stored >= collected, "{collected} were collected, {stored} are stored");
}

#[tokio::test]
async fn uptime_begins_anew_and_the_rows_of_the_last_run_stay() {
    let mut server = Server::start().await;
    eventually("a row", async || server.sql("SELECT 1 AS n FROM system_metrics").await.pop()).await;
    assert_eq!(server.terminate().await, Some(0));
    let before = Launch::new().directory(&server.directory).start().await;
    let uptime = before.get("/health/live").await.json()["uptime_seconds"].as_f64().unwrap();
    assert!(uptime < 60.0);
    let body = json!({"time_range": "1h", "metric_types": ["system"]});
    let history = before.post("/api/metrics/history", &body).await.expect(200).json();
    assert!(history["count"].as_i64().unwrap() > 0);
}
