//! The program killed in the middle of its work, again and again, loses nothing that it has acknowledged.
//!
//! `CRASH_ROUNDS` says how many times, 10 unless it is set.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{Launch, Server};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Clients that push at the same time.
const CLIENTS: u64 = 4;
/// Rows of one body.
const ROWS: u64 = 25;
/// Quotes that every client writes again and again, and who wrote them last.
const CONTESTED: u64 = 5;

/// Bodies that were sent, by number: whether they were acknowledged.
type Sent = BTreeMap<u64, bool>;

/// Fills of one body. The body's number is the price, so that it can be told whose rows are there.
fn fills(body: u64) -> Value {
    let row = |number| {
        json!({"trade_id": format!("{body}-{number}"), "timestamp": instant(body * 60 + number), "symbol": "A",
            "side": "buy", "quantity": 1, "price": body, "strategy": "crash"})
    };
    json!((0..ROWS).map(row).collect::<Vec<_>>())
}

/// Quotes with the keys of an earlier body: each replaces an older one.
fn quotes(body: u64) -> Value {
    let row = |number| json!({"timestamp": instant(number), "symbol": "A", "volume": body, "last_price": 1.0});
    json!((0..CONTESTED).map(row).collect::<Vec<_>>())
}

fn instant(second: u64) -> String {
    let instant = chrono::DateTime::from_timestamp(1_761_048_000 + second as i64, 0).unwrap();
    instant.format("%FT%T").to_string()
}

/// Pushes bodies one after the other until the server is gone.
async fn push(client: reqwest::Client, url: String, next: Arc<AtomicU64>) -> Sent {
    let mut sent = Sent::new();
    loop {
        let body = next.fetch_add(1, Ordering::Relaxed);
        for (table, rows) in [("trades", fills(body)), ("market_data", quotes(body))] {
            let request = client.post(format!("{url}/api/ingest/{table}")).header("content-type", "application/json");
            let acknowledged = match request.body(rows.to_string()).send().await {
                Ok(answer) if answer.status() == 200 => true,
                Ok(answer) if [429, 503].contains(&answer.status().as_u16()) => false,
                Ok(answer) => panic!("{}", answer.status()),
                Err(_) => {
                    sent.entry(body).or_insert(false);
                    return sent;
                }
            };
            if table == "trades" {
                sent.insert(body, acknowledged);
            }
        }
    }
}

/// Every acknowledged body is there once and whole; every other one is whole or not there.
async fn check(server: &Server, sent: &Sent) {
    let rows =
        server.sql("SELECT price, count(*) AS n, count(DISTINCT trade_id) AS ids FROM trades GROUP BY price").await;
    let stored: BTreeMap<u64, (u64, u64)> = rows
        .iter()
        .map(|row| {
            let count = |name: &str| row[name].as_u64().unwrap();
            (row["price"].as_f64().unwrap() as u64, (count("n"), count("ids")))
        })
        .collect();
    for (body, acknowledged) in sent {
        match stored.get(body) {
            Some(counts) => assert_eq!(counts, &(ROWS, ROWS), "body {body} is there once and whole"),
            None => assert!(!acknowledged, "body {body} was acknowledged and is gone"),
        }
    }
    assert!(stored.keys().all(|body| sent.contains_key(body)), "nothing is there that was not sent");
    let quotes =
        server.sql("SELECT timestamp, count(*) AS n, min(volume) AS v FROM market_data GROUP BY timestamp").await;
    assert!(quotes.len() as u64 <= CONTESTED, "{quotes:?}");
    assert!(quotes.iter().all(|row| row["n"] == 1), "one row a key: {quotes:?}");
    assert!(quotes.iter().all(|row| row["v"] == quotes[0]["v"]), "the rows of one body: {quotes:?}");
}

#[tokio::test]
async fn acknowledged_rows_survive_every_kill() {
    let rounds: u64 = std::env::var("CRASH_ROUNDS").map_or(10, |text| text.parse().unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(rounds);
    let directory = Arc::new(tempfile::TempDir::new().unwrap());
    let next = Arc::new(AtomicU64::new(1));
    let mut sent = Sent::new();
    for round in 1..=rounds {
        let mut server = Launch::new().directory(&directory).start().await;
        check(&server, &sent).await;
        let clients = (0..CLIENTS).map(|_| tokio::spawn(push(server.client.clone(), server.url(""), next.clone())));
        let clients: Vec<_> = clients.collect();
        // Sometimes in the middle of the first body, sometimes after many.
        tokio::time::sleep(Duration::from_millis(random.random_range(1..400))).await;
        server.kill();
        for client in clients {
            sent.extend(client.await.unwrap());
        }
        let log = server.log();
        assert!(!log.contains("panicked") && !log.contains("ERROR"), "round {round}:\n{log}");
    }
    let server = Launch::new().directory(&directory).start().await;
    check(&server, &sent).await;
    let acknowledged = sent.values().filter(|acknowledged| **acknowledged).count();
    println!("{rounds} kills, {} bodies sent, {acknowledged} acknowledged, none lost", sent.len());
    assert!(acknowledged as u64 > rounds, "the test did something");
    let set_aside = std::fs::read_dir(directory.path().join("data")).unwrap().map(|entry| entry.unwrap().file_name());
    let set_aside: Vec<_> = set_aside.filter(|name| name.to_string_lossy().contains("corrupt")).collect();
    assert!(set_aside.is_empty(), "{set_aside:?}");
}
