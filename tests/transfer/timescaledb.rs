//! Copying from a real PostgreSQL.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Desk;
use crate::common::{Launch, Postgres, eventually_within};

/// The five tables as TimescaleDB has them on a desk: another order of columns, other types of numbers, columns more.
const TABLES: &str = "
    CREATE TABLE market_data (id bigserial, symbol text NOT NULL, timestamp timestamptz NOT NULL, last_price numeric(18, 6),
        bid double precision, ask real, volume bigint, trades integer, spread_bps numeric, venue varchar,
        PRIMARY KEY (timestamp, symbol));
    CREATE TABLE strategy_metrics (timestamp timestamp NOT NULL, strategy_name varchar(40) NOT NULL, pnl numeric,
        daily_pnl double precision, positions smallint, signals bigint, win_rate real);
    CREATE TABLE execution_metrics (timestamp timestamptz NOT NULL, orders_submitted int, orders_filled int,
        orders_cancelled int, orders_rejected int, fill_rate double precision, avg_latency_ms double precision);
    CREATE TABLE system_metrics (timestamp timestamptz, cpu_percent real, memory_percent real, disk_usage_percent real,
        uptime_seconds bigint, health_status text, active_alerts smallint);
    CREATE TABLE trades (trade_id uuid PRIMARY KEY, timestamp timestamptz NOT NULL, symbol text NOT NULL, side char(4),
        quantity numeric NOT NULL, price numeric NOT NULL, latency_ms real, slippage_bps real, strategy text);";

async fn desk_server(rows: u32) -> Option<Postgres> {
    let server = Postgres::start()?;
    server.execute(TABLES).await;
    server
        .execute(&format!(
            "INSERT INTO market_data (symbol, timestamp, last_price, bid, ask, volume, trades, spread_bps)
             SELECT 'S' || number % 10, '2025-10-21 12:00:00+02'::timestamptz + (number / 10) * interval '1 second',
                 100 + number / 8.0, number, CASE WHEN number % 3 = 0 THEN NULL ELSE 0.5 END, number, number % 7, 0.1
             FROM generate_series(0, {rows} - 1) AS number;
             INSERT INTO strategy_metrics VALUES ('2025-10-21 12:00:00', 'momentum', 1.25, -2, 3, 4, 0.5);
             INSERT INTO execution_metrics VALUES ('2025-10-21 12:00:00Z', 1, 2, 3, 4, 0.5, 6);
             INSERT INTO system_metrics VALUES ('2025-10-21 12:00:00Z', 1, 2, 3, 4, 'healthy', 0);
             INSERT INTO trades VALUES ('0195f1a2-0000-7000-8000-000000000001', '2025-10-21 12:00:00.000001Z', 'A', 'buy',
                 1.5, 39432.37, NULL, NULL, 'momentum');"
        ))
        .await;
    Some(server)
}

/// What is compared: how many rows, and sums over them.
const FIGURES: &str = "SELECT count(*) AS n, count(ask) AS asks, min(timestamp) AS first, max(timestamp) AS last, \
    sum(volume) AS volume, sum(trades) AS trades, sum(last_price) AS price, sum(bid) AS bid FROM market_data";

fn figures(rows: u32) -> Value {
    let all = u64::from(rows) * u64::from(rows - 1) / 2;
    let last = chrono::DateTime::from_timestamp(1_761_040_800 + i64::from((rows - 1) / 10), 0).unwrap();
    json!([{
        "n": rows, "asks": rows - rows.div_ceil(3), "first": "2025-10-21T10:00:00",
        "last": last.format("%FT%T").to_string(), "volume": all, "trades": (0..rows).map(|row| u64::from(row % 7)).sum::<u64>(),
        "price": 100.0 * f64::from(rows) + all as f64 / 8.0, "bid": all as f64,
    }])
}

fn state(desk: &Desk) -> Option<Value> {
    let text = std::fs::read(desk.path().join("data/observability.duckdb.timescaledb.json")).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

#[tokio::test]
async fn the_five_tables_are_copied_whatever_their_types() {
    let Some(server) = desk_server(2_000).await else { return };
    let desk = Desk::new();
    let said = desk.run(&["import", "timescaledb", "--url", &server.url(), "--time-zone", "Europe/Berlin"]).err;
    for told in ["market_data: not taken: id, venue", "market_data: 2,000 rows stored", "trades: 1 row stored"] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert_eq!(desk.sql(FIGURES), figures(2_000));
    let strategy = json!([{"timestamp": "2025-10-21T10:00:00", "strategy_name": "momentum", "pnl": 1.25,
        "daily_pnl": -2.0, "positions": 3, "signals": 4, "win_rate": 0.5}]);
    assert_eq!(desk.sql("SELECT * FROM strategy_metrics"), strategy, "the clock without a zone was Berlin's");
    let execution = desk.sql("SELECT fill_rate, avg_slippage_bps FROM execution_metrics");
    assert_eq!(execution, json!([{"fill_rate": 0.5, "avg_slippage_bps": null}]), "a column that is not there is null");
    let trade = json!([{"trade_id": "0195f1a2-0000-7000-8000-000000000001", "timestamp": "2025-10-21T12:00:00.000001",
        "symbol": "A", "side": "buy", "quantity": 1.5, "price": 39432.37, "latency_ms": null, "slippage_bps": null,
        "strategy": "momentum"}]);
    assert_eq!(desk.sql("SELECT * FROM trades"), trade);
}

#[tokio::test]
async fn a_killed_import_goes_on_where_it_was() {
    const ROWS: u32 = 60_000;
    let Some(server) = desk_server(ROWS).await else { return };
    let desk = Desk::new();
    let url = server.url();
    let import = ["import", "timescaledb", "--url", &url, "--tables", "market_data", "--batch-rows", "100"];
    let mut running = desk.launch(&import).spawn();
    let position = async || state(&desk)?["tables"]["market_data"].as_i64();
    eventually_within(Duration::from_secs(60), "the first rows are stored", position).await;
    running.kill().unwrap();
    running.wait().unwrap();
    let reached = position().await.unwrap();
    let stored = desk.sql("SELECT count(*) AS n FROM market_data")[0]["n"].as_u64().unwrap();
    assert!(stored > 0 && stored < u64::from(ROWS), "killed in the middle: {stored}");

    let said = desk.run(&import).err;
    assert!(said.contains("market_data: goes on at 2025-10-21T1"), "{said}");
    assert_eq!(desk.sql(FIGURES), figures(ROWS));
    let rest = u64::from(ROWS) - ((reached - 1_761_040_800_000_000) / 1_000_000 * 10) as u64;
    let told = format!("market_data: {} rows stored", indicatif::HumanCount(rest));
    assert!(said.contains(&told), "only the rest, with the last instant again, was read: {told}: {said}");

    server.execute("INSERT INTO market_data (symbol, timestamp) VALUES ('NEW', '2025-12-01Z')").await;
    desk.run(&import);
    assert_eq!(
        desk.sql("SELECT count(*) AS n FROM market_data"),
        json!([{"n": ROWS + 1}]),
        "what came since is fetched"
    );

    // The database is gone, and the state of the import is still there.
    let database = desk.path().join("data/observability.duckdb");
    std::fs::remove_file(&database).unwrap();
    let said = desk.run(&import).err;
    assert!(said.contains("begins anew"), "{said}");
    assert_eq!(desk.sql("SELECT count(*) AS n FROM market_data"), json!([{"n": ROWS + 1}]), "all rows again");
    // And again, behind a server that has made another one already.
    std::fs::remove_file(&database).unwrap();
    let other = Launch::new().directory(&desk.directory).start().await;
    let said = desk.run(&import).err;
    assert!(said.contains("begins anew"), "{said}");
    assert_eq!(other.sql_value("SELECT count(*) FROM market_data").await, ROWS + 1);
}

#[tokio::test]
async fn a_running_server_takes_the_rows_and_a_span_is_kept() {
    let Some(server) = desk_server(600).await else { return };
    let observability = Launch::new().start().await;
    let desk = Desk { directory: observability.directory.clone() };
    let url = server.url();
    desk.run(&[
        "import",
        "timescaledb",
        "--url",
        &url,
        "--tables",
        "market_data,trades",
        "--from",
        "2025-10-21T10:00:10Z",
        "--to",
        "2025-10-21T10:00:19Z",
    ]);
    assert_eq!(observability.sql_value("SELECT count(*) FROM market_data").await, 100);
    assert_eq!(observability.sql_value("SELECT count(*) FROM trades").await, 0);
    let said = desk.refused(&["import", "timescaledb", "--url", &url, "--tables", "market_data"]);
    assert!(said.contains("--state") && said.contains("beginning at 2025-10-21T10:00:10"), "{said}");
    desk.run(&["import", "timescaledb", "--url", &url, "--tables", "market_data", "--state", "all.json"]);
    assert_eq!(observability.sql_value("SELECT count(*) FROM market_data").await, 600);
}

#[tokio::test]
async fn what_does_not_fit_is_told() {
    let Some(server) = Postgres::start() else { return };
    let desk = Desk::new();
    let url = server.url();
    let import = |table: &'static str| ["import", "timescaledb", "--url", &url, "--tables", table].map(str::to_owned);
    let refused = |table: &'static str| {
        let arguments = import(table);
        desk.refused(&arguments.each_ref().map(String::as_str))
    };
    let said = refused("trades");
    assert!(said.contains("no table trades") && said.contains("--tables"), "{said}");
    server
        .execute(
            "CREATE TABLE trades (trade_id text, timestamp timestamptz, price numeric, quantity numeric, symbol text);
             CREATE TABLE market_data (\"time\" timestamptz, symbol text, volume numeric);
             INSERT INTO market_data VALUES ('2025-10-21Z', 'A', 1.5), ('infinity', 'B', 1), (NULL, 'C', 1),
                 ('2025-10-22Z', 'D', 2);
             CREATE TABLE system_metrics (timestamp bigint);",
        )
        .await;
    let said = refused("trades");
    assert!(said.contains("does not give side") && said.contains("trade_id, timestamp, price"), "{said}");
    let said = refused("system_metrics");
    assert!(said.contains("int8") && said.contains("timestamptz"), "{said}");
    let said =
        desk.refused(&["import", "timescaledb", "--url", &url, "--tables", "market_data", "--map", "timestamp=time"]);
    for told in [
        "market_data, row 1, volume: \"1.5\" is not a whole number: --round",
        "timestamp: \"infinity\" is not a timestamp",
        "timestamp: a value is required",
        "rejected: 3 rows",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    assert_eq!(desk.sql("SELECT symbol FROM market_data"), json!([{"symbol": "D"}]));
    let said = desk.refused(&["import", "timescaledb", "--url", "postgres://nobody@127.0.0.1:1/nothing"]);
    assert!(said.contains("127.0.0.1:1/nothing cannot be reached") && said.contains("refused"), "{said}");
}

#[tokio::test]
async fn with_sslmode_the_server_has_to_be_who_it_says() {
    let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let certificate = tls.join("certificate.pem");
    let Some(server) = Postgres::start_with_tls(&certificate, &tls.join("key.pem")) else { return };
    server
        .execute("CREATE TABLE system_metrics (timestamp timestamptz); INSERT INTO system_metrics VALUES (now())")
        .await;
    let desk = Desk::new();
    let url = server.network_url("sslmode=require");
    let import = ["import", "timescaledb", "--url", &url, "--tables", "system_metrics"];
    let said = desk.refused(&import);
    assert!(said.contains("invalid peer certificate"), "nobody vouches for this certificate: {said}");
    desk.run(&[&import[..], &["--ca-certificates", certificate.to_str().unwrap()]].concat());
    assert_eq!(desk.sql("SELECT count(*) AS n FROM system_metrics"), json!([{"n": 1}]));
}
