//! The program killed in the middle of its work, again and again, loses nothing that it has acknowledged.
//!
//! While clients push rows, rows are rolled up, days are archived and dropped, and backups are taken, all at once and all
//! the time. `CRASH_ROUNDS` says how many times the program is killed, 8 unless it is set.
//!
//! * `rows` are what clients push, `promises` what they were told of it; `clients` push, and operators give orders.
//! * `kill` finds a moment for the kill.
//! * `stored` are the rows that are there afterwards; `answers` asks the program about them, and `inside` opens the
//!   database itself; `leftovers` are files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

mod answers;
mod clients;
#[path = "../common/mod.rs"]
mod common;
mod inside;
mod kill;
mod leftovers;
mod promises;
mod rows;
mod stored;

use std::sync::Arc;

use clients::Clients;
use common::{Launch, Server};
use kill::Tally;
use promises::Promises;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rows::Calendar;
use stored::Stored;
use tempfile::TempDir;

/// Rounds from one look inside the database to the next.
const LOOK_INSIDE: u64 = 4;

fn launch(directory: &Arc<TempDir>) -> Launch {
    let retain = "market_data=20d,strategy_metrics=20d,system_metrics=20d,trades=20d,rollup_1m=3d";
    Launch::new().directory(directory).arguments(["--rollup-interval=1ms", "--hot-days=0", "--retain", retain])
}

/// What the program says of itself: it must never have come to an end by itself.
fn look_at_log(server: &Server, round: u64) {
    let log = server.log();
    assert!(!log.contains("panicked") && !log.contains("ERROR"), "round {round}:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_rows_survive_every_kill() {
    let rounds: u64 = std::env::var("CRASH_ROUNDS").map_or(8, |text| text.parse().unwrap());
    let mut random = ChaCha8Rng::seed_from_u64(rounds);
    let directory = Arc::new(TempDir::new().unwrap());
    let calendar = Arc::new(Calendar::now());
    let mut promises: Vec<Promises> = (0..clients::CLIENTS).map(|_| Promises::default()).collect();
    let mut tally = Tally::default();
    for round in 1..=rounds {
        let mut server = launch(&directory).start().await;
        let stored = Stored::read(&server, &calendar).await;
        stored.keeps(&mut promises, &calendar);
        answers::check(&server, &stored, &calendar, round).await;
        look_at_log(&server, round);

        let clients = Clients::start(&server, &calendar, promises, round);
        let fell = kill::at_some_moment(&mut server, &clients, &mut random).await;
        println!("round {round}: {fell}");
        tally.count(fell);
        promises = clients.end().await;
        look_at_log(&server, round);
        if round % LOOK_INSIDE == 0 {
            inside::check(directory.path(), &calendar).await;
        }
    }
    let server = launch(&directory).start().await;
    let stored = Stored::read(&server, &calendar).await;
    stored.keeps(&mut promises, &calendar);
    // In peace, everything comes to its end.
    for what in ["archive", "retention", "backup"] {
        clients::order(&server.client, &server.url(""), &clients::token(&server), what).await.unwrap();
    }
    let stored = Stored::read(&server, &calendar).await;
    stored.keeps(&mut promises, &calendar);
    assert_eq!(stored.before(calendar.kept_from()), 0, "what is too old is gone");
    answers::check_all(&server, &stored, &calendar).await;
    leftovers::check(&server).await;
    look_at_log(&server, rounds);
    drop(server);
    inside::check(directory.path(), &calendar).await;
    inside::check_newest_backup(directory.path(), &stored).await;

    let acknowledged: u64 = promises.iter().map(|promises| promises.acknowledged).sum();
    println!("{rounds} kills: {tally}");
    println!("{acknowledged} bodies acknowledged, {} rows in the end, none lost and none doubled", stored.len());
    assert!(acknowledged > rounds, "the test did something");
    let set_aside = std::fs::read_dir(directory.path().join("data")).unwrap().map(|entry| entry.unwrap().file_name());
    let set_aside: Vec<_> = set_aside.filter(|name| name.to_string_lossy().contains("corrupt")).collect();
    assert!(set_aside.is_empty(), "{set_aside:?}");
}
