//! How much a query may take.

use futures::StreamExt;

use super::*;

/// Takes far longer than any test waits.
const ENDLESS: &str = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b \
    WHERE a.value + b.value < 0";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_at_most_the_allowed_rows() {
    let desk = Desk::with(QuerySettings { max_rows: 100, ..QuerySettings::default() }, 10_000).await;
    assert_eq!(desk.ask("SELECT * FROM trades").await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 100);
    assert_eq!(desk.ask("SELECT * FROM market_data").await, Err(ReadError::TooManyRows(100)));
    assert_eq!(desk.rows("SELECT count(*) FROM market_data").await, ["30000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limit_ends_what_runs_here() {
    let limit = Duration::from_millis(300);
    let desk = Desk::with(QuerySettings { time_limit: limit, ..QuerySettings::default() }, 3_000).await;
    let began = std::time::Instant::now();
    let recursion = "WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n";
    for endless in [ENDLESS, recursion, "SELECT sum(value) FROM generate_series(1, 100000000000)"] {
        assert_eq!(desk.ask(endless).await, Err(ReadError::TimedOut(limit)), "{endless}");
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(desk.rows("SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_limit_covers_the_reading_of_the_answer() {
    let limit = Duration::from_secs(3);
    let desk = Desk::with(QuerySettings { time_limit: limit, ..QuerySettings::default() }, 100_000).await;
    let mut answer = desk.session.query("SELECT * FROM market_data", Value::Null).await.unwrap();
    tokio::time::sleep(limit).await;
    let outcome = loop {
        match answer.next().await {
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert_eq!(outcome, Some(Err(ReadError::TimedOut(limit))));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_limited() {
    let settings = QuerySettings { memory_limit_bytes: 1 << 20, ..QuerySettings::default() };
    let desk = Desk::with(settings, 100).await;
    for sql in [
        "SELECT value FROM generate_series(1, 20000000) ORDER BY -value",
        "SELECT max(n) FROM (SELECT value * 7 % 20000003, count(*) AS n FROM generate_series(1, 20000000) GROUP BY 1)",
        "SELECT count(*) FROM generate_series(1, 20000000) a JOIN generate_series(1, 20000000) b ON a.value = b.value",
    ] {
        let outcome = desk.ask(sql).await;
        assert!(matches!(outcome, Err(ReadError::OutOfMemory(_))), "{sql}: {outcome:?}");
    }
    assert_eq!(desk.rows("SELECT count(*) FROM market_data").await, ["300"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_query_too_many_is_told_to_come_back() {
    let settings = QuerySettings { concurrency: 1, ..QuerySettings::default() };
    let desk = Desk::with(settings, 100_000).await;
    let running = desk.session.query("SELECT * FROM market_data", Value::Null).await.unwrap();
    assert_eq!(desk.ask("SELECT 1").await, Err(ReadError::Busy));
    drop(running);
    assert_eq!(desk.rows("SELECT 1").await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_an_answer_stops_the_query() {
    let settings = QuerySettings { concurrency: 1, ..QuerySettings::default() };
    let desk = Desk::with(settings, 100_000).await;
    for _ in 0..20 {
        let mut answer = desk.session.query("SELECT * FROM market_data", Value::Null).await.unwrap();
        answer.next().await.unwrap().unwrap();
    }
    // Before its first rows, too.
    for _ in 0..10 {
        let waiting = tokio::time::timeout(Duration::from_millis(50), desk.session.query(ENDLESS, Value::Null)).await;
        assert!(waiting.is_err());
    }
    // Every connection of the store is free again, or this would have to wait for one.
    assert_eq!(desk.rows("SELECT count(*) FROM market_data").await, ["300000"]);
}
