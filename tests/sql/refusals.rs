//! What is not allowed, and the bounds of a question. After each refusal the server goes on.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::common::{Launch, Server};
use crate::{processes, with_rows};

/// Some 10^11 combinations, one after the other: long, not large.
const HEAVY: &str = "SELECT sum(a.bid * b.bid - c.bid * d.price) AS s
    FROM market_data a CROSS JOIN market_data b CROSS JOIN market_data c CROSS JOIN trades d";

#[tokio::test]
async fn statements_that_change_or_reach_outside_are_refused_with_a_reason() {
    let server = with_rows().await;
    let outside = server.path().join("outside.csv");
    for sql in [
        "DROP TABLE market_data".to_owned(),
        "DELETE FROM market_data".into(),
        "UPDATE market_data SET bid = 0".into(),
        "TRUNCATE TABLE market_data".into(),
        "INSERT INTO market_data (timestamp, symbol) VALUES ('2025-01-01', 'X')".into(),
        "CREATE TABLE x AS SELECT 1".into(),
        "CREATE VIEW x AS SELECT 1".into(),
        "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'".into(),
        "ALTER TABLE market_data ADD COLUMN x INT".into(),
        format!("COPY market_data TO '{}'", outside.display()),
        format!("COPY (SELECT * FROM market_data) TO '{}' STORED AS CSV", outside.display()),
        "SET datafusion.execution.batch_size = 1".into(),
        "SET memory_limit = '1TB'".into(),
        "ATTACH '/tmp/x.db'".into(),
        "INSTALL httpfs".into(),
        "LOAD httpfs".into(),
        "PRAGMA database_list".into(),
        "SELECT * FROM read_csv('/etc/passwd')".into(),
        "SELECT * FROM read_parquet('/etc/passwd')".into(),
        "SELECT * FROM read_text('/etc/passwd')".into(),
        "SELECT * FROM '/etc/passwd'".into(),
        "SELECT * FROM \"/etc/passwd\"".into(),
        "SELECT * FROM glob('/etc/*')".into(),
        "SELECT * FROM duckdb_settings()".into(),
        "SELECT * FROM schema_migrations".into(),
        "EXPLAIN DROP TABLE market_data".into(),
        "EXPLAIN ANALYZE INSERT INTO market_data (timestamp, symbol) VALUES ('2025-01-01', 'X')".into(),
        "SELECT 1; DROP TABLE market_data".into(),
        "BEGIN".into(),
        "PREPARE x AS SELECT 1".into(),
    ] {
        let answer = server.post("/api/sql", &json!({"sql": sql})).await;
        assert!((400..500).contains(&answer.status), "{sql}: {} {}", answer.status, answer.text());
        let detail = answer.detail();
        assert!(detail.len() > 10 && !detail.contains("root:"), "{sql}: {detail}");
        assert!(!outside.exists(), "{sql} wrote a file");
    }
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, 960, "nothing has changed");
}

#[tokio::test]
async fn mistakes_are_explained() {
    let server = with_rows().await;
    for (sql, named) in [
        ("SELEC 1", "SELEC"),
        ("SELECT", ""),
        ("", ""),
        ("SELECT nope FROM market_data", "nope"),
        ("SELECT * FROM nope", "nope"),
        ("SELECT nope(1)", "nope"),
        ("SELECT symbol + 1 FROM market_data", ""),
        ("SELECT 1/0", ""),
        ("SELECT CAST('x' AS INT)", ""),
    ] {
        let answer = server.post("/api/sql", &json!({"sql": sql})).await;
        assert!((400..500).contains(&answer.status), "{sql}: {} {}", answer.status, answer.text());
        assert!(answer.detail().contains(named), "{sql}: {}", answer.text());
    }
    for body in ["{}", "[]", "{\"sql\": 1}", "{", "{\"sql\": \"SELECT 1\", \"params\": 7}"] {
        let headers = [("content-type", "application/json")];
        let answer = server.send(Method::POST, "/api/sql", &headers, body.into()).await;
        assert!((400..500).contains(&answer.status), "{body}: {} {}", answer.status, answer.text());
    }
    assert_eq!(server.get("/api/sql").await.expect(405).header("allow"), "POST");
    let unknown = server.post("/api/sql?format=xml", &json!({"sql": "SELECT 1"})).await;
    assert!((400..500).contains(&unknown.status) && unknown.detail().contains("json"), "{}", unknown.text());
}

#[tokio::test]
async fn what_a_format_cannot_hold_is_the_querys_fault_and_named() {
    let server = with_rows().await;
    for (format, value, named) in [
        ("parquet", "interval '1 month'", "Interval"),
        ("parquet", "named_struct('a', named_struct('b', [interval '1 day']))", "Interval"),
        ("csv", "arrow_cast(9223372036854775807, 'Timestamp(Microsecond, None)')", "Timestamp"),
        ("csv", "arrow_cast(2147483647, 'Date32')", "Date32"),
        ("csv", "arrow_cast(9223372036854775807, 'Time64(Microsecond)')", "Time64"),
    ] {
        let sql = json!({"sql": format!("SELECT {value} AS odd FROM trades")});
        let answer = server.post(&format!("/api/sql?format={format}"), &sql).await.expect(400);
        let detail = answer.detail();
        assert!(detail.contains("odd") && detail.contains(named) && detail.contains("another format"), "{detail}");
    }
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[tokio::test]
async fn a_recursive_query_with_a_list_of_columns_is_told_how_to_name_them() {
    let server = Server::start().await;
    let listed = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT sum(n) FROM r";
    let answer = server.post("/api/sql", &json!({"sql": listed})).await.expect(400);
    assert!(answer.detail().contains("SELECT 1 AS n"), "{}", answer.detail());
    let named = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT sum(n) FROM r";
    assert_eq!(server.sql_value(named).await, 6);
}

#[tokio::test]
async fn a_worker_that_takes_nothing_does_not_outlast_the_time_limit() {
    let server = Launch::new().arguments(["--query-time-limit", "1s"]).start().await;
    server.sql_value("SELECT 1 AS n").await;
    crate::common::eventually("the worker is idle", async || {
        let metrics = server.get("/metrics").await.text();
        metrics.contains("observability_sql_workers{state=\"idle\"} 1").then_some(())
    })
    .await;
    let [worker] = processes::workers(&server)[..] else { panic!("there is one worker") };
    processes::signal(worker, "STOP");
    // More than waits in the socket: each character takes six.
    let long = "\u{1}".repeat(60_000);
    let query = json!({"sql": format!("SELECT '{long}' AS v, $1 AS p"), "params": [long]});
    let answer = server.post("/api/sql", &query).await.expect(408);
    assert!(answer.detail().contains("1 s"), "{}", answer.detail());
    assert_eq!(server.sql_value("SELECT 2 AS n").await, 2);
}

#[tokio::test]
async fn a_question_that_runs_too_long_is_stopped() {
    let server = Launch::new().arguments(["--query-time-limit", "1s"]).start().await;
    for (table, rows) in crate::rows() {
        server.ingest(&table, &rows).await;
    }
    let began = Instant::now();
    let answer = server.post("/api/sql", &json!({"sql": HEAVY})).await;
    let took = began.elapsed();
    assert!([408, 422, 400, 503, 504].contains(&answer.status), "{} {}", answer.status, answer.text());
    assert!(answer.detail().contains("1 s"), "the limit is named: {}", answer.text());
    assert!(took < Duration::from_secs(30), "stopped after {took:?}");
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, 960);
    server.get("/health/ready").await.expect(200);
}

#[tokio::test]
async fn an_answer_with_too_many_rows_is_refused_or_cut_short_loudly() {
    let server = Launch::new().arguments(["--query-max-rows", "500"]).start().await;
    for (table, rows) in crate::rows() {
        server.ingest(&table, &rows).await;
    }
    assert_eq!(server.sql("SELECT * FROM market_data LIMIT 500").await.len(), 500);
    // The head may be on its way before the bound is met; then the body must not end as if it were whole.
    let request = server.client.post(server.url("/api/sql")).header("content-type", "application/json");
    let request = request.body(json!({"sql": "SELECT * FROM market_data"}).to_string());
    let response = request.send().await.unwrap();
    if response.status() == 200 {
        assert!(response.bytes().await.is_err(), "a cut answer breaks off");
    } else {
        let answer = crate::common::Answer::read(response).await;
        assert!((400..500).contains(&answer.status) && answer.detail().contains("500"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_leave_its_question_running() {
    let server = Launch::new().arguments(["--query-concurrency", "1", "--query-time-limit", "60s"]).start().await;
    for (table, rows) in crate::rows() {
        server.ingest(&table, &rows).await;
    }
    let heavy = json!({"sql": HEAVY});
    let impatient = tokio::time::timeout(Duration::from_millis(500), server.post("/api/sql", &heavy)).await;
    assert!(impatient.is_err(), "the question takes longer");
    crate::common::eventually("the only place is free again", async || {
        let answer = server.post("/api/sql", &json!({"sql": "SELECT 1 AS n"})).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn more_questions_than_there_is_room_for_are_told_to_come_back() {
    let server = Launch::new().arguments(["--query-concurrency", "1", "--query-time-limit", "3s"]).start().await;
    for (table, rows) in crate::rows() {
        server.ingest(&table, &rows).await;
    }
    let heavy = json!({"sql": HEAVY});
    let answers = futures::future::join_all((0..6).map(|_| server.post("/api/sql", &heavy))).await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 429 || answer.status == 503).collect();
    assert!(!busy.is_empty(), "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in busy {
        assert!(answer.header("retry-after").parse::<u32>().is_ok(), "{}", answer.text());
    }
    assert_eq!(Server::sql_value(&server, "SELECT 1 AS n").await, 1);
}
