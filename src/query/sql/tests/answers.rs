//! Answers of all kinds equal what the store itself says.

use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::*;
use crate::time;

/// Rows as text, every number rounded alike, in an order of their own.
fn comparable(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| {
                let wide = match column.data_type() {
                    kind if kind.is_numeric() => cast(&cast(column, &DataType::Float64).unwrap(), &DataType::Utf8),
                    _ => cast(column, &DataType::Utf8),
                };
                wide.unwrap()
            })
            .collect();
        for row in 0..batch.num_rows() {
            let cells = columns.iter().map(|column| {
                let text = arrow::util::display::array_value_to_string(column, row).unwrap();
                text.parse::<f64>().map_or(text, |number| format!("{number:.9}"))
            });
            rows.push(cells.collect());
        }
    }
    rows.sort();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_that_read_alike_are_all_taken() {
    let desk = Desk::open().await;
    for step in ["a + a", "a + 1", "concat(a, a)"] {
        let source = "SELECT max(last_price) AS a FROM market_data";
        let nested = format!("SELECT {step} AS a FROM (SELECT {step} AS a FROM (SELECT {step} AS a FROM ({source})))");
        let named = format!(
            "WITH x AS ({source}), y AS (SELECT {step} AS b FROM x), z AS (SELECT {} AS c FROM y) SELECT {} AS a FROM z",
            step.replace("a +", "b +").replace("+ a", "+ b").replace("a, a", "b, b"),
            step.replace("a +", "c +").replace("+ a", "+ c").replace("a, a", "c, c"),
        );
        assert_eq!(desk.rows(&nested).await, desk.rows(&named).await, "{step}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregations_and_joins_equal_those_of_the_store() {
    let desk = Desk::open().await;
    for sql in [
        "SELECT symbol, count(*) AS n, avg(last_price), min(bid), max(ask), sum(volume) FROM market_data GROUP \
         BY symbol",
        "SELECT date_trunc('minute', timestamp) AS minute, symbol, avg(spread_bps) FROM market_data GROUP BY 1, 2",
        "SELECT side, count(*), sum(quantity * price), avg(latency_ms) FROM trades GROUP BY side HAVING count(*) > 10",
        "SELECT stddev(last_price), var_pop(last_price), median(bid), stddev_pop(ask), var_samp(ask) FROM market_data",
        "SELECT count(DISTINCT symbol), count(DISTINCT volume), count(bid), count(*) FROM market_data",
        "SELECT t.symbol, count(*), sum(t.quantity), max(m.last_price) FROM trades t \
         JOIN market_data m ON m.symbol = t.symbol AND m.timestamp = t.timestamp GROUP BY t.symbol",
        "SELECT t.trade_id, m.last_price - t.price AS difference FROM trades t LEFT JOIN market_data m \
         ON m.symbol = t.symbol AND m.timestamp = t.timestamp AND m.volume > 5",
        "SELECT a.symbol, b.symbol, count(*), max(a.ask - b.bid) FROM market_data a JOIN market_data b \
         ON a.timestamp = b.timestamp AND a.symbol < b.symbol WHERE a.volume > 5 GROUP BY a.symbol, b.symbol",
        "SELECT m.symbol, n, sum(t.price) FROM trades t JOIN (SELECT symbol, count(*) AS n FROM market_data \
         GROUP BY symbol) \
         m ON m.symbol = t.symbol GROUP BY m.symbol, n",
        "SELECT count(*) FROM trades t JOIN market_data m USING (timestamp, symbol) LEFT JOIN trades u ON \
         u.price = m.bid",
        "SELECT count(*) FROM trades t FULL JOIN market_data m ON t.timestamp = m.timestamp AND t.symbol = m.symbol",
        "SELECT date_part('dow', timestamp), date_part('doy', timestamp), date_part('minute', timestamp) AS minute, \
         sum(volume) FROM market_data GROUP BY 1, 2, 3",
        "SELECT symbol, sum(1.0 / (bid - 110)) FROM market_data WHERE bid <> 110 GROUP BY symbol",
        "SELECT max(1.0 / (bid - 110)), min(-1.0 / (bid - 110)), max(bid / 0.0) FROM market_data",
        "SELECT symbol, volume, n FROM (SELECT symbol, volume, count(*) AS n FROM market_data GROUP BY symbol, volume) \
         WHERE n > 76 ORDER BY n DESC, symbol, volume LIMIT 7",
        "SELECT s, total FROM (SELECT symbol AS s, sum(quantity) AS total FROM trades GROUP BY symbol) \
         WHERE total > (SELECT avg(quantity) FROM trades)",
        "SELECT symbol, timestamp, last_price - lag(last_price) OVER (PARTITION BY symbol ORDER BY timestamp) \
         AS change \
         FROM market_data WHERE timestamp < TIMESTAMP '2025-10-21 22:00:30'",
        "SELECT symbol FROM market_data WHERE volume > 11 UNION SELECT strategy FROM trades",
        "SELECT strategy, count(*) FROM trades GROUP BY strategy ORDER BY strategy",
        "SELECT symbol, max(trades), min(trades), sum(trades), avg(trades) FROM market_data GROUP BY symbol",
        "SELECT coalesce(strategy, 'none'), sum(CASE WHEN side = 'buy' THEN quantity ELSE -quantity END) FROM trades \
         GROUP BY 1",
        "SELECT count(*) FROM market_data WHERE symbol IN (SELECT symbol FROM trades WHERE side = 'buy' AND \
         price > 120)",
        "SELECT avg(last_price) FROM market_data WHERE false",
        "SELECT symbol, sum(volume) FROM market_data WHERE volume > 100 GROUP BY symbol",
    ] {
        let answer = desk.ask(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(comparable(&answer), comparable(&desk.direct(sql).await), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_begin_where_they_should_on_both_sides_of_the_epoch() {
    let desk = Desk::open().await;
    let old = [-7 * 60 * SECOND, -1, 0, 1, 5 * 60 * SECOND];
    let rows: Vec<_> = old.map(|timestamp| MarketDataRow { timestamp, ..quote(0, "OLD") }).into();
    desk.store.batches().commit(&MARKET_DATA, vec![MarketDataRow::batch(&rows).unwrap()]).await.unwrap();
    let buckets = "SELECT date_bin(INTERVAL '5 minutes', timestamp) AS bucket, count(*) FROM market_data";
    let pushed = format!("{buckets} WHERE symbol = 'OLD' GROUP BY bucket ORDER BY bucket");
    let kept = format!("{buckets} WHERE upper(symbol) = 'OLD' GROUP BY bucket ORDER BY bucket");
    let expected = ["1969-12-31T23:50:00|1", "1969-12-31T23:55:00|1", "1970-01-01T00:00:00|2", "1970-01-01T00:05:00|1"];
    assert_eq!(desk.rows(&pushed).await, expected);
    assert_eq!(desk.rows(&kept).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_year_has_its_buckets_wherever_they_are_made() {
    let desk = Desk::open().await;
    let years = [time::FIRST, -11_676_096_000 * SECOND + time::DAY / 2, time::LAST];
    let rows: Vec<_> = years.map(|timestamp| MarketDataRow { timestamp, ..quote(0, "OLD") }).into();
    desk.store.batches().commit(&MARKET_DATA, vec![MarketDataRow::batch(&rows).unwrap()]).await.unwrap();
    for (bucket, expected) in [
        ("date_bin(INTERVAL '1 day', timestamp)", ["0001-01-01", "1600-01-01", "9999-12-31"]),
        ("date_trunc('week', timestamp)", ["0001-01-01", "1599-12-27", "9999-12-27"]),
        ("date_trunc('year', timestamp)", ["0001-01-01", "1600-01-01", "9999-01-01"]),
    ] {
        let expected = expected.map(|day| format!("{day}T00:00:00|1"));
        for condition in ["symbol = 'OLD'", "upper(symbol) = 'OLD'"] {
            let sql =
                format!("SELECT {bucket} AS b, count(*) FROM market_data WHERE {condition} GROUP BY b ORDER BY b");
            assert_eq!(desk.rows(&sql).await, expected, "{sql}");
        }
    }
    // What DataFusion's own function still computes is right or refused.
    let months = desk.ask("SELECT date_bin(INTERVAL '1 month', timestamp) FROM market_data WHERE symbol = 'OLD'").await;
    assert!(months.unwrap_err().to_string().contains("1678 to 2261"));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_are_not_finite_are_aggregated_in_one_way() {
    let desk = Desk::with(QuerySettings::default(), 0).await;
    let bids = [-f64::NAN, 1.0, f64::INFINITY, -0.0];
    let bid = |(second, bid): (usize, f64)| MarketDataRow { bid: Some(bid), ..quote(second as i64, "A") };
    let rows: Vec<_> = bids.into_iter().enumerate().map(bid).collect();
    desk.store.batches().commit(&MARKET_DATA, vec![MarketDataRow::batch(&rows).unwrap()]).await.unwrap();
    for source in ["market_data", "(SELECT * FROM market_data LIMIT 100) AS q"] {
        for (aggregate, expected) in [
            ("stddev(bid)", "NaN"),
            ("var_pop(bid)", "NaN"),
            ("max(bid)", "NaN"),
            ("min(bid)", "0.0"),
            ("sum(bid)", "NaN"),
            ("count(*) FILTER (WHERE bid = 0.0)", "1"),
            ("count(*) FILTER (WHERE bid > 1.0)", "2"),
            ("count(DISTINCT bid)", "4"),
        ] {
            assert_eq!(
                desk.rows(&format!("SELECT {aggregate} FROM {source}")).await,
                [expected],
                "{aggregate} {source}"
            );
            let grouped = format!("SELECT symbol, {aggregate} FROM {source} GROUP BY symbol");
            assert_eq!(desk.rows(&grouped).await, [format!("A|{expected}")], "{grouped}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_bound_by_position_and_by_name() {
    let desk = Desk::open().await;
    let count = "SELECT count(*) FROM market_data WHERE";
    for (condition, params, expected) in [
        ("symbol = $1", json!(["O'Neil"]), "1000"),
        ("symbol = $1", json!(["' OR 1=1 --"]), "0"),
        ("symbol = $symbol AND volume >= $least", json!({"symbol": "AAPL", "least": 12}), "76"),
        ("timestamp >= $1", json!(["2025-10-21T22:16:39"]), "3"),
        ("timestamp >= $1 AND timestamp < $2", json!(["2025-10-21", "2025-10-21T22:00:01Z"]), "3"),
        ("last_price > $1", json!([123.9]), "30"),
        ("volume = $1", json!([3.0]), "231"),
        ("bid IS NULL AND $1", json!([true]), "600"),
        ("symbol = $1", json!([null]), "0"),
        ("symbol = $2 AND volume = $1", json!([0, "MSFT"]), "77"),
    ] {
        let sql = format!("{count} {condition}");
        assert_eq!(desk.rows_with(&sql, params).await, [expected], "{condition}");
    }
    assert_eq!(desk.rows_with("SELECT $1 AS given LIMIT $2", json!(["x", 1])).await, ["x"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_do_not_fit_the_query_are_named() {
    let desk = Desk::open().await;
    for (sql, params, expected) in [
        ("SELECT * FROM trades WHERE price > $2", list(&[json!(1)]), "$2"),
        ("SELECT * FROM trades WHERE price > $least", json!({}), "$least"),
        ("SELECT 1", list(&[json!(1)]), "$1"),
        ("SELECT $1", list(&[json!([1])]), "a list"),
        ("SELECT $a", json!({"a": {"b": 1}}), "an object"),
        ("SELECT 1", json!("text"), "params must be"),
    ] {
        match desk.ask_with(sql, params).await {
            Err(ReadError::Invalid(message)) => assert!(message.contains(expected), "{sql}: {message}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_plans_can_be_looked_at() {
    let desk = Desk::open().await;
    let tables = desk.rows("SHOW TABLES").await.join("\n");
    for table in crate::tables::TABLES {
        assert!(tables.contains(table.name), "{tables}");
    }
    assert!(desk.rows("DESCRIBE trades").await.join("\n").contains("trade_id|Utf8"));
    assert!(desk.rows("SHOW COLUMNS FROM market_data").await.join("\n").contains("spread_bps"));
    assert!(desk.rows("EXPLAIN SELECT * FROM trades").await.join("\n").contains("StoreScan"));
    let analysed = desk.rows("EXPLAIN ANALYZE SELECT * FROM trades").await.join("\n");
    assert!(analysed.contains("output_rows=100"), "{analysed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_the_declared_one() {
    let desk = Desk::open().await;
    for table in crate::tables::TABLES {
        let answer = desk.session.query(&format!("SELECT * FROM {}", table.name), Value::Null).await.unwrap();
        assert_eq!(answer.schema(), &table.schema());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_ordered_by_expressions_of_which_datafusion_loses_sight() {
    let desk = Desk::with(QuerySettings::default(), 60).await;
    // The conditions stay above the scan, so that there is something to divide among several threads.
    let rows = desk
        .rows(
            "SELECT timestamp, symbol, abs(CASE WHEN bid > 105 THEN ask ELSE bid END) AS c FROM market_data \
             WHERE upper(symbol) <> 'x' ORDER BY abs(CASE WHEN bid > 105 THEN ask ELSE bid END) DESC, timestamp, symbol \
             LIMIT 20",
        )
        .await;
    let numbers: Vec<f64> = rows.iter().filter_map(|row| row.rsplit('|').next()?.parse().ok()).collect();
    assert_eq!(numbers.len(), 20, "{rows:?}");
    assert!(numbers.is_sorted_by(|left, right| left >= right), "{rows:?}");
    let ranked = desk
        .rows(
            "SELECT max(n) FROM (SELECT row_number() OVER (ORDER BY abs(CASE WHEN bid > 105 THEN ask ELSE bid END)) AS n \
             FROM market_data WHERE upper(symbol) <> 'x') AS q",
        )
        .await;
    assert_eq!(ranked, ["180"]);
    let grouped = desk
        .rows(
            "SELECT abs(CASE WHEN bid > 105 THEN ask ELSE bid END) AS c, count(*) FROM market_data \
             WHERE upper(symbol) <> 'x' GROUP BY 1 ORDER BY abs(c) / 2, c LIMIT 3",
        )
        .await;
    assert_eq!(grouped.len(), 3);
}
