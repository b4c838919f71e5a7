//! Days that are too old are dropped, in the database and in the archive.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Launch, Server, eventually_within};
use crate::desk::{
    DAY, FIRST, SECOND, command, done, file, fill, launch, operator, push_quotes, push_trades, quote, today, trade,
};

/// Roll-ups are made step by step.
const PATIENCE: Duration = Duration::from_secs(60);

/// Days from a day to today.
fn age(day: i64) -> i64 {
    chrono::Utc::now().timestamp_micros().div_euclid(DAY) - (FIRST / DAY + day)
}

/// An instant as requests write it.
fn naive(instant: i64) -> String {
    chrono::DateTime::from_timestamp_micros(instant).unwrap().format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

#[tokio::test]
async fn whole_days_are_dropped_wherever_they_are() {
    // The first day of two tables, and the minutes of the first two days.
    let retain = format!("market_data={0}d,trades={0}d,rollup_1m={1}d", age(1), age(2));
    let started = || launch().arguments(["--retain", &retain]);
    let server = started().start().await;
    fill(&server).await;
    let history = json!({"start_time": "2025-10-21T00:00:00", "end_time": "2025-10-21T23:59:59.999999",
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
    let history = json!({"start_time": "2025-10-21T00:00:00", "end_time": "2025-10-23T23:59:59.999999",
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

/// What history counts of a day, in buckets and in rows, and what SQL does.
async fn volume(server: &Server, day: i64) -> [Value; 4] {
    let (start, end) = (naive(day), naive(day + DAY - 1));
    let mut found = Vec::new();
    for interval in ["1m", "5m", "1h"] {
        let history =
            json!({"start_time": start, "end_time": end, "metric_types": ["market_data"], "interval": interval});
        let answer = server.post("/api/metrics/history", &history).await.expect(200).json();
        let volumes = answer["data"].as_array().unwrap().iter().map(|row| row["total_volume"].as_i64().unwrap());
        found.push(json!(volumes.sum::<i64>()));
    }
    let sum = format!("SELECT sum(volume)::BIGINT FROM market_data WHERE timestamp BETWEEN '{start}' AND '{end}'");
    found.push(server.sql_value(&sum).await);
    found.try_into().unwrap()
}

#[tokio::test]
async fn rows_that_come_after_retention_are_counted_unless_their_own_day_was_dropped() {
    let quotes = |day: i64| -> Vec<_> { (0..60).map(|minute| quote(day + minute * 60 * SECOND, "AAPL", 1)).collect() };
    let fills = |day: i64| -> Vec<_> {
        (0..60).map(|minute| trade(&format!("{day}-{minute}"), day + minute * 60 * SECOND, 1.0)).collect()
    };
    let (dropped, never, kept) = (today() - 10 * DAY, today() - 12 * DAY, today() - DAY);
    let mut server = launch().start().await;
    for day in [dropped, kept] {
        push_quotes(&server, &quotes(day)).await;
        push_trades(&server, &fills(day)).await;
    }
    assert_eq!(server.terminate().await, Some(0));
    // A table is dropped as far as it is rolled up.
    let mut said = String::new();
    eventually_within(PATIENCE, "the day is dropped", async || {
        said += &done(&server, &["retention", "--retain", "market_data=5d,trades=5d"]).await;
        ["market_data  ", "trades  "].iter().all(|table| said.contains(table)).then_some(())
    })
    .await;
    let mut server = launch().directory(&server.directory).start().await;
    assert_eq!(volume(&server, dropped).await, [json!(60), json!(60), json!(60), Value::Null]);

    // A day that never had rows, and one whose rows were dropped.
    push_quotes(&server, &quotes(never)).await;
    push_trades(&server, &fills(never)).await;
    let row = json!({"timestamp": naive(dropped), "symbol": "AAPL", "volume": 5});
    let answer = server.post("/api/ingest/market_data", &row).await.expect(200).json();
    assert_eq!(answer, json!({"table": "market_data", "rows": 1, "rows_of_dropped_days": 1}));
    let file = format!("timestamp,symbol,volume\n{},AAPL,7\n{},AAPL,1\n", naive(dropped + SECOND), naive(kept));
    std::fs::write(server.path().join("late.csv"), file).unwrap();
    let imported = command(&server, Launch::new(), &["import", "market_data", "late.csv"]).await;
    assert!(
        imported.code == Some(0) && imported.err.contains("1 row of days that retention has dropped"),
        "{imported:?}"
    );
    let metrics = server.get("/metrics").await.text();
    assert!(metrics.contains("observability_rows_of_dropped_days_total{table=\"market_data\"} 2\n"), "{metrics}");
    let date = &naive(dropped)[..10];
    let said =
        server.log().lines().filter(|line| line.contains("retention has dropped") && line.contains(date)).count();
    assert_eq!(said, 1, "said once: {}", server.log());

    // Where no minutes are kept any more, rows answer.
    let check = async |server: &Server, minutes: i64| {
        assert_eq!(volume(server, never).await, [60, 60, 60, 60].map(Value::from));
        assert_eq!(volume(server, dropped).await, [minutes, 60, 60, 12].map(Value::from));
        let statistics = server.get("/api/trades/stats/summary?time_range=30d").await.expect(200).json();
        assert_eq!(statistics["count"], 180, "of three days, whose rows of one are gone");
    };
    check(&server, 60).await;
    assert_eq!(server.terminate().await, Some(0));
    let said = done(&server, &["retention", "--retain", "rollup_1m=5d"]).await;
    assert!(said.contains("market_data        before"), "{said}");
    let server = launch().directory(&server.directory).start().await;
    check(&server, 12).await;

    done(&server, &["backup"]).await;
    done(&server, &["restore", "data/observability.backups", "--verify"]).await;
    done(&server, &["restore", "data/observability.backups", "--database", "elsewhere/restored.duckdb"]).await;
    let restored = launch().directory(&server.directory).arguments(["--database", "elsewhere/restored.duckdb"]);
    let restored = restored.start().await;
    check(&restored, 12).await;
    let rows = json!([
        {"timestamp": naive(never), "symbol": "A", "volume": 1}, {"timestamp": naive(dropped), "symbol": "A", "volume": 0}
    ]);
    let answer = restored.post("/api/ingest/market_data", &rows).await.expect(200).json();
    assert_eq!(answer["rows_of_dropped_days"], 1, "{answer}");
    assert_eq!(volume(&restored, never).await, [61, 61, 61, 61].map(Value::from));
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
        server.post(path, &json!({})).await.expect(403);
        server.get(path).await.expect(405);
        // What stands in a body is not overlooked: it might be a dry run.
        let order = |body: &'static str| {
            let lock = std::fs::read(server.path().join("data/observability.duckdb.lock")).unwrap();
            let lock: Value = serde_json::from_slice(&lock).unwrap();
            let request = server.client.post(server.url(path)).bearer_auth(lock["token"].as_str().unwrap());
            request.body(body).send()
        };
        assert_eq!(order(r#"{"dry_run":true}"#).await.unwrap().status(), 422);
        assert_eq!(order("").await.unwrap().status(), 200);
    }
}
