//! A backup taken while rows come in.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arrow::compute::cast;
use arrow::record_batch::RecordBatch;
use observability_api::batch::Checksum;
use observability_api::tables;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{Launch, Server, ipc};
use crate::desk::{START, backups, beside, command, directory, done, manifest, quotes};

/// Rows that are there before.
const BEFORE: i64 = 250_000;
/// Fills of one body.
const FILLS: u64 = 20;

/// Bodies of which everything was acknowledged.
type Acknowledged = Arc<Mutex<BTreeSet<u64>>>;

/// Pushes fills and then a quote of the same number, one body after the other, until told to stop.
async fn push(
    client: reqwest::Client,
    url: String,
    next: Arc<AtomicU64>,
    acknowledged: Acknowledged,
    stop: Arc<AtomicBool>,
) {
    while !stop.load(Ordering::Relaxed) {
        let body = next.fetch_add(1, Ordering::Relaxed);
        let instant = |number: u64| {
            let micros = START + 86_400_000_000 + (body * FILLS + number) as i64 * 1_000;
            chrono::DateTime::from_timestamp_micros(micros).unwrap().format("%FT%T%.6f").to_string()
        };
        let fill = |number| {
            json!({"trade_id": format!("{body}-{number}"), "timestamp": instant(number), "symbol": "LOAD",
                "side": "buy", "quantity": 1, "price": body, "strategy": "load"})
        };
        let fills: Vec<_> = (0..FILLS).map(fill).collect();
        // One key that is replaced all the time, and one of its own.
        let quotes = [
            json!({"timestamp": "2025-10-23T00:00:00", "symbol": "LOAD", "volume": body}),
            json!({"timestamp": instant(0), "symbol": "LOAD", "volume": body}),
        ];
        for (table, rows) in [("trades", json!(fills)), ("market_data", json!(quotes))] {
            let request = client.post(format!("{url}/api/ingest/{table}")).header("content-type", "application/json");
            let answer = request.body(rows.to_string()).send().await.unwrap();
            assert_eq!(answer.status(), 200);
        }
        acknowledged.lock().unwrap().insert(body);
    }
}

/// Every row of a table that a server has, as it is declared.
async fn checksum(server: &Server, table: &'static tables::Table) -> Checksum {
    let body = json!({"sql": format!("SELECT * FROM {}", table.name)}).to_string();
    let headers = [("content-type", "application/json")];
    let answer = server.send(Method::POST, "/api/sql?format=arrow", &headers, body.into()).await.expect(200);
    let mut checksum = Checksum::default();
    for batch in ipc::read(&answer.body) {
        let declared = table.schema();
        let columns = batch.columns().iter().zip(declared.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type()).unwrap()).collect();
        checksum.add(&RecordBatch::try_new(declared.clone(), columns).unwrap()).unwrap();
    }
    checksum
}

/// Rows and checksum of each table, as a manifest has them.
fn tables_of(backup: &Path) -> Vec<(String, u64, String)> {
    manifest(backup).tables.into_iter().map(|table| (table.name, table.rows, table.checksum)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_restored_elsewhere_is_what_was_there_at_one_moment() {
    let server = Launch::new().start().await;
    quotes(&server, BEFORE).await;
    let (next, acknowledged) = (Arc::new(AtomicU64::new(1)), Acknowledged::default());
    let stop = Arc::new(AtomicBool::new(false));
    let pushing: Vec<_> = (0..3)
        .map(|_| {
            let (client, url) = (server.client.clone(), server.url(""));
            tokio::spawn(push(client, url, next.clone(), acknowledged.clone(), stop.clone()))
        })
        .collect();
    crate::common::eventually("rows come in", async || (acknowledged.lock().unwrap().len() > 20).then_some(())).await;

    let before = acknowledged.lock().unwrap().clone();
    let said = done(command(beside(&server), &["backup"]).await);
    let after = next.load(Ordering::SeqCst);
    stop.store(true, Ordering::Relaxed);
    for client in pushing {
        client.await.unwrap();
    }
    let taken = backups(server.path());
    assert_eq!(taken.len(), 1, "{said}");
    assert!(said.contains(taken[0].file_name().unwrap().to_str().unwrap()), "{said}");
    assert!(taken[0].join("schema.sql").exists());

    let elsewhere = directory();
    let from = server.path().join("data/observability.backups");
    let restore = Launch::new().directory(&elsewhere);
    let said = done(command(restore, &["restore", from.to_str().unwrap(), "--database", "new/desk.duckdb"]).await);
    assert!(said.contains("new/desk.duckdb"), "{said}");
    let restored = Launch::new()
        .directory(&elsewhere)
        .arguments(["--database", "new/desk.duckdb", "--collect-interval", "1h"])
        .start()
        .await;

    let found = manifest(&taken[0]);
    for of_table in &found.tables {
        let table = tables::find(&of_table.name).unwrap();
        let is = checksum(&restored, table).await;
        // The server has collected a first row of its own by now.
        if table.name != "system_metrics" {
            assert_eq!((is.rows(), is.to_string()), (of_table.rows, of_table.checksum.clone()), "{}", table.name);
        }
    }
    let bodies: BTreeSet<u64> = restored
        .sql("SELECT price, count(*) AS n FROM trades GROUP BY price")
        .await
        .iter()
        .map(|row| {
            assert_eq!(row["n"], FILLS, "a body is there whole: {row}");
            row["price"].as_f64().unwrap() as u64
        })
        .collect();
    let count = async |sql: &str| restored.sql_value(sql).await.as_u64().unwrap();
    assert!(before.is_subset(&bodies), "everything that was acknowledged before is there");
    assert!(bodies.iter().all(|body| *body < after), "and nothing from after it");
    // A quote was pushed when its fills had been acknowledged: a snapshot of one moment has those as well.
    let quotes = restored.sql("SELECT DISTINCT volume FROM market_data WHERE symbol = 'LOAD'").await;
    assert!(quotes.iter().all(|row: &Value| bodies.contains(&row["volume"].as_u64().unwrap())));
    assert_eq!(count("SELECT count(*) FROM market_data WHERE symbol <> 'LOAD'").await, BEFORE as u64);
    println!("{} bodies before the backup began, {} in it, {} pushed in all", before.len(), bodies.len(), after);

    // The new database is one like any other: a key is replaced, and it is backed up in turn.
    let again = directory();
    let to = again.path().to_str().unwrap();
    drop(restored);
    done(command(Launch::new().directory(&elsewhere), &["backup", "--database", "new/desk.duckdb", "--to", to]).await);
    let copies: Vec<_> = std::fs::read_dir(again.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let without_own = |tables: Vec<(String, u64, String)>| {
        tables.into_iter().filter(|(name, ..)| name != "system_metrics").collect::<Vec<_>>()
    };
    assert_eq!(without_own(tables_of(&copies[0])), without_own(tables_of(&taken[0])));
}
