//! What is no question, and what a question cannot reach.

use super::*;

async fn refusal(desk: &Desk, sql: &str) -> String {
    match desk.ask(sql).await {
        Err(ReadError::Refused(message)) => message,
        other => panic!("{sql}: {other:?}"),
    }
}

async fn complaint(desk: &Desk, sql: &str) -> String {
    match desk.ask(sql).await {
        Err(ReadError::Invalid(message)) => message,
        other => panic!("{sql}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_changes_anything_is_refused_by_name() {
    let desk = Desk::open().await;
    for (sql, name) in [
        ("DROP TABLE trades", "DROP TABLE"),
        ("CREATE TABLE copy AS SELECT * FROM trades", "CREATE TABLE"),
        ("CREATE VIEW v AS SELECT 1", "CREATE VIEW"),
        ("CREATE EXTERNAL TABLE f (line VARCHAR) STORED AS CSV LOCATION '/etc/passwd'", "CREATE EXTERNAL"),
        ("COPY trades TO '/tmp/trades.parquet'", "COPY"),
        ("COPY (SELECT 1) TO '/tmp/trades.csv' STORED AS CSV", "COPY"),
        ("INSERT INTO trades (trade_id) VALUES ('x')", "INSERT"),
        ("UPDATE trades SET price = 0", "UPDATE"),
        ("DELETE FROM trades", "DELETE"),
        ("TRUNCATE TABLE trades", "TRUNCATE"),
        ("SET datafusion.execution.batch_size = 1", "SET"),
        ("RESET datafusion.execution.batch_size", "RESET"),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("BEGIN", "BEGIN"),
        ("ATTACH '/tmp/other.duckdb' AS other", "ATTACH"),
        ("EXPLAIN INSERT INTO trades (trade_id) VALUES ('x')", "INSERT"),
        ("EXPLAIN ANALYZE DELETE FROM trades", "DELETE"),
    ] {
        let message = refusal(&desk, sql).await;
        assert!(message.starts_with(name) && message.contains("read only"), "{sql}: {message}");
    }
    assert_eq!(desk.rows("SELECT count(*) FROM trades").await, ["100"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_made_inside_a_question_is_refused() {
    let desk = Desk::open().await;
    assert!(refusal(&desk, "SELECT * INTO copy FROM trades").await.contains("read only"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_at_a_time() {
    let desk = Desk::open().await;
    assert!(refusal(&desk, "SELECT 1; SELECT 2").await.contains("one statement"));
    assert!(refusal(&desk, "SELECT 1; DROP TABLE trades").await.contains("one statement"));
    assert_eq!(desk.rows("SELECT 1;").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_addresses_are_out_of_reach() {
    let desk = Desk::open().await;
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM 'file:///etc/passwd'",
        "SELECT * FROM 'http://127.0.0.1:1/x.parquet'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_csv_auto('/etc/passwd')",
        "SELECT * FROM read_parquet('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM duckdb_settings()",
        "SELECT getenv('HOME')",
    ] {
        let message = complaint(&desk, sql).await;
        assert!(!message.contains("root:"), "{sql}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_explained() {
    let desk = Desk::open().await;
    for (sql, expected) in [
        ("SELEC 1", "SELEC"),
        ("", "No SQL statements"),
        ("SELECT prise FROM trades", "prise"),
        ("SELECT prise FROM trades", "price"),
        ("SELECT * FROM trade", "trade"),
        ("SELECT nonsense(price) FROM trades", "nonsense"),
        ("SELECT * FROM trades WHERE price > 'abc'", "abc"),
        ("SELECT * FROM trades WHERE timestamp > 'yesterday-ish'", "yesterday-ish"),
        ("SELECT price, count(*) FROM trades", "GROUP BY"),
        ("SELECT 1 / 0", "zero"),
    ] {
        let message = complaint(&desk, sql).await;
        assert!(message.contains(expected) && !message.contains("backtrace"), "{sql}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_too_complicated_to_be_planned_is_refused_at_once() {
    let desk = Desk::open().await;
    let doubled = (1..40).map(|n| format!(", a{n} AS (SELECT l.x FROM a{} l, a{} r)", n - 1, n - 1));
    let joins = (0..60).map(|n| format!(" CROSS JOIN trades t{n}"));
    for (sql, expected) in [
        (format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)), "nested too deeply"),
        (format!("{}SELECT 1{}", "SELECT * FROM (".repeat(2_000), ")".repeat(2_000)), "nested too deeply"),
        (format!("SELECT {}1", "1+".repeat(30_000)), "terms deep"),
        (format!("SELECT * FROM trades WHERE price > 0{}", " OR price > 1".repeat(4_500)), "terms deep"),
        (format!("SELECT 1{}", "::int".repeat(12_000)), "terms deep"),
        (format!("SELECT 1 WHERE 1 IN (1{})", ",1".repeat(30_000)), "terms"),
        (format!("SELECT '{}'", "x".repeat(100_000)), "longer than"),
        (format!("SELECT 1 FROM trades{}", joins.collect::<String>()), "tables"),
        (format!("WITH a0 AS (SELECT 1 AS x){} SELECT * FROM a39", doubled.collect::<String>()), "tables"),
    ] {
        let message = complaint(&desk, &sql).await;
        assert!(message.contains(expected), "{expected}: {message}");
    }
    assert_eq!(desk.rows("SELECT 1").await, ["1"]);
}
