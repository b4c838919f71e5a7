//! What the store is asked to do, and that it makes no difference to the answer.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn columns_conditions_and_limits_reach_the_store() {
    let desk = Desk::open().await;
    let sql = "SELECT last_price FROM market_data WHERE symbol = $1 AND timestamp >= $2 AND volume > 3 LIMIT 5";
    let statements = desk.store_sql(sql, json!(["AAPL", "2025-10-21T22:10:00"])).await;
    let [statement] = statements.as_slice() else { panic!("{statements:?}") };
    assert!(statement.starts_with("SELECT \"last_price\" FROM market_data WHERE "), "{statement}");
    for condition in [
        "(\"symbol\" = CAST($1 AS VARCHAR))",
        "(\"timestamp\" >= CAST($2 AS TIMESTAMP))",
        "(\"volume\" > CAST($3 AS BIGINT))",
        " LIMIT 5",
    ] {
        assert!(statement.contains(condition), "{condition} in {statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_on_now_reach_the_store() {
    let desk = Desk::open().await;
    let sql = "SELECT symbol FROM market_data WHERE timestamp > now() - INTERVAL '1 hour'";
    let statements = desk.store_sql(sql, Value::Null).await;
    assert!(
        statements.iter().any(|statement| statement.contains("(\"timestamp\" > CAST($1 AS TIMESTAMP))")),
        "{statements:?}"
    );
    assert!(desk.rows(sql).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_could_mean_otherwise_stays_here() {
    let desk = Desk::open().await;
    for condition in [
        "symbol ILIKE 'aa%'",
        "symbol LIKE 'A\\_%'",
        "trades + 1 > 2",
        "length(symbol) > 4",
        // A computed zero or NaN may have a sign, which only one of the two looks at.
        "bid - ask > 0",
        "bid = -0.0",
    ] {
        let statements =
            desk.store_sql(&format!("SELECT volume FROM market_data WHERE {condition}"), Value::Null).await;
        assert!(statements.iter().all(|statement| !statement.contains("WHERE")), "{condition}: {statements:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_that_the_store_rounds_otherwise_or_fails_on_stay_here() {
    let desk = Desk::open().await;
    for aggregate in ["stddev(bid)", "var_pop(bid)", "median(bid)", "count(DISTINCT bid - ask)"] {
        let sql = format!("SELECT {aggregate} FROM market_data");
        let statements = desk.store_sql(&sql, Value::Null).await;
        assert!(statements.iter().all(|statement| !statement.contains(" AS c0")), "{aggregate}: {statements:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_give_the_same_rows_as_in_the_store() {
    let desk = Desk::open().await;
    for condition in [
        "symbol = 'O''Neil'",
        "symbol <> 'AAPL' AND volume > 6",
        "symbol IN ('AAPL', 'MSFT') AND NOT (volume = 3 OR volume = 4)",
        "symbol NOT IN ('AAPL')",
        "bid IS NULL OR ask IS NOT NULL",
        "bid > 105.5",
        "NOT bid > 105.5",
        "bid + 0.5 < ask * 1.0",
        "volume > 4.5",
        "trades = 1",
        "symbol LIKE 'M%'",
        "symbol NOT LIKE '%L'",
        "symbol ILIKE 'm%'",
        "last_price BETWEEN 101 AND 103.5",
        "last_price NOT BETWEEN 101 AND 103.5",
        "timestamp >= TIMESTAMP '2025-10-21 22:05:00' AND timestamp < TIMESTAMP '2025-10-21 22:06:00.5'",
        "timestamp = TIMESTAMP '2025-10-21 22:05:00'",
        "(bid > 110) IS TRUE",
        "(bid > 110) IS NOT TRUE",
        "bid IS DISTINCT FROM ask",
        "CASE WHEN volume > 5 THEN bid ELSE ask END > 105",
        "coalesce(bid, ask, 0.0) > 110",
        "abs(last_price - 105.0) < 1.5",
        "-bid < -110",
        "1.0 / (last_price - 105.0) > 1",
        "1.0 / (last_price - 105.0) IS NULL",
        "date_part('minute', timestamp) = 7",
        "volume % 2 = 0",
    ] {
        let sql =
            format!("SELECT count(*), sum(volume), min(timestamp), max(symbol) FROM market_data WHERE {condition}");
        let expected = pretty_format_batches(&desk.direct(&sql).await).unwrap().to_string();
        let expected: Vec<String> = expected
            .lines()
            .filter(|line| line.starts_with('|'))
            .skip(1)
            .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(desk.rows(&sql).await, expected, "{condition}");
        let rows = desk.rows(&format!("SELECT symbol, volume FROM market_data WHERE {condition}")).await;
        assert_eq!(expected[0].split('|').next().unwrap(), rows.len().to_string(), "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grouping_is_done_by_the_store() {
    let desk = Desk::open().await;
    for sql in [
        "SELECT count(*) FROM market_data",
        "SELECT symbol, avg(last_price), sum(volume), min(bid), max(ask) FROM market_data GROUP BY symbol",
        "SELECT DISTINCT symbol FROM market_data",
        "SELECT date_bin(INTERVAL '5 minutes', timestamp) AS bucket, symbol, avg(spread_bps) FROM market_data m \
         WHERE volume > 2 GROUP BY bucket, symbol ORDER BY bucket, symbol",
        "SELECT date_trunc('minute', timestamp), count(bid) FROM market_data GROUP BY 1",
        "SELECT side, sum(quantity * price) FILTER (WHERE strategy IS NOT NULL) FROM trades GROUP BY side",
        "SELECT sum(CASE WHEN side = 'buy' THEN quantity ELSE 0 END) AS bought FROM trades",
        "WITH t AS (SELECT symbol, bid + ask AS both FROM market_data) SELECT symbol, max(both) FROM t GROUP BY symbol",
        "SELECT symbol FROM market_data GROUP BY symbol HAVING avg(last_price) > 50",
        "SELECT t.symbol, avg(m.bid - t.price), count(*) FROM trades t JOIN market_data m \
         ON m.symbol = t.symbol AND m.timestamp = t.timestamp WHERE m.volume > 3 AND t.side = 'buy' GROUP BY t.symbol",
        "SELECT max(a.ask - b.bid) FROM market_data a, market_data b WHERE a.timestamp = b.timestamp AND \
         a.symbol < b.symbol",
        "SELECT date_part('hour', timestamp) AS hour, sum(price / quantity) FROM trades GROUP BY hour",
        "SELECT first_value(last_price ORDER BY timestamp), last_value(last_price ORDER BY timestamp) FROM market_data",
    ] {
        let statements = desk.store_sql(sql, Value::Null).await;
        let [statement] = statements.as_slice() else { panic!("{sql}: {statements:?}") };
        assert!(statement.contains("GROUP BY") || statement.contains("AS c0"), "{sql}: {statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_rows_are_taken_by_the_store() {
    let desk = Desk::open().await;
    let sql = "SELECT * FROM market_data m WHERE volume > 1 ORDER BY m.timestamp DESC, symbol LIMIT 3 OFFSET 1";
    let statements = desk.store_sql(sql, Value::Null).await;
    let [statement] = statements.as_slice() else { panic!("{statements:?}") };
    assert!(
        statement.ends_with("ORDER BY \"timestamp\" DESC NULLS LAST, \"symbol\" ASC NULLS LAST LIMIT 4"),
        "{statement}"
    );
    let rows =
        desk.rows("SELECT symbol, timestamp FROM market_data ORDER BY timestamp DESC, symbol LIMIT 2 OFFSET 1").await;
    assert_eq!(rows, ["MSFT|2025-10-21T22:16:39", "O'Neil|2025-10-21T22:16:39"]);
    let computed = "SELECT abs(last_price) AS size FROM market_data ORDER BY size DESC NULLS FIRST LIMIT 1";
    assert_eq!(desk.rows(computed).await, ["124.0"]);
    assert!(desk.store_sql(computed, Value::Null).await.concat().contains("ORDER BY abs(\"last_price\")"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_counted_without_any_column() {
    let desk = Desk::open().await;
    assert_eq!(desk.rows("SELECT count(*) FROM market_data").await, ["3000"]);
    // Not an aggregation the store does: the scan has no columns at all.
    assert_eq!(desk.rows("SELECT count(*) + 0 FROM market_data, (VALUES (1), (2)) AS two(n)").await, ["6000"]);
    assert_eq!(desk.rows("SELECT 7 FROM market_data LIMIT 2").await, ["7", "7"]);
}
