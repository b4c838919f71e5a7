//! Clients that write the same keys of two tables at the same time, many rows and few, late ones and new ones, also into
//! days that are archived meanwhile. What is stored is what some order of the writes leaves, all of each write or nothing,
//! and bucketed figures are those of the rows; also after the program was killed in the middle of it.
//!
//! `clients` write to the tables of `table`; `serial` says what may come of it, and `answers` looks at what has.
//!
//! `RIVALS_ROUNDS` says how many rounds there are, 2 unless it is set; in every other one the program is killed.

mod answers;
mod clients;
mod serial;
mod table;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

use clients::{Client, Shared};
use serial::Ledger;
use table::{DAY, DAYS, KEYS, TABLES};

use crate::common::{Launch, Server};

/// Clients that write many rows, and those that write few.
const LARGE: u64 = 2;
const SMALL: u64 = 3;

/// Has days archived, again and again until all clients have written; an operator's order.
async fn archive(client: reqwest::Client, url: String, token: String, shared: Arc<Shared>) {
    while !shared.are_done.load(Ordering::SeqCst) {
        let Ok(answer) = client.post(&url).bearer_auth(&token).send().await else { return };
        let status = answer.status();
        let Ok(text) = answer.text().await else { return };
        assert_eq!(status, 200, "{text}");
    }
}

fn token(server: &Server) -> String {
    let lock = std::fs::read(server.path().join("data/observability.duckdb.lock")).unwrap();
    let lock: Value = serde_json::from_slice(&lock).unwrap();
    lock["token"].as_str().unwrap().to_owned()
}

fn launch(directory: &Arc<TempDir>) -> Launch {
    Launch::new().directory(directory).arguments(["--rollup-interval=1ms", "--hot-days=0"])
}

/// Lets clients write and, if it `falls`, kills the program in the middle of it.
async fn round(server: &mut Server, shared: &Arc<Shared>, ledgers: &mut [Ledger; 2], round: u64, falls: bool) {
    shared.are_done.store(false, Ordering::SeqCst);
    let client = |number: u64| Client::new(server, shared, round << 8 | number);
    let large: Vec<_> = (0..LARGE).map(|number| tokio::spawn(client(number).write_many())).collect();
    let small: Vec<_> = (LARGE..LARGE + SMALL).map(|number| tokio::spawn(client(number).write_few())).collect();
    let order = archive(server.client.clone(), server.url("/api/operator/archive"), token(server), shared.clone());
    let archiving = (!round.is_multiple_of(3)).then(|| tokio::spawn(order));
    if falls {
        let mut random = ChaCha8Rng::seed_from_u64(round);
        let moment = shared.clock.load(Ordering::SeqCst) + random.random_range(4..160);
        while shared.clock.load(Ordering::SeqCst) < moment && !large.iter().all(|large| large.is_finished()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        server.kill();
    }
    let mut clients = futures::future::join_all(large).await;
    shared.are_done.store(true, Ordering::SeqCst);
    clients.extend(futures::future::join_all(small).await);
    if let Some(archiving) = archiving {
        archiving.await.unwrap();
    }
    let (mut sent, mut answered) = (0, 0);
    for client in clients {
        for (ledger, written) in ledgers.iter_mut().zip(client.unwrap().written) {
            sent += written.len();
            answered += written.iter().filter(|write| write.answered.is_some()).count();
            ledger.writes.extend(written);
        }
    }
    println!(
        "round {round}: {answered} of {sent} writes were answered{}",
        if falls { ", then it was killed" } else { "" }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_leave_what_some_order_of_their_writes_does() {
    let rounds: u64 = std::env::var("RIVALS_ROUNDS").map_or(2, |text| text.parse().unwrap());
    let seed: u64 = std::env::var("RIVALS_SEED").map_or(0, |text| text.parse().unwrap());
    let today = chrono::Utc::now().timestamp_micros().div_euclid(DAY) * DAY;
    let shared = Arc::new(Shared::new(today - DAYS as i64 * DAY));
    let directory = Arc::new(TempDir::new().unwrap());
    let mut server = launch(&directory).start().await;
    let mut ledgers = TABLES.map(|_| Ledger::new(DAYS * KEYS));
    for number in seed << 32 | 1..=seed << 32 | rounds {
        let falls = number.is_multiple_of(2);
        round(&mut server, &shared, &mut ledgers, number, falls).await;
        if falls {
            server = launch(&directory).start().await;
        }
        answers::check(&server, shared.first, &mut ledgers).await;
    }
}
