//! The text, and figures that move with what they count.

use serde_json::json;

use crate::Figures;
use crate::common::{Launch, Server, eventually};
use crate::{push, quotes};

const START: i64 = 1_761_048_000_000_000;

#[tokio::test]
async fn every_sample_is_of_a_family_that_says_what_it_is() {
    let server = Launch::new().arguments(["--demo"]).start().await;
    server.get("/no/such/path").await.expect(404);
    let figures = eventually("the simulated desk has values", async || {
        let figures = Figures::of(&server).await;
        figures.find("observability_pnl", &[("strategy", "momentum")]).map(|_| figures)
    })
    .await;
    let families = figures.families();
    let mut last = String::new();
    for line in figures.text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.len() > 4 && families.contains_key(name), "{line}");
            last = name.to_owned();
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let part = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| name.strip_suffix(part));
            let family = if families.get(&last).is_some_and(|kind| kind == "histogram") { part.unwrap() } else { name };
            assert_eq!(family, last, "samples stand under their family: {line}");
            assert!(line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok(), "{line}");
        }
    }
    for (name, kind) in &families {
        assert!(name.starts_with("observability_"), "{name}");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name} is a {kind}");
    }
    assert_eq!(families["observability_flush_duration_seconds"], "histogram");
    assert_eq!(families["observability_checkpoint_duration_seconds"], "histogram");
    assert!(figures.get("observability_last_price", &[("symbol", "BTC-USD")]) > 0.0, "{}", figures.text);
    assert_eq!(figures.get("observability_collector_connected", &[("collector", "market_data")]), 1.0);
    assert!(figures.get("observability_process_resident_memory_bytes", &[]) > 1e6);
    assert!(figures.get("observability_process_open_files", &[]) > 3.0);
    assert!(figures.get("observability_database_file_bytes", &[]) > 0.0);
    assert!(figures.get("observability_disk_free_bytes", &[]) > figures.get("observability_disk_floor_bytes", &[]));
    let not_found = "observability_http_request_duration_seconds_count{status=\"4xx\"} 1";
    assert!(figures.text.lines().any(|line| line == not_found), "{}", figures.text);
}

#[tokio::test]
async fn queries_of_users_are_counted_by_what_stopped_them() {
    let server = Launch::new().arguments(["--query-time-limit", "1s"]).start().await;
    let stopped = |figures: &Figures| {
        ["time", "memory", "crash"]
            .map(|cause| figures.get("observability_sql_queries_stopped_total", &[("cause", cause)]))
    };
    let before = Figures::of(&server).await;
    assert_eq!(stopped(&before), [0.0; 3]);
    assert_eq!(before.get("observability_sql_workers", &[("state", "idle")]), 0.0, "none before the first query");
    let endless = json!({"sql": "SELECT sum(value) AS n FROM generate_series(1, 1000000000000) AS t"});
    let (late, seen) = tokio::join!(server.post("/api/sql", &endless), async {
        eventually("the query is counted", async || {
            let figures = Figures::of(&server).await;
            (figures.get("observability_sql_workers", &[("state", "running")]) == 1.0).then_some(figures)
        })
        .await
    });
    late.expect(408);
    assert!(seen.get("observability_sql_memory_bytes", &[]) > 0.0);
    assert!(seen.get("observability_sql_memory_limit_bytes", &[]) >= seen.get("observability_sql_memory_bytes", &[]));
    assert!(seen.get("observability_sql_workers_limit", &[]) >= 1.0);
    server
        .post("/api/sql", &json!({"sql": "SELECT array_length(array_repeat(1, 9223372036854775807)) AS n"}))
        .await
        .expect(413);
    server.post("/api/sql", &json!({"sql": "SELECT nope"})).await.expect(400);
    assert_eq!(stopped(&Figures::of(&server).await), [1.0, 1.0, 0.0]);
    server.sql_value("SELECT 1 AS n").await;
    eventually("the worker waits for the next query", async || {
        let figures = Figures::of(&server).await;
        let workers = ["running", "idle"].map(|state| figures.get("observability_sql_workers", &[("state", state)]));
        (workers == [0.0, 1.0]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn figures_move_as_rows_go_in() {
    let server = Server::start().await;
    let before = Figures::of(&server).await;
    let market_data = [("table", "market_data")];
    assert_eq!(before.get("observability_rows_stored_total", &market_data), 0.0);
    for body in 0..3 {
        push(&server, quotes(START, body * 1_000, 1_000)).await;
    }
    server.ingest("trades", &json!([])).await;
    let after = Figures::of(&server).await;
    assert_eq!(after.get("observability_rows_stored_total", &market_data), 3_000.0);
    let sum = |figures: &Figures, name: &str| -> f64 {
        let line = figures.text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")).map(str::to_owned));
        line.unwrap().parse().unwrap()
    };
    assert!(sum(&after, "observability_flush_duration_seconds_count") >= 3.0);
    assert!(sum(&after, "observability_flush_duration_seconds_sum") > 0.0);
    assert!(sum(&after, "observability_flush_rows_sum") >= 3_000.0);
    assert!(after.get("observability_database_wal_bytes", &[]) > before.get("observability_database_wal_bytes", &[]));
    eventually("the rows are counted where they are", async || {
        let figures = Figures::of(&server).await;
        let hot = [("table", "market_data"), ("tier", "hot")];
        (figures.find("observability_table_rows", &hot) == Some(3_000.0)).then_some(())
    })
    .await;
}
