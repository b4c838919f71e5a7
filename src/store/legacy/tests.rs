//! Files that older services, and other people, might have left.

use std::path::Path;

use super::*;
use crate::store::{connect, schema};
use crate::tables::TABLES;

fn settings(directory: &Path) -> StoreSettings {
    StoreSettings { path: directory.join("legacy.duckdb"), ..StoreSettings::default() }
}

fn count(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn copies(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.contains("before-migration")).collect()
}

/// The file that `statements` make, rebuilt, and brought to the schema.
fn rebuilt(directory: &Path, statements: &str) -> Result<Connection, StoreError> {
    let settings = settings(directory);
    let connection = connect(&settings.path, &settings).unwrap();
    connection.execute_batch(statements).unwrap();
    drop(connection);
    let connection = rebuild(connect(&settings.path, &settings)?, &settings)?;
    schema::migrate(&connection)?;
    Ok(connection)
}

const EXECUTION: &str = "CREATE TABLE execution_metrics (timestamp TIMESTAMP {key}, orders_submitted INTEGER, \
    orders_filled INTEGER, orders_cancelled INTEGER, orders_rejected INTEGER, fill_rate DOUBLE, avg_latency_ms DOUBLE, \
    avg_slippage_bps DOUBLE);";
const TRADES: &str = "CREATE TABLE trades (trade_id VARCHAR, timestamp TIMESTAMP, symbol VARCHAR, side VARCHAR, \
    quantity DOUBLE, price DOUBLE, latency_ms DOUBLE, slippage_bps DOUBLE, strategy VARCHAR);";

#[test]
fn a_file_of_this_version_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let connection = connect(&settings.path, &settings).unwrap();
    schema::migrate(&connection).unwrap();
    assert!(plan::plans(&connection).unwrap().is_empty());
    drop(rebuild(connection, &settings).unwrap());
    assert_eq!(copies(directory.path()), [""; 0]);
}

#[test]
fn keys_and_indexes_go_and_rows_stay_in_order_of_time() {
    let directory = tempfile::tempdir().unwrap();
    let rows = "INSERT INTO execution_metrics SELECT TIMESTAMP '2025-01-01' + to_seconds((i * 7919) % 10007), i, i, 0, 0, \
        1, 2, 3 FROM range(10007) t(i);";
    let connection = rebuilt(
        directory.path(),
        &[
            &EXECUTION.replace("{key}", "PRIMARY KEY"),
            "CREATE INDEX newest ON execution_metrics(timestamp DESC);",
            rows,
        ]
        .concat(),
    )
    .unwrap();
    assert!(plan::plans(&connection).unwrap().is_empty());
    assert_eq!(count(&connection, "SELECT count(DISTINCT orders_submitted) FROM execution_metrics"), 10_007);
    let late = "SELECT count(*) FROM (SELECT timestamp < lag(timestamp) OVER (ORDER BY rowid) AS late \
        FROM execution_metrics) WHERE late";
    assert_eq!(count(&connection, late), 0);
    // The copy, and its log: the file was never checkpointed.
    assert_eq!(copies(directory.path()).len(), 2);
}

#[test]
fn of_rows_that_share_a_key_that_was_none_the_last_stays() {
    let directory = tempfile::tempdir().unwrap();
    let rows = "INSERT INTO trades SELECT 'T' || (i % 3), TIMESTAMP '2025-01-01', 'A', 'buy', 1, i, 0, 0, '' \
        FROM range(10) t(i);";
    let connection = rebuilt(directory.path(), &[TRADES, rows].concat()).unwrap();
    assert_eq!(count(&connection, "SELECT count(*) FROM trades"), 3);
    assert_eq!(count(&connection, "SELECT sum(price)::BIGINT FROM trades"), 9 + 7 + 8);
    let again = "INSERT OR REPLACE INTO trades SELECT 'T0', TIMESTAMP '2025-01-01', 'A', 'buy', 1, 1, 0, 0, ''";
    connection.execute_batch(again).unwrap();
    assert_eq!(count(&connection, "SELECT count(*) FROM trades"), 3);
}

#[test]
fn columns_in_another_order_or_narrower_are_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let connection = rebuilt(
        directory.path(),
        "CREATE TABLE market_data (symbol VARCHAR, timestamp TIMESTAMP_MS, last_price FLOAT, bid DOUBLE, ask DOUBLE, \
         volume INTEGER, trades SMALLINT, spread_bps DOUBLE);
         INSERT INTO market_data VALUES ('A', '2025-01-01 00:00:01', 1.5, 2, 3, 4, 5, 6)",
    )
    .unwrap();
    let same = "SELECT count(*) FROM market_data WHERE timestamp = '2025-01-01 00:00:01' AND symbol = 'A' \
        AND last_price = 1.5 AND volume = 4 AND trades = 5";
    assert_eq!(count(&connection, same), 1);
}

#[test]
fn a_row_without_a_key_stops_the_start_and_the_file_stays() {
    let directory = tempfile::tempdir().unwrap();
    let row =
        "INSERT INTO trades (trade_id, timestamp, side, quantity, price) VALUES ('T', '2025-01-01', 'buy', 1, 1);";
    let refused = rebuilt(directory.path(), &[TRADES, row].concat()).err().unwrap();
    assert!(matches!(refused, StoreError::IncompleteRows { table: "trades", rows: 1, .. }), "{refused}");
    assert_eq!(copies(directory.path()), [""; 0]);
}

#[test]
fn a_start_that_goes_on_makes_no_other_copy() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path());
    let connection = connect(&settings.path, &settings).unwrap();
    connection.execute_batch(&[&EXECUTION.replace("{key}", "PRIMARY KEY"), TRADES].concat()).unwrap();
    let (connection, kept) = copy::make(connection, &settings).unwrap();
    let plans = plan::plans(&connection).unwrap();
    assert_eq!(plans.len(), 2);
    plans[0].rebuild(&connection).unwrap();
    // Killed here.
    drop(connection);
    let before = copies(directory.path());
    let connection = connect(&settings.path, &settings).unwrap();
    assert_eq!(copy::made_before(&connection).unwrap(), Some(kept));
    let connection = rebuild(connection, &settings).unwrap();
    assert!(plan::plans(&connection).unwrap().is_empty());
    assert_eq!(copies(directory.path()), before);
    assert_eq!(copy::made_before(&connection).unwrap(), None);
    schema::migrate(&connection).unwrap();
    assert_eq!(TABLES.len(), 5);
}
