//! Days that are too old are dropped, in the database and in the archive.

use std::time::Duration;

use crate::common::{Launch, eventually_within};
use crate::desk::{DAY, FIRST, command, done, file, fill, launch, operator};

/// Roll-ups are made step by step.
const PATIENCE: Duration = Duration::from_secs(60);

/// Days from a day to today.
fn age(day: i64) -> i64 {
    chrono::Utc::now().timestamp_micros().div_euclid(DAY) - (FIRST / DAY + day)
}

#[tokio::test]
async fn whole_days_are_dropped_wherever_they_are() {
    // The first day of two tables, and the minutes of the first two days.
    let retain = format!("market_data={0}d,trades={0}d,rollup_1m={1}d", age(1), age(2));
    let started = || launch().arguments(["--retain", &retain]);
    let server = started().start().await;
    fill(&server).await;
    let history = serde_json::json!({"start_time": "2025-10-21T00:00:00", "end_time": "2025-10-21T23:59:59.999999",
        "metric_types": ["market_data"], "interval": "1h"});
    let hours = server.post("/api/metrics/history", &history).await.expect(200).body;
    done(&server, &["archive"]).await;
    eventually_within(PATIENCE, "the days are rolled up", async || {
        let planned = operator(&server, "retention?dry_run=true").await;
        let planned = planned.as_array().unwrap().iter();
        let minutes: u64 =
            planned.filter(|part| part["level"] == "1m").map(|part| part["rows"].as_u64().unwrap()).sum();
        (minutes == 2 * (3 * 1_440 + 500 + 1_440)).then_some(())
    })
    .await;

    let planned = done(&server, &["retention", "--dry-run"]).await;
    println!("{planned}");
    assert!(planned.contains("market_data        before 2025-10-22  1 days, 12,960 rows,"), "{planned}");
    assert!(planned.contains("trades             before 2025-10-22  1 days, 500 rows,"), "{planned}");
    assert!(planned.contains("market_data        before 2025-10-23  8,640 buckets of 1m"), "{planned}");
    let count = async |table: &str| {
        server.sql_value(&format!("SELECT count(*) FROM {table} WHERE timestamp < '2025-10-24'")).await
    };
    assert_eq!(count("market_data").await, 3 * 12_960, "a dry run drops nothing");
    assert!(file(&server, "market_data", "2025-10-21").exists());

    let dropped = done(&server, &["retention"]).await;
    assert!(dropped.contains("market_data        before 2025-10-22  1 days, 12,960 rows,"), "{dropped}");
    assert_eq!(count("market_data").await, 2 * 12_960);
    assert_eq!(count("trades").await, 2 * 500);
    assert_eq!(count("system_metrics").await, 3 * 1_440, "what is not named is kept");
    for table in ["market_data", "trades"] {
        assert!(!file(&server, table, "2025-10-21").exists() && file(&server, table, "2025-10-22").exists());
    }
    assert!(file(&server, "system_metrics", "2025-10-21").exists());
    let now = server.post("/api/metrics/history", &history).await.expect(200).body;
    assert_eq!(now, hours, "hours outlive their rows and minutes");
    assert!(done(&server, &["retention"]).await.starts_with("0 rows"), "nothing is left to do");

    // Nothing can make these hours again, so a backup holds them.
    let taken = done(&server, &["backup"]).await;
    println!("{taken}");
    done(&server, &["restore", "data/observability.backups", "--verify"]).await;
    done(&server, &["restore", "data/observability.backups", "--database", "elsewhere/restored.duckdb"]).await;
    let restored = launch().directory(&server.directory).arguments(["--database", "elsewhere/restored.duckdb"]);
    let restored = restored.start().await;
    let now = restored.post("/api/metrics/history", &history).await.expect(200).body;
    assert_eq!(now, hours, "hours come back that have outlived their rows");
    // Roll-ups go on where the rows begin.
    let history = serde_json::json!({"start_time": "2025-10-21T00:00:00", "end_time": "2025-10-23T23:59:59.999999",
        "metric_types": ["market_data", "system"], "interval": "15m"});
    let before = server.post("/api/metrics/history", &history).await.expect(200).body;
    eventually_within(PATIENCE, "the days are rolled up again", async || {
        let components = restored.get("/api/system/components").await.expect(200).json();
        let rolled = &components["components"]["rollups"]["tables"]["market_data"];
        (rolled["lag_seconds"] == 0.0).then_some(())
    })
    .await;
    let now = restored.post("/api/metrics/history", &history).await.expect(200).body;
    assert_eq!(now, before, "and are made of the rows that there are");
}

#[tokio::test]
async fn the_commands_open_the_database_when_no_server_has_it() {
    let retain = format!("system_metrics={}d", age(2));
    let mut server = launch().arguments(["--retain", &retain]).start().await;
    fill(&server).await;
    eventually_within(PATIENCE, "the days are rolled up", async || {
        let planned = operator(&server, "retention?dry_run=true").await;
        planned.as_array().unwrap().iter().any(|part| part["days"] == 2).then_some(())
    })
    .await;
    assert_eq!(server.terminate().await, Some(0));
    assert!(done(&server, &["archive"]).await.ends_with("9 days with 44,700 rows archived\n"));
    let said = done(&server, &["retention", "--retain", &retain]).await;
    assert!(said.contains("2 days, 2,880 rows"), "{said}");
    let counted = done(
        &server,
        &["query", "SELECT count(*) AS n FROM system_metrics WHERE timestamp < '2025-10-24'", "--format", "csv"],
    )
    .await;
    assert_eq!(counted, "n\n1440\n");
    let missing = command(&server, Launch::new(), &["archive", "--database", "nowhere.duckdb"]).await;
    assert!(missing.code == Some(1) && missing.err.contains("there is no database at nowhere.duckdb"), "{missing:?}");
}

#[tokio::test]
async fn only_the_operator_may_archive_and_drop() {
    let server = launch().start().await;
    for path in ["/api/operator/archive", "/api/operator/retention"] {
        server.post(path, &serde_json::json!({})).await.expect(403);
        server.get(path).await.expect(405);
        // What stands in a body is not overlooked: it might be a dry run.
        let order = |body: &'static str| {
            let lock = std::fs::read(server.path().join("data/observability.duckdb.lock")).unwrap();
            let lock: serde_json::Value = serde_json::from_slice(&lock).unwrap();
            let request = server.client.post(server.url(path)).bearer_auth(lock["token"].as_str().unwrap());
            request.body(body).send()
        };
        assert_eq!(order(r#"{"dry_run":true}"#).await.unwrap().status(), 422);
        assert_eq!(order("").await.unwrap().status(), 200);
    }
}
