//! Moving in: the database of the Python service, with its keys, its indexes, and a log that was never checkpointed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use duckdb::Connection;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tempfile::TempDir;

use crate::common::{Launch, Server};
use crate::files_with;
use crate::small_disk::SmallDisk;

/// Rows in the file, and rows that only the log has, of which as many replace older ones.
const IN_FILE: i64 = 100_000;
const IN_LOG: i64 = 5_000;

const TABLES: &str = "
    CREATE TABLE market_data (timestamp TIMESTAMP, symbol VARCHAR, last_price DOUBLE, bid DOUBLE, ask DOUBLE,
        volume BIGINT, trades INTEGER, spread_bps DOUBLE, PRIMARY KEY (timestamp, symbol));
    CREATE INDEX idx_market_data_timestamp ON market_data(timestamp DESC);
    CREATE TABLE strategy_metrics (timestamp TIMESTAMP, strategy_name VARCHAR, pnl DOUBLE, daily_pnl DOUBLE,
        positions INTEGER, signals INTEGER, win_rate DOUBLE, PRIMARY KEY (timestamp, strategy_name));
    CREATE INDEX idx_strategy_timestamp ON strategy_metrics(timestamp DESC);
    CREATE TABLE execution_metrics (timestamp TIMESTAMP PRIMARY KEY, orders_submitted INTEGER, orders_filled INTEGER,
        orders_cancelled INTEGER, orders_rejected INTEGER, fill_rate DOUBLE, avg_latency_ms DOUBLE,
        avg_slippage_bps DOUBLE);
    CREATE INDEX idx_execution_timestamp ON execution_metrics(timestamp DESC);
    CREATE TABLE system_metrics (timestamp TIMESTAMP PRIMARY KEY, cpu_percent DOUBLE, memory_percent DOUBLE,
        disk_usage_percent DOUBLE, uptime_seconds DOUBLE, health_status VARCHAR, active_alerts INTEGER);
    CREATE INDEX idx_system_timestamp ON system_metrics(timestamp DESC);
    CREATE TABLE trades (trade_id VARCHAR PRIMARY KEY, timestamp TIMESTAMP NOT NULL, symbol VARCHAR NOT NULL,
        side VARCHAR NOT NULL, quantity DOUBLE NOT NULL, price DOUBLE NOT NULL, latency_ms DOUBLE,
        slippage_bps DOUBLE, strategy VARCHAR);
    CREATE INDEX idx_trades_timestamp ON trades(timestamp DESC);
    CREATE INDEX idx_trades_symbol ON trades(symbol);";

fn rows(first: i64, count: i64) -> String {
    let instant = "TIMESTAMP '2025-10-01' + to_seconds((i * 7919) % 200003)";
    format!(
        "INSERT INTO market_data SELECT {instant}, 'S' || (i % 5), i, i / 3, i / 7, i, i % 100, 1.5 FROM range({first}, {end}) t(i);
         INSERT INTO strategy_metrics SELECT {instant}, 'momentum', i, -i, 1, 2, 0.5 FROM range({first}, {end}) t(i);
         INSERT INTO execution_metrics SELECT {instant}, i, i, 0, 0, 1, 2, 3 FROM range({first}, {end}) t(i);
         INSERT INTO system_metrics SELECT {instant}, 1, 2, 3, i, 'healthy', 0 FROM range({first}, {end}) t(i);
         INSERT INTO trades SELECT 'TRADE_' || i, {instant}, 'S' || (i % 5), 'BUY', i, i, NULL, 1, NULL FROM range({first}, {end}) t(i);",
        end = first + count
    )
}

/// Opens a file, which another process then cannot.
pub fn hold(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn write_legacy(path: &Path, in_file: i64) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA disable_checkpoint_on_shutdown").unwrap();
    connection.execute_batch(TABLES).unwrap();
    connection.execute_batch(&rows(0, in_file)).unwrap();
    connection.execute_batch("CHECKPOINT").unwrap();
    connection.execute_batch(&rows(in_file, IN_LOG)).unwrap();
    let replaced =
        "INSERT OR REPLACE INTO market_data SELECT timestamp, symbol, -1, bid, ask, volume, trades, spread_bps
        FROM market_data WHERE volume < ?; INSERT OR REPLACE INTO trades SELECT trade_id, timestamp, symbol, side,
        quantity, -1, latency_ms, slippage_bps, strategy FROM trades WHERE quantity < ?";
    connection.execute_batch(&replaced.replace('?', &IN_LOG.to_string())).unwrap();
}

/// The number of rows of every table, and the sum of their hashes.
fn contents(path: &Path) -> Vec<(String, i64, String)> {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA disable_checkpoint_on_shutdown").unwrap();
    let tables = [
        ("market_data", ""),
        ("strategy_metrics", ""),
        ("execution_metrics", "WHERE timestamp < '2026-01-01'"),
        ("system_metrics", "WHERE timestamp < '2026-01-01'"),
        ("trades", ""),
    ];
    tables
        .map(|(table, only)| {
            let sql = format!("SELECT count(*), sum(hash(t)::HUGEINT)::VARCHAR FROM (SELECT * FROM {table} {only}) t");
            connection.query_row(&sql, [], |row| Ok((table.to_owned(), row.get(0)?, row.get(1)?))).unwrap()
        })
        .into()
}

fn keys_and_indexes(path: &Path) -> String {
    let sql = "SELECT coalesce(string_agg(name, ',' ORDER BY name), '') FROM (
        SELECT table_name AS name FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE')
        UNION ALL SELECT index_name FROM duckdb_indexes())";
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

fn wal(path: &Path) -> PathBuf {
    path.with_extension("duckdb.wal")
}

/// A directory with a legacy file in its usual place.
fn moving_in(original: &Path) -> (Launch, Arc<TempDir>) {
    let directory = Arc::new(TempDir::new().unwrap());
    let path = directory.path().join("data/observability.duckdb");
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    std::fs::copy(original, &path).unwrap();
    std::fs::copy(wal(original), wal(&path)).unwrap();
    (Launch::new().directory(&directory), directory)
}

#[tokio::test]
async fn every_row_moves_in_and_the_file_as_it_was_is_kept() {
    let source = TempDir::new().unwrap();
    let original = source.path().join("legacy.duckdb");
    write_legacy(&original, IN_FILE);
    let bytes = [std::fs::read(&original).unwrap(), std::fs::read(wal(&original)).unwrap()];
    assert!(bytes[1].len() > 100_000, "the log has never been checkpointed");

    let (launch, directory) = moving_in(&original);
    let mut server = launch.start().await;
    for step in ["copying the database", "rebuilt 1 of 5 tables", "rebuilt 5 of 5 tables", "every table is rebuilt"] {
        assert!(server.log().contains(step), "{step}: {}", server.log());
    }
    assert_eq!(server.sql_value("SELECT count(*) FROM market_data").await, IN_FILE + IN_LOG);
    // The promise of the key is kept without the key.
    let stored = server.sql("SELECT * FROM market_data WHERE volume = 77777").await;
    server.ingest("market_data", &json!([stored[0]])).await;
    let trade = server.sql("SELECT * FROM trades WHERE trade_id = 'TRADE_7'").await;
    server.ingest("trades", &json!([trade[0]])).await;
    assert_eq!(server.terminate().await, Some(0));

    let path = directory.path().join("data/observability.duckdb");
    let data = path.parent().unwrap();
    let kept = files_with(data, "before-migration");
    assert_eq!(kept.len(), 2, "{kept:?}");
    for (name, bytes) in kept.iter().zip(&bytes) {
        assert!(&std::fs::read(data.join(name)).unwrap() == bytes, "{name} is what was found");
    }
    assert_eq!(keys_and_indexes(&path), "trades", "only trades keep their key");
    assert_eq!(contents(&path), contents(&original));
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    println!("{} bytes before, {} after", size(&original), size(&path));

    // The next start has nothing to do, and the copy can take the place of the file.
    let again = Launch::new().directory(&directory).start().await;
    assert!(!again.log().contains("older service"), "{}", again.log());
    assert_eq!(files_with(data, "before-migration"), kept);
    assert_eq!(contents(&data.join(&kept[0])), contents(&original));
}

#[tokio::test]
async fn a_move_that_is_killed_again_and_again_loses_no_row() {
    let source = TempDir::new().unwrap();
    let original = source.path().join("legacy.duckdb");
    write_legacy(&original, IN_FILE);
    let expected = contents(&original);
    let bytes = std::fs::read(&original).unwrap();
    let began = Instant::now();
    let (launch, _directory) = moving_in(&original);
    drop(launch.start().await);
    let whole = began.elapsed();
    println!("not killed, it takes {whole:?}");

    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut kills, mut in_the_middle) = (0, 0);
    for _ in 0..4 {
        let (_, directory) = moving_in(&original);
        let path = directory.path().join("data/observability.duckdb");
        for _ in 0..5 {
            let after = Duration::from_micros(random.random_range(1..whole.as_micros() as u64));
            let log = Launch::new().directory(&directory).kill_after(after).await;
            kills += 1;
            in_the_middle +=
                usize::from(log.contains("copying the database") && !log.contains("every table is rebuilt"));
        }
        let mut server: Server = Launch::new().directory(&directory).start().await;
        assert_eq!(server.sql_value("SELECT count(*) FROM trades").await, IN_FILE + IN_LOG);
        assert_eq!(server.terminate().await, Some(0));
        assert_eq!(contents(&path), expected);
        assert_eq!(keys_and_indexes(&path), "trades");
        let data = path.parent().unwrap();
        let kept = files_with(data, "before-migration-");
        let first = kept.iter().find(|name| !name.ends_with(".wal")).unwrap();
        assert!(std::fs::read(data.join(first)).unwrap() == bytes, "the file as it was is kept: {kept:?}");
    }
    println!("{kills} kills, {in_the_middle} in the middle of the move");
    assert!(in_the_middle > 0, "some kills hit the move");
}

#[tokio::test]
async fn a_disk_without_room_for_the_copy_is_told_and_the_file_is_left_alone() {
    let Some(disk) = SmallDisk::mount(32) else { return };
    write_legacy(&disk.database(), 20_000);
    let bytes = [disk.database(), wal(&disk.database())].map(|path| std::fs::read(path).unwrap());
    let ballast = disk.fill(bytes[0].len() as u64);
    let database = disk.database();
    let refused = Launch::new().arguments(["--port", "0", "--database", database.to_str().unwrap()]).run();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("Make room on its disk"), "{}", refused.err);
    assert!([disk.database(), wal(&disk.database())].map(|path| std::fs::read(path).unwrap()) == bytes);
    assert_eq!(files_with(&disk.path(), "before-migration"), [""; 0]);
    ballast.remove();
}
